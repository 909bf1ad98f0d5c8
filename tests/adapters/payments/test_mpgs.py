"""Mastercard's gateway: the adapter against its simulator, and against answers nobody should give."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from eishro.adapters.payments.mpgs_calls import RESEND_AFTER, dollars, number_of
from eishro.clock import ManualClock
from eishro.domain.payments.port import (
    Connection,
    Failed,
    Intent,
    Paid,
    ProviderBusy,
    ProviderRefused,
    Redirect,
    RefundAnswer,
    Refunded,
    RefundIntent,
    RefundLater,
    RefundManual,
    RefundRefused,
    RefundUnknown,
    Unknown,
)
from eishro.outward import HttpReply
from eishro.sandbox.mpgs import CARDS, CHALLENGED, EXPIRIES, Faults
from tests.adapters.payments.stand import (
    HOSTILE,
    SILENCE,
    UNREACHED,
    Replies,
    Stand,
    adapter_of,
    an_intent,
    open_stand,
)

pytestmark = pytest.mark.anyio

MERCHANT = "TESTSIMULATED"
SECRET = "SIMULATEDNOTIFICATIONSECRET00000"
CARD = {"card": "5123450000000008", "expiry": "01/39", "cvv": "100"}
DOLLARS = {"currency": "USD", "wire_minor": 526}  # 25.500 dinars at 4.85


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with open_stand("mpgs") as opened:
        yield opened


async def started(stand: Stand) -> tuple[Intent, str]:
    """An attempt, and where its payer pays."""
    intent = stand.intent(**DOLLARS)
    made = await stand.adapter().start(intent)
    assert isinstance(made.action, Redirect)
    return msgspec.structs.replace(intent, session=made.session), made.action.url


async def pay(url: str, **form: str) -> httpx.Response:
    """The payer's browser sends the gateway's form."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        return await browser.post(url, data={"do": "pay", **CARD, **form})


async def paid(stand: Stand) -> Intent:
    intent, url = await started(stand)
    assert (await pay(url)).status_code == 303
    return intent


def brought(reply: httpx.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(reply.headers["Location"]).query))


def line(number: Any = "1", kind: str = "PAYMENT", amount: Any = 5.26, **members: Any) -> Any:
    whole = {
        "result": "SUCCESS",
        "response": {"gatewayCode": "APPROVED"},
        "transaction": {"id": number, "type": kind, "amount": amount, "currency": "USD"},
    }
    return {**whole, **members}


def order(*lines: Any, **members: Any) -> HttpReply:
    whole = {
        "id": "STND00000001",
        "merchant": MERCHANT,
        "amount": 5.26,
        "currency": "USD",
        "result": "SUCCESS",
        "status": "CAPTURED",
        "totalCapturedAmount": 5.26,
        "totalRefundedAmount": 0,
        "transaction": list(lines or [line()]),
    }
    return HttpReply(200, json.dumps({**whole, **members}).encode())


async def ask(reply: Any) -> Any:
    adapter = adapter_of("mpgs", Replies(reply), ManualClock(), {})
    return await adapter.query(an_intent(**DOLLARS))


async def test_the_payer_pays_on_the_gateway_s_page_and_the_order_proves_it(stand: Stand) -> None:
    intent, url = await started(stand)
    assert url.startswith(f"{stand.url}/checkout/pay/SESSION")
    assert url.endswith("?checkoutVersion=1.0.0")
    assert isinstance(await stand.adapter().query(intent), Unknown)
    back = await pay(url)
    assert back.headers["Location"].startswith(intent.return_url + "?resultIndicator=")
    claim = stand.adapter().parse_return(intent, brought(back))
    assert (claim.authentic, claim.kind, claim.reference) == ("yes", "sale", intent.reference)
    assert claim.proof is None
    answer = await stand.adapter().query(intent)
    assert isinstance(answer, Paid)
    (receipt,) = answer.receipts
    assert receipt.provider_reference == f"{intent.reference}/1"
    assert receipt.terminal == MERCHANT
    assert (receipt.amount_dirhams, receipt.wire_minor, receipt.currency) == (25_500, 526, "USD")
    assert receipt.details["card"] == "512345xxxxxx0008"
    assert receipt.details["scheme"] == "MASTERCARD"
    assert await stand.adapter().query(intent) == answer


