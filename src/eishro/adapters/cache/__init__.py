"""Adapters of the key-value port (`db/keyvalue.py`): this process's memory, or Redis or Valkey."""

from urllib.parse import urlsplit

from eishro.clock import Clock
from eishro.db.keyvalue import KeyValue


def open_key_value(url: str, clock: Clock) -> KeyValue:
    """The store that `EISHRO_KV_URL` names; connections are made on first use.

    Args:
        url: `memory://`, `redis://[user:password@]host[:port][/number]`, or `rediss://` for TLS.
        clock: decides when entries in memory end; Redis has its own clock.

    Raises:
        ValueError: another scheme, or an address that cannot be read.
    """
    match urlsplit(url).scheme:
        case "memory":
            from eishro.adapters.cache.memory import MemoryKeyValue

            return MemoryKeyValue(clock)
        case "redis" | "rediss":
            # Imported here: the client takes a while to load, and the embedded profile and the
            # edge, where it is not installed, do without it.
            from eishro.adapters.cache.redis import RedisKeyValue

            return RedisKeyValue(url)
        case scheme:
            raise ValueError(
                f"EISHRO_KV_URL: expected memory://, redis:// or rediss://, not {scheme!r}"
            )
