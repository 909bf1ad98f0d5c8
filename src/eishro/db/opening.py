"""Opening the database that a URL names."""

from pathlib import Path

from eishro.db.database import Database


async def open_database(url: str) -> Database:
    """`sqlite:///path` or `postgresql://…`.

    Drivers are imported here, so that a profile needs only its own.

    Raises:
        ValueError: another scheme.
        DatabaseBusy: the server does not answer.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/"):
        from eishro.db.sqlite import SqliteDatabase

        return SqliteDatabase(Path(rest[1:]))
    if scheme in {"postgresql", "postgres"}:
        from eishro.db.postgres import PostgresDatabase

        return await PostgresDatabase.open(url)
    raise ValueError("EISHRO_DATABASE_URL must begin with sqlite:/// or postgresql://")