async def test_the_session_asks_for_the_exact_cents_and_names_no_payment() -> None:
    session = {
        "merchant": MERCHANT,
        "result": "SUCCESS",
        "session": {"id": "SESSION0001"},
        "successIndicator": "abcdef0123",
    }
    http = Replies(HttpReply(201, json.dumps(session).encode()))
    intent = an_intent(currency="USD", wire_minor=1_000_001, language="en", notify_url="https://n")
    made = await adapter_of("mpgs", http, ManualClock(), {}).start(intent)
    assert made.session == {"session": "SESSION0001", "success_indicator": "abcdef0123"}
    ((method, url, content),) = http.asked
    assert (method, url) == (
        "POST",
        "http://gateway.test/sandbox/mpgs/api/rest/version/100/merchant/TESTSIMULATED/session",
    )
    body = json.loads(content)
    assert body["apiOperation"] == "INITIATE_CHECKOUT"
    assert body["order"] == {
        "id": "STND00000001",
        "amount": "10000.01",
        "currency": "USD",
        "description": "STND00000001",
        "notificationUrl": "https://n",
    }
    assert body["interaction"]["locale"] == "en"
    assert body["interaction"]["cancelUrl"] == intent.return_url + "?cancelled=1"
    assert http.headers[0]["Authorization"].startswith("Basic ")


async def test_dinars_are_not_sent() -> None:
    http = Replies(SILENCE)
    for members in ({}, {"currency": "USD"}, {"currency": "USD", "wire_minor": 0}):
        with pytest.raises(ProviderRefused):
            await adapter_of("mpgs", http, ManualClock(), {}).start(an_intent(**members))
    assert http.asked == []


def session(**members: Any) -> HttpReply:
    whole = {
        "merchant": MERCHANT,
        "result": "SUCCESS",
        "session": {"id": "SESSION0001"},
        "successIndicator": "abcdef0123",
    }
    return HttpReply(201, json.dumps({**whole, **members}).encode())


@pytest.mark.parametrize(
    "reply",
    [
        *HOSTILE,
        session(merchant="SOMEBODY"),
        session(result="ERROR"),
        session(session="SESSION0001"),
        session(session={"id": "../evil"}),
        session(session={"id": 5}),
        session(successIndicator=None),
        session(successIndicator=""),
        session(successIndicator="short"),
        session(successIndicator="a\nb" * 5),
        HttpReply(401, b'{"error":{"cause":"INVALID_REQUEST"},"result":"ERROR"}'),
        HttpReply(500, b'{"error":{"cause":"SERVER_FAILED"},"result":"ERROR"}'),
    ],
)
async def test_no_clear_session_is_no_session(reply: Any) -> None:
    with pytest.raises(ProviderBusy):
        await adapter_of("mpgs", Replies(reply), ManualClock(), {}).start(an_intent(**DOLLARS))


async def test_a_refused_session_is_told_as_such(stand: Stand) -> None:
    intent = await paid(stand)
    with pytest.raises(ProviderRefused):  # the order's number was used
        await stand.adapter().start(intent)


async def test_what_the_browser_brings_is_only_a_claim(stand: Stand) -> None:
    intent, _ = await started(stand)
    adapter = stand.adapter()
    right = intent.session["success_indicator"]
    cases: list[tuple[dict[str, str], str, str]] = [
        ({"resultIndicator": right, "sessionVersion": "1"}, "yes", "sale"),
        ({"resultIndicator": right + "x"}, "unsigned", "failed"),
        ({"resultIndicator": ""}, "unsigned", "failed"),
        ({"resultIndicator": "\ud800"}, "unsigned", "failed"),
        ({"cancelled": "1"}, "unsigned", "cancelled"),
        ({}, "unsigned", "failed"),
        ({"x" * 1_000: "y"}, "unsigned", "failed"),
    ]
    for query, authentic, kind in cases:
        claim = adapter.parse_return(intent, query)
        assert (claim.authentic, claim.kind, claim.proof) == (authentic, kind, None), query
        json.dumps(claim.raw)
    without = msgspec.structs.replace(intent, session={})
    assert adapter.parse_return(without, {"resultIndicator": ""}).authentic == "unsigned"


async def test_a_declined_card_may_be_followed_by_another(stand: Stand) -> None:
    intent, url = await started(stand)
    for expiry, code in list(EXPIRIES.items())[1:]:
        page = await pay(url, expiry=expiry)
        assert (page.status_code, code in page.text) == (200, True)
    answer = await stand.adapter().query(intent)
    assert isinstance(answer, Unknown)  # the last one may still come true
    assert (await pay(url)).status_code == 303
    paid_at_last = await stand.adapter().query(intent)
    assert isinstance(paid_at_last, Paid)
    assert len(paid_at_last.receipts) == 1


