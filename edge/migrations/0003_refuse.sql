-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0003_refuse.py; do not edit

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';
