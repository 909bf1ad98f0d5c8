"""Alembic's entry: renders revisions as SQL (always offline), or compares with a live schema.

`db/migrate.py` and the tests put the target in the configuration's attributes; nothing is read
from the environment.
"""

from alembic import context

from eishro.db.schema import METADATA

_attributes = context.config.attributes

if "connection" in _attributes:
    context.configure(
        connection=_attributes["connection"],
        target_metadata=METADATA,
        render_as_batch=True,
        include_object=_attributes.get("include_object"),
        user_module_prefix="types.",
    )
else:
    context.configure(
        dialect_name=_attributes["dialect_name"],
        target_metadata=METADATA,
        as_sql=True,
        literal_binds=True,
        render_as_batch=True,
        # The runner wraps the whole script in one transaction; D1 refuses BEGIN.
        transactional_ddl=False,
    )

context.run_migrations()
