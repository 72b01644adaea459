"""Alembic runs this file to migrate; the connection, in a transaction already, comes from results.migrate."""

from alembic import context

from results.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite alters most things only by rebuilding the table.
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
