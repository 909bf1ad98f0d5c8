"""One line of revisions for every engine, rendered as SQL and applied by `db/migrate.py`."""
