"""Sadad's messages: what is sent, which answers are money, and that nothing else is."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from eishro.adapters.payments.sadad import GATEWAY
from eishro.clock import ManualClock
from eishro.domain.payments.port import (
    Failed,
    Intent,
    NotSent,
    Otp,
    Paid,
    Payer,
    ProviderBusy,
    ProviderRefused,
    RefundIntent,
    RefundManual,
    ResendTooSoon,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid, ShopError
from eishro.outward import HttpReply, NoReply
from tests.adapters.payments.http_script import Script, adapter, said

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
VALID = said({"statusCode": 0, "message": "OTP sent", "result": {"transactionId": 77}})
TOKEN = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"HS256"}', b'{"corporateServiceId":"42","exp":1768476600}', b"x")
)


def intent(**changes: Any) -> Intent:
    usual = Intent(
        reference="REF1",
        amount_dirhams=25_500,
        created_at=NOW,
        payer=Payer(phone="+218913632323", birth_year=1991),
        session={"transaction_id": "77", "phone": "091•••••23"},
    )
    return msgspec.structs.replace(usual, **changes)


async def test_a_start_validates_and_asks_for_the_code() -> None:
    script = Script(VALID)
    started = await adapter(GATEWAY, script).start(intent())
    assert started.action == Otp(
        6, "091•••••23", NOW + timedelta(minutes=5), NOW + timedelta(minutes=1)
    )
    assert started.session == {"transaction_id": "77", "phone": "091•••••23"}
    ((url, body, headers),) = script.sent
    assert url == "https://gateway.test/api/Validate"
    assert headers["Authorization"].startswith("Bearer ey")
    assert json.loads(msgspec.json.encode(body)) == {
        "Msisdn": "913632323",
        "BirthYear": "1991",
        "InvoiceNo": "REF1",
        "Amount": 25.5,
        "Category": 20,
    }


async def test_spellings_paths_and_category_are_settings() -> None:
    script = Script(said({"statusCode": 0, "transactionId": "78", "merchantNo": 1}))
    provider = adapter(
        GATEWAY, script, msisdn_form="09", year_form="number", category="9",
        validate_path="api/validate", code_length="4",
    )  # fmt: skip
    started = await provider.start(intent())
    assert started.session["transaction_id"] == "78"
    assert started.action.length == 4
    url, body, _ = script.sent[0]
    assert url.endswith("/api/validate")
    assert (body["Msisdn"], body["BirthYear"], body["Category"]) == ("0913632323", 1991, 9)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (NoReply("timed out", sent=True), ProviderBusy),
        (said(b"<html>", 503), ProviderBusy),
        (said({"message": "Unauthorized"}, 401), ProviderBusy),
        (said({"statusCode": 0}), ProviderBusy),
        (said({"statusCode": 0, "result": {"transactionId": "x y"}}), ProviderBusy),
        (said({"statusCode": 0, "transactionId": 1, "result": {"transactionId": 2}}), ProviderBusy),
        (said({"statusCode": True, "result": {"transactionId": 2}}), ProviderBusy),
        (said({"statusCode": 1, "message": "Not registered"}), ProviderRefused),
        (said({"statusCode": 927, "result": "Not allowed"}, 400), ProviderRefused),
        (said({"message": "slow down"}, 429), ResendTooSoon),
    ],
)
async def test_what_does_not_begin_a_payment_is_said_so(
    reply: HttpReply | NoReply, error: type[ShopError]
) -> None:
    with pytest.raises(error):
        await adapter(GATEWAY, Script(reply)).start(intent())


@pytest.mark.parametrize(
    ("payer", "faults"),
    [
        (Payer(), {"phone", "birthYear"}),
        (Payer(phone="+218923632323", birth_year=1991), {"phone"}),
        (Payer(phone="+218913632323", birth_year=2020), {"birthYear"}),
        (Payer(phone="+442083661177", birth_year=1899), {"phone", "birthYear"}),
    ],
)
async def test_a_payer_that_cannot_be_is_refused_before_anything_is_sent(
    payer: Payer, faults: set[str]
) -> None:
    script = Script(VALID)
    with pytest.raises(Invalid) as refused:
        await adapter(GATEWAY, script).start(intent(payer=payer))
    assert set(refused.value.faults) == faults
    assert script.sent == []


async def test_a_third_decimal_is_refused_not_rounded() -> None:
    with pytest.raises(ProviderRefused):
        await adapter(GATEWAY, Script(VALID)).start(intent(amount_dirhams=25_505))


@pytest.mark.parametrize(
    "body",
    [
        {"statusCode": 0, "message": "Success", "result": {"transactionId": 77, "amount": 25.5}},
        {"statusCode": 0, "transactionId": 77, "result": "SD-77", "commission": 0, "total": 25.5},
        {"statusCode": "0", "result": None},
    ],
)
async def test_pay_with_code_zero_is_money(body: dict[str, Any]) -> None:
    script = Script(said(body))
    answer = await adapter(GATEWAY, script, token=TOKEN).submit_otp(intent(), "123456")
    assert isinstance(answer, Paid)
    (receipt,) = answer.receipts
    assert (receipt.provider_reference, receipt.terminal) == ("77", "42")
    assert receipt.amount_dirhams == 25_500
    assert script.sent[0][1] == {"TransactionId": 77, "OTP": "123456"}
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (said({"statusCode": 1, "message": "Invalid OTP"}, 400), WrongCode),
        (said({"statusCode": 2, "message": "Expired"}), WrongCode),
        (said({"statusCode": 927, "result": "Insufficient balance"}), Failed),
        (said({"message": "Unauthorized"}, 401), Failed),
        (NoReply("refused", sent=False), NotSent),  # nothing was charged
        (NoReply("timed out", sent=True), Unknown),
        (said({"statusCode": 0}, 400), Unknown),
        (said({"statusCode": 0, "result": {"transactionId": 78}}), Unknown),
        (said({"statusCode": 0, "invoiceNo": "OTHER"}), Unknown),
        (said({"statusCode": 0, "result": {"currency": "USD"}}), Unknown),
        (said({"statusCode": 0, "result": {"amount": "x"}}), Unknown),
        (said({"statusCode": 0, "amount": 1, "result": {"amount": 2}}), Unknown),
        (said(b'{"statusCode":0,"statusCode":1}'), Unknown),
        (said({}), Unknown),
        (said([0]), Unknown),
        (said(b"", 302), Unknown),
        (said(b"<html>", 504), Unknown),
        (said(b"[" * 100_000), Unknown),
    ],
)
async def test_other_answers_to_a_code(reply: HttpReply | NoReply, kind: type) -> None:
    script = Script(reply)
    answer = await adapter(GATEWAY, script).submit_otp(intent(), "123456")
    assert isinstance(answer, kind)
    assert len(script.sent) == 1  # never sent again


async def test_which_codes_mean_a_wrong_one_is_a_setting() -> None:
    reply = said({"statusCode": 17, "message": "x"})
    given = {"wrong_codes": "16", "expired_codes": "17"}
    answer = await adapter(GATEWAY, Script(reply), **given).submit_otp(intent(), "1")
    assert answer == WrongCode("x", is_expired=True)


async def test_without_its_transaction_nothing_is_sent() -> None:
    script = Script(VALID)
    provider = adapter(GATEWAY, script)
    assert isinstance(await provider.submit_otp(intent(session={}), "1"), Failed)
    with pytest.raises(ProviderBusy):
        await provider.resend_otp(intent(session={}))
    assert script.sent == []


def _enquiry(status: str, **more: Any) -> HttpReply:
    return said({"statusCode": 0, "result": {"status": status, "transactionId": 77, **more}})


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (_enquiry("Paid"), Paid),
        (_enquiry("COMPLETED", amount=25.5), Paid),
        (_enquiry("Declined"), Failed),
        (_enquiry("Pending"), Unknown),
        (_enquiry("Success"), Unknown),  # of the question, perhaps
        (_enquiry("Paid", invoiceNo="OTHER"), Unknown),
        (said({"statusCode": 7, "message": "not found"}), Unknown),
        (said(b"<html>", 500), Unknown),
        (NoReply("timed out", sent=True), Unknown),
    ],
)
async def test_an_enquiry_decides_by_its_words(reply: HttpReply | NoReply, kind: type) -> None:
    answer = await adapter(GATEWAY, Script(reply)).query(intent())
    assert isinstance(answer, kind)


async def test_the_enquiry_s_mapping_is_a_setting() -> None:
    reply = said({"statusCode": 0, "result": {"state": "Done"}})
    provider = adapter(GATEWAY, Script(reply), state_field="state", paid_words="done, ok")
    assert isinstance(await provider.query(intent()), Paid)


async def test_without_an_enquiry_it_cannot_be_asked() -> None:
    script = Script(_enquiry("Paid"))
    provider = adapter(GATEWAY, script, enquiry="no")
    assert provider.can_query is False
    assert isinstance(await provider.query(intent()), Unknown)
    assert (await provider.check_connection()).works is None
    assert script.sent == []


async def test_a_token_that_ran_out_is_noticed() -> None:
    clock = ManualClock()
    provider = adapter(GATEWAY, Script(said({"statusCode": 7})), clock, token=TOKEN)
    assert (await provider.check_connection()).works is True
    clock.turn(timedelta(days=1))
    found = await provider.check_connection()
    assert (found.works, found.detail) == (False, "the token ran out on 2026-01-15")


async def test_people_give_money_back() -> None:
    wanted = RefundIntent(
        reference="REF1", terminal="42", receipt_reference="77", receipt_dirhams=1,
        amount_dirhams=1, created_at=NOW,
    )  # fmt: skip
    assert isinstance(await adapter(GATEWAY, Script(VALID)).refund(wanted), RefundManual)


@pytest.mark.parametrize(
    "given",
    [{"base_url": "x"}, {"pay_path": "a b"}, {"category": "z"}, {"code_length": "99"},
     {"wrong_codes": "0"}, {"paid_words": "failed"}],
)  # fmt: skip
def test_a_field_that_does_not_do_is_named(given: dict[str, str]) -> None:
    ((name, _),) = given.items()
    with pytest.raises(ValueError, match=name):
        adapter(GATEWAY, Script(VALID), **given)
