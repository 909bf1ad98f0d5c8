"""Key-value in memory: the contract, its bounds, and the hostile mode."""

import random
from datetime import timedelta

import pytest

from eishro.adapters.cache import open_key_value
from eishro.adapters.cache.memory import MemoryKeyValue
from eishro.clock import ManualClock
from tests.contracts.key_value import KeyValueContract, PassTime


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class TestMemoryKeyValue(KeyValueContract):
    @pytest.fixture
    def store(self, clock: ManualClock) -> MemoryKeyValue:
        return MemoryKeyValue(clock)

    @pytest.fixture
    def pass_time(self, clock: ManualClock) -> PassTime:
        async def turn(seconds: float) -> None:
            clock.turn(timedelta(seconds=seconds))

        return turn


@pytest.mark.anyio
async def test_the_least_recently_used_entry_makes_room(clock: ManualClock) -> None:
    store = MemoryKeyValue(clock, entries_max=2)
    await store.set("a", b"1", 60)
    await store.increment("b", 60)
    await store.get("a")
    await store.set("c", b"3", 60)
    assert await store.get("b") is None
    assert await store.get("a") == b"1"


@pytest.mark.anyio
async def test_big_values_make_room_by_their_size(clock: ManualClock) -> None:
    store = MemoryKeyValue(clock, bytes_max=10_000)
    for number in range(50):
        await store.set(f"k{number}", bytes(4_000), 60)
    kept = [number for number in range(50) if await store.get(f"k{number}") is not None]
    assert kept == [48, 49]


@pytest.mark.anyio
async def test_replaced_and_ended_entries_give_their_room_back(clock: ManualClock) -> None:
    store = MemoryKeyValue(clock, bytes_max=10_000)
    await store.set("kept", b"1", 3_600)
    for _ in range(50):
        await store.set("a", b"12345678", 1)
        await store.increment("a", 1)
        await store.set("a", bytes(4_000), 1)
        clock.turn(timedelta(seconds=2))
        assert await store.get("a") is None
    assert await store.get("kept") == b"1"


@pytest.mark.anyio
async def test_a_hostile_store_shows_values_late_or_never(
    clock: ManualClock, rng: random.Random
) -> None:
    store = MemoryKeyValue(clock, hostile=rng)
    for number in range(200):
        await store.set(f"k{number}", b"old", 3_600)
    at_once = sum([await store.get(f"k{number}") is not None for number in range(200)])
    clock.turn(timedelta(minutes=2))
    later = sum([await store.get(f"k{number}") is not None for number in range(200)])
    assert at_once < later < 200


@pytest.mark.anyio
async def test_a_hostile_store_still_shows_the_old_value_for_a_while(
    clock: ManualClock, rng: random.Random
) -> None:
    store = MemoryKeyValue(clock, hostile=rng)
    for number in range(200):
        await store.set(f"k{number}", b"old", 3_600)
    clock.turn(timedelta(minutes=2))
    for number in range(200):
        await store.set(f"k{number}", b"new", 3_600)
    clock.turn(timedelta(seconds=30))
    seen = {await store.get(f"k{number}") for number in range(200)}
    assert seen == {b"old", b"new", None}


@pytest.mark.anyio
async def test_counters_are_exact_in_a_hostile_store(
    clock: ManualClock, rng: random.Random
) -> None:
    store = MemoryKeyValue(clock, hostile=rng)
    for expected in range(1, 201):
        assert (await store.increment("hits", 60)).value == expected
        assert await store.get("hits") == str(expected).encode()


def test_a_wrong_address_names_the_setting(clock: ManualClock) -> None:
    for url in ("", "memcached://host", "localhost:6379", "redis://host:port"):
        with pytest.raises(ValueError, match="EISHRO_KV_URL"):
            open_key_value(url, clock)


def test_memory_is_opened_by_its_address(clock: ManualClock) -> None:
    assert isinstance(open_key_value("memory://", clock), MemoryKeyValue)
