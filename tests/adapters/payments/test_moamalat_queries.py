"""Asking FilterTransactions: the terminal's queue, its stamps, and how answers are read."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from eishro.adapters.payments import moamalat_queries
from eishro.adapters.payments.moamalat import Moamalat
from eishro.adapters.payments.moamalat_queries import WAITING_MAX, stamp_text
from eishro.adapters.payments.moamalat_reading import Page, decide, read_page
from eishro.domain.payments.port import Answer, Failed, Intent, Lightbox, Paid, Unknown
from eishro.outward import Http, HttpReply, NoReply
from eishro.sandbox.moamalat import Faults
from tests.adapters.payments.moamalat_gateway import (
    GOOD_CARD,
    POOR_CARD,
    Gateway,
    MemoryStamps,
    open_gateway,
    refund_body,
)
from tests.adapters.payments.vectors import KEY_B, MID, TID

pytestmark = pytest.mark.anyio

AT = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)


class Watched:
    """An `Http` that lets through what it notes; `hold` keeps calls back until it is set."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.bodies: list[dict[str, Any]] = []
        self.hold: asyncio.Event | None = None
        self.sent = asyncio.Event()
        self.running = 0
        self.running_max = 0

    async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
        self.bodies.append(dict(body))
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        self.sent.set()
        try:
            reply = await self._http.post_json(url, body, **more)
            if self.hold is not None:  # the gateway has decided, its answer is on the way
                await self.hold.wait()
            return reply
        finally:
            self.running -= 1

    @property
    def stamps(self) -> list[str]:
        return [body["DateTimeLocalTrxn"] for body in self.bodies]


