"""Key-value in the memory of one process: the embedded profile's cache and counters.

Bounded in entries and bytes; what was not used for the longest time goes first, counters too.
With `hostile` it behaves as the worst store that the port allows, to show that nothing
important depends on it: what was set is seen late or never, and entries vanish.
"""

import random
from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec

from eishro.adapters.cache.limits import check_key, check_ttl, check_value
from eishro.clock import Clock
from eishro.db.keyvalue import Count

ENTRIES_MAX = 100_000
BYTES_MAX = 64_000_000
_ENTRY_BYTES = 500  # what an entry costs in Python beside its key and value, measured roughly

# How hostile: every fourth write is lost, every tenth read finds nothing, and a write is seen
# up to a minute later, as between the regions of a store that spans the world.
_LOST_WRITES = 0.25
_LOST_READS = 0.1
_SEEN_LATE_SECONDS_MAX = 60.0


class _Entry(msgspec.Struct):
    value: bytes | int  # int: a counter
    ends_at: datetime
    seen_at: datetime | None = None  # a hostile store shows it only from then on …
    before: "_Entry | None" = None  # … and this until then


class MemoryKeyValue:
    """Bytes and counters in a dict.

    Args:
        clock: decides when an entry ends.
        entries_max, bytes_max: above either, least recently used entries are dropped.
        hostile: randomness for delayed and dropped entries; None behaves well.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        entries_max: int = ENTRIES_MAX,
        bytes_max: int = BYTES_MAX,
        hostile: random.Random | None = None,
    ) -> None:
        self._clock = clock
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._hostile = hostile
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # least recently used first
        self._bytes = 0

    async def get(self, key: str) -> bytes | None:
        """The value, or None when absent, expired or dropped; a counter's as decimal digits."""
        check_key(key)
        now = self._clock.now()
        entry = self._live(key, now)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        if isinstance(entry.value, int):
            return str(entry.value).encode()
        if self._hostile is not None:
            return self._get_hostile(key, entry, now, self._hostile)
        return entry.value

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Store or replace; the oldest entries make room."""
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)
        now = self._clock.now()
        entry = _Entry(bytes(value), now + timedelta(seconds=ttl_seconds))
        if self._hostile is not None:
            if self._hostile.random() < _LOST_WRITES:
                return
            delay = self._hostile.uniform(0, _SEEN_LATE_SECONDS_MAX)
            entry.seen_at = now + timedelta(seconds=delay)
            entry.before = self._visible(self._live(key, now), now)
        self._keep(key, entry)

    async def delete(self, key: str) -> None:
        """Forget the key."""
        check_key(key)
        self._forget(key)

    async def increment(self, key: str, ttl_seconds: float, by: int = 1) -> Count:
        """Add to a counter; nothing else runs in between, since nothing here waits.

        Raises:
            ValueError: the key holds bytes that are no whole number.
        """
        now = self._clock.now()
        entry = self._entries.get(key)
        if entry is None or entry.ends_at <= now:
            check_key(key)
            check_ttl(ttl_seconds)
            entry = _Entry(0, now + timedelta(seconds=ttl_seconds))
            self._keep(key, entry)
        value = entry.value
        if not isinstance(value, int):
            self._bytes -= len(value)  # a counter's number is in what an entry costs
            value = int(value)
        entry.value = value = value + by
        self._entries.move_to_end(key)
        return Count(value, (entry.ends_at - now).total_seconds())

    async def aclose(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0

    def _live(self, key: str, now: datetime) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.ends_at <= now:
            self._forget(key)
            return None
        return entry

    def _keep(self, key: str, entry: _Entry) -> None:
        self._forget(key)
        self._entries[key] = entry
        self._bytes += _cost(key, entry)
        while len(self._entries) > self._entries_max or self._bytes > self._bytes_max:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _cost(key, entry)

    def _get_hostile(
        self, key: str, entry: _Entry, now: datetime, hostile: random.Random
    ) -> bytes | None:
        if hostile.random() < _LOST_READS:
            self._forget(key)
            return None
        seen = self._visible(entry, now)
        return seen.value if seen is not None and isinstance(seen.value, bytes) else None

    def _visible(self, entry: _Entry | None, now: datetime) -> _Entry | None:
        """What a hostile store shows now: the entry, the one before it, or nothing."""
        if entry is None or entry.ends_at <= now:
            return None
        if entry.seen_at is not None and entry.seen_at > now:
            return self._visible(entry.before, now)
        entry.before = None
        return entry


def _cost(key: str, entry: _Entry) -> int:
    value = 0 if isinstance(entry.value, int) else len(entry.value)
    return len(key) + value + _ENTRY_BYTES