async def test_a_decline_is_a_no_with_the_gateway_s_code(stand: Stand) -> None:
    intent, url = await started(stand)
    await pay(url, expiry="05/39")
    assert await stand.adapter().query(intent) == Failed("DECLINED")
    for cvv, code in (("101", "NOT_PROCESSED"), ("102", "DECLINED_CSC"), ("9", "DECLINED")):
        assert code in (await pay(url, cvv=cvv)).text
    assert "DECLINED_INVALID_CARD" in (await pay(url, card="4111111111111111")).text


async def test_a_card_whose_holder_is_asked(stand: Stand) -> None:
    intent, url = await started(stand)
    assert 'value="yes"' in (await pay(url, card=CHALLENGED)).text
    assert "AUTHENTICATION_FAILED" in (await pay(url, do="no")).text
    assert isinstance(await stand.adapter().query(intent), Unknown)
    await pay(url, card=CHALLENGED)
    assert (await pay(url, do="yes")).status_code == 303
    assert isinstance(await stand.adapter().query(intent), Paid)


async def test_a_cancel_brings_the_payer_back_without_money(stand: Stand) -> None:
    intent, url = await started(stand)
    back = await pay(url, do="cancel")
    assert back.headers["Location"] == intent.return_url + "?cancelled=1"
    claim = stand.adapter().parse_return(intent, brought(back))
    assert (claim.authentic, claim.kind) == ("unsigned", "cancelled")


async def test_a_session_ends(stand: Stand) -> None:
    _, url = await started(stand)
    stand.clock.turn(timedelta(minutes=31))
    assert (await pay(url)).status_code == 410
    _, second = await started(stand)
    await pay(second)
    assert (await pay(second)).status_code == 410


@pytest.mark.parametrize(
    "faults",
    [
        Faults(is_down=True),
        Faults(is_huge=True),
        Faults(body="{}"),
        Faults(status=302),
        Faults(order_id="SOMEBODYELSES"),
        Faults(merchant="SOMEBODY"),
        Faults(currency="LYD"),
        Faults(currency="EUR"),
        Faults(contradicts=True),
    ],
)
async def test_an_answer_that_cannot_be_true_decides_nothing(stand: Stand, faults: Faults) -> None:
    intent = await paid(stand)
    stand.simulator.faults = faults
    answer = await stand.adapter().query(intent)
    assert isinstance(answer, Unknown)
    assert answer.is_unreachable == (faults.is_down or faults.is_huge)
    stand.simulator.faults = Faults()
    assert isinstance(await stand.adapter().query(intent), Paid)


async def test_unknown_becomes_paid_when_the_gateway_knows(stand: Stand) -> None:
    stand.simulator.faults = Faults(not_found_times=2)
    intent = await paid(stand)
    assert await stand.adapter().query(intent) == Unknown("not found")
    assert isinstance(await stand.adapter().query(intent), Unknown)
    assert isinstance(await stand.adapter().query(intent), Paid)


async def test_money_that_comes_late_is_found(stand: Stand) -> None:
    stand.simulator.faults = Faults(late_success_seconds=90)
    intent, url = await started(stand)
    claim = stand.adapter().parse_return(intent, brought(await pay(url)))
    assert (claim.authentic, claim.kind) == ("unsigned", "failed")
    assert isinstance(await stand.adapter().query(intent), Unknown)
    stand.clock.turn(timedelta(seconds=91))
    assert isinstance(await stand.adapter().query(intent), Paid)


