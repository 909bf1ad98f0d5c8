"""Plutu's calls: what is sent, what every answer means, and that nothing is sent twice."""

import contextlib
import io
import logging
import traceback
from datetime import timedelta
from typing import Any

import pytest
import structlog

from eishro.adapters.payments import plutu_account
from eishro.adapters.payments.plutu import Config
from eishro.adapters.payments.plutu_reading import MEANING_OF
from eishro.clock import ManualClock
from eishro.domain.payments.gateways import Tools
from eishro.domain.payments.port import (
    Failed,
    NotSent,
    Otp,
    Paid,
    Payer,
    ProviderBusy,
    ProviderRefused,
    Redirect,
    RefundIntent,
    RefundManual,
    ResendTooSoon,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid, ShopError
from eishro.outward import HttpReply, NoReply
from tests.adapters.payments.plutu_messages import (
    CONFIRMED,
    KEY,
    REDIRECT,
    VERIFIED,
    account,
    coded,
    error,
    intent,
    reply,
)

pytestmark = pytest.mark.anyio

WRONG_CODES = ("INVLIAD_OTP", "INVALID_OTP")
RUN_OUT = ("OTP_EXPIRED", "REFERENCE_NUMBER_DOES_NOT_EXIST")
DOUBTFUL = (
    "BACKEND_ERROR",
    "BACKEND_SERVER_ERROR",
    "DUPLICATED_INVOICE_NUMBER",
    "ADD_PAYMENT_ERROR",
    "CONFIRMATION_ERROR",
    "A_CODE_OF_TOMORROW",
    "",
)
# Answers that say neither yes nor no.
SENSELESS = [
    reply(b""),
    reply(b"{"),
    reply([]),
    reply({}),
    reply({"status": 200}),
    reply({"status": 200, "result": None}),
    reply({"status": 200, "result": []}),
    reply({"status": 200, "result": "ok"}),
    reply({"status": 200, "result": {}}),
    reply({"status": 500, "result": {"transaction_id": 1, "amount": 25.5}}),
    reply({"status": 200, "result": {"transaction_id": 1, "amount": 25.5}}, 500),
    reply({"status": 200, "result": {"transaction_id": 1, "amount": 25.5}}, 302),
    reply({"status": 200, "result": {"transaction_id": 1}}),
    reply({"status": 200, "result": {"amount": 25.5}}),
    reply({"status": 200, "result": {"transaction_id": [1], "amount": 25.5}}),
    reply({"status": 200, "result": {"transaction_id": 1, "amount": -25.5}}),
    reply({"status": 200, "result": {"transaction_id": 1, "amount": "x"}}),
    reply({"error": {"code": "INVLIAD_OTP"}, "result": {"transaction_id": 1, "amount": 25.5}}),
    reply(b'{"status":200,"result":{"transaction_id":1,"amount":25.5,"amount":1}}'),
    reply(b"<html>The service is unavailable.</html>", 503),
    reply(b"", 302),
    reply({"message": "Not found."}, 404),
    reply(b"[" * 60_000),
    reply(b'{"a":"' + b"x" * 70_000 + b'"}'),
    NoReply("timed out", sent=True),
    NoReply("more than 64000 bytes", sent=True),
]


async def test_a_card_payment_asks_for_the_gateway_s_page_with_its_documented_fields() -> None:
    provider, http = account(REDIRECT)
    started = await provider.start(intent(language="en"))
    assert started.action == Redirect("https://plutu.example/pay/1")
    assert started.session == {}
    assert http.sent == [
        (
            "https://plutu.example/api/v1/transaction/localbankcards/confirm",
            {
                "amount": "25.50",
                "invoice_no": "ORD-1001",
                "return_url": "https://shop.example/api/payments/ORD-1001/return",
                "lang": "en",
            },
        )
    ]
    assert http.headers == [
        {
            "Authorization": "Bearer a-token-that-nobody-may-see",
            "X-API-KEY": "an-api-key-that-nobody-may-see",
            "Accept": "application/json",
        }
    ]


async def test_dollars_are_asked_for_in_dollars() -> None:
    provider, http = account(REDIRECT)
    await provider.start(intent("plutu_mpgs"))
    ((url, form),) = http.sent
    assert url.endswith("/transaction/mpgs/confirm")
    assert form["amount"] == "5.26"


async def test_tlync_gets_phone_and_callback_and_a_public_address_alone() -> None:
    provider, http = account(REDIRECT)
    payer = Payer(phone="+218945555555", address="41.208.70.1", email="buyer@example.ly")
    await provider.start(intent("plutu_tlync", payer=payer))
    ((_, form),) = http.sent
    assert form["mobile_number"] == "0945555555"
    assert form["callback_url"] == "https://shop.example/api/webhooks/payments/plutu"
    assert (form["customer_ip"], form["email"]) == ("41.208.70.1", "buyer@example.ly")
    inside = Payer(phone="+218945555555", address="10.0.0.7")
    await provider.start(intent("plutu_tlync", payer=inside))
    assert "customer_ip" not in http.sent[-1][1]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://plutu.example/pay",
        "//plutu.example/pay",
        "/pay/1",
        "javascript:alert(1)",
        "https://user:secret@plutu.example/",
        "https:///pay",
        "https://[::1/pay",
        "https://plutu.example/pay 1",
        "https://plutu.example/\u200f",
        "https://plutu.example/" + "x" * 2_000,
        None,
        1,
    ],
)
async def test_a_payer_is_sent_to_an_absolute_https_address_alone(url: object) -> None:
    result = {"code": "CHECKOUT_REDIRECT", "redirect_url": url}
    provider, _ = account(reply({"status": 200, "result": result}))
    with pytest.raises(ProviderBusy):
        await provider.start(intent())


