"""The databases: one SQLite file for each writer process, its tables, migrations, outbox and queries."""
