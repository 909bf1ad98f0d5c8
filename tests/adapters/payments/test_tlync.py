"""T-Lync's messages: what is sent, which answers are money, and that nothing else is."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from eishro.adapters.payments.pace import Pace
from eishro.adapters.payments.tlync import GATEWAY
from eishro.clock import ManualClock
from eishro.domain.payments.port import (
    Connection,
    Intent,
    Paid,
    Payer,
    ProviderBusy,
    ProviderRefused,
    Redirect,
    RefundIntent,
    RefundManual,
    Unknown,
)
from eishro.errors import Invalid, ShopError
from eishro.outward import HttpReply, NoReply
from tests.adapters.payments.http_script import Script, adapter, said
from tests.stamps import MemoryStamps

pytestmark = pytest.mark.anyio

PAGE = "https://store.pay.net.ly/tdi/abc"
BEGUN = said({"result": "success", "custom_ref": "REF1", "url": PAGE})
RECEIPT: dict[str, Any] = {
    "amount": "25.50", "currency": "LYD", "gateway_name": "edfaly", "gateway": "edfaly",
    "gateway_ref": "778", "date_time": "2026-01-15 10:31:00", "reference": "TL1",
    "customer_phone": "0912345678", "order_history": [], "notes_to_shop": None,
}  # fmt: skip


def intent(**changes: Any) -> Intent:
    usual = Intent(
        reference="REF1",
        amount_dirhams=25_500,
        created_at=datetime(2026, 1, 15, 8, 30, tzinfo=UTC),
        return_url="https://shop.test/api/payments/REF1/return",
        notify_url="https://shop.test/api/webhooks/payments/tlync",
        payer=Payer(phone="+218912345678", email="buyer@example.ly"),
    )
    return msgspec.structs.replace(usual, **changes)


async def test_a_start_sends_two_decimals_and_the_national_phone() -> None:
    script = Script(BEGUN)
    started = await adapter(GATEWAY, script).start(intent())
    assert started.action == Redirect(PAGE)
    ((url, form, headers),) = script.sent
    assert url == "https://gateway.test/api/v3/payment/initiate"
    assert headers["Authorization"] == "Bearer sandbox-tlync-token"
    assert form == {
        "id": "sandbox-tlync-store",
        "amount": "25.50",
        "phone": "0912345678",
        "backend_url": "https://shop.test/api/webhooks/payments/tlync",
        "frontend_url": "https://shop.test/api/payments/REF1/return",
        "failed_front_end_url": "https://shop.test/api/payments/REF1/return?failed=1",
        "custom_ref": "REF1",
    }


@pytest.mark.parametrize(
    ("setting", "sent"), [("", None), ("payer", "buyer@example.ly"), ("a@b.ly", "a@b.ly")]
)
async def test_an_e_mail_is_sent_as_the_setting_says(setting: str, sent: str | None) -> None:
    script = Script(BEGUN)
    await adapter(GATEWAY, script, email=setting).start(intent())
    assert script.sent[0][1].get("email") == sent


async def test_base_and_paths_are_settings() -> None:
    script = Script(BEGUN)
    provider = adapter(
        GATEWAY, script, base_url="https://other.test/api/v1/", receipt_path="/cp-payment/receipt"
    )
    await provider.start(intent())
    await provider.query(intent())
    assert [url for url, _, _ in script.sent] == [
        "https://other.test/api/v1/payment/initiate",
        "https://other.test/api/v1/cp-payment/receipt",
    ]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (NoReply("timed out", sent=True), ProviderBusy),
        (NoReply("refused", sent=False), ProviderBusy),
        (said(b"<html>", 503), ProviderBusy),
        (said({"message": "Unauthenticated."}, 401), ProviderBusy),
        (said({"message": "Too Many Attempts."}, 429), ProviderBusy),
        (said(b"", 302), ProviderBusy),
        (said({}), ProviderBusy),
        (said({"result": "success", "url": "javascript:alert(1)"}), ProviderBusy),
        (said({"result": "success", "url": "http://plain.test/tdi/a"}), ProviderBusy),
        (said({"result": "success", "url": "https://u:p@x.test/"}), ProviderBusy),
        (said({"result": "success", "custom_ref": "OTHER", "url": PAGE}), ProviderBusy),
        (said(b'{"result":"success","result":"error","url":"https://x.test/"}'), ProviderBusy),
        (said({"message": "Store is not active"}, 400), ProviderRefused),
        (said({"message": "x", "errors": ["Invalid store"]}, 422), ProviderRefused),
        (said({"message": "x", "errors": {"amount": ["bad"]}}, 422), ProviderRefused),
        (said({"message": "x", "errors": {"phone": ["bad"]}}, 422), Invalid),
    ],
)
async def test_what_does_not_begin_a_payment_is_said_so(
    reply: HttpReply | NoReply, error: type[ShopError]
) -> None:
    with pytest.raises(error):
        await adapter(GATEWAY, Script(reply)).start(intent())


@pytest.mark.parametrize("phone", [None, "+442083661177", "+218213601234"])
async def test_without_a_libyan_mobile_nothing_is_sent(phone: str | None) -> None:
    script = Script(BEGUN)
    with pytest.raises(Invalid) as refused:
        await adapter(GATEWAY, script).start(intent(payer=Payer(phone=phone)))
    assert list(refused.value.faults) == ["phone"]
    assert script.sent == []


async def test_a_third_decimal_is_refused_not_rounded() -> None:
    with pytest.raises(ProviderRefused):
        await adapter(GATEWAY, Script(BEGUN)).start(intent(amount_dirhams=25_505))


@pytest.mark.parametrize(
    "body",
    [
        {"result": "success", "data": RECEIPT},
        {"result": "success", **RECEIPT},
        {"result": "success", "data": {**RECEIPT, "amount": 25.5}},
        {"result": "success", "data": {**RECEIPT, "custom_ref": "REF1"}},
        {"result": "success", "amount": "25.50", "data": RECEIPT},
    ],
)
async def test_a_receipt_is_money_nested_or_flat(body: dict[str, Any]) -> None:
    answer = await adapter(GATEWAY, Script(said(body))).query(intent())
    assert isinstance(answer, Paid)
    (receipt,) = answer.receipts
    assert (receipt.provider_reference, receipt.terminal) == ("TL1", "sandbox-tlync-store")
    assert (receipt.amount_dirhams, receipt.currency) == (25_500, "LYD")
    assert "0912345678" not in str(receipt)


@pytest.mark.parametrize(
    "reply",
    [
        NoReply("timed out", sent=True),
        said({"result": "incomplete"}),
        said({"message": "Transaction not found"}, 404),
        said({"result": "success", "data": RECEIPT}, 404),
        said({"result": "success", "data": RECEIPT}, 500),
        said({"result": "failed", "data": RECEIPT}),
        said({"result": "success"}),
        said({"result": "success", "data": []}),
        said({"result": True, "data": RECEIPT}),
        said({"result": "success", "data": {**RECEIPT, "currency": "USD"}}),
        said({"result": "success", "data": {**RECEIPT, "amount": "NaN"}}),
        said({"result": "success", "data": {**RECEIPT, "amount": "-25.50"}}),
        said({"result": "success", "data": {**RECEIPT, "amount": "25,50"}}),
        said({"result": "success", "data": {**RECEIPT, "amount": "25.5001"}}),
        said({"result": "success", "data": {**RECEIPT, "amount": None}}),
        said({"result": "success", "data": {**RECEIPT, "reference": None}}),
        said({"result": "success", "data": {**RECEIPT, "custom_ref": "OTHER"}}),
        said({"result": "success", "data": {**RECEIPT, "store_id": "another"}}),
        said({"result": "success", "amount": "1.00", "data": RECEIPT}),
        said(b"[" * 100_000),
        said(b'{"result":"success","result":"success"}'),
        said(b"\xff"),
    ],
)
async def test_nothing_else_is_money_and_nothing_is_a_no(reply: HttpReply | NoReply) -> None:
    answer = await adapter(GATEWAY, Script(reply)).query(intent())
    assert isinstance(answer, Unknown)
    is_down = isinstance(reply, NoReply) or reply.status >= 500
    assert answer.is_unreachable is is_down


async def test_another_amount_is_told_as_it_is() -> None:
    body = {"result": "success", "data": {**RECEIPT, "amount": "1.00"}}
    answer = await adapter(GATEWAY, Script(said(body))).query(intent())
    assert isinstance(answer, Paid)
    assert answer.receipts[0].amount_dirhams == 1_000


_JSON_CALLBACK = (
    b'{"custom_ref":"REF1","result":"success","amount":25.50,"customer_phone":"0912345678"}'
)
_FORM_CALLBACK = b"custom_ref=REF1&result=success&amount=25.50&customer_phone=0912345678"


@pytest.mark.parametrize("form", [_JSON_CALLBACK, _FORM_CALLBACK])
async def test_a_callback_is_a_hint_in_either_form(form: bytes) -> None:
    provider = adapter(GATEWAY, Script(BEGUN))
    claim = provider.parse_webhook({}, form)
    assert (claim.authentic, claim.reference, claim.kind) == ("unsigned", "REF1", "sale")
    assert claim.proof is None
    assert "0912345678" not in str(claim.raw)
    assert provider.reference_of(form) == "REF1"
    assert provider.parse_webhook({}, form) == claim


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 50_000, b"a=" + b"x" * 300_000,
     b"custom_ref=a%20b", b'{"custom_ref":"REF1","custom_ref":"REF2"}',
     b"custom_ref=REF1&store_id=another"],
)  # fmt: skip
async def test_a_callback_that_cannot_be_ours_is_dropped(body: bytes) -> None:
    assert adapter(GATEWAY, Script(BEGUN)).parse_webhook({}, body).authentic == "no"


async def test_a_return_is_a_hint_of_its_own_payment_alone() -> None:
    provider = adapter(GATEWAY, Script(BEGUN))
    assert provider.parse_return(intent(), {}).kind == "failed"
    assert provider.parse_return(intent(), {"failed": "1", "result": "success"}).kind == "failed"
    assert provider.parse_return(intent(), {"result": "success"}).kind == "sale"
    assert provider.parse_return(intent(), {"custom_ref": "OTHER"}).authentic == "no"


async def test_people_give_money_back() -> None:
    wanted = RefundIntent(
        reference="REF1", terminal="t", receipt_reference="TL1", receipt_dirhams=1,
        amount_dirhams=1, created_at=intent().created_at,
    )  # fmt: skip
    assert isinstance(await adapter(GATEWAY, Script(BEGUN)).refund(wanted), RefundManual)


@pytest.mark.parametrize(
    ("reply", "works"),
    [
        (said({"message": "Transaction not found"}, 404), True),
        (said({"result": "incomplete"}), True),
        (said({"message": "Unauthenticated."}, 401), False),
        (said(b"<html>", 404), False),
        (NoReply("refused", sent=False), False),
    ],
)
async def test_the_connection_is_tried_with_a_receipt_of_nobody(
    reply: HttpReply | NoReply, works: bool
) -> None:
    found: Connection = await adapter(GATEWAY, Script(reply)).check_connection()
    assert found.works is works


# The limit of calls.


async def test_who_asks_together_shares_a_call_but_none_sent_before() -> None:
    script = Script(said({"result": "incomplete"}))
    provider = adapter(GATEWAY, script)
    await asyncio.gather(*(provider.query(intent()) for _ in range(20)))
    assert len(script.sent) == 1
    script.gate = asyncio.Event()
    first = asyncio.ensure_future(provider.query(intent()))
    while len(script.sent) < 2:
        await asyncio.sleep(0)
    second = asyncio.ensure_future(provider.query(intent()))  # the first is under way already
    while len(script.sent) < 3:
        await asyncio.sleep(0)
    script.gate.set()
    await asyncio.gather(first, second)


@pytest.mark.parametrize("per_minute", [6, 7, 30, 31, 600])
async def test_no_minute_holds_more_calls_than_all_of_it_may(per_minute: int) -> None:
    clock, at, stamps = ManualClock(), [], MemoryStamps()

    async def sleep(seconds: float) -> None:
        clock.turn(timedelta(seconds=seconds))

    paces = [Pace(stamps, clock, sleep, "x", per_minute) for _ in range(2)]  # two processes
    for number in range(per_minute * 3):
        if await paces[number % 2].turn():
            at.append(clock.now())
        else:
            clock.turn(timedelta(seconds=60))
    for position, first in enumerate(at):
        last = first + timedelta(seconds=59.9)
        assert sum(1 for one in at[position:] if one < last) <= per_minute
    assert at


async def test_a_closed_provider_knows_nothing_and_lets_nobody_wait() -> None:
    script = Script(said({"result": "incomplete"}))
    script.gate = asyncio.Event()
    provider = adapter(GATEWAY, script)
    waiting = [asyncio.ensure_future(provider.query(intent(reference=f"R{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    await provider.aclose()
    for one in waiting:
        assert isinstance(await one, Unknown)
    assert isinstance(await provider.query(intent()), Unknown)


@pytest.mark.parametrize(
    "given",
    [{"base_url": "ftp://x"}, {"receipt_path": "a b"}, {"per_minute": "5"}, {"email": "nobody"},
     {"token": "a\nb"}, {"initiate_path": "../{x}"}],
)  # fmt: skip
def test_a_field_that_does_not_do_is_named_without_its_value(given: dict[str, str]) -> None:
    with pytest.raises(ValueError) as refused:
        adapter(GATEWAY, Script(BEGUN), **given)
    ((name, value),) = given.items()
    assert name in str(refused.value)
    assert value not in str(refused.value)


def test_no_secret_is_printed() -> None:
    provider = adapter(GATEWAY, Script(BEGUN))
    assert "sandbox-tlync" not in f"{provider!r} {vars(provider)!r}"
