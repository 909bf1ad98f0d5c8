"""Column types that mean the same on SQLite, PostgreSQL and D1.

Every value in a row is an integer or a text. Times are microseconds since 1970 in UTC, flags
are 0 or 1, JSON is text that is passed on without being decoded.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Text = sa.Text
Id = sa.Text


def micros(moment: datetime) -> int:
    """An aware instant as microseconds since 1970 UTC, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(at_micros: int) -> datetime:
    """Microseconds since 1970 UTC as an aware instant."""
    return _EPOCH + timedelta(microseconds=at_micros)


class Int(TypeDecorator[int]):
    """A whole number below 2**53 (what every engine holds exactly)."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        # STRICT tables know INTEGER only, and only INTEGER PRIMARY KEY is SQLite's row id.
        return sa.Integer() if dialect.name == "sqlite" else sa.BigInteger()


class RowType(TypeDecorator[Any]):
    """A type whose values change between Python and the row.

    `db/compiled.py` calls the two functions; SQLAlchemy's own processors are not used because
    its engine is not used.
    """

    cache_ok = True
    impl: Any = sa.Text

    to_row: ClassVar[Any]
    from_row: ClassVar[Any]


class Moment(RowType):
    """An aware UTC instant, microsecond resolution, as an integer."""

    impl = sa.BigInteger
    to_row = staticmethod(micros)
    from_row = staticmethod(moment)

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        return sa.Integer() if dialect.name == "sqlite" else sa.BigInteger()


class Flag(RowType):
    """True or False, as 1 or 0."""

    impl = sa.BigInteger
    to_row = staticmethod(int)
    from_row = staticmethod(bool)

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        return sa.Integer() if dialect.name == "sqlite" else sa.BigInteger()


def _json_text(value: object) -> str:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return msgspec.json.encode(value).decode()


def _json_raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


class Json(RowType):
    """JSON as text: written from anything msgspec encodes, read as `msgspec.Raw`."""

    impl = sa.Text
    to_row = staticmethod(_json_text)
    from_row = staticmethod(_json_raw)
