"""Giving money back through the simulated gateway: never twice, never blindly."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from eishro.adapters.payments.moamalat_refunds import RESEND_AFTER, read_refund
from eishro.domain.payments.port import (
    Paid,
    RefundAnswer,
    Refunded,
    RefundIntent,
    RefundLater,
    RefundRefused,
    RefundUnknown,
)
from eishro.outward import HttpReply, NoReply
from eishro.sandbox.moamalat import Faults, Transaction
from tests.adapters.payments.moamalat_desk import Desk
from tests.adapters.payments.moamalat_gateway import open_gateway
from tests.adapters.payments.vectors import MID, TID

pytestmark = pytest.mark.anyio


class Counter(Desk):
    """A desk where money goes back."""

    async def sale(self, number: int = 1, dirhams: int = 25_500) -> RefundIntent:
        """A paid attempt, and the wish to give all of it back."""
        intent = self.intent(number, amount_dirhams=dirhams)
        await self.pay(intent)
        (answer,) = await self.ask(intent)
        assert isinstance(answer, Paid)
        (receipt,) = answer.receipts
        self.http.bodies.clear()
        return RefundIntent(
            reference=intent.reference,
            terminal=receipt.terminal,
            receipt_reference=receipt.provider_reference,
            receipt_dirhams=dirhams,
            amount_dirhams=dirhams,
            created_at=self.gateway.clock.now(),
        )

    async def refund(self, wanted: RefundIntent, **changes: Any) -> RefundAnswer:
        return await self.provider.refund(msgspec.structs.replace(wanted, **changes))

    @property
    def undone(self) -> list[Transaction]:
        return [row for row in self.simulator.transactions if row.kind != "Sale"]

    @property
    def calls(self) -> list[str]:
        """What was sent, in order."""
        return ["refund" if "AmountTrxn" in body else "list" for body in self.http.bodies]


@pytest.fixture
async def desk() -> AsyncIterator[Counter]:
    async with open_gateway() as gateway:
        opened = Counter(gateway)
        yield opened
        await opened.provider.aclose()


async def test_before_settlement_the_sale_is_voided(desk: Counter) -> None:
    wanted = await desk.sale()
    answer = await desk.refund(wanted)
    (undo,) = desk.undone
    assert answer == Refunded(undo.transaction_id, was_void=True)
    assert (undo.kind, undo.original_id) == ("Void Sale", wanted.receipt_reference)
    assert desk.calls == ["list", "refund"]
    body = desk.http.bodies[1]
    assert body.keys() == {
        "MerchantId",
        "TerminalId",
        "DateTimeLocalTrxn",
        "SecureHash",
        "AmountTrxn",
        "SystemReference",
    }
    assert (body["MerchantId"], body["TerminalId"], body["AmountTrxn"]) == (MID, TID, "25500")
    assert desk.http.stamps == sorted(set(desk.http.stamps))


async def test_after_settlement_parts_go_back_until_nothing_is_left(desk: Counter) -> None:
    desk.simulator.switches.is_settled = True
    wanted = await desk.sale()
    known: tuple[str, ...] = ()
    for dirhams in (10_000, 10_000, 5_500):
        answer = await desk.refund(
            wanted, amount_dirhams=dirhams, known=known, known_dirhams=10_000 * len(known)
        )
        assert isinstance(answer, Refunded)
        assert not answer.was_void
        known += (answer.reference,)
    assert [row.amount_dirhams for row in desk.undone] == [10_000, 10_000, 5_500]
    refused = await desk.refund(wanted, amount_dirhams=1)
    assert isinstance(refused, RefundRefused)
    assert desk.calls[-1] == "list", "what cannot be is not asked for"


async def test_a_part_waits_for_the_settlement_and_goes_the_next_day(desk: Counter) -> None:
    wanted = await desk.sale()
    later = await desk.refund(wanted, amount_dirhams=5_000)
    assert isinstance(later, RefundLater)
    assert later.after is not None
    assert later.after > desk.gateway.clock.now()
    assert desk.undone == []
    desk.gateway.clock.turn(later.after - desk.gateway.clock.now())
    answer = await desk.refund(wanted, amount_dirhams=5_000)
    assert isinstance(answer, Refunded)
    assert not answer.was_void


@pytest.mark.parametrize("hides", [False, True])
async def test_a_refund_without_an_answer_is_found_and_not_sent_again(
    desk: Counter, hides: bool
) -> None:
    wanted = await desk.sale()
    desk.simulator.faults = Faults(refund_fails="after", refund_hides_reference=hides)
    answer = await desk.refund(wanted)
    assert isinstance(answer, RefundUnknown)
    assert answer.sent
    sent_at = desk.gateway.clock.now()
    desk.simulator.faults = Faults(refund_hides_reference=hides)
    for after in (timedelta(), RESEND_AFTER, timedelta(days=2)):
        desk.gateway.clock.turn(after)
        found = await desk.refund(wanted, sent_at=sent_at)
        assert found == Refunded(desk.undone[0].transaction_id, was_void=True)
    assert len(desk.undone) == 1
    assert desk.calls.count("refund") == 1


async def test_a_refund_that_is_not_listed_yet_is_not_sent_again(desk: Counter) -> None:
    wanted = await desk.sale()
    desk.simulator.faults = Faults(refund_fails="after", refund_not_found_times=3)
    await desk.refund(wanted)
    sent_at = desk.gateway.clock.now()
    desk.simulator.faults = Faults()
    desk.gateway.clock.turn(RESEND_AFTER)
    answers = [await desk.refund(wanted, sent_at=sent_at) for _ in range(3)]
    assert isinstance(answers[0], RefundUnknown)
    assert not answers[0].sent
    assert isinstance(answers[-1], Refunded)
    assert len(desk.undone) == 1


async def test_what_never_arrived_is_sent_again_after_a_while(desk: Counter) -> None:
    wanted = await desk.sale()
    desk.simulator.faults = Faults(refund_fails="before")
    answer = await desk.refund(wanted)
    assert isinstance(answer, RefundUnknown), "a 503 says nothing of what happened"
    sent_at = desk.gateway.clock.now()
    desk.simulator.faults = Faults()
    waits = await desk.refund(wanted, sent_at=sent_at)
    assert isinstance(waits, RefundUnknown)
    assert not waits.sent
    desk.gateway.clock.turn(RESEND_AFTER)
    assert isinstance(await desk.refund(wanted, sent_at=sent_at), Refunded)
    assert len(desk.undone) == 1


async def test_another_amount_in_the_listing_is_never_taken_for_ours(desk: Counter) -> None:
    wanted = await desk.sale()
    desk.simulator.faults = Faults(refund_fails="after", refund_is_listed_as="1")
    await desk.refund(wanted)
    sent_at = desk.gateway.clock.now()
    desk.simulator.faults = Faults(refund_is_listed_as="1")
    desk.gateway.clock.turn(timedelta(days=1))
    answer = await desk.refund(wanted, sent_at=sent_at)
    assert isinstance(answer, RefundUnknown)
    assert not answer.sent
    assert len(desk.undone) == 1


async def test_a_refund_made_before_ours_was_opened_is_not_ours(desk: Counter) -> None:
    """Somebody gave the same amount back in the gateway's portal."""
    desk.simulator.switches.is_settled = True
    wanted = await desk.sale()
    await desk.refund(wanted, amount_dirhams=5_000)
    desk.gateway.clock.turn(timedelta(hours=1))
    now = desk.gateway.clock.now()
    ours = await desk.refund(wanted, amount_dirhams=5_000, created_at=now, sent_at=now)
    assert isinstance(ours, RefundUnknown)
    assert len(desk.undone) == 1