async def test_an_answer_that_is_no_redirect_is_none() -> None:
    result = {"code": "DONE", "redirect_url": "https://plutu.example/pay"}
    with pytest.raises(ProviderBusy):
        await account(reply({"status": 200, "result": result}))[0].start(intent())


async def test_a_code_is_sent_and_its_session_kept() -> None:
    clock = ManualClock()
    provider, http = account(VERIFIED, clock=clock)
    started = await provider.start(intent("plutu_sadad"))
    assert http.sent == [
        (
            "https://plutu.example/api/v1/transaction/sadadapi/verify",
            {"mobile_number": "0913632323", "birth_year": "1991", "amount": "25.50"},
        )
    ]
    assert started.action == Otp(
        length=6,
        masked_phone="091•••••23",
        expires_at=clock.now() + timedelta(minutes=5),
        resend_at=clock.now() + timedelta(seconds=60),
    )
    assert started.session["process_id"] == "1654864354123"
    edfali = await account(VERIFIED)[0].start(intent("plutu_edfali"))
    assert isinstance(edfali.action, Otp)
    assert edfali.action.length == 4
    assert "birth_year" not in edfali.session


@pytest.mark.parametrize(
    ("method", "payer", "faults"),
    [
        ("plutu_sadad", Payer(), {"phone", "birthYear"}),
        ("plutu_sadad", Payer(phone="+218923632323", birth_year=1991), {"phone"}),
        ("plutu_sadad", Payer(phone="+218913632323", birth_year=1939), {"birthYear"}),
        ("plutu_sadad", Payer(phone="+218913632323", birth_year=2015), {"birthYear"}),
        ("plutu_edfali", Payer(), {"phone"}),
        ("plutu_edfali", Payer(phone="+218973632323"), {"phone"}),
        ("plutu_edfali", Payer(phone="+21621234567"), {"phone"}),
        ("plutu_tlync", Payer(), {"phone"}),
        ("plutu_tlync", Payer(phone="+218213334444"), {"phone"}),
    ],
)
async def test_what_the_payer_gave_is_judged_before_anything_is_sent(
    method: str, payer: Payer, faults: set[str]
) -> None:
    provider, http = account(VERIFIED)
    with pytest.raises(Invalid) as refused:
        await provider.start(intent(method, payer=payer))
    assert set(refused.value.faults) == faults
    assert http.sent == []


async def test_the_youngest_payer_is_twelve() -> None:
    payer = Payer(phone="+218913632323", birth_year=2014)
    await account(VERIFIED)[0].start(intent("plutu_sadad", payer=payer))


@pytest.mark.parametrize(
    ("limits", "dirhams"),
    [
        ({}, 25_505),
        ({"least_dirhams": 30_000}, 25_500),
        ({"most_dirhams": 25_000}, 25_500),
    ],
)
async def test_an_amount_that_cannot_be_carried_is_not_sent(
    limits: dict[str, Any], dirhams: int
) -> None:
    provider, http = account(REDIRECT, **limits)
    with pytest.raises(ProviderRefused):
        await provider.start(intent(amount_dirhams=dirhams))
    assert http.sent == []


