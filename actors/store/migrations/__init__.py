"""Schema revisions, a folder for each kind of database, numbered upwards; Alembic loads them by path."""