async def test_parts_of_one_size_are_told_apart(desk: Counter) -> None:
    desk.simulator.switches.is_settled = True
    wanted = await desk.sale()
    first = await desk.refund(wanted, amount_dirhams=5_000)
    assert isinstance(first, Refunded)
    known = {"known": (first.reference,), "known_dirhams": 5_000, "amount_dirhams": 5_000}
    desk.simulator.faults = Faults(refund_fails="after")
    assert isinstance(await desk.refund(wanted, **known), RefundUnknown)
    desk.simulator.faults = Faults()
    second = await desk.refund(wanted, **known, sent_at=desk.gateway.clock.now())
    assert second == Refunded(desk.undone[1].transaction_id)


async def test_already_refunded_after_silence_is_looked_up(desk: Counter) -> None:
    """Two processes: ours asks while the other one's call is on its way."""
    wanted = await desk.sale()
    await desk.refund(wanted)
    desk.simulator.faults = Faults(refund_not_found_times=0)
    sale = desk.simulator.transactions[0]
    shown, sale.refunded_dirhams = sale.refunded_dirhams, 0
    hidden = desk.undone[0]
    hidden.hidden_questions = 1

    class Late(type(desk.http)):  # type: ignore[misc]
        async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
            if "AmountTrxn" in body:
                sale.refunded_dirhams = shown
            return await super().post_json(url, body, **more)  # type: ignore[no-any-return]

    provider = desk.gateway.provider(http=Late(desk.gateway.http), stamps=desk.stamps)
    sent_at = desk.gateway.clock.now() - RESEND_AFTER
    answer = await provider.refund(msgspec.structs.replace(wanted, sent_at=sent_at))
    assert answer == Refunded(hidden.transaction_id, was_void=True)
    await provider.aclose()
    assert len(desk.undone) == 1


@pytest.mark.parametrize(
    "faults",
    [
        Faults(filter_status=500),
        Faults(filter_status=401),
        Faults(filter_body="<html>"),
        Faults(filter_body="{}"),
        Faults(filter_not_found_times=1),
    ],
)
async def test_without_a_listing_nothing_is_sent(desk: Counter, faults: Faults) -> None:
    wanted = await desk.sale()
    if faults.filter_not_found_times:
        desk.simulator.transactions[0].hidden_questions = 1
    else:
        desk.simulator.faults = faults
    assert isinstance(await desk.refund(wanted), RefundLater)
    assert desk.calls == ["list"]