async def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ProviderRefused):
        await account()[0].start(intent("sadad"))


# Confirming.


async def test_the_right_code_is_money_once_sent() -> None:
    provider, http = account(CONFIRMED)
    answer = await provider.submit_otp(coded(), "111111")
    assert isinstance(answer, Paid)
    (receipt,) = answer.receipts
    assert (receipt.provider_reference, receipt.amount_dirhams) == ("100900", 25_500)
    assert http.sent == [
        (
            "https://plutu.example/api/v1/transaction/sadadapi/confirm",
            {
                "process_id": "1654864354123",
                "code": "111111",
                "amount": "25.50",
                "invoice_no": "ORD-1001",
            },
        )
    ]


async def test_every_try_has_an_invoice_number_of_its_own() -> None:
    provider, http = account(error("INVLIAD_OTP"))
    for code_try in (1, 2, 3):
        await provider.submit_otp(coded(code_try=code_try), "222222")
    numbers = [form["invoice_no"] for _, form in http.sent]
    assert numbers == ["ORD-1001", "ORD-1001-2", "ORD-1001-3"]


async def test_another_amount_is_told_as_it_is() -> None:
    told = reply({"status": 200, "result": {"transaction_id": 1, "amount": 1}})
    answer = await account(told)[0].submit_otp(coded(), "111111")
    assert isinstance(answer, Paid)
    assert answer.receipts[0].amount_dirhams == 1_000


@pytest.mark.parametrize("code", ["", "1", "11111", "1111111", "11111a", "١١١١١١", "1111 1"])
async def test_a_code_of_another_form_is_wrong_without_being_sent(code: str) -> None:
    provider, http = account(CONFIRMED)
    assert isinstance(await provider.submit_otp(coded(), code), WrongCode)
    assert http.sent == []


async def test_without_its_session_nothing_is_sent() -> None:
    provider, http = account(CONFIRMED)
    assert isinstance(await provider.submit_otp(intent("plutu_sadad"), "111111"), Failed)
    assert isinstance(await provider.submit_otp(intent("plutu_cards"), "111111"), Failed)
    with pytest.raises(ProviderRefused):
        await provider.resend_otp(intent("plutu_sadad"))
    assert http.sent == []


@pytest.mark.parametrize("code", [*MEANING_OF, *DOUBTFUL])
@pytest.mark.parametrize("status", [200, 400, 422])
async def test_every_code_at_the_confirmation_means_one_thing(code: str, status: int) -> None:
    provider, http = account(error(code, status))
    answer = await provider.submit_otp(coded(), "111111")
    if code in WRONG_CODES:
        assert isinstance(answer, WrongCode)
        assert not answer.is_expired
    elif code in RUN_OUT:
        assert isinstance(answer, WrongCode)
        assert answer.is_expired
    elif code in (*DOUBTFUL, "DUPLICATE_INVOICE_NUMBER"):
        assert isinstance(answer, Unknown)
    else:
        assert isinstance(answer, Failed)
    assert "0913632323" not in answer.reason
    assert len(http.sent) == 1


@pytest.mark.parametrize("told", SENSELESS, ids=lambda told: repr(told)[:60])
async def test_a_confirmation_without_a_clear_answer_is_unknown_and_not_sent_again(
    told: HttpReply | NoReply,
) -> None:
    provider, http = account(told)
    answer = await provider.submit_otp(coded(), "111111")
    assert isinstance(answer, Unknown)
    assert answer.is_unreachable is isinstance(told, NoReply)
    assert len(http.sent) == 1


async def test_a_confirmation_that_never_left_charged_nothing() -> None:
    answer = await account(NoReply("refused", sent=False))[0].submit_otp(coded(), "111111")
    assert isinstance(answer, NotSent)


async def test_an_input_that_is_refused_may_be_the_code() -> None:
    vendors = error("INVALID_INPUTS", 422, fields={"code": ["must be 6 digits"]})
    assert isinstance(await account(vendors)[0].submit_otp(coded(), "111111"), WrongCode)
    frameworks = reply({"message": "Invalid.", "errors": {"code": ["must be 6 digits"]}}, 422)
    assert isinstance(await account(frameworks)[0].submit_otp(coded(), "111111"), WrongCode)
    other = reply({"message": "Invalid.", "errors": {"amount": ["is wrong"]}}, 422)
    assert isinstance(await account(other)[0].submit_otp(coded(), "111111"), Failed)


