"""Breakers of gateways: what counts as silence, who is let through, and what they never hold up."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from eishro.adapters.cache import open_key_value
from eishro.adapters.cache.memory import MemoryKeyValue
from eishro.clock import ManualClock
from eishro.db.keyvalue import VALUE_BYTES_MAX, Count, KeyValueUnavailable
from eishro.domain.payments.health import (
    FAILURES_MAX,
    FAILURES_WITHIN,
    PAUSE_FIRST,
    PAUSE_MAX,
    PROBE,
    GatewayResting,
    account_name,
)
from eishro.flows.gateway_health import RESTS_MAX, WELL, Breakers
from eishro.outward import HttpReply, NoReply
from tests.adapters.payments.http_script import Answer, Script
from tests.servers.valkey import Valkey

pytestmark = pytest.mark.anyio

SILENCE = NoReply("timed out", sent=True)
HELLO = HttpReply(200, b"{}")


class Street:
    """Breakers over one key-value store, and a gateway that says what the test wants."""

    def __init__(self, kv: Any = None) -> None:
        self.clock = ManualClock()
        self.kv = kv or MemoryKeyValue(self.clock)
        self.breakers = Breakers(self.kv, self.clock)
        self.told: object = None

    async def call(self, *answers: Answer, account: str = "sadad") -> None:
        for answer in answers:
            script = Script(answer)
            watched = self.breakers.watch(script, account)
            if isinstance(answer, NoReply):
                with pytest.raises(NoReply):
                    await watched.post_json("https://gateway.test", {})
            else:
                assert await watched.post_json("https://gateway.test", {}) == answer
            assert len(script.sent) == 1

    async def lets_through(self, account: str = "sadad") -> bool:
        try:
            await self.breakers.begin(account)
        except GatewayResting as resting:
            self.told = resting.details["retryAfterSeconds"]
            return False
        return True

    async def open(self, account: str = "sadad") -> None:
        await self.call(*[SILENCE] * FAILURES_MAX, account=account)


@pytest.fixture
def street() -> Street:
    return Street()


async def test_silent_calls_in_a_row_hold_new_payments_back(street: Street) -> None:
    await street.call(*[SILENCE] * (FAILURES_MAX - 1))
    assert await street.lets_through()
    await street.call(SILENCE)
    assert not await street.lets_through()
    assert street.told == PAUSE_FIRST.total_seconds()
    assert (await street.breakers.rests())["sadad"].since == street.clock.now()


async def test_an_answer_in_between_begins_the_count_anew(street: Street) -> None:
    await street.call(*[SILENCE] * (FAILURES_MAX - 1), HELLO, *[SILENCE] * (FAILURES_MAX - 1))
    assert await street.lets_through()
    assert await street.breakers.rests() == {}


async def test_silence_now_and_then_is_none_in_a_row(street: Street) -> None:
    for _ in range(3):
        await street.call(*[SILENCE] * (FAILURES_MAX - 1))
        street.clock.turn(FAILURES_WITHIN)
    assert await street.lets_through()


@pytest.mark.parametrize(
    "answer",
    [
        NoReply("refused", sent=False),
        NoReply("timed out", sent=True),
        *(HttpReply(status, b"") for status in (502, 503, 504, 521, 522, 523, 524)),
    ],
    ids=str,
)
async def test_what_counts_as_silence(street: Street, answer: Answer) -> None:
    await street.call(*[answer] * FAILURES_MAX)
    assert not await street.lets_through()


@pytest.mark.parametrize(
    "answer",
    [
        NoReply("more than 9 bytes", sent=True, is_silence=False),
        *(HttpReply(status, b"no") for status in (200, 302, 400, 401, 403, 404, 409, 429, 500)),
    ],
    ids=str,
)
async def test_a_gateway_that_says_no_or_nonsense_is_there(street: Street, answer: Answer) -> None:
    await street.call(*[answer] * (2 * FAILURES_MAX))
    assert await street.lets_through()


async def test_too_large_an_answer_proves_nothing_either_way(street: Street) -> None:
    await street.open()
    await street.call(NoReply("more than 9 bytes", sent=True, is_silence=False))
    assert not await street.lets_through()


async def test_after_the_pause_one_may_try_and_its_answer_lets_everybody_in(street: Street) -> None:
    await street.open()
    street.clock.turn(PAUSE_FIRST - timedelta(seconds=1))
    assert not await street.lets_through()
    street.clock.turn(timedelta(seconds=1))
    assert await street.lets_through()
    assert not await street.lets_through()
    await street.call(HELLO)
    assert [await street.lets_through() for _ in range(3)] == [True] * 3
    assert await street.breakers.rests() == {}


async def test_of_many_who_come_when_the_pause_is_over_one_tries(street: Street) -> None:
    await street.open()
    street.clock.turn(PAUSE_FIRST)
    through = await asyncio.gather(*(street.lets_through() for _ in range(40)))
    assert through.count(True) == 1


async def test_a_probe_of_which_nothing_was_heard_makes_room_for_the_next(street: Street) -> None:
    await street.open()
    street.clock.turn(PAUSE_FIRST)
    assert await street.lets_through()
    street.clock.turn(PROBE)
    assert await street.lets_through()
    assert not await street.lets_through()


async def test_who_did_not_get_as_far_as_the_gateway_gives_the_turn_back(street: Street) -> None:
    await street.open()
    street.clock.turn(PAUSE_FIRST)
    assert await street.lets_through()
    await street.breakers.untried("sadad")
    assert await street.lets_through()


async def test_each_silent_probe_doubles_the_pause_to_a_bound(street: Street) -> None:
    await street.open()
    expected = PAUSE_FIRST
    for _ in range(8):
        rest = (await street.breakers.rests())["sadad"]
        assert rest.until - street.clock.now() == expected
        street.clock.turn(expected)
        assert await street.lets_through()
        await street.call(SILENCE, SILENCE, SILENCE)
        expected = min(expected * 2, PAUSE_MAX)
    await street.call(HELLO)
    await street.open()
    rest = (await street.breakers.rests())["sadad"]
    assert rest.until - street.clock.now() == PAUSE_FIRST


async def test_a_breaker_that_nobody_asks_for_is_forgotten(street: Street) -> None:
    await street.open()
    street.clock.turn(PAUSE_FIRST + PAUSE_MAX)
    assert await street.breakers.rests() == {}
    assert await street.lets_through()


async def test_a_store_s_account_does_not_speak_for_the_platform_s(street: Street) -> None:
    own, other = account_name("sadad", "gwc_1"), account_name("sadad", "gwc_2")
    await street.open(own)
    assert not await street.lets_through(own)
    assert await street.lets_through(other)
    assert await street.lets_through("sadad")
    assert await street.lets_through("plutu")


async def test_calls_are_never_held_back_and_their_answers_count(street: Street) -> None:
    """A question about money that may have moved goes out, whatever the breaker says."""
    await street.open()
    await street.call(SILENCE, HttpReply(400, b"no"))
    assert await street.lets_through()


async def test_processes_that_share_a_store_share_what_they_learnt(street: Street) -> None:
    other = Street(street.kv)
    other.breakers = Breakers(street.kv, street.clock)
    for _ in range(FAILURES_MAX):
        await street.call(SILENCE)
        street, other = other, street
    assert [await street.lets_through(), await other.lets_through()] == [False, False]
    street.clock.turn(WELL)
    await other.call(HELLO)
    assert [await street.lets_through(), await other.lets_through()] == [True, True]


async def test_the_same_with_a_real_server_between_them(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eishro.flows.gateway_health.NOTE_SECONDS_MAX", 60)  # a busy machine
    monkeypatch.setattr("eishro.adapters.cache.redis.CONNECT_SECONDS_MAX", 60)
    monkeypatch.setattr("eishro.adapters.cache.redis.REPLY_SECONDS_MAX", 60)
    valkey.clear()
    one, two = (open_key_value(valkey.url, ManualClock()) for _ in range(2))
    street, other = Street(one), Street(two)
    other.clock = street.clock
    other.breakers = Breakers(two, street.clock)
    await asyncio.gather(*(s.call(SILENCE) for s in [street, other] * FAILURES_MAX))
    assert [await street.lets_through(), await other.lets_through()] == [False, False]
    street.clock.turn(PAUSE_FIRST)
    through = await asyncio.gather(*(s.lets_through() for s in [street, other] * 10))
    assert through.count(True) == 1
    await other.call(HELLO)
    assert [await street.lets_through(), await other.lets_through()] == [True, True]
    await one.aclose()
    await two.aclose()


async def test_processes_without_one_learn_alone() -> None:
    first, second = Street(), Street()
    await first.open()
    assert [await first.lets_through(), await second.lets_through()] == [False, True]


class Dead:
    """A key-value store that does not answer, at once or after a long while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def _fail(self, *_: object) -> Any:
        await asyncio.sleep(self.seconds)
        raise KeyValueUnavailable("down")

    get = set = delete = increment = aclose = _fail


