"""OnePay at Masarat: the adapter against its simulator, and against answers nobody should give."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from eishro.clock import ManualClock
from eishro.domain.payments.port import (
    Connection,
    Failed,
    Intent,
    NotSent,
    Otp,
    Paid,
    Payer,
    ProviderBusy,
    ProviderRefused,
    Refunded,
    RefundIntent,
    RefundLater,
    RefundManual,
    RefundRefused,
    RefundUnknown,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid
from eishro.outward import HttpReply
from eishro.sandbox.masarat import CARDS, OTP, Faults
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

UNTIL = "2026-01-15T09:00:00Z"  # half an hour from a manual clock's beginning


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with open_stand("masarat") as opened:
        yield opened


@pytest.fixture
async def giving() -> AsyncIterator[Stand]:
    """Where a code for refunds was agreed."""
    async with open_stand("masarat", refund_code="987654") as opened:
        yield opened


async def started(stand: Stand, **members: Any) -> Intent:
    """An attempt whose payer was sent a code."""
    intent = stand.intent(**members)
    made = await stand.adapter().start(intent)
    return msgspec.structs.replace(intent, session=made.session, payer=Payer())


def envelope(content: Any = None, kind: Any = 1, status: int = 200, **members: Any) -> HttpReply:
    body = {"type": kind, "traceId": "t-1", "content": content, **members}
    return HttpReply(status, json.dumps(body).encode())


def token(value: str = "tok", until: Any = UNTIL) -> HttpReply:
    return envelope({"value": value, "validTo": until, "systemIdentity": "1"})


def with_session(**members: Any) -> Intent:
    session = {
        "token": "ses",
        "valid_to": UNTIL,
        "transaction": "STND00000001",
        "count": "1",
        "card": "123456789",
        "amount": "25500",
    }
    return an_intent(session={**session, **members})


async def ask(reply: HttpReply, **given: str) -> Any:
    adapter = adapter_of("masarat", Replies(reply), ManualClock(), given)
    return await adapter.submit_otp(with_session(), OTP)


async def test_a_code_is_sent_and_pays(stand: Stand) -> None:
    intent = stand.intent()
    made = await stand.adapter().start(intent)
    now = stand.clock.now()
    assert made.action == Otp(6, "•••••••89", now + timedelta(minutes=5), now + timedelta(0, 60))
    assert stand.simulator.messages[-1] == ("123456789", f"{OTP} · 25.50 LYD · رمز التحقق / code")
    later = msgspec.structs.replace(intent, session=made.session, payer=Payer())
    paid = await stand.adapter().submit_otp(later, OTP)
    assert isinstance(paid, Paid)
    (receipt,) = paid.receipts
    assert (receipt.provider_reference, receipt.terminal) == (intent.reference, "7-700100")
    assert (receipt.amount_dirhams, receipt.currency) == (25_500, "LYD")
    assert receipt.details.keys() == {"trace"}
    assert [str(session.amount) for session in stand.simulator.done] == ["25.50"]


async def test_a_card_of_ten_digits_pays_too(stand: Stand) -> None:
    intent = await started(stand, payer=Payer(card="1234567890"))
    assert isinstance(await stand.adapter().submit_otp(intent, OTP), Paid)


async def test_the_amount_is_sent_as_an_exact_number() -> None:
    http = Replies(token(), token("ses"))
    adapter = adapter_of("masarat", http, ManualClock(), {})
    await adapter.start(an_intent(amount_dirhams=10_000_000_010))
    (_, _, signed), (_, url, opened) = http.asked
    assert signed == {"userId": 700100, "pin": "simulated-pin", "providerId": 7, "authUserType": 1}
    assert url.endswith("/api/OnlinePaymentServices/OpenSession")
    assert b'"amount":10000000.01,' in msgspec.json.encode(opened)
    assert http.headers == [{}, {"Authorization": "Bearer tok"}]


async def test_many_that_begin_at_once_sign_in_once_and_again_when_it_has_run_out(
    stand: Stand,
) -> None:
    adapter = stand.adapter()
    await asyncio.gather(*(adapter.start(stand.intent()) for _ in range(8)))
    assert stand.simulator.signed_in == 1
    stand.clock.turn(timedelta(minutes=28))
    await adapter.start(stand.intent())
    assert stand.simulator.signed_in == 1
    stand.clock.turn(timedelta(minutes=1, seconds=30))
    await adapter.start(stand.intent())
    assert stand.simulator.signed_in == 2


async def test_a_sign_in_that_was_ended_early_is_renewed_once(stand: Stand) -> None:
    adapter = stand.adapter()
    await adapter.start(stand.intent())
    stand.simulator.sign_ins.clear()
    await adapter.start(stand.intent())
    assert stand.simulator.signed_in == 2
    http = Replies(token(), HttpReply(401, b""))
    with pytest.raises(ProviderBusy):
        await adapter_of("masarat", http, ManualClock(), {}).start(an_intent())
    assert len(http.asked) == 3  # signing in got 401 as well: no loop


async def test_a_token_without_an_end_is_used_once() -> None:
    http = Replies(token(until=None), token("ses"), token(until="soon"), token("ses"))
    adapter = adapter_of("masarat", http, ManualClock(), {})
    for _ in range(2):
        await adapter.start(an_intent())
    assert [url.rpartition("/")[2] for _, url, _ in http.asked] == ["Signin", "OpenSession"] * 2


async def test_a_wrong_code_charges_nothing_and_the_right_one_still_pays(stand: Stand) -> None:
    intent = await started(stand)
    for code in ("000000", "1"):
        found = await stand.adapter().submit_otp(intent, code)
        assert isinstance(found, WrongCode)
        assert not found.is_expired
    assert isinstance(await stand.adapter().submit_otp(intent, OTP), Paid)


async def test_what_is_no_code_is_not_sent() -> None:
    http = Replies(envelope())
    adapter = adapter_of("masarat", http, ManualClock(), {})
    for code in ("", "12 4", "١٢٣٤", "1" * 21):
        assert isinstance(await adapter.submit_otp(with_session(), code), WrongCode)
    assert http.asked == []


async def test_a_session_that_has_run_out_asks_for_another_code(stand: Stand) -> None:
    intent = await started(stand)
    stand.clock.turn(timedelta(minutes=6))
    found = await stand.adapter().submit_otp(intent, OTP)
    assert isinstance(found, WrongCode)
    assert found.is_expired
    again = await stand.adapter().resend_otp(intent)
    assert again.session["transaction"] == f"{intent.reference}-2"
    renewed = msgspec.structs.replace(intent, session=again.session)
    paid = await stand.adapter().submit_otp(renewed, OTP)
    assert isinstance(paid, Paid)
    assert paid.receipts[0].provider_reference == f"{intent.reference}-2"
    third = await stand.adapter().resend_otp(renewed)
    assert third.session["transaction"] == f"{intent.reference}-3"


async def test_a_session_that_is_not_of_this_amount_is_not_charged(stand: Stand) -> None:
    intent = await started(stand)
    for other in (
        msgspec.structs.replace(intent, amount_dirhams=99_000),
        msgspec.structs.replace(intent, session={}),
    ):
        found = await stand.adapter().submit_otp(other, OTP)
        assert isinstance(found, WrongCode)
        assert found.is_expired
    assert stand.simulator.done == []
    for session in ({}, {**intent.session, "count": "20"}, {**intent.session, "count": "x"}):
        with pytest.raises(ProviderBusy):
            await stand.adapter().resend_otp(msgspec.structs.replace(intent, session=session))


async def test_a_poor_wallet_fails_and_a_barred_one_is_refused_at_once(stand: Stand) -> None:
    intent = await started(stand, payer=Payer(card="222222222"))
    assert await stand.adapter().submit_otp(intent, OTP) == Failed("Insufficient balance")
    for card in ("111111111", "999999999"):
        with pytest.raises(ProviderRefused):
            await stand.adapter().start(stand.intent(payer=Payer(card=card)))


@pytest.mark.parametrize("card", [None, "", "1234567", "12345678", "12345678901", "١٢٣٤٥٦٧٨٩"])
async def test_only_cards_of_the_right_length_are_sent(card: str | None) -> None:
    http = Replies(token())
    adapter = adapter_of("masarat", http, ManualClock(), {})
    with pytest.raises(Invalid) as refused:
        await adapter.start(an_intent(payer=Payer(card=card)))
    assert set(refused.value.faults) == {"card"}
    assert "9 or 10" in refused.value.faults["card"].en
    assert http.asked == []
    seven = adapter_of("masarat", Replies(token()), ManualClock(), {"card_lengths": "7"})
    await seven.start(an_intent(payer=Payer(card="1234567")))


@pytest.mark.parametrize("dirhams", [0, -10, 25_505])
async def test_amounts_are_never_rounded(dirhams: int) -> None:
    http = Replies(token())
    with pytest.raises(ProviderRefused):
        await adapter_of("masarat", http, ManualClock(), {}).start(
            an_intent(amount_dirhams=dirhams)
        )
    assert http.asked == []


@pytest.mark.parametrize(
    "reply",
    [
        *HOSTILE,
        envelope({"value": ""}),
        envelope({"value": 5}),
        envelope({"value": "a b"}),
        envelope({"value": "a\r\nX-Header: b"}),
        envelope({"value": "x" * 5_000}),
        envelope(None),
        envelope({"value": "tok"}, kind=2),
        envelope({"value": "tok"}, kind=True),
        envelope({"value": "tok"}, kind="1"),
        envelope({"value": "tok"}, status=400),
        HttpReply(401, b""),
    ],
)
async def test_no_clear_answer_at_the_start_charged_nothing(reply: Any) -> None:
    with pytest.raises(ProviderBusy):
        await adapter_of("masarat", Replies(reply), ManualClock(), {}).start(an_intent())
    with pytest.raises(ProviderBusy):
        await adapter_of("masarat", Replies(token(), reply), ManualClock(), {}).start(an_intent())


async def test_a_refused_sign_in_is_not_the_payer_s_fault() -> None:
    reply = envelope(None, kind=3, message="Invalid user or PIN")
    with pytest.raises(ProviderBusy):
        await adapter_of("masarat", Replies(reply), ManualClock(), {}).start(an_intent())


@pytest.mark.parametrize("reply", HOSTILE)
async def test_no_clear_answer_to_a_code_is_unknown(reply: Any) -> None:
    http = Replies(reply)
    found = await adapter_of("masarat", http, ManualClock(), {}).submit_otp(with_session(), OTP)
    assert isinstance(found, Unknown)
    assert found.is_unreachable == (reply is SILENCE or reply[0] >= 500)
    assert len(http.asked) == 1, "what may have charged is not sent again"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (envelope(None), Paid),
        (envelope({}), Paid),
        (envelope({"transactionId": "STND00000001", "amount": 25.5, "currency": "LYD"}), Paid),
        (envelope({"amount": "25.500"}), Paid),
        (envelope({"transactionId": "STND00000002"}), Unknown),
        (envelope({"currency": "USD"}), Unknown),
        (envelope({"amount": True}), Unknown),
        (envelope({"amount": "much"}), Unknown),
        (envelope({"amount": -25.5}), Unknown),
        (envelope({"amount": 0}), Unknown),
        (envelope({"amount": 1e30}), Unknown),
        (envelope({"amount": 25.50001}), Unknown),
        (envelope(None, status=400), Unknown),
        (envelope(None, kind=2), Unknown),
        (envelope(None, kind=0), Unknown),
        (envelope(None, kind=True), Unknown),
        (envelope(None, kind=1.0), Unknown),
        (envelope(None, kind=3, message="Invalid OTP"), WrongCode),
        (envelope(None, kind=3, status=400, messages=["رمز التحقق غير صحيح"]), WrongCode),
        (envelope(None, kind=3, message="OTP expired"), WrongCode),
        (envelope(None, kind=3, message="Insufficient balance"), Failed),
        (envelope(None, kind=3), Failed),
        (envelope(None, kind=3, messages=[{"a": 1}, None]), Failed),
        (envelope(None, kind=3, message="OTP accepted, transfer timed out"), Unknown),
        (HttpReply(401, b""), WrongCode),
    ],
)
async def test_answers_to_a_code(reply: HttpReply, kind: type[object]) -> None:
    assert isinstance(await ask(reply), kind)


async def test_what_texts_and_types_mean_can_be_set() -> None:
    given = {"success_type": "7", "failure_types": "4, 5", "wrong_code_texts": "Nope"}
    assert isinstance(await ask(envelope(None, kind=7), **given), Paid)
    assert isinstance(await ask(envelope(None, kind=1), **given), Unknown)
    assert isinstance(await ask(envelope(None, kind=5, message="NOPE!"), **given), WrongCode)
    assert isinstance(await ask(envelope(None, kind=4, message="OTP"), **given), Failed)


async def test_a_reason_shows_no_long_numbers() -> None:
    found = await ask(envelope(None, kind=3, message="Card 123456789 has no money\n for 25"))
    assert found == Failed("Card … has no money for 25")


async def test_another_amount_is_told_as_it_is(stand: Stand) -> None:
    intent = await started(stand)
    stand.simulator.faults = Faults(amount="1.00")
    paid = await stand.adapter().submit_otp(intent, OTP)
    assert isinstance(paid, Paid)
    assert paid.receipts[0].amount_dirhams == 1_000


async def test_money_taken_without_an_answer_is_unknown(stand: Stand) -> None:
    intent = await started(stand)
    stand.simulator.faults = Faults(is_silent_after_charging=True)
    found = await stand.adapter().submit_otp(intent, OTP)
    assert found == Unknown("HTTP status 504 without an answer", is_unreachable=True)
    assert len(stand.simulator.done) == 1


async def test_a_gateway_that_was_not_reached_lets_the_same_code_be_tried_again() -> None:
    adapter = adapter_of("masarat", Replies(UNREACHED, envelope()), ManualClock(), {})
    assert isinstance(await adapter.submit_otp(with_session(), OTP), NotSent)
    assert isinstance(await adapter.submit_otp(with_session(), OTP), Paid)


def wanted(stand: Stand, intent: Intent, **members: Any) -> RefundIntent:
    whole = {
        "reference": intent.reference,
        "terminal": "7-700100",
        "receipt_reference": intent.reference,
        "receipt_dirhams": intent.amount_dirhams,
        "amount_dirhams": intent.amount_dirhams,
        "created_at": stand.clock.now(),
        "session": intent.session,
    }
    return RefundIntent(**{**whole, **members})


async def test_without_an_agreed_code_people_give_the_money_back(stand: Stand) -> None:
    intent = await started(stand)
    assert not stand.adapter().can_refund
    assert isinstance(await stand.adapter().refund(wanted(stand, intent)), RefundManual)


async def test_money_goes_back_in_parts_by_sessions_of_their_own(giving: Stand) -> None:
    intent = await started(giving)
    await giving.adapter().submit_otp(intent, OTP)
    assert giving.adapter().can_refund
    known: tuple[str, ...] = ()
    for dirhams in (10_000, 15_500):
        giving.clock.turn(timedelta(seconds=1))
        answer = await giving.adapter().refund(
            wanted(
                giving,
                intent,
                amount_dirhams=dirhams,
                known=known,
                known_dirhams=10_000 * len(known),
            )
        )
        assert isinstance(answer, Refunded)
        known += (answer.reference,)
    back = [session for session in giving.simulator.done if session.operation == 2]
    assert [str(session.amount) for session in back] == ["10.00", "15.50"]
    assert len(set(known)) == 2
    more = wanted(giving, intent, amount_dirhams=10, known=known, known_dirhams=25_500)
    assert isinstance(await giving.adapter().refund(more), RefundRefused)


async def test_a_refund_that_may_have_happened_is_never_sent_again(giving: Stand) -> None:
    intent = await started(giving)
    await giving.adapter().submit_otp(intent, OTP)
    giving.simulator.faults = Faults(is_silent_after_charging=True)
    first = await giving.adapter().refund(wanted(giving, intent))
    assert first == RefundUnknown("HTTP status 504 without an answer")
    giving.simulator.faults = Faults()
    again = wanted(giving, intent, sent_at=giving.clock.now())
    second = await giving.adapter().refund(again)
    assert isinstance(second, RefundUnknown)
    assert not second.sent
    assert len([s for s in giving.simulator.done if s.operation == 2]) == 1


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        ((SILENCE,), RefundLater),
        ((token(), SILENCE), RefundLater),
        ((token(), envelope(None, kind=3)), RefundRefused),
        ((token(), token(), SILENCE), RefundUnknown),
        ((token(), token(), UNREACHED), RefundLater),
        ((token(), token(), envelope(None, kind=3, message="no")), RefundRefused),
        ((token(), token(), envelope(None, kind=9)), RefundUnknown),
        ((token(), token(), envelope({"amount": 1})), RefundUnknown),
        ((token(), token(), HttpReply(500, b"")), RefundUnknown),
        ((token(), token(), envelope(None)), Refunded),
    ],
)
async def test_answers_to_a_refund(stand: Stand, replies: Any, kind: type[object]) -> None:
    adapter = adapter_of("masarat", Replies(*replies), ManualClock(), {"refund_code": "1"})
    assert isinstance(await adapter.refund(wanted(stand, with_session())), kind)


async def test_what_cannot_be_given_back_is_not_tried(stand: Stand) -> None:
    http = Replies(token())
    adapter = adapter_of("masarat", http, ManualClock(), {"refund_code": "1"})
    for members, kind in (
        ({"terminal": "other"}, RefundLater),
        ({"amount_dirhams": 25_510}, RefundRefused),
        ({"session": {}}, RefundManual),
        ({"currency": "USD"}, RefundManual),
    ):
        answer = await adapter.refund(wanted(stand, with_session(), **members))
        assert isinstance(answer, kind), members
    assert http.asked == []


async def test_credentials_are_tried_by_signing_in(stand: Stand) -> None:
    assert await stand.adapter().check_connection() == Connection(True)
    wrong = stand.adapter(None, pin="0")
    assert (await wrong.check_connection()).works is False
    stand.simulator.faults = Faults(is_down=True)
    assert (await stand.adapter().check_connection()).works is False
    assert stand.simulator.sessions == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "seven"},
        {"provider_id": "-1"},
        {"card_lengths": "9;10"},
        {"failure_types": "none"},
        {"code_length": "x"},
    ],
)
def test_fields_that_cannot_be_used_are_named_without_their_value(changes: dict[str, str]) -> None:
    ((name, value),) = changes.items()
    with pytest.raises(ValueError) as refused:
        adapter_of("masarat", Replies(SILENCE), ManualClock(), changes)
    assert name.upper() in str(refused.value)
    assert value not in str(refused.value)


async def test_nothing_secret_is_logged_or_shown(giving: Stand) -> None:
    with capture_logs() as lines:
        intent = await started(giving)
        giving.simulator.faults = Faults(is_down=True)
        with pytest.raises(ProviderBusy):
            await giving.adapter().start(giving.intent())
        await giving.adapter().submit_otp(intent, OTP)
    config = giving.adapter()._config
    shown = f"{lines} {config!r} {config.__rich_repr__()}"
    assert lines
    for secret in ("simulated-pin", "987654", OTP, "123456789", intent.session["token"]):
        assert secret not in shown


async def test_the_simulator_shows_who_pays_and_takes_faults(stand: Stand) -> None:
    await started(stand)
    async with httpx.AsyncClient(base_url=stand.url, trust_env=False) as client:
        page = await client.get(stand.url)
        assert 'dir="rtl"' in page.text
        for card in CARDS:
            assert card in page.text
        assert "25.50" in page.text
        assert (await client.get("/sessions")).json()[0]["isDone"] is False
        told = await client.put("/faults", json={"forgets_sign_ins": True})
        assert told.json()["forgets_sign_ins"] is True
        assert stand.simulator.sign_ins == {}
        assert (await client.put("/faults", json={"amount": 1})).status_code == 422


async def test_the_simulator_takes_an_id_once_and_only_its_own_tokens(stand: Stand) -> None:
    intent = await started(stand)
    with pytest.raises(ProviderRefused):
        await stand.adapter().start(an_intent(reference=intent.reference))
    assert isinstance(await stand.adapter().submit_otp(intent, OTP), Paid)
    again = await stand.adapter().submit_otp(intent, OTP)
    assert isinstance(again, WrongCode)
    assert len(stand.simulator.done) == 1
