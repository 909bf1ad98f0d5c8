"""Cloudflare KV for caches, D1 for counters: the `KeyValue` port of the edge profile.

KV is eventually consistent, keeps entries for at least 60 seconds and takes one write a second
for each key, so only bytes that may be old or lost lie there. Each entry says when it ends and
what it must hash to: shorter lives are kept to the microsecond, a damaged entry counts as absent.
Counters are exact in D1, except those whose key begins with a prefix in `local`: they are counted
in the isolate's memory, since a write for every public GET would cost more than it protects.
Facts: Cloudflare's "KV" reference and limits (read in 2026).
"""

import hashlib
import math
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from eishro.adapters.cache.limits import check_key, check_ttl, check_value
from eishro.adapters.cache.memory import MemoryKeyValue
from eishro.clock import Clock
from eishro.db.database import DatabaseBusy
from eishro.db.keyvalue import Count, KeyValueUnavailable
from eishro.db.types import micros
from eishro.edge import runtime
from eishro.edge.d1 import D1Database

_LOG = structlog.get_logger("eishro.edge.kv")

TTL_SECONDS_MIN = 60  # what KV accepts
LOCAL_ENTRIES_MAX = 5_000  # counters in the memory of one isolate

_COUNT = (
    "INSERT INTO edge_counters (key, value, ends_at) VALUES (?1, ?2, ?3) "
    "ON CONFLICT (key) DO UPDATE SET "
    "value = CASE WHEN ends_at <= ?4 THEN excluded.value ELSE value + excluded.value END, "
    "ends_at = CASE WHEN ends_at <= ?4 THEN excluded.ends_at ELSE ends_at END "
    "RETURNING value, ends_at, ends_at = ?3"
)
_READ = "SELECT value FROM edge_counters WHERE key = ?1 AND ends_at > ?2"
_FORGET = "DELETE FROM edge_counters WHERE key = ?1"
_TIDY = "DELETE FROM edge_counters WHERE ends_at <= ?1"


class _Label(msgspec.Struct, frozen=True):
    """What KV keeps beside a value: its end in microseconds since 1970, and its hash."""

    ends: int
    hash: str


class CloudflareKeyValue:
    """Bytes in a KV namespace, counters in D1.

    Args:
        binding, name: the KV binding and its name, for messages.
        local: prefixes of counters that are only counted in this isolate.
    """

    def __init__(
        self, binding: Any, name: str, db: D1Database, clock: Clock, local: tuple[str, ...] = ()
    ) -> None:
        self._binding = binding
        self._name = name
        self._db = db
        self._clock = clock
        self._local = local
        self._memory = MemoryKeyValue(clock, entries_max=LOCAL_ENTRIES_MAX)

    async def get(self, key: str) -> bytes | None:
        """The value; a counter's as decimal digits."""
        check_key(key)
        found = await self._find(key)
        if found is not None or key.startswith(self._local):
            return found if found is not None else await self._memory.get(key)
        rows = await self._count(_READ, key, micros(self._clock.now()))
        return str(rows[0][0]).encode() if rows else None

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Store or replace; other places of the world see it within a minute or so."""
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)
        ends = self._clock.now() + timedelta(seconds=ttl_seconds)
        options = {
            "expirationTtl": max(TTL_SECONDS_MIN, math.ceil(ttl_seconds)),
            "metadata": _Label(micros(ends), _hash(value)),
        }
        try:
            await self._binding.put(key, runtime.bytes_to_js(value), runtime.to_js(options))
        except runtime.js_error() as fault:
            raise KeyValueUnavailable(f"KV binding {self._name}: {fault}") from fault

    async def delete(self, key: str) -> None:
        """Forget the key, a counter too."""
        check_key(key)
        try:
            await self._binding.delete(key)
        except runtime.js_error() as fault:
            raise KeyValueUnavailable(f"KV binding {self._name}: {fault}") from fault
        await self._memory.delete(key)
        await self._count(_FORGET, key)

    async def increment(self, key: str, ttl_seconds: float, by: int = 1) -> Count:
        """Add to a counter.

        Raises:
            ValueError: the key holds bytes; looked at when a counter starts and KV answers.
        """
        check_key(key)
        check_ttl(ttl_seconds)
        if key.startswith(self._local):
            return await self._memory.increment(key, ttl_seconds, by)
        now = self._clock.now()
        ends = micros(now + timedelta(seconds=ttl_seconds))
        ((value, ends_at, is_new),) = await self._count(_COUNT, key, by, ends, micros(now))
        if is_new and await self._holds_bytes(key):
            await self._count(_FORGET, key)
            raise ValueError(f"the key holds bytes, not a counter: {key[:80]!r}")
        return Count(value, max(1, ends_at - micros(now)) / 1_000_000)

    async def tidy(self) -> None:
        """Remove counters whose time is over."""
        await self._count(_TIDY, micros(self._clock.now()))

    async def aclose(self) -> None:
        """A binding needs no closing."""

    async def _find(self, key: str) -> bytes | None:
        """KV's value, if it is there, alive and undamaged."""
        options = runtime.to_js({"type": "arrayBuffer"})
        try:
            found = await self._binding.getWithMetadata(key, options)
        except runtime.js_error() as fault:
            raise KeyValueUnavailable(f"KV binding {self._name}: {fault}") from fault
        if runtime.is_nothing(found.value):
            return None
        value = runtime.bytes_from_js(found.value)
        try:
            label = msgspec.convert(runtime.from_js(found.metadata), _Label)
        except (msgspec.ValidationError, msgspec.DecodeError, TypeError):
            label = None
        if label is None or label.hash != _hash(value):
            _LOG.warning("cache_entry_corrupt", binding=self._name, key=key)
            return None
        return value if label.ends > micros(self._clock.now()) else None

    async def _holds_bytes(self, key: str) -> bool:
        try:
            return await self._find(key) is not None
        except KeyValueUnavailable:
            return False  # D1 has counted; limits hold while KV is down

    async def _count(self, sql: str, *parameters: object) -> list[list[int]]:
        try:
            return await self._db.rows(sql, list(parameters))
        except DatabaseBusy as fault:
            raise KeyValueUnavailable(f"D1 binding {self._db.name} is busy") from fault


def _hash(value: bytes) -> str:
    return hashlib.blake2b(value, digest_size=12).hexdigest()
