"""Key-value in a real Valkey: the contract, sudden death, silence."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from eishro.adapters.cache import open_key_value
from eishro.adapters.cache import redis as adapter
from eishro.adapters.cache.redis import RedisKeyValue
from eishro.clock import ManualClock
from eishro.db.keyvalue import KeyValue, KeyValueUnavailable
from tests.contracts.key_value import KeyValueContract, PassTime
from tests.servers.ports import free_port
from tests.servers.valkey import Valkey

pytestmark = pytest.mark.anyio

PATIENCE = 30.0  # seconds


@pytest.fixture
async def store(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KeyValue]:
    """A store with patience: on a busy machine a second is soon over."""
    monkeypatch.setattr(adapter, "CONNECT_SECONDS_MAX", PATIENCE)
    monkeypatch.setattr(adapter, "REPLY_SECONDS_MAX", PATIENCE)
    valkey.clear()
    store = open_key_value(valkey.url, ManualClock())
    yield store
    await store.aclose()


class TestRedisKeyValue(KeyValueContract):
    @pytest.fixture
    def pass_time(self) -> PassTime:
        async def wait(seconds: float) -> None:
            await asyncio.sleep(seconds)  # the server has a clock of its own

        return wait


async def test_more_callers_than_connections_wait_their_turn(store: KeyValue) -> None:
    counts = await asyncio.gather(*(store.increment("hits", 60) for _ in range(500)))
    assert max(count.value for count in counts) == 500


async def test_a_dead_server_is_reported_and_found_again(store: KeyValue, valkey: Valkey) -> None:
    await asyncio.gather(*(store.increment("hits", 60) for _ in range(5)))
    valkey.kill()
    try:
        for call in (
            store.get("a"),
            store.set("a", b"1", 60),
            store.delete("a"),
            store.increment("hits", 60),
        ):
            with pytest.raises(KeyValueUnavailable):
                await call
    finally:
        valkey.start()
    assert (await store.increment("hits", 60)).value == 1
    await store.set("a", b"1", 60)
    assert await store.get("a") == b"1"


async def test_a_restart_between_two_calls_goes_unnoticed(store: KeyValue, valkey: Valkey) -> None:
    await asyncio.gather(*(store.increment("hits", 60) for _ in range(5)))
    valkey.kill()
    valkey.start()
    counts = await asyncio.gather(*(store.increment("hits", 60) for _ in range(20)))
    assert max(count.value for count in counts) == 20


async def test_a_silent_server_is_reported_in_time(valkey: Valkey) -> None:
    store = RedisKeyValue(valkey.url)
    await store.set("a", b"1", 60)
    valkey.process.freeze()
    try:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(KeyValueUnavailable):
                await store.get("a")
    finally:
        valkey.process.thaw()
    assert await store.get("a") == b"1"
    await store.aclose()


async def test_nobody_at_the_address_is_reported() -> None:
    store = RedisKeyValue(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(KeyValueUnavailable):
        await store.get("a")
    await store.aclose()


async def test_a_wrong_password_is_reported_without_showing_it(valkey: Valkey) -> None:
    address = urlsplit(valkey.url).netloc
    store = RedisKeyValue(f"redis://user:not-the-password@{address}/0")
    with pytest.raises(KeyValueUnavailable) as refusal:
        await store.get("a")
    assert "not-the-password" not in str(refusal.value)
    await store.aclose()


async def test_databases_of_one_server_are_apart(store: KeyValue, valkey: Valkey) -> None:
    other = RedisKeyValue(valkey.url.removesuffix("/0") + "/1")
    await store.set("a", b"here", 60)
    assert await other.get("a") is None
    await other.aclose()
