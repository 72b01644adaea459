"""The historical database: schema, migrations, store, queries."""
