"""Moamalat: the contract of providers, its signatures, and no secret anywhere."""

import contextlib
import io
import logging
import traceback
from collections.abc import AsyncIterator

import pytest
import structlog

from eishro.adapters.payments.moamalat import Moamalat, is_same_hash, secure_hash
from eishro.clock import ManualClock
from eishro.domain.payments.port import Lightbox, PaymentProvider, Unknown
from tests.adapters.payments.moamalat_gateway import (
    MoamalatPlayer,
    open_gateway,
)
from tests.adapters.payments.moamalat_messages import (
    Silence,
    config,
    intent,
    provider,
    told,
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
from tests.stamps import MemoryStamps

pytestmark = pytest.mark.anyio


class TestContract(PaymentProviderContract):
    @pytest.fixture
    async def player(self) -> AsyncIterator[Player]:
        async with open_gateway() as gateway:
            played = MoamalatPlayer(gateway)
            yield played
            await played.provider.aclose()


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
    event = f"{TID_C}:{body['SecureHash']}:sale"
    assert (claim.authentic, claim.dedupe_key) == ("yes", event)


# Starting.


async def test_the_lightbox_gets_exactly_the_six_signed_values() -> None:
    action = (await provider().start(intent())).action
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
    action = (await provider(secret_key=KEY_B).start(intent())).action
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
