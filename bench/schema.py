"""EISHRO's schema in a file: the rows are written at the first revision, then every later one is
applied, as an installation that has been there from the start would be. So what later revisions
keep beside the rows (counters, versions) is right, and the rows below need not follow them.
"""

import io
import sqlite3

from alembic import command
from alembic.config import Config

FIRST = "0001"


def open_first(connection: sqlite3.Connection) -> None:
    """Make the tables of the first revision in an empty file."""
    connection.executescript(_render("base", FIRST))


def bring_up(connection: sqlite3.Connection) -> None:
    """Apply every later revision."""
    connection.executescript(_render(FIRST, "head"))


def render_all() -> str:
    """The whole line of revisions as SQL; it changes when the schema does."""
    return _render("base", "head")


def _render(since: str, until: str) -> str:
    buffer = io.StringIO()
    config = Config(output_buffer=buffer)
    config.set_main_option("script_location", "eishro.db:migrations")
    config.attributes["dialect_name"] = "sqlite"
    command.upgrade(config, f"{since}:{until}", sql=True)
    return buffer.getvalue()
