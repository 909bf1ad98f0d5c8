"""Asking FilterTransactions: the terminal's queue and its stamps."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from eishro.adapters.payments import moamalat_queries
from eishro.adapters.payments.moamalat_queries import WAITING_MAX, stamp_text
from eishro.domain.payments.port import Failed, Paid, Unknown
from tests.adapters.payments.moamalat_desk import Desk
from tests.adapters.payments.moamalat_gateway import POOR_CARD, open_gateway
from tests.adapters.payments.vectors import MID, TID
from tests.stamps import MemoryStamps

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_gateway() as gateway:
        opened = Desk(gateway)
        yield opened
        await opened.provider.aclose()


# The question.


async def test_a_single_question_names_its_reference(desk: Desk) -> None:
    await desk.ask(desk.intent())
    (body,) = desk.http.bodies
    assert body.keys() == {
        "MerchantId",
        "TerminalId",
        "DateTimeLocalTrxn",
        "SecureHash",
        "MerchantReference",
        "DisplayLength",
        "DisplayStart",
    }
    assert (body["MerchantId"], body["TerminalId"]) == (MID, TID)
    assert (body["DisplayLength"], body["DisplayStart"]) == ("100", "0")
    assert body["DateTimeLocalTrxn"] == "20260115103000"


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (1_768_473_045, 14, "20260115123045"),
        (1_768_473_045_007, 17, "20260115123045007"),
        (1_767_218_399, 14, "20251231235959"),
    ],
)
def test_a_stamp_is_tripolis_time(number: int, digits: int, text: str) -> None:
    assert stamp_text(number, digits) == text


@pytest.mark.parametrize("digits", [14, 17])
async def test_stamps_only_grow_and_run_ahead_a_few_seconds_at_most(
    desk: Desk, digits: int
) -> None:
    asking = desk.gateway.provider(http=desk.http, stamps=desk.stamps, stamp_digits=digits)
    for number in range(8):
        await asking.query(desk.intent(number))
    await asking.aclose()
    assert desk.http.stamps == sorted(set(desk.http.stamps))
    assert {len(stamp) for stamp in desk.http.stamps} == {digits}
    slept = sum(desk.gateway.slept)
    assert slept == (4 if digits == 14 else 0)  # eight calls: seconds 0 to 7, three of them ahead


async def test_two_processes_on_one_terminal_never_share_a_stamp(desk: Desk) -> None:
    other = desk.gateway.provider(http=desk.http, stamps=desk.stamps)
    for number in range(4):
        await asyncio.gather(desk.ask(desk.intent(number)), other.query(desk.intent(number + 10)))
    await other.aclose()
    assert len(set(desk.http.stamps)) == len(desk.http.stamps) == 8


async def test_a_clock_that_was_set_back_asks_nothing(desk: Desk) -> None:
    name = f"moamalat:{MID}:{TID}:14"
    desk.stamps.last[name] = int(desk.gateway.clock.now().timestamp()) + 3600
    (answer,) = await desk.ask(desk.intent())
    assert answer == Unknown("the clock is behind the terminal's last stamp", is_unreachable=True)
    assert desk.http.bodies == []
    assert desk.gateway.slept == []


# The queue.


async def test_a_terminal_has_one_question_under_way(desk: Desk) -> None:
    asking = [asyncio.create_task(desk.provider.query(desk.intent(n))) for n in range(3)]
    await desk.http.sent.wait()
    asking += [asyncio.create_task(desk.provider.query(desk.intent(n))) for n in range(3, 6)]
    await asyncio.gather(*asking)
    assert desk.http.running_max == 1
    assert len(desk.http.bodies) == 2


async def test_callers_for_one_reference_share_a_call(desk: Desk) -> None:
    intent = desk.intent()
    await desk.pay(intent)
    answers = await desk.ask(*[intent] * 20)
    assert len(desk.http.bodies) == 1
    assert all(answer == answers[0] for answer in answers)
    assert isinstance(answers[0], Paid)


async def test_a_call_sent_before_the_news_does_not_answer_who_comes_after(desk: Desk) -> None:
    intent = desk.intent()
    desk.http.hold = asyncio.Event()
    early = asyncio.create_task(desk.provider.query(intent))
    await desk.http.sent.wait()
    while not desk.simulator.questions:  # the gateway has answered: not known
        await asyncio.sleep(0.005)
    await desk.pay(intent)
    late = asyncio.create_task(desk.provider.query(intent))
    later = asyncio.create_task(desk.provider.query(intent))
    await asyncio.sleep(0)
    desk.http.hold.set()
    assert isinstance(await early, Unknown)
    assert isinstance(await late, Paid)
    assert isinstance(await later, Paid)
    assert len(desk.http.bodies) == 2


async def test_several_references_are_answered_by_one_listing_of_their_days(desk: Desk) -> None:
    first = desk.intent(1)
    await desk.pay(first)
    desk.gateway.clock.turn(timedelta(days=2))
    second, declined, nobody = desk.intent(2), desk.intent(3), desk.intent(4)
    await desk.pay(second)
    await desk.pay(declined, POOR_CARD)
    answers = await desk.ask(first, second, declined, nobody)
    assert [type(answer) for answer in answers] == [Paid, Paid, Failed, Unknown]
    (body,) = desk.http.bodies
    assert (body["DateFrom"], body["DateTo"]) == ("20260115", "20260117")
    assert "MerchantReference" not in body


async def test_days_are_tripolis_and_a_little_wider_at_midnight(desk: Desk) -> None:
    desk.gateway.clock.turn(timedelta(hours=13, minutes=35))  # 00:05 of the 16th in Tripoli
    await desk.ask(desk.intent(1), desk.intent(2))
    (body,) = desk.http.bodies
    assert (body["DateFrom"], body["DateTo"]) == ("20260115", "20260116")


async def test_a_long_listing_is_read_page_by_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moamalat_queries, "LIST_ROWS", 4)
    intents = [desk.intent(number) for number in range(10)]
    for intent in intents:
        await desk.pay(intent)
    answers = await desk.ask(*intents)
    assert all(isinstance(answer, Paid) for answer in answers)
    assert [body["DisplayStart"] for body in desk.http.bodies] == ["0", "4", "8"]
    assert desk.http.stamps == sorted(set(desk.http.stamps))


async def test_a_gateway_that_gives_shorter_pages_is_read_to_the_end(desk: Desk) -> None:
    intents = [desk.intent(number) for number in range(5)]
    for intent in intents:
        await desk.pay(intent)
    full = desk.simulator.filter

    def shorter(body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        return full({**body, "DisplayLength": "2"})

    desk.simulator.filter = shorter  # type: ignore[method-assign]
    answers = await desk.ask(*intents)
    assert all(isinstance(answer, Paid) for answer in answers)
    assert [body["DisplayStart"] for body in desk.http.bodies] == ["0", "2", "4"]


async def test_days_too_full_for_few_questions_are_asked_one_by_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moamalat_queries, "LIST_ROWS", 2)
    for number in range(20):
        await desk.pay(desk.intent(number))
    answers = await desk.ask(desk.intent(3), desk.intent(99), desk.intent(5))
    assert [type(answer) for answer in answers] == [Paid, Unknown, Paid]
    assert "DateFrom" in desk.http.bodies[0]
    assert [body.get("MerchantReference") for body in desk.http.bodies[1:]] == [
        "ORD-000003",
        "ORD-000099",
        "ORD-000005",
    ]


async def test_a_new_question_overtakes_the_left_overs_of_a_long_listing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moamalat_queries, "PAGE_ROWS", 1)
    monkeypatch.setattr(moamalat_queries, "LIST_ROWS", 1)
    for number in range(30):
        await desk.pay(desk.intent(number))
    old = [asyncio.create_task(desk.provider.query(desk.intent(n))) for n in range(6)]
    await desk.http.sent.wait()
    await desk.provider.query(desk.intent(20))
    asked = [body.get("MerchantReference") for body in desk.http.bodies]
    assert asked.index("ORD-000020") <= 2
    assert all(isinstance(answer, Paid) for answer in await asyncio.gather(*old))


async def test_a_left_over_joins_who_asked_for_the_same_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moamalat_queries, "PAGE_ROWS", 1)
    monkeypatch.setattr(moamalat_queries, "LIST_ROWS", 1)
    for number in range(10):
        await desk.pay(desk.intent(number))
    desk.http.hold = asyncio.Event()
    early = [asyncio.create_task(desk.provider.query(desk.intent(n))) for n in range(2)]
    await desk.http.sent.wait()
    late = asyncio.create_task(desk.provider.query(desk.intent(0)))
    await asyncio.sleep(0)
    desk.http.hold.set()
    answers = await asyncio.wait_for(asyncio.gather(*early, late), timeout=10)
    assert all(isinstance(answer, Paid) for answer in answers)
    asked = [body.get("MerchantReference") for body in desk.http.bodies]
    assert asked == [None, "ORD-000000", "ORD-000001"]


async def test_a_full_queue_answers_unknown_at_once(desk: Desk) -> None:
    desk.http.hold = asyncio.Event()
    asking = [asyncio.create_task(desk.provider.query(desk.intent()))]
    await desk.http.sent.wait()
    asking += [
        asyncio.create_task(desk.provider.query(desk.intent(number)))
        for number in range(2, WAITING_MAX + 2)
    ]
    await asyncio.sleep(0)
    refused = await desk.provider.query(desk.intent(WAITING_MAX + 2))
    assert refused == Unknown("too many questions are waiting", is_unreachable=True)
    joining = asyncio.create_task(desk.provider.query(desk.intent(2)))
    desk.http.hold.set()
    answers = await asyncio.gather(*asking, joining)
    assert {answer.reason for answer in answers if isinstance(answer, Unknown)} == {
        "the gateway does not know the transaction"
    }


async def test_a_caller_who_leaves_takes_nobody_along(desk: Desk) -> None:
    intent = desk.intent()
    await desk.pay(intent)
    leaving = asyncio.create_task(desk.provider.query(intent))
    staying = asyncio.create_task(desk.provider.query(intent))
    await asyncio.sleep(0)
    leaving.cancel()
    assert isinstance(await staying, Paid)
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_what_nobody_waits_for_any_more_is_not_asked(desk: Desk) -> None:
    desk.http.hold = asyncio.Event()
    first = asyncio.create_task(desk.provider.query(desk.intent(1)))
    await desk.http.sent.wait()
    leaving = asyncio.create_task(desk.provider.query(desk.intent(2)))
    await asyncio.sleep(0)
    leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving
    desk.http.hold.set()
    await first
    await desk.provider.query(desk.intent(3))
    assert [body["MerchantReference"] for body in desk.http.bodies] == ["ORD-000001", "ORD-000003"]


async def test_closing_answers_everybody(desk: Desk) -> None:
    desk.http.hold = asyncio.Event()
    asking = [asyncio.create_task(desk.provider.query(desk.intent(1)))]
    await desk.http.sent.wait()
    asking.append(asyncio.create_task(desk.provider.query(desk.intent(2))))
    await asyncio.sleep(0)
    await desk.provider.aclose()
    assert all(isinstance(answer, Unknown) for answer in await asyncio.gather(*asking))
    assert isinstance(await desk.provider.query(desk.intent(3)), Unknown)


async def test_a_stamp_that_cannot_be_had_is_unknown_and_asked_again_later(desk: Desk) -> None:
    class Away(MemoryStamps):
        is_away = True

        async def next(self, name: str, at_least: int) -> int:
            if self.is_away:
                raise ConnectionError("no database")
            return await super().next(name, at_least)

    stamps = Away()
    provider = desk.gateway.provider(stamps=stamps)
    intent = desk.intent()
    await desk.pay(intent)
    assert isinstance(await provider.query(intent), Unknown)
    stamps.is_away = False
    assert isinstance(await provider.query(intent), Paid)
    await provider.aclose()
