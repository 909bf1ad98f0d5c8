"""Key-value in Redis or Valkey, for several processes and hosts.

Facts: the Redis command reference (SET, INCRBY, PTTL, PEXPIRE, EVALSHA); any server that speaks
RESP2 and runs Lua scripts will do.
"""

import math
from collections.abc import Awaitable
from typing import NoReturn, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError, ResponseError

from eishro.adapters.cache.limits import check_key, check_ttl, check_value
from eishro.db.keyvalue import Count, KeyValueUnavailable

# A cache that does not answer at once is worth less than none: callers go on without it.
CONNECT_SECONDS_MAX = 0.5
REPLY_SECONDS_MAX = 1.0
CONNECTIONS_MAX = 32

# One round trip, and atomic: a script's clock stands still, so a counter cannot end between
# INCRBY and PTTL and be left behind without an end.
_INCREMENT = """
local value = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {value, left}
"""

_T = TypeVar("_T")


class RedisKeyValue:
    """Bytes and counters in one Redis database.

    Args:
        url: `redis://` or `rediss://`; the number in its path is the database.
    Every method raises `KeyValueUnavailable` when the server cannot be reached, refuses us or
    does not answer in time. A connection that broke is replaced and the command tried once more;
    an increment whose answer was lost may count twice, which only costs a caller a request.
    """

    def __init__(self, url: str) -> None:
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                timeout=REPLY_SECONDS_MAX,
                socket_connect_timeout=CONNECT_SECONDS_MAX,
                socket_timeout=REPLY_SECONDS_MAX,
                retry=Retry(NoBackoff(), 1, supported_errors=(NotConnected,)),
                protocol=2,  # no handshake before the first command
                driver_info=None,
            )
        except ValueError as fault:
            raise ValueError(f"EISHRO_KV_URL: {fault}") from None
        self._redis = Redis.from_pool(pool)
        self._increment = self._redis.register_script(_INCREMENT)

    async def get(self, key: str) -> bytes | None:
        """The value, or None when absent or expired."""
        check_key(key)
        return cast("bytes | None", await self._ask(self._redis.get(key)))

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Store or replace with a new time to live, rounded up to whole milliseconds."""
        check_key(key)
        check_value(value)
        check_ttl(ttl_seconds)
        await self._ask(self._redis.set(key, value, px=_milliseconds(ttl_seconds)))

    async def delete(self, key: str) -> None:
        """Forget the key."""
        check_key(key)
        await self._ask(self._redis.delete(key))

    async def increment(self, key: str, ttl_seconds: float, by: int = 1) -> Count:
        """Add to a counter.

        Raises:
            ValueError: the key holds bytes that are no whole number.
        """
        check_key(key)
        check_ttl(ttl_seconds)
        script = self._increment(keys=[key], args=[by, _milliseconds(ttl_seconds)])
        value, milliseconds = cast("list[int]", await self._ask(script))
        return Count(value, max(milliseconds, 1) / 1000)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _ask(self, command: Awaitable[_T]) -> _T:
        try:
            return await command
        except (RedisError, OSError) as fault:
            _raise(fault)


def _raise(fault: Exception) -> NoReturn:
    # The one refusal that is the caller's fault; others (no memory, read-only replica, wrong
    # password, loading) pass or are the operator's.
    if isinstance(fault, ResponseError) and "not an integer" in str(fault):
        raise ValueError("the key holds no counter") from fault
    raise KeyValueUnavailable(f"{type(fault).__name__}: {fault}") from fault


def _milliseconds(seconds: float) -> int:
    return math.ceil(seconds * 1000)