# Refusals before anything is charged.


async def _refused(told: HttpReply | NoReply, method: str = "plutu_sadad") -> ShopError:
    with pytest.raises(ShopError) as refused:
        await account(told)[0].start(intent(method))
    return refused.value


@pytest.mark.parametrize("code", [*MEANING_OF, *DOUBTFUL])
async def test_every_code_at_the_start_means_one_thing(code: str) -> None:
    refused = await _refused(error(code))
    faults = set(refused.faults) if isinstance(refused, Invalid) else set()
    if code in ("INVALID_MOBILE_NUMBER", "EMPTY_MOBILE_NUMBER", "NOT_SUBSCRIBED"):
        assert faults == {"phone"}
    elif code in ("EMPTY_BIRTH_YEAR", "INVALID_BIRTH_YEAR"):
        assert faults == {"birthYear"}
    elif code == "INVALID_MOBILE_NUMBER_OR_BIRTH_YEAR":
        assert faults == {"phone", "birthYear"}
    elif MEANING_OF.get(code) in ("wait", "amount", "balance", "payer", "merchant"):
        assert isinstance(refused, ProviderRefused)
    else:
        assert isinstance(refused, ProviderBusy)


async def test_the_framework_s_own_refusals_are_understood() -> None:
    for status in (401, 403, 422):
        refused = await _refused(reply({"message": "Unauthenticated."}, status))
        assert isinstance(refused, ProviderRefused)
    assert isinstance(await _refused(reply({"message": "Too Many Attempts."}, 429)), ProviderBusy)
    named = reply({"message": "Invalid.", "errors": {"mobile_number": ["is wrong"]}}, 422)
    refused = await _refused(named)
    assert isinstance(refused, Invalid)
    assert set(refused.faults) == {"phone"}


@pytest.mark.parametrize("told", [*SENSELESS, NoReply("refused", sent=False)], ids=repr)
@pytest.mark.parametrize("method", ["plutu_cards", "plutu_edfali"])
async def test_a_start_without_a_clear_answer_is_a_busy_gateway(
    told: HttpReply | NoReply, method: str
) -> None:
    assert isinstance(await _refused(told, method), ProviderBusy)


@pytest.mark.parametrize(
    "result",
    [
        {"process_id": 1, "amount": 25.51},
        {"process_id": "12a"},
        {"process_id": -1},
        {"process_id": "1" * 33},
        {"process_id": None},
    ],
    ids=str,
)
async def test_a_code_for_something_else_is_none(result: dict[str, Any]) -> None:
    told = reply({"status": 200, "result": result})
    assert isinstance(await _refused(told), ProviderBusy)


# Another code.


async def test_another_code_has_another_process() -> None:
    second = reply({"status": 200, "result": {"process_id": 1654864354999}})
    provider, http = account(second)
    started = await provider.resend_otp(coded())
    assert started.session == {
        "process_id": "1654864354999",
        "mobile_number": "0913632323",
        "birth_year": "1991",
    }
    assert http.sent[0][0].endswith("/sadadapi/verify")


@pytest.mark.parametrize("code", ["OTP_WAIT_BEFORE_RESNED", "OTP_WAIT_BEFORE_RESEND"])
async def test_another_code_may_have_to_wait(code: str) -> None:
    with pytest.raises(ResendTooSoon) as refused:
        await account(error(code))[0].resend_otp(coded())
    assert refused.value.retry_after_seconds == 60


async def test_a_resend_raises_what_its_port_says() -> None:
    for told, kind in (
        (error("NOT_SUBSCRIBED"), ProviderRefused),
        (error("PHONE_NUMBER_IS_LOCKED"), ProviderRefused),
        (error("BACKEND_ERROR"), ProviderBusy),
        (NoReply("timed out", sent=True), ProviderBusy),
    ):
        with pytest.raises(kind):
            await account(told)[0].resend_otp(coded())
    with pytest.raises(ProviderRefused):
        await account(VERIFIED)[0].resend_otp(intent("plutu_cards"))


# What it cannot do, its account, its secrets.


