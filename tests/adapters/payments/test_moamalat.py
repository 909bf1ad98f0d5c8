"""Moamalat: the contract of providers, its signatures, its messages, and no secret anywhere."""

import contextlib
import io
import json
import logging
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
import structlog

from eishro.adapters.payments.moamalat import Config, Moamalat, is_same_hash, secure_hash
from eishro.adapters.payments.moamalat_reading import NOTIFICATION_BYTES_MAX
from eishro.clock import ManualClock
from eishro.domain.payments.port import Claim, Intent, Lightbox, PaymentProvider, Unknown
from eishro.outward import HttpReply
from tests.adapters.payments.moamalat_gateway import (
    GOOD_CARD,
    MemoryStamps,
    MoamalatPlayer,
    open_gateway,
)
from tests.adapters.payments.vectors import (
    KEY_A,
    KEY_B,
    KEY_C,
    MID,
    MID_C,
    TID,
    TID_C,
    VECTORS,
    Vector,
)
from tests.contracts.payment_provider import PaymentProviderContract, Player

pytestmark = pytest.mark.anyio


class TestContract(PaymentProviderContract):
    @pytest.fixture
    async def player(self) -> AsyncIterator[Player]:
        async with open_gateway() as gateway:
            played = MoamalatPlayer(gateway)
            yield played
            await played.provider.aclose()


class Silence:
    """An `Http` that must not be used."""

    async def post_json(self, url: str, body: object, **_: Any) -> HttpReply:
        raise AssertionError("nothing is asked here")


def config(**changes: Any) -> Config:
    usual = Config(
        merchant_id=MID,
        terminal_id=TID,
        secret_key=KEY_A,
        notification_key=KEY_A,
        base_url="http://127.0.0.1:9/",
        lightbox_url="http://127.0.0.1:9/js/lightbox.js",
    )
    return msgspec.structs.replace(usual, **changes)


def provider(**changes: Any) -> Moamalat:
    return Moamalat(config(**changes), Silence(), MemoryStamps(), ManualClock())


def intent(**changes: Any) -> Intent:
    usual = Intent(
        reference="ORD-1001",
        amount_dirhams=25_500,
        created_at=datetime(2026, 1, 15, 8, 30, 59, tzinfo=UTC),
    )
    return msgspec.structs.replace(usual, **changes)


def signed(fields: dict[str, Any], names: tuple[str, ...], **more: str) -> dict[str, Any]:
    text = {name: str(fields[name]) for name in names} | more
    return {**fields, "SecureHash": secure_hash(bytes.fromhex(KEY_A), text)}


def completion(**changes: Any) -> dict[str, Any]:
    fields = {
        "TxnDate": "260115103145",
        "SystemReference": "1233674",
        "NetworkReference": "601510434990",
        "MerchantReference": "ORD-1001",
        "Amount": "25500",
        "Currency": "434",
        "PaidThrough": "Card",
        "PayerAccount": "639499XXXXXX0781",
        "PayerName": "A NAME",
        "ProviderSchemeName": "",
        **changes,
    }
    names = ("Amount", "Currency", "MerchantReference", "PaidThrough", "TxnDate")
    return signed(fields, names, MerchantId=MID, TerminalId=TID)


def notification(**changes: Any) -> dict[str, Any]:
    fields = {
        "MerchantId": MID,
        "TerminalId": TID,
        "DateTimeLocalTrxn": "20260115103145",
        "AuthorizationDateTime": "20260115103146",
        "TxnType": 1,
        "Message": "Approved",
        "PaidThrough": "Card",
        "SystemReference": "1233674",
        "NetworkReference": "601510434990",
        "MerchantReference": "ORD-1001",
        "Amount": "25500",
        "Currency": "434",
        "PayerAccount": "639499XXXXXX0781",
        "PayerName": "A NAME",
        "ActionCode": "00",
        "Status": "Success",
        "OriginalTxnId": "0",
        "Token": None,
        "Email": "payer@example.ly",
        **changes,
    }
    names = ("Amount", "Currency", "DateTimeLocalTrxn", "MerchantId", "TerminalId")
    return signed(fields, names)


def told(fields: dict[str, Any] | bytes, **changes: Any) -> Claim:
    raw = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return provider(**changes).parse_webhook({"content-type": "application/json"}, raw)


# Signatures.


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_hash_equals_the_published_one_and_no_wrong_one(vector: Vector) -> None:
    found = secure_hash(bytes.fromhex(vector.key), vector.fields)
    assert is_same_hash(found, vector.hash) is vector.is_right
    assert is_same_hash(found, vector.hash.lower()) is vector.is_right


@pytest.mark.parametrize("shown", [None, 1, "", "ECE5", "É" * 64, "\ud800", b"x", ["a"]])
def test_what_is_no_hash_is_not_the_same(shown: object) -> None:
    assert not is_same_hash("A" * 64, shown)


