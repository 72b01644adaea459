"""Migrations of the database, run by results.migrate."""
