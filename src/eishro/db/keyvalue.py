"""The key-value port: caches and counters that may be lost at any time.

Nothing that money, stock or permission depends on is kept here (one exception: rate-limit
counters, which only ever cost a caller some requests). Values are bytes up to `VALUE_BYTES_MAX`.
"""

from typing import NamedTuple, Protocol

KEY_LENGTH_MAX = 512
VALUE_BYTES_MAX = 1_000_000


class Count(NamedTuple):
    """A counter's value after an increment and the seconds until it is forgotten (> 0)."""

    value: int
    seconds_left: float


class KeyValueUnavailable(Exception):
    """The store does not answer; callers decide whether to go on without it."""


class KeyValue(Protocol):
    """Bytes and counters by key, each with a time to live."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None when absent or expired."""
        ...

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Store or replace with a new time to live."""
        ...

    async def delete(self, key: str) -> None:
        """Forget the key; forgetting what is not there is a success."""
        ...

    async def increment(self, key: str, ttl_seconds: float, by: int = 1) -> Count:
        """Add to a counter atomically. The first increment starts it at 0 and fixes its end
        `ttl_seconds` later; later increments do not move the end.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
