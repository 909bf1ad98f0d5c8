-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0004_row_security.py; do not edit

UPDATE alembic_version SET version_num='0004' WHERE alembic_version.version_num = '0003';
