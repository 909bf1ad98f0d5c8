"""Connections to a SQLite file with our settings."""

from pathlib import Path

import apsw

from eishro.db.database import DatabaseDamaged

BUSY_SECONDS_MAX = 5.0  # how long to wait for another process that writes
DAMAGED = (apsw.NotADBError, apsw.CorruptError, apsw.CantOpenError)


def connect(path: Path, cache_kib: int) -> apsw.Connection:
    """A connection that keeps at most `cache_kib` of pages.

    Raises:
        DatabaseDamaged: the file is not a database, or cannot be opened.
    """
    try:
        return _open(path, cache_kib)
    except DAMAGED as error:
        raise DatabaseDamaged(f"{path}: {error}") from error


def _open(path: Path, cache_kib: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), statementcachesize=512)
    connection.set_busy_timeout(int(BUSY_SECONDS_MAX * 1000))
    # Otherwise a statement is planned again whenever its values change: this build of SQLite
    # looks at statistics of values, which we do not keep.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        f"cache_size = -{cache_kib}",
        # Savepoints keep the pages they may have to restore in memory, not in a file.
        "temp_store = MEMORY",
        "wal_autocheckpoint = 0",  # `sqlite_log.Checkpointer` does it
        "journal_size_limit = 64000000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection
