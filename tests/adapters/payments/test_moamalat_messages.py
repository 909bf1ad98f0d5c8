"""Reading Moamalat's messages: the browser's payload and the notification."""

import json
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from eishro.adapters.payments.moamalat_reading import NOTIFICATION_BYTES_MAX
from tests.adapters.payments.moamalat_gateway import (
    GOOD_CARD,
)
from tests.adapters.payments.moamalat_messages import (
    completion,
    intent,
    notification,
    provider,
    told,
)
from tests.adapters.payments.vectors import (
    KEY_B,
    TID,
)

# The browser's payload.


@pytest.mark.parametrize(
    "generation",
    [
        {"CardToken": "tok", "CustomerId": "1"},
        {"DisplayData": "", "TokenCustomerId": "1", "TokenCard": "tok"},
        {"SomethingNew": {"a": [1]}},
    ],
)
def test_both_generations_and_unknown_keys_are_taken_and_tokens_dropped(
    generation: dict[str, object],
) -> None:
    claim = provider().parse_result(intent(), {**completion(), **generation})
    assert (claim.authentic, claim.kind, claim.amount_dirhams) == ("yes", "sale", 25_500)
    assert claim.dedupe_key == f"{TID}:ORD-1001:completed"
    assert "tok" not in json.dumps(claim.raw)
    assert "NAME" not in json.dumps(claim.raw)
    assert claim.raw["PayerAccount"] == "639499XXXXXX0781"
    assert claim.raw["TxnDate"] == "260115103145"


@pytest.mark.parametrize(
    "changes",
    [
        {"Amount": "25501"},
        {"Amount": "25.500"},
        {"MerchantReference": "ORD-1002"},
        {"Currency": "840"},
    ],
)
def test_a_signed_completion_of_something_else_is_no_claim(changes: dict[str, Any]) -> None:
    assert provider().parse_result(intent(), completion(**changes)).authentic == "no"


def test_a_completion_of_another_terminal_is_no_claim() -> None:
    assert provider(terminal_id="1").parse_result(intent(), completion()).authentic == "no"


def test_a_completion_without_a_hash_is_no_claim() -> None:
    payload = completion()
    del payload["SecureHash"]
    assert provider().parse_result(intent(), payload).authentic == "no"


@pytest.mark.parametrize("name", ["MerchantReference", "MerchantReferenece"])
def test_an_error_is_unsigned_in_both_spellings(name: str) -> None:
    payload = {
        "error": "CUBEEX5212216:Authentication Failed",
        "Amount": "25500",
        name: "ORD-1001",
        "DateTimeLocalTrxn": "260115103145",
        "SecureHash": "0" * 64,
    }
    claim = provider().parse_result(intent(), payload)
    assert (claim.authentic, claim.kind, claim.reference) == ("unsigned", "failed", "ORD-1001")
    assert claim.raw == {"error": "CUBEEX5212216:Authentication Failed"}
    other = provider().parse_result(intent(reference="ORD-1002"), payload)
    assert other.authentic == "no"


def test_an_error_never_looks_like_a_sale() -> None:
    claim = provider().parse_result(intent(), {**completion(), "error": "x"})
    assert (claim.authentic, claim.kind) == ("unsigned", "failed")


def test_a_cancel_is_unsigned() -> None:
    claim = provider().parse_result(intent(), {"cancelled": True})
    assert (claim.authentic, claim.kind) == ("unsigned", "cancelled")
    assert provider().parse_result(intent(), {"cancelled": "yes"}).authentic == "no"


@pytest.mark.parametrize(
    "shown", [GOOD_CARD, "6394 9930 7726 0781", "6394-9930-7726-0781", "6395043835180860123"]
)
def test_a_full_card_number_is_masked_wherever_it_stands(shown: str) -> None:
    for claim in (
        provider().parse_result(intent(), completion(PayerAccount=shown)),
        provider().parse_result(intent(), {"error": f"card {shown} refused"}),
        told(notification(PayerAccount=shown, Message=f"for {shown}")),
    ):
        kept = json.dumps(claim.raw)
        digits = "".join(c for c in shown if c.isdigit())
        assert shown not in kept
        assert digits not in kept
        assert f"{digits[:6]}X" in kept


# Notifications.


def test_a_notification_is_read() -> None:
    claim = told(notification())
    assert claim.authentic == "yes"
    assert (claim.kind, claim.reference, claim.amount_dirhams) == ("sale", "ORD-1001", 25_500)
    assert claim.dedupe_key == f"{TID}:{notification()['SecureHash']}:sale"
    assert claim.raw["DateTimeLocalTrxn"] == "20260115103145"
    assert claim.raw["NetworkReference"] == "601510434990"
    assert not {"PayerName", "Email", "Token", "SecureHash"} & claim.raw.keys()


def test_a_form_is_read_like_json() -> None:
    fields = {name: value for name, value in notification().items() if value is not None}
    for headers in ({}, {"content-type": "application/x-www-form-urlencoded"}):
        claim = provider().parse_webhook(headers, urlencode(fields).encode())
        assert claim == told(fields)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"TxnType": 1}, "sale"),
        ({"TxnType": "1"}, "sale"),
        ({"TxnType": 1, "ActionCode": "51"}, "failed"),
        ({"TxnType": 2}, "refund"),
        ({"TxnType": "3"}, "void"),
        ({"TxnType": 4}, "void"),
        ({"TxnType": 9}, "other"),
        ({"TxnType": None}, "other"),
        ({"TxnType": [1]}, "other"),
        ({"TxnType": True}, "other"),
    ],
)
def test_the_type_of_a_transaction_is_a_number_or_text(changes: dict[str, Any], kind: str) -> None:
    assert told(notification(**changes)).kind == kind


@pytest.mark.parametrize(
    "changes",
    [{"MerchantId": "10081014648"}, {"TerminalId": "99179396"}, {"TerminalId": TID + " "}],
)
def test_a_signed_notification_for_another_terminal_is_dropped(changes: dict[str, str]) -> None:
    assert told(notification(**changes)).authentic == "no"


@pytest.mark.parametrize("name", ["Amount", "Currency", "DateTimeLocalTrxn"])
def test_what_the_hash_covers_cannot_be_changed(name: str) -> None:
    assert told({**notification(), name: "1"}).authentic == "no"


def test_the_notification_key_is_another_one() -> None:
    assert told(notification(), notification_key=KEY_B).authentic == "no"
    assert told(notification(), secret_key=KEY_B).authentic == "yes"


def test_a_member_that_comes_twice_is_not_guessed() -> None:
    raw = json.dumps(notification()).encode()
    assert told(raw[:-1] + b',"MerchantReference":"ORD-1002"}').authentic == "no"
    assert told(raw[:-1] + b',"Amount":"25500"}').authentic == "no"
    form = urlencode(notification()).encode() + b"&MerchantReference=ORD-1002"
    assert provider().parse_webhook({}, form).authentic == "no"


def test_a_notification_has_a_largest_size() -> None:
    assert told(notification(SID="x" * (NOTIFICATION_BYTES_MAX // 2))).authentic == "yes"
    assert told(notification(SID="x" * NOTIFICATION_BYTES_MAX)).authentic == "no"


@pytest.mark.parametrize(
    "reference", ["", "a\x00b", "x" * 65, "<b>", "../..", None, 7, ["ORD-1001"], "طلب", "\ud800"]
)
def test_what_the_hash_does_not_cover_cannot_do_harm(reference: object) -> None:
    claim = told(
        notification(MerchantReference=reference, SystemReference=reference, Message=reference)
    )
    assert claim.authentic == "yes"
    assert claim.reference in (None, "7")
    stored = msgspec.json.encode(claim).decode()
    assert "\\u0000" not in stored
    assert len(claim.dedupe_key) < 150


def test_an_amount_in_another_currency_is_none_of_ours() -> None:
    claim = told(notification(Currency="840"))
    assert (claim.authentic, claim.amount_dirhams) == ("yes", None)


def test_the_gateway_hears_its_own_words() -> None:
    reply = provider().webhook_reply()
    assert (reply.status, json.loads(reply.body)) == (200, {"Message": "Success", "Success": True})