async def test_another_amount_is_told_as_it_is_and_twice_is_twice(stand: Stand) -> None:
    intent = await paid(stand)
    stand.simulator.faults = Faults(amount="1.05")
    answer = await stand.adapter().query(intent)
    assert isinstance(answer, Paid)
    (receipt,) = answer.receipts
    assert (receipt.wire_minor, receipt.amount_dirhams) == (105, 105 * 25_500 // 526)
    stand.simulator.faults = Faults(charge_twice=True)
    twice = await stand.adapter().query(await paid(stand))
    assert isinstance(twice, Paid)
    assert len({receipt.provider_reference for receipt in twice.receipts}) == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (order(), Paid),
        (order(totalCapturedAmount=None, totalRefundedAmount=None), Paid),
        (order(line(), line(2)), Unknown),
        (order(line(), line(2), totalCapturedAmount=10.52), Paid),
        (order(line(), line("1"), totalCapturedAmount=10.52), Unknown),
        (order(line(), line("R1", "REFUND", 1)), Unknown),
        (
            order(
                line(),
                line("R1", "REFUND", 1),
                totalRefundedAmount=1,
                status="PARTIALLY_REFUNDED",
            ),
            Paid,
        ),
        (order(line(), line("R", "REFUND"), totalRefundedAmount=5.26, status="REFUNDED"), Unknown),
        (
            order(line(), line("V", "VOID_PAYMENT"), totalCapturedAmount=0, status="CANCELLED"),
            Unknown,
        ),
        (order(line("1", "AUTHORIZATION"), line("2", "CAPTURE")), Paid),
        (order(line("1", "AUTHORIZATION"), status="AUTHORIZED", totalCapturedAmount=0), Unknown),
        (order(result="FAILURE"), Unknown),
        (order(result="PENDING"), Unknown),
        (order(status="FAILED"), Unknown),
        (order(status=None), Unknown),
        (order(status="captured"), Unknown),
        (order(id="STND00000002"), Unknown),
        (order(id=None), Unknown),
        (order(merchant="OTHER"), Unknown),
        (order(currency="LYD"), Unknown),
        (order(currency="XXX"), Unknown),
        (order(totalCapturedAmount=5.25), Unknown),
        (order(totalCapturedAmount="much"), Unknown),
        (order(totalRefundedAmount=5.26), Unknown),
        (order(line(amount=5.255), totalCapturedAmount=5.255), Unknown),
        (order(line(amount=-5.26), totalCapturedAmount=-5.26), Unknown),
        (order(line(amount=1e30), totalCapturedAmount=1e30), Unknown),
        (order(line(amount=True)), Unknown),
        (order(line(amount=None)), Unknown),
        (order(line(number="a b")), Unknown),
        (order(line(number=None)), Paid),
        (order(line(response={"gatewayCode": "DECLINED"})), Unknown),
        (order(line(response=None)), Unknown),
        (order("nothing"), Unknown),
        (order({"transaction": []}), Unknown),
        (order(transaction={}), Unknown),
        (order(transaction=[]), Unknown),
        (order(transaction=[line(n) for n in range(500)]), Unknown),
        (order(line(result="PENDING"), totalCapturedAmount=0, status="FAILED"), Unknown),
        (
            order(
                line(result="FAILURE", response={"gatewayCode": "DECLINED"}),
                totalCapturedAmount=0,
                status="FAILED",
                result="FAILURE",
            ),
            Failed,
        ),
        (order(transaction=[], totalCapturedAmount=0, status="EXPIRED"), Failed),
        (order(transaction=[], totalCapturedAmount=0, status="INITIATED"), Unknown),
        (HttpReply(404, b'{"error":{"cause":"INVALID_REQUEST"},"result":"ERROR"}'), Unknown),
        *((reply, Unknown) for reply in HOSTILE),
    ],
)
async def test_only_an_order_that_agrees_with_itself_is_an_answer(
    reply: Any, kind: type[object]
) -> None:
    assert isinstance(await ask(reply), kind)


async def test_details_show_no_card() -> None:
    card = {"number": "5123450000000008", "brand": "MASTERCARD"}
    shown = await ask(order(line(sourceOfFunds={"provided": {"card": card}})))
    assert shown.receipts[0].details == {"scheme": "MASTERCARD"}


async def test_news_carries_the_secret_and_is_only_a_claim(stand: Stand) -> None:
    intent = await paid(stand)
    await stand.simulator.settle()
    ((headers, body),) = stand.arrived
    adapter = stand.adapter()
    assert adapter.reference_of(body) == intent.reference
    claim = adapter.parse_webhook(headers, body)
    assert (claim.authentic, claim.kind, claim.reference) == ("yes", "sale", intent.reference)
    assert claim.proof is None
    assert "0008" not in str(claim.raw)
    assert adapter.webhook_reply().status == 200
    for secret in ("", "x", SECRET + "x", SECRET.lower()):
        forged = {**headers, "x-notification-secret": secret}
        assert adapter.parse_webhook(forged, body).authentic == "no"