def test_the_completion_that_the_php_sdk_shows_is_authentic() -> None:
    payload = {
        "TxnDate": "250303164850",
        "Amount": "1000",
        "Currency": "434",
        "MerchantReference": "test-demo",
        "PaidThrough": "Card",
        "SecureHash": "915b22c4e2a96db03f755d4254f65c87486ae3b1c19b9bcde9481836832f4822",
    }
    theirs = provider(merchant_id=MID_C, terminal_id=TID_C, secret_key=KEY_C)
    demo = intent(reference="test-demo", amount_dirhams=1000)
    assert theirs.parse_result(demo, payload).authentic == "yes"
    assert provider().parse_result(demo, payload).authentic == "no"


def test_the_notification_of_the_php_sdks_tests_is_authentic() -> None:
    body = {
        "MerchantId": MID_C,
        "TerminalId": TID_C,
        "DateTimeLocalTrxn": "20220903014410",
        "Amount": "1000",
        "Currency": "434",
        "TxnType": 1,
        "ActionCode": "00",
        "SystemReference": "1234567",
        "SecureHash": "5C919EA5A619D33101AA761B8DFB332C8993C867CB8E5E567770185B71ED72E6",
    }
    theirs = {"merchant_id": MID_C, "terminal_id": TID_C, "secret_key": KEY_C}
    claim = told(body, notification_key="", **theirs)
    assert (claim.authentic, claim.dedupe_key) == ("yes", f"{TID_C}:1234567:1")


# Starting.


async def test_the_lightbox_gets_exactly_the_six_signed_values() -> None:
    action = await provider().start(intent())
    assert isinstance(action, Lightbox)
    assert action.parameters == {
        "MID": MID,
        "TID": TID,
        "AmountTrxn": "25500",
        "MerchantReference": "ORD-1001",
        "TrxDateTime": "202601151030",
        "SecureHash": "CC35EB1669D45AB998E92561E6912D4CF12C6220E063612A5CE5800478AE249A",
    }
    assert action.script_url == "http://127.0.0.1:9/js/lightbox.js"


async def test_a_binary_key_signs_as_raw_bytes() -> None:
    action = await provider(secret_key=KEY_B).start(intent())
    assert isinstance(action, Lightbox)
    assert action.parameters["SecureHash"].startswith("55D278CA1064FF44")


@pytest.mark.parametrize("key", ["", "zz", "abc", "not hex at all"])
def test_a_key_that_is_not_hex_is_named_but_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="EISHRO_MOAMALAT_SECRET_KEY") as caught:
        provider(secret_key=key)
    assert not key or key not in "".join(traceback.format_exception(caught.value))
    if key:
        with pytest.raises(ValueError, match="EISHRO_MOAMALAT_NOTIFICATION_KEY"):
            provider(notification_key=key)


def test_a_stamp_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="EISHRO_MOAMALAT_STAMP_DIGITS"):
        provider(stamp_digits=12)


def test_it_is_a_provider() -> None:
    found: PaymentProvider = provider()
    assert (found.name, found.can_query) == ("moamalat", True)


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
    assert claim.dedupe_key == f"{TID}:1233674:1"
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
    assert claim.dedupe_key == f"{TID}:1233674:1"
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


# No secret in logs, messages and representations.


async def test_no_secret_is_shown_by_repr_logs_or_errors() -> None:
    written = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.dev.ConsoleRenderer()],
        logger_factory=structlog.PrintLoggerFactory(written),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        shown = config(notification_key=KEY_B)
        log = structlog.get_logger("test")
        log.info("configured", config=shown, at=[shown], provider=provider())
        for name in ("__repr__", "__str__", "__rich_repr__"):
            written.write(repr(getattr(shown, name)()))
        written.write(f"{shown} {shown!r}")

        class BrokenStamps:
            async def next(self, name: str, at_least: int) -> int:
                raise RuntimeError("the database is away")

        broken = Moamalat(shown, Silence(), BrokenStamps(), ManualClock())
        assert isinstance(await broken.query(intent()), Unknown)
        crashing = Moamalat(shown, Silence(), MemoryStamps(), ManualClock())
        assert isinstance(await crashing.query(intent()), Unknown)
        await broken.aclose()
        await crashing.aclose()
        async with open_gateway() as gateway:
            asking = gateway.provider(secret_key=KEY_C)  # answered with 401
            with contextlib.suppress(AssertionError):
                assert isinstance(await asking.query(intent()), Unknown)
            await asking.aclose()
    finally:
        structlog.reset_defaults()
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)
    text = written.getvalue()
    assert "moamalat_question_failed" in text
    assert "moamalat_no_answer" in text
    for key in (KEY_A, KEY_B, KEY_C):
        assert key.lower() not in text.lower()
        assert str(bytes.fromhex(key)) not in text
    assert bytes.fromhex(KEY_A).decode() not in text
