"""The port KeyValue: what caches and counters rely on."""

import asyncio
from typing import Protocol

import pytest

from eishro.db.keyvalue import KEY_LENGTH_MAX, VALUE_BYTES_MAX, KeyValue


class PassTime(Protocol):
    """Let the store's time go by: a clock turned, or for a real server a short wait."""

    async def __call__(self, seconds: float) -> None: ...


@pytest.mark.anyio
class KeyValueContract:
    """Subclass it and provide the fixtures `store` (fresh keys) and `pass_time`."""

    async def test_an_unknown_key_is_none(self, store: KeyValue) -> None:
        assert await store.get("nothing") is None

    async def test_a_value_comes_back_as_it_was_set(self, store: KeyValue) -> None:
        await store.set("cart:1", b"\x00\xff bytes", 60)
        assert await store.get("cart:1") == b"\x00\xff bytes"

    async def test_an_empty_value_is_a_value(self, store: KeyValue) -> None:
        await store.set("empty", b"", 60)
        assert await store.get("empty") == b""

    async def test_setting_again_replaces_the_value(self, store: KeyValue) -> None:
        await store.set("a", b"old", 60)
        await store.set("a", b"new", 60)
        assert await store.get("a") == b"new"

    async def test_an_arabic_key_is_a_key(self, store: KeyValue) -> None:
        await store.set("بحث:قميص", b"1", 60)
        assert await store.get("بحث:قميص") == b"1"

    async def test_the_largest_value_and_the_longest_key_fit(self, store: KeyValue) -> None:
        key, value = "k" * KEY_LENGTH_MAX, b"\x01" * VALUE_BYTES_MAX
        await store.set(key, value, 60)
        assert await store.get(key) == value

    async def test_what_is_too_large_or_endless_is_refused(self, store: KeyValue) -> None:
        with pytest.raises(ValueError, match="bytes"):
            await store.set("a", b"\x01" * (VALUE_BYTES_MAX + 1), 60)
        with pytest.raises(ValueError, match="bytes"):
            await store.set("k" * (KEY_LENGTH_MAX + 1), b"", 60)
        with pytest.raises(ValueError, match="bytes"):
            await store.get("")
        for ttl_seconds in (0, -1, float("inf"), float("nan")):
            with pytest.raises(ValueError, match="time to live"):
                await store.set("a", b"", ttl_seconds)
            with pytest.raises(ValueError, match="time to live"):
                await store.increment("a", ttl_seconds)

    async def test_a_value_ends_with_its_time(self, store: KeyValue, pass_time: PassTime) -> None:
        await store.set("short", b"1", 0.1)
        await store.set("long", b"1", 60)
        await pass_time(0.15)
        assert await store.get("short") is None
        assert await store.get("long") == b"1"

    async def test_setting_again_starts_a_new_time(
        self, store: KeyValue, pass_time: PassTime
    ) -> None:
        await store.set("a", b"old", 0.1)
        await store.set("a", b"new", 60)
        await pass_time(0.15)
        assert await store.get("a") == b"new"

    async def test_a_deleted_key_is_gone_and_may_be_deleted_again(self, store: KeyValue) -> None:
        await store.set("a", b"1", 60)
        await store.delete("a")
        await store.delete("a")
        assert await store.get("a") is None

    async def test_a_counter_starts_at_zero_and_tells_its_end(self, store: KeyValue) -> None:
        first = await store.increment("hits", 60)
        assert first.value == 1
        assert 59 < first.seconds_left <= 60
        assert (await store.increment("hits", 60, by=4)).value == 5
        assert (await store.increment("hits", 60, by=-2)).value == 3

    async def test_later_increments_do_not_move_the_end(
        self, store: KeyValue, pass_time: PassTime
    ) -> None:
        await store.increment("hits", 10)
        await pass_time(0.05)
        second = await store.increment("hits", 1_000)
        assert second.value == 2
        assert 0 < second.seconds_left < 10

    async def test_a_counter_starts_over_after_its_end(
        self, store: KeyValue, pass_time: PassTime
    ) -> None:
        await store.increment("hits", 0.1, by=7)
        await pass_time(0.15)
        assert (await store.increment("hits", 0.1)).value == 1

    async def test_a_counter_can_be_read_and_deleted(self, store: KeyValue) -> None:
        await store.increment("hits", 60, by=12)
        assert await store.get("hits") == b"12"
        await store.delete("hits")
        assert (await store.increment("hits", 60)).value == 1

    async def test_counting_on_text_is_refused(self, store: KeyValue) -> None:
        await store.set("a", b"text", 60)
        with pytest.raises(ValueError):
            await store.increment("a", 60)
        assert await store.get("a") == b"text"

    async def test_fifty_concurrent_increments_add_up_to_fifty(self, store: KeyValue) -> None:
        counts = await asyncio.gather(*(store.increment("hits", 60) for _ in range(50)))
        assert sorted(count.value for count in counts) == list(range(1, 51))