async def test_money_of_another_terminal_is_not_touched(desk: Counter) -> None:
    wanted = await desk.sale()
    assert isinstance(await desk.refund(wanted, terminal="1"), RefundLater)
    assert desk.calls == []


@pytest.mark.parametrize("sent", [True, False])
async def test_a_broken_line_is_unknown_only_if_something_left(desk: Counter, sent: bool) -> None:
    wanted = await desk.sale()

    class Broken(type(desk.http)):  # type: ignore[misc]
        async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
            if "AmountTrxn" in body:
                raise NoReply("timed out", sent=sent)
            return await super().post_json(url, body, **more)  # type: ignore[no-any-return]

    provider = desk.gateway.provider(http=Broken(desk.gateway.http), stamps=desk.stamps)
    answer = await provider.refund(wanted)
    assert isinstance(answer, RefundUnknown if sent else RefundLater)
    await provider.aclose()


async def test_a_fault_of_ours_never_loses_what_may_have_left(desk: Counter) -> None:
    wanted = await desk.sale()

    class Faulty(type(desk.http)):  # type: ignore[misc]
        breaks = "DisplayLength"

        async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
            if self.breaks in body:
                raise RuntimeError("a fault")
            return await super().post_json(url, body, **more)  # type: ignore[no-any-return]

    http = Faulty(desk.gateway.http)
    provider = desk.gateway.provider(http=http, stamps=desk.stamps)
    assert isinstance(await provider.refund(wanted), RefundLater)
    http.breaks = "AmountTrxn"
    assert isinstance(await provider.refund(wanted), RefundUnknown)
    await provider.aclose()


async def test_questions_and_refunds_take_turns(desk: Counter) -> None:
    wanted = [await desk.sale(number) for number in range(1, 4)]
    intents = [desk.intent(number) for number in range(10, 14)]
    refunds = [desk.refund(one) for one in wanted]
    answers, _ = await asyncio.gather(asyncio.gather(*refunds), desk.ask(*intents))
    assert all(isinstance(answer, Refunded) for answer in answers)
    assert desk.http.running_max == 1
    assert desk.http.stamps == sorted(set(desk.http.stamps))


def _reply(status: int = 200, **fields: Any) -> HttpReply:
    return HttpReply(status, json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (_reply(Success=True, ActionCode="00", RefNumber="77"), Refunded("77")),
        (_reply(Success=True, RefNumber=77), Refunded("77")),
        (_reply(Success=False, Message="CUBEEX1:No"), RefundRefused("CUBEEX1:No")),
        (_reply(Success=False), RefundRefused("the gateway refuses")),
        (
            _reply(Success=False, Message="card 6394993077260781"),
            RefundRefused("card 639499XXXXXX0781"),
        ),
    ],
)
def test_a_plain_answer_is_taken(reply: HttpReply, answer: RefundAnswer) -> None:
    assert read_refund(reply, was_void=False) == answer


@pytest.mark.parametrize(
    "reply",
    [
        _reply(Success=True, ActionCode="05", RefNumber="77"),
        _reply(Success=True, ActionCode="00"),
        _reply(Success=True, ActionCode="00", RefNumber="../7"),
        _reply(Success="true", RefNumber="77"),
        _reply(500, Success=True, ActionCode="00", RefNumber="77"),
        _reply(503, Success=False, Message="down"),
        HttpReply(200, b""),
        HttpReply(200, b"[]"),
        HttpReply(200, b"[" * 100_000),
        HttpReply(200, b"\xff"),
    ],
)
def test_anything_else_is_unknown(reply: HttpReply) -> None:
    assert isinstance(read_refund(reply, was_void=False), RefundUnknown)


def test_a_signature_that_is_not_accepted_moves_nothing() -> None:
    reply = _reply(401, Message="Authentication failed.", StackTrace=None)
    assert isinstance(read_refund(reply, was_void=False), RefundLater)


async def test_a_stamp_that_was_used_refuses_the_call_not_the_refund(desk: Counter) -> None:
    wanted = await desk.sale()
    desk.simulator._stamps[(MID, TID)] = "20990101000000"
    desk.simulator.switches.unique_stamps = False
    desk.http.hold = None

    class Slow(type(desk.http)):  # type: ignore[misc]
        async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
            desk.simulator.switches.unique_stamps = "AmountTrxn" in body
            if "AmountTrxn" in body:
                desk.simulator._stamps[(MID, TID)] = "20990101000000"
            return await super().post_json(url, body, **more)  # type: ignore[no-any-return]

    provider = desk.gateway.provider(http=Slow(desk.gateway.http), stamps=desk.stamps)
    assert isinstance(await provider.refund(wanted), RefundLater)
    assert desk.undone == []
    await provider.aclose()