async def test_nothing_can_be_asked_or_given_back() -> None:
    provider, http = account(CONFIRMED)
    assert (provider.can_query, provider.can_refund, provider.can_list) == (False, False, False)
    assert isinstance(await provider.query(coded()), Unknown)
    wanted = RefundIntent(
        reference="ORD-1001",
        terminal="x",
        receipt_reference="1",
        receipt_dirhams=1,
        amount_dirhams=1,
        created_at=ManualClock().now(),
    )
    assert isinstance(await provider.refund(wanted), RefundManual)
    assert http.sent == []


@pytest.mark.parametrize(
    ("told", "works"),
    [
        (error("EMPTY_MOBILE_NUMBER"), True),
        (error("INVALID_INPUTS", 422), True),
        (reply({"message": "Invalid.", "errors": {"amount": ["x"]}}, 422), True),
        (error("DENIED_ACCESS_GATEWAY", 403), True),
        (error("UNAUTHORIZED", 401), False),
        (reply({"message": "Unauthenticated."}, 401), False),
        (error("FORBIDDEN_IP_ADDRESS", 403), False),
        (error("BACKEND_ERROR", 500), None),
        (reply(b"<html>", 503), None),
        (VERIFIED, None),
        (NoReply("timed out", sent=True), False),
    ],
    ids=repr,
)
async def test_the_connection_is_tried_without_naming_anybody(
    told: HttpReply | NoReply, works: bool | None
) -> None:
    provider, http = account(told)
    assert (await provider.check_connection()).works is works
    assert http.sent == [("https://plutu.example/api/v1/transaction/edfali/verify", {})]


GIVEN = {"access_token": "a-secret-token", "api_key": "a-secret-api-key", "secret_key": KEY}


def _built(**changes: str) -> object:
    fields = plutu_account.GATEWAY.completed({**GIVEN, **changes}, is_live=True)
    nobody: Any = None
    tools = Tools(account()[1], nobody, ManualClock(), "http://shop.test", nobody)
    return plutu_account.GATEWAY.build(fields, tools)


def test_an_account_is_built_of_its_fields() -> None:
    _built()
    _built(minimum="5", maximum="1000.50", code_minutes="10", resend_seconds="1")
    _built(base_url="http://shop.test/sandbox/plutu/api/v1")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_url", "http://api.plutus.ly/api/v1"),
        ("base_url", "http://shop.test.evil/sandbox/"),
        ("minimum", "five"),
        ("maximum", "-1"),
        ("code_minutes", "999"),
        ("code_minutes", "x"),
        ("resend_seconds", "99999"),
    ],
)
def test_fields_that_do_not_do_are_named_without_their_value(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"EISHRO_PLUTU_{field.upper()}") as refused:
        _built(**{field: value})
    assert value not in str(refused.value)


def test_published_keys_are_known_as_such() -> None:
    gateway = plutu_account.GATEWAY
    sandbox = {field.name: field.sandbox for field in gateway.fields}
    assert set(gateway.published(sandbox)) == {"access_token", "api_key", "secret_key"}
    assert gateway.published({"secret_key": "sk_caf8cdd67e554180100dbee62d57dd12eb57acbd"})
    assert gateway.published(GIVEN) == ["secret_key"]  # the tests' own is the sandbox's


async def test_nothing_secret_is_logged_or_shown() -> None:
    told = io.StringIO()
    secrets = ("a-token-that", "an-api-key-that", KEY, "111111", "0913632323")
    logging.getLogger().setLevel(logging.DEBUG)
    factory = structlog.PrintLoggerFactory(told)
    structlog.configure(logger_factory=factory, cache_logger_on_first_use=False)
    try:
        for answer in (error("INVLIAD_OTP"), error("BACKEND_ERROR"), reply(b""), CONFIRMED):
            provider, _ = account(answer)
            shown = await provider.submit_otp(coded(), "111111")
            print(shown, file=told)
            with contextlib.suppress(ShopError):
                try:
                    await provider.start(intent("plutu_sadad"))
                except ShopError:
                    traceback.print_exc(file=told)
                    raise
        config = Config(access_token="a-token-that", api_key="x", secret_key=KEY, base_url="y")
        print(repr(config), str(config), config.__rich_repr__(), file=told)
        print(repr(coded().payer), file=told)
    finally:
        structlog.reset_defaults()
    assert "plutu_refused" in told.getvalue()
    assert [secret for secret in secrets if secret in told.getvalue()] == []
