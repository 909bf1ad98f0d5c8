"""A migrated PostgreSQL database that is emptied after each test instead of made for it: making
and removing one takes longer than most tests."""

import asyncpg

from tests.servers.clerk import Clerk
from tests.servers.postgres import Postgres

USES_MAX = 40  # rows that were deleted stay in the files, and are gone with the database

_TABLES = """SELECT coalesce(array_agg(quote_ident(relname) ORDER BY relname), '{}') FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
# Whatever is declared, granted or switched leaves a newer row in one of these, or one row less.
_CATALOGUES = (
    "pg_class", "pg_attribute", "pg_constraint", "pg_index", "pg_proc", "pg_trigger", "pg_policy",
    "pg_namespace", "pg_default_acl",
)  # fmt: skip
# The sessions of the last test; a statement of theirs might still be under way.
_ALONE = """SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'"""


class EmptiedDatabase:
    """Lends copies of `template`, one at a time; the same one again as long as only rows change."""

    def __init__(self, server: Postgres, template: str) -> None:
        self._server = server
        self._template = template
        # As replicas do, it deletes without asking keys and triggers, in any order of tables.
        self._clerk = Clerk(session_replication_role="replica", lock_timeout="5s")
        self._url: str | None = None
        self._uses = 0
        self._tables: list[str] = []
        self._state: list[object] = []
        self._state_query = ""

    def take(self) -> str:
        """The URL of a migrated database without rows."""
        if self._url is None:
            self._url = self._server.create_database(template=self._template)
            self._uses = 0
            self._look(self._url)
        self._uses += 1
        return self._url

    def give_back(self) -> None:
        """Empty it, or remove it if more than its rows has changed."""
        assert self._url is not None
        try:
            if self._uses < USES_MAX and self._is_emptied(self._url):
                return
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            pass  # whatever is the matter with it, the next one is new
        self.remove()

    def remove(self) -> None:
        """Let go of the database."""
        if self._url is not None:
            self._clerk.hang_up(self._url)
            self._server.drop_database(self._url)
            self._url = None

    def close(self) -> None:
        """Let go of everything."""
        self.remove()
        self._clerk.close()

    def _look(self, url: str) -> None:
        """Which tables are empty after the migrations, and what the rest of it looks like."""
        (tables,) = self._clerk.row(url, _TABLES)
        has_rows = self._clerk.row(url, _has_rows(tables))
        filled = [table for table, has in zip(tables, has_rows, strict=True) if has]
        self._tables = [table for table in tables if table not in filled]
        self._state_query = _state(filled)
        self._state = self._clerk.row(url, self._state_query)

    def _is_emptied(self, url: str) -> bool:
        self._clerk.row(url, _ALONE)
        if self._clerk.row(url, self._state_query) != self._state:
            return False
        has_rows = self._clerk.row(url, _has_rows(self._tables))
        used = [table for table, has in zip(self._tables, has_rows, strict=True) if has]
        if used:
            self._clerk.execute(url, ";".join(f"DELETE FROM {table}" for table in used))
        return True


def _has_rows(tables: list[str]) -> str:
    return "SELECT " + ", ".join(f"EXISTS (SELECT FROM {table})" for table in tables)


def _state(filled: list[str]) -> str:
    newest = (f"(SELECT count(*) || '-' || max(xmin::text::bigint) FROM {c})" for c in _CATALOGUES)
    rows = (f"(SELECT string_agg(t::text, '\n' ORDER BY t::text) FROM {t} t)" for t in filled)
    return "SELECT " + ", ".join((*newest, *rows))