@pytest.mark.parametrize("seconds", [0, 3600])
async def test_without_the_store_gateways_count_as_well(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eishro.flows.gateway_health.NOTE_SECONDS_MAX", 0.001)
    street = Street(Dead(seconds))
    await street.open()
    await street.call(HELLO)
    assert await street.lets_through()
    await street.breakers.untried("sadad")


async def test_on_a_store_that_loses_and_delays_nothing_breaks(rng: random.Random) -> None:
    street = Street()
    street.breakers = Breakers(MemoryKeyValue(street.clock, hostile=rng), street.clock)
    answers: list[Answer] = [SILENCE, SILENCE, SILENCE, HELLO]
    for _ in range(300):
        await street.call(rng.choice(answers))
        await street.lets_through()
        street.clock.turn(timedelta(seconds=rng.uniform(0, 60)))
    street.clock.turn(PAUSE_FIRST + PAUSE_MAX * 2)
    assert await street.lets_through()


async def test_what_is_kept_is_bounded(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eishro.flows.gateway_health.RESTS_MAX", 20)
    monkeypatch.setattr("eishro.flows.gateway_health.ACCOUNTS_MAX", 50)
    for number in range(30):
        await street.open(account_name("sadad", f"gwc_{number:026}"))
    kept = await street.kv.get("gateway-rests")
    assert kept is not None
    assert len(kept) / 20 * RESTS_MAX < VALUE_BYTES_MAX
    assert len(await street.breakers.rests()) == 20
    for number in range(60):
        await street.breakers.answered(str(number))
    assert len(street.breakers._well) == 50


async def test_a_damaged_entry_counts_as_none(street: Street) -> None:
    await street.kv.set("gateway-rests", b"[1", 60)
    assert await street.lets_through()


class Cautious(MemoryKeyValue):
    """Counts what it is asked."""

    asked = 0

    async def get(self, key: str) -> bytes | None:
        self.asked += 1
        return await super().get(key)

    async def increment(self, key: str, ttl_seconds: float, by: int = 1) -> Count:
        self.asked += 1
        return await super().increment(key, ttl_seconds, by)


async def test_a_gateway_that_is_well_costs_next_to_nothing() -> None:
    street = Street()
    kv = Cautious(street.clock)
    street.breakers = Breakers(kv, street.clock)
    await street.call(*[HELLO] * 100)
    assert kv.asked == 2
    await street.lets_through()
    assert kv.asked == 3