async def test_who_was_given_no_secret_takes_no_news() -> None:
    adapter = adapter_of("mpgs", Replies(SILENCE), ManualClock(), {})
    object.__setattr__(
        adapter, "_config", msgspec.structs.replace(adapter._config, notification_secret="")
    )
    body = b'{"merchant":"TESTSIMULATED","order":{"id":"A"},"result":"SUCCESS"}'
    for headers in ({}, {"x-notification-secret": ""}):
        assert adapter.parse_webhook(headers, body).authentic == "no"


async def test_forged_twice_and_reordered_news(stand: Stand) -> None:
    adapter = stand.adapter()

    async def heard(faults: Faults) -> list[Any]:
        stand.arrived.clear()
        stand.simulator.faults = faults
        _, url = await started(stand)
        await pay(url, expiry="05/39")
        await pay(url)
        await stand.simulator.settle()
        return [adapter.parse_webhook(headers, body) for headers, body in stand.arrived]

    assert [claim.authentic for claim in await heard(Faults(forge_notification=True))] == ["no"] * 2
    assert [claim.authentic for claim in await heard(Faults(without_secret=True))] == ["no"] * 2
    assert await heard(Faults(notify="never")) == []
    twice = await heard(Faults(notify="twice"))
    assert len(twice) == 4
    assert len({claim.dedupe_key for claim in twice}) == 2
    swapped = await heard(Faults(reorder_notifications=True))
    assert [claim.kind for claim in swapped] == ["sale", "failed"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 50_000,
        b'{"order":{"id":"A"}}',
        b'{"merchant":"OTHER","order":{"id":"A"}}',
        b'{"merchant":"TESTSIMULATED","order":{"id":"a b"}}',
        b'{"merchant":"TESTSIMULATED","order":{"id":5}}',
        b'{"merchant":"TESTSIMULATED","order":[]}',
        b'{"merchant":"TESTSIMULATED","order":{"id":"' + b"A" * 41 + b'"}}',
    ],
)
def test_news_that_cannot_be_read_is_dropped(body: bytes) -> None:
    adapter = adapter_of("mpgs", Replies(SILENCE), ManualClock(), {})
    assert adapter.parse_webhook({"x-notification-secret": SECRET}, body).authentic == "no"


def test_news_of_every_kind_has_a_name() -> None:
    adapter = adapter_of("mpgs", Replies(SILENCE), ManualClock(), {})
    for kind, result, expected in (
        ("PAYMENT", "SUCCESS", "sale"),
        ("CAPTURE", "SUCCESS", "sale"),
        ("PAYMENT", "FAILURE", "failed"),
        ("REFUND", "SUCCESS", "refund"),
        ("VOID_PAYMENT", "SUCCESS", "void"),
        ("AUTHENTICATION", "SUCCESS", "other"),
        ("\x00", "", "other"),
    ):
        news = {
            "merchant": MERCHANT,
            "order": {"id": "A"},
            "result": result,
            "transaction": {"id": "x\n" * 100, "type": kind},
        }
        claim = adapter.parse_webhook({"x-notification-secret": SECRET}, json.dumps(news).encode())
        assert (claim.authentic, claim.kind) == ("yes", expected)
        assert "\n" not in claim.dedupe_key


def wanted(intent: Intent, clock: ManualClock, **members: Any) -> RefundIntent:
    """All of the money of a paid attempt back."""
    whole = {
        "reference": intent.reference,
        "terminal": MERCHANT,
        "receipt_reference": f"{intent.reference}/1",
        "receipt_dirhams": 25_500,
        "amount_dirhams": 25_500,
        "created_at": clock.now(),
        "currency": "USD",
        "receipt_minor": 526,
        "amount_minor": 526,
    }
    return RefundIntent(**{**whole, **members})


async def give_back(stand: Stand, intent: Intent, **members: Any) -> RefundAnswer:
    answer: RefundAnswer = await stand.adapter().refund(wanted(intent, stand.clock, **members))
    return answer


async def test_money_goes_back_in_parts_until_nothing_is_left(stand: Stand) -> None:
    intent = await paid(stand)
    known: tuple[str, ...] = ()
    for cents in (200, 326):
        answer = await give_back(stand, intent, amount_minor=cents, known=known)
        assert isinstance(answer, Refunded)
        assert not answer.was_void
        known += (answer.reference,)
        partly = await stand.adapter().query(intent)
        assert isinstance(partly, Paid if len(known) == 1 else Unknown)
    assert len(set(known)) == 2
    refused = await give_back(stand, intent, amount_minor=1, known=known)
    assert isinstance(refused, RefundRefused)