class Desk:
    """A provider, what it sends, and a payer at the simulated gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.simulator = gateway.simulator
        self.http = Watched(gateway.http)
        self.stamps = MemoryStamps()
        self.provider = gateway.provider(http=self.http, stamps=self.stamps)

    def intent(self, number: int = 1, **changes: Any) -> Intent:
        usual = Intent(
            reference=f"ORD-{number:06d}",
            amount_dirhams=25_500,
            created_at=self.gateway.clock.now(),
        )
        return msgspec.structs.replace(usual, **changes)

    async def pay(self, intent: Intent, card: str = GOOD_CARD) -> dict[str, Any]:
        action = await self.provider.start(intent)
        assert isinstance(action, Lightbox)
        return await self.simulator.pay(action.parameters, card=card)

    async def ask(self, *intents: Intent) -> list[Answer]:
        return list(await asyncio.gather(*(self.provider.query(intent) for intent in intents)))


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
    assert answer == Unknown("the clock is behind the terminal's last stamp")
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
    monkeypatch.setattr(moamalat_queries, "PAGE_ROWS", 4)
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
    monkeypatch.setattr(moamalat_queries, "PAGE_ROWS", 2)
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
    for number in range(30):
        await desk.pay(desk.intent(number))
    old = [asyncio.create_task(desk.provider.query(desk.intent(n))) for n in range(6)]
    await desk.http.sent.wait()
    await desk.provider.query(desk.intent(20))
    asked = [body.get("MerchantReference") for body in desk.http.bodies]
    assert asked.index("ORD-000020") <= 2
    assert all(isinstance(answer, Paid) for answer in await asyncio.gather(*old))


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
    assert refused == Unknown("too many questions are waiting")
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


# The answer, over the wire.


async def test_a_receipt_tells_what_is_worth_keeping(desk: Desk) -> None:
    intent = desk.intent()
    payload = await desk.pay(intent)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Paid)
    (receipt,) = answer.receipts
    assert receipt.provider_reference == payload["SystemReference"]
    assert (receipt.terminal, receipt.amount_dirhams, receipt.currency) == (TID, 25_500, "LYD")
    assert receipt.details["networkReference"] == payload["NetworkReference"]
    assert receipt.details["card"] == "639499XXXXXX0781"
    assert receipt.details["authCode"]


async def test_a_payer_who_was_charged_twice_has_two_receipts(desk: Desk) -> None:
    desk.simulator.faults = Faults(charge_twice=True)
    intent = desk.intent()
    await desk.pay(intent)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Paid)
    assert len({receipt.provider_reference for receipt in answer.receipts}) == 2


async def test_another_amount_is_told_as_it_is(desk: Desk) -> None:
    desk.simulator.faults = Faults(filter_amount="1")
    intent = desk.intent()
    await desk.pay(intent)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Paid)
    assert answer.receipts[0].amount_dirhams == 1


async def test_money_that_comes_late_is_found(desk: Desk) -> None:
    desk.simulator.faults = Faults(late_success_seconds=90, notify="never")
    intent = desk.intent()
    payload = await desk.pay(intent)
    assert payload["error"].endswith("timed out")
    assert isinstance((await desk.ask(intent))[0], Unknown)
    desk.gateway.clock.turn(timedelta(seconds=90))
    assert isinstance((await desk.ask(intent))[0], Paid)


@pytest.mark.parametrize("is_settled", [False, True])
async def test_a_sale_that_was_undone_is_not_paid(desk: Desk, is_settled: bool) -> None:
    desk.simulator.switches.is_settled = is_settled
    intent = desk.intent()
    payload = await desk.pay(intent)
    status, reply = desk.simulator.refund(
        refund_body(desk.gateway, payload["SystemReference"], intent)
    )
    assert (status, reply["Success"]) == (200, True)
    desk.gateway.clock.turn(timedelta(minutes=1))
    assert await desk.ask(intent) == [Unknown("the sale was voided or refunded in full")]
    await desk.pay(intent)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Paid)
    assert len(answer.receipts) == 1


@pytest.mark.parametrize(
    "faults",
    [
        Faults(filter_status=500),
        Faults(filter_status=401),
        Faults(filter_status=302),
        Faults(filter_status=404),
        Faults(filter_body="<html>"),
        Faults(filter_body=""),
        Faults(filter_body="[]"),
        Faults(filter_body='{"Success":false,"Message":"CUBEEX1:No"}'),
        Faults(filter_body='{"Success":"true"}'),
        Faults(filter_body='{"Success":true,"Transactions":7}'),
        Faults(filter_body='{"Success":true,"Transactions":[[]]}'),
        Faults(filter_body='{"Success":true,"Transactions":[{"DateTransactions":[1]}]}'),
        Faults(filter_body="[" * 100_000),
        Faults(filter_is_huge=True),
    ],
    ids=lambda faults: str(faults)[:60],
)
async def test_no_clear_answer_is_unknown(desk: Desk, faults: Faults) -> None:
    intent = desk.intent()
    await desk.pay(intent)
    desk.simulator.faults = faults
    answers = [*await desk.ask(intent), *await desk.ask(intent, desk.intent(2))]
    assert all(isinstance(answer, Unknown) for answer in answers)
    desk.simulator.faults = Faults()
    assert isinstance((await desk.ask(intent))[0], Paid)


async def test_a_gateway_that_does_not_answer_in_time_is_unknown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moamalat_queries, "TIMEOUT_SECONDS", 0.1)
    intent = desk.intent()
    await desk.pay(intent)
    desk.simulator.faults = Faults(filter_delay_seconds=0.3)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Unknown)
    assert "timed out" in answer.reason


async def test_a_gateway_that_is_not_there_is_unknown(desk: Desk) -> None:
    away = desk.gateway.provider(base_url="http://127.0.0.1:1/api/")
    assert isinstance(await away.query(desk.intent()), Unknown)
    await away.aclose()


async def test_a_wrong_key_is_unknown(desk: Desk) -> None:
    wrong: Moamalat = desk.gateway.provider(secret_key=KEY_B)
    assert await wrong.query(desk.intent()) == Unknown("the gateway answers with HTTP status 401")
    await wrong.aclose()


async def test_an_http_port_that_raises_something_else_is_unknown(desk: Desk) -> None:
    class Cut:
        async def post_json(self, url: str, body: Mapping[str, object], **_: Any) -> HttpReply:
            raise NoReply("cut off", sent=True) if "MerchantReference" in body else OSError("?")

    cut = desk.gateway.provider(http=Cut())
    assert await cut.query(desk.intent()) == Unknown("no reply: cut off")
    both = await asyncio.gather(cut.query(desk.intent(1)), cut.query(desk.intent(2)))
    assert all(isinstance(answer, Unknown) for answer in both)
    await cut.aclose()


# The answer, row by row.


def row(**changes: Any) -> dict[str, Any]:
    """A transaction as a public SDK prints it, for our reference."""
    return {
        "Amnt": "25500",
        "AmountTrxn": "25500",
        "AuthCode": None,
        "CardNo": "639499XXXXXX2740",
        "CardType": "",
        "Currency": "LYD",
        "ExternalTxnId": None,
        "FeeAmnt": "0",
        "HasToken": True,
        "IsMustVoidTotalAmount": False,
        "IsRefund": False,
        "IsRefundEnabled": True,
        "MerchantReference": "ORD-1001",
        "OriginalTxnId": "",
        "RRN": "224601434990",
        "ReceiptNo": "224601434990",
        "RemainingRefundAmount": "25500",
        "ResCodeDesc": "Approved",
        "STAN": "434990",
        "Status": "Approved",
        "TransType": "Sale",
        "TransactionChannel": "Card",
        "TransactionId": "1233674",
        "TxnDateTime": "03/09/22  01:44",
        **changes,
    }


def undoing(kind: str, **changes: Any) -> dict[str, Any]:
    """A row that undoes the sale of `row()`."""
    usual = {"TransType": kind, "TransactionId": "9", "OriginalTxnId": "1233674", "IsRefund": True}
    return row(**{**usual, **changes})


def judged(*rows: dict[str, Any]) -> Answer:
    reply = {
        "Message": None,
        "Success": True,
        "TotalCountAllTransaction": len(rows),
        "Transactions": [
            {"Date": "03/09/2022", "DateTotalAmount": "0", "DateTransactions": list(rows)}
        ],
    }
    page = read_page(json.dumps(reply).encode(), TID)
    assert isinstance(page, Page), page
    intent = Intent(reference="ORD-1001", amount_dirhams=25_500, created_at=AT)
    return decide(intent, page.rows, TID)


def paid(*rows: dict[str, Any]) -> list[tuple[str, int]]:
    answer = judged(*rows)
    assert isinstance(answer, Paid), answer
    return [(receipt.provider_reference, receipt.amount_dirhams) for receipt in answer.receipts]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"AmountTrxn": "25500.000"},
        {"AmountTrxn": 25500},
        {"AmountTrxn": 25500.0},
        {"Currency": "434"},
        {"Status": "APPROVED"},
        {"TerminalId": int(TID)},
        {"TransactionId": 1233674},
        {"UserDefinedData": []},
    ],
)
def test_an_approved_sale_is_money(changes: dict[str, Any]) -> None:
    assert paid(row(**changes)) == [("1233674", 25_500)]


@pytest.mark.parametrize(
    "changes",
    [
        {"MerchantReference": "ORD-1002"},
        {"MerchantReference": "ord-1001"},
        {"MerchantReference": ""},
        {"TerminalId": "1"},
        {"Status": "Pending"},
        {"Status": None},
        {"TransType": "Refund"},
        {"TransType": "Balance"},
        {"TransType": None},
        {"TransactionId": None},
        {"TransactionId": ""},
        {"TransactionId": "0"},
        {"TransactionId": "a b"},
        {"AmountTrxn": "25.500"},
        {"AmountTrxn": "25500.5"},
        {"AmountTrxn": "-25500"},
        {"AmountTrxn": "0"},
        {"AmountTrxn": "1e5"},
        {"AmountTrxn": "٢٥٥٠٠"},
        {"AmountTrxn": "9" * 40},
        {"AmountTrxn": None},
        {"Currency": ""},
        {"IsRefund": True},
    ],
)
def test_anything_else_about_a_sale_is_unknown(changes: dict[str, Any]) -> None:
    assert isinstance(judged(row(**changes)), Unknown)


def test_nothing_found_is_unknown() -> None:
    for days in (None, [], [{"DateTransactions": []}]):
        reply = {"Success": True, "Message": "Transaction not found", "Transactions": days}
        page = read_page(json.dumps(reply).encode(), TID)
        assert isinstance(page, Page)
        intent = Intent(reference="ORD-1001", amount_dirhams=25_500, created_at=AT)
        assert isinstance(decide(intent, page.rows, TID), Unknown)


def test_not_found_with_something_found_is_malformed() -> None:
    reply = {
        "Success": True,
        "Message": "Transaction not found",
        "TotalCountAllTransaction": 1,
        "Transactions": [{"DateTransactions": [row()]}],
    }
    assert isinstance(read_page(json.dumps(reply).encode(), TID), Unknown)


def test_only_declined_is_failed_with_the_last_reason() -> None:
    assert judged(
        row(Status="Declined", ResCodeDesc="Expired card", TransactionId="10"),
        row(Status="Declined", ResCodeDesc="Insufficient funds", TransactionId="9"),
    ) == Failed("Expired card")
    assert judged(row(Status="Declined", ResCodeDesc=None)) == Failed("Declined")
    assert judged(row(Status="Declined", ResCodeDesc=f"card {GOOD_CARD}")) == Failed(
        "card 639499XXXXXX0781"
    )


def test_declined_and_undecided_is_unknown() -> None:
    declined = row(Status="Declined", TransactionId="1")
    assert isinstance(judged(declined, row(Status="Pending", TransactionId="2")), Unknown)


def test_declined_and_approved_is_money() -> None:
    assert paid(row(Status="Declined", TransactionId="1"), row(TransactionId="2")) == [
        ("2", 25_500)
    ]


def test_one_transaction_told_twice_is_one_receipt() -> None:
    assert paid(row(), row()) == [("1233674", 25_500)]


@pytest.mark.parametrize(
    "changes",
    [{"Status": "Declined"}, {"AmountTrxn": "1"}, {"Currency": "USD"}, {"TransType": "Void"}],
)
def test_one_transaction_told_in_two_ways_is_unknown(changes: dict[str, Any]) -> None:
    assert isinstance(judged(row(), row(**changes)), Unknown)


@pytest.mark.parametrize("kind", ["Void", "Void Sale", "VoidSale", "Sale Void", "Reversal"])
def test_a_voided_sale_is_not_money(kind: str) -> None:
    assert isinstance(judged(row(), undoing(kind)), Unknown)
    assert isinstance(judged(undoing(kind, AmountTrxn=None), row()), Unknown)
    # A void need not repeat the reference.
    assert isinstance(judged(row(), undoing(kind, MerchantReference="")), Unknown)


def test_a_void_that_was_declined_leaves_the_money() -> None:
    assert paid(row(), undoing("Void Sale", Status="Declined")) == [("1233674", 25_500)]


def test_a_void_that_is_not_decided_is_doubtful() -> None:
    assert isinstance(judged(row(), undoing("Void Sale", Status="Pending")), Unknown)


def test_a_void_of_another_sale_changes_nothing() -> None:
    assert paid(row(), undoing("Void Sale", OriginalTxnId="77")) == [("1233674", 25_500)]


def test_a_sale_refunded_in_part_is_money_and_in_full_is_not() -> None:
    part = undoing("Refund", AmountTrxn="10000", TransactionId="9")
    rest = undoing("Refund", AmountTrxn="15500.000", TransactionId="10")
    assert paid(row(), part) == [("1233674", 25_500)]
    assert paid(row(), part, part) == [("1233674", 25_500)]
    assert isinstance(judged(row(), part, rest), Unknown)


def test_a_refund_that_was_voided_leaves_the_money() -> None:
    refund = undoing("Refund", TransactionId="9")
    void = undoing("Void Refund", TransactionId="10", OriginalTxnId="9")
    assert isinstance(judged(row(), refund), Unknown)
    assert paid(row(), refund, void) == [("1233674", 25_500)]


@pytest.mark.parametrize(
    "undo",
    [
        undoing("Refund", AmountTrxn="much"),
        undoing("Void Refund"),
        undoing("Chargeback"),
        undoing("Sale", MerchantReference="ORD-1002"),
    ],
    ids=lambda undo: str(undo["TransType"]),
)
def test_an_undoing_that_is_not_understood_makes_the_sale_doubtful(undo: dict[str, Any]) -> None:
    assert judged(row(), undo) == Unknown("the sale cannot be read with certainty")


def test_of_two_sales_the_one_that_stands_is_money() -> None:
    assert paid(row(), row(TransactionId="2"), undoing("Void Sale")) == [("2", 25_500)]


async def test_a_listing_that_does_not_add_up_decides_nothing(desk: Desk) -> None:
    intent = desk.intent()
    await desk.pay(intent)

    def listing(*rows: dict[str, Any]) -> Faults:
        reply = {
            "Success": True,
            "TotalCountAllTransaction": 3,
            "Transactions": [{"DateTransactions": list(rows)}],
        }
        return Faults(filter_body=json.dumps(reply))

    desk.simulator.faults = listing()
    assert await desk.ask(intent) == [
        Unknown("the gateway lists fewer transactions than it counts")
    ]
    desk.simulator.faults = listing(row(MerchantReference=intent.reference, Status="Declined"))
    assert await desk.ask(intent) == [Unknown("the gateway repeats a page")]


async def test_a_listing_without_end_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moamalat_queries, "PAGE_ROWS", 1)
    monkeypatch.setattr(moamalat_queries, "PAGES_MAX", 3)
    intent = desk.intent()
    for _ in range(6):
        await desk.pay(intent, POOR_CARD)
    assert await desk.ask(intent) == [Unknown("more transactions than are read")]
    assert len(desk.http.bodies) <= 3