async def test_the_same_refund_again_is_the_same_one(stand: Stand) -> None:
    intent = await paid(stand)
    first = await give_back(stand, intent)
    again = await give_back(stand, intent, sent_at=stand.clock.now())
    assert first == again
    both = await asyncio.gather(*(give_back(stand, intent) for _ in range(5)))
    assert set(both) == {first}
    (order_kept,) = stand.simulator.orders.values()
    assert [row.type for row in order_kept.transactions] == ["PAYMENT", "REFUND"]


async def test_a_refund_nobody_heard_of_is_found_and_a_lost_one_is_sent_again(
    stand: Stand,
) -> None:
    intent = await paid(stand)
    stand.simulator.faults = Faults(refund_fails="after")
    assert isinstance(await give_back(stand, intent, amount_minor=100), RefundUnknown)
    stand.simulator.faults = Faults()
    sent_at = stand.clock.now()
    assert isinstance(await give_back(stand, intent, amount_minor=100, sent_at=sent_at), Refunded)
    created = stand.clock.now() + timedelta(seconds=1)
    stand.simulator.faults = Faults(refund_fails="before")
    lost = {"amount_minor": 50, "created_at": created}
    assert isinstance(await give_back(stand, intent, **lost), RefundUnknown)
    stand.simulator.faults = Faults()
    waiting = await give_back(stand, intent, sent_at=sent_at, **lost)
    assert waiting == RefundUnknown("the gateway does not show the refund yet", sent=False)
    stand.clock.turn(RESEND_AFTER)
    assert isinstance(await give_back(stand, intent, sent_at=sent_at, **lost), Refunded)


async def test_what_a_refund_comes_to(stand: Stand) -> None:
    intent = await paid(stand)
    stand.simulator.faults = Faults(refund_result="FAILURE")
    assert isinstance(await give_back(stand, intent), RefundRefused)
    stand.clock.turn(timedelta(seconds=1))
    stand.simulator.faults = Faults(refund_result="PENDING")
    pending = await give_back(stand, intent)
    assert isinstance(pending, RefundUnknown)
    stand.simulator.faults = Faults(is_down=True)
    assert isinstance(await give_back(stand, intent), RefundLater)
    unclear = await give_back(stand, intent, sent_at=stand.clock.now())
    assert isinstance(unclear, RefundUnknown)
    assert not unclear.sent


async def test_what_cannot_go_back_is_not_sent(stand: Stand) -> None:
    intent = await paid(stand)
    for members, kind in (
        ({"terminal": "OTHER"}, RefundLater),
        ({"amount_minor": 527}, RefundRefused),
        ({"receipt_reference": f"{intent.reference}/9"}, RefundLater),
        ({"reference": "NOBODYS"}, RefundLater),
        ({"amount_minor": None}, RefundManual),
        ({"currency": "LYD"}, RefundManual),
    ):
        assert isinstance(await give_back(stand, intent, **members), kind), members
    assert len(next(iter(stand.simulator.orders.values())).transactions) == 1


def undone(**members: Any) -> HttpReply:
    whole = {
        "merchant": MERCHANT,
        "order": {"id": "STND00000001"},
        "result": "SUCCESS",
        "response": {"gatewayCode": "APPROVED"},
        "transaction": {
            "id": "R260115083000000000",
            "type": "REFUND",
            "amount": 5.26,
            "currency": "USD",
        },
    }
    return HttpReply(201, json.dumps({**whole, **members}).encode())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (undone(), Refunded),
        (undone(merchant="OTHER"), RefundUnknown),
        (undone(order={"id": "OTHER"}), RefundUnknown),
        (undone(order=None), RefundUnknown),
        (undone(transaction={"id": "R1", "type": "REFUND"}), RefundUnknown),
        (undone(transaction=None), RefundUnknown),
        (undone(result="FAILURE"), RefundRefused),
        (undone(result="UNKNOWN"), RefundUnknown),
        (undone(result=None), RefundUnknown),
        (HttpReply(400, b'{"error":{"cause":"INVALID_REQUEST"}}'), RefundRefused),
        (HttpReply(401, b'{"error":{"cause":"INVALID_REQUEST"}}'), RefundLater),
        (HttpReply(503, b'{"error":{"cause":"SERVER_BUSY"}}'), RefundLater),
        (HttpReply(500, b'{"error":{"cause":"SERVER_FAILED"}}'), RefundUnknown),
        (UNREACHED, RefundLater),
        *((reply, RefundUnknown) for reply in HOSTILE),
    ],
)
async def test_answers_to_a_refund(reply: Any, kind: type[object]) -> None:
    http = Replies(order(), reply)
    clock = ManualClock()
    adapter = adapter_of("mpgs", http, clock, {})
    assert isinstance(await adapter.refund(wanted(an_intent(), clock)), kind)
    assert [method for method, _, _ in http.asked] == ["GET", "PUT"]
    body = json.loads(http.asked[1][2])
    assert body == {
        "apiOperation": "REFUND",
        "transaction": {"amount": "5.26", "currency": "USD"},
    }


def test_refunds_are_numbered_for_good() -> None:
    clock = ManualClock()
    first = wanted(an_intent(), clock)
    number = number_of(first)
    assert number_of(first) == number
    second = msgspec.structs.replace(first, known=(number,))
    assert number_of(second) not in ("", number)
    assert len(number_of(second)) <= 40
    clock.turn(timedelta(microseconds=1))
    assert number_of(wanted(an_intent(), clock)) != number


@pytest.mark.parametrize(
    ("cents", "text"), [(1, "0.01"), (100, "1.00"), (123_456_789, "1234567.89")]
)
def test_dollars(cents: int, text: str) -> None:
    assert dollars(cents) == text


async def test_credentials_are_tried_without_touching_money(stand: Stand) -> None:
    assert await stand.adapter().check_connection() == Connection(works=True)
    assert (await stand.adapter(None, api_password="x").check_connection()).works is False
    assert (await stand.adapter(None, merchant_id="OTHER").check_connection()).works is False
    stand.simulator.faults = Faults(is_down=True)
    assert (await stand.adapter().check_connection()).works is False
    silent = adapter_of("mpgs", Replies(SILENCE), ManualClock(), {})
    assert (await silent.check_connection()).works is False
    assert stand.simulator.orders == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "ftp://gateway.example"},
        {"base_url": "https://user@gateway.example"},
        {"merchant_id": "a/b"},
        {"api_version": "latest"},
        {"page_path": "/checkout"},
        {"page_path": "https://elsewhere.example/{session}"},
        {"notification_secret": "a\nb"},
    ],
)
def test_fields_that_cannot_be_used_are_named_without_their_value(changes: dict[str, str]) -> None:
    ((name, value),) = changes.items()
    with pytest.raises(ValueError) as refused:
        adapter_of("mpgs", Replies(SILENCE), ManualClock(), changes)
    assert name.upper() in str(refused.value)
    assert value not in str(refused.value)


async def test_nothing_secret_is_logged_or_shown(stand: Stand) -> None:
    with capture_logs() as lines:
        intent = await paid(stand)
        for faults in (Faults(contradicts=True), Faults(is_down=True)):
            stand.simulator.faults = faults
            await stand.adapter().query(intent)
        with pytest.raises(ProviderBusy):
            await stand.adapter().start(stand.intent(**DOLLARS))
    config = stand.adapter()._config
    shown = f"{lines} {config!r} {config.__rich_repr__()}"
    assert {"mpgs_contradiction", "mpgs_no_order", "mpgs_no_session"} <= {
        entry["event"] for entry in lines
    }
    for secret in ("simulated-password", SECRET, intent.session["success_indicator"]):
        assert secret not in shown


async def test_the_simulator_s_pages(stand: Stand) -> None:
    _, url = await started(stand)
    async with httpx.AsyncClient(base_url=stand.url, trust_env=False) as client:
        desk = await client.get(stand.url)
        for card in CARDS:
            assert card in desk.text
        page = await client.get(url)
        assert 'dir="rtl"' in page.text
        assert "5.26 USD" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "<script" not in page.text
        stand.simulator.faults = Faults(decline="<b>NO</b>")
        assert "<b>NO" not in (await pay(url)).text
        assert (await client.get("/orders")).json()[0]["amount"] == "5.26"
        assert (await client.put("/faults", json={"notify": "never"})).status_code == 200
        assert (await client.put("/faults", json={"notify": "ever"})).status_code == 422
        assert (await client.get("/checkout/pay/SESSION404")).status_code == 410
        order_url = "/api/rest/version/100/merchant/TESTSIMULATED/order/X"
        assert (await client.get(order_url)).status_code == 401
