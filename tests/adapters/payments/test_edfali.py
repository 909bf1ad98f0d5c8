"""Edfali: the adapter against its simulator, and against answers that nobody should give."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from eishro.adapters.payments.edfali import amount_text
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
from eishro.errors import Invalid
from eishro.outward import HttpReply
from eishro.sandbox.edfali import OTP, PAYERS, Faults
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
from tests.adapters.test_soap import answer, result

pytestmark = pytest.mark.anyio

SECRETS = ("2580", "simulated & <unreal>")


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with open_stand("edfali") as opened:
        yield opened


async def started(stand: Stand, **members: Any) -> Intent:
    """An attempt whose payer was sent a code."""
    intent = stand.intent(**members)
    made = await stand.adapter().start(intent)
    # The payer is known to `start` alone.
    return msgspec.structs.replace(intent, session=made.session, payer=Payer())


def says(word: str, method: str = "OnlineConfTrans") -> HttpReply:
    return HttpReply(200, answer(result(word, method)))


def with_session(**members: Any) -> Intent:
    session = {"session": "4711", "phone": "+218910000010", "amount": "25500"}
    return an_intent(session=session, **members)


async def test_a_code_is_sent_and_pays(stand: Stand) -> None:
    intent = stand.intent()
    made = await stand.adapter().start(intent)
    now = stand.clock.now()
    assert made.action == Otp(4, "091•••••10", now + timedelta(minutes=5), now + timedelta(0, 60))
    assert stand.simulator.messages[-1][0] == "0910000010"
    assert "25.50" in stand.simulator.messages[-1][1]
    # The shop and its adapter may have been started anew meanwhile.
    later = msgspec.structs.replace(intent, session=made.session, payer=Payer())
    paid = await stand.adapter().submit_otp(later, OTP)
    assert isinstance(paid, Paid)
    (receipt,) = paid.receipts
    assert receipt.provider_reference == made.session["session"]
    assert receipt.terminal == "910000001"
    assert (receipt.amount_dirhams, receipt.currency) == (25_500, "LYD")
    assert receipt.details == {"payer": "091•••••10"}
    assert [session.amount for session in stand.simulator.charged] == ["25.50"]


async def test_ok_is_a_yes_however_it_is_written(stand: Stand) -> None:
    intent = await started(stand, payer=Payer(phone="+218960000010"))
    assert isinstance(await stand.adapter().submit_otp(intent, OTP), Paid)


async def test_a_wrong_code_charges_nothing_and_the_right_one_still_pays(stand: Stand) -> None:
    intent = await started(stand)
    for code in ("0000", "1", "99999999"):
        assert await stand.adapter().submit_otp(intent, code) == WrongCode("PW")
    assert stand.simulator.charged == []
    assert isinstance(await stand.adapter().submit_otp(intent, OTP), Paid)


async def test_what_is_no_code_is_not_sent() -> None:
    http = Replies(says("OK"))
    adapter = adapter_of("edfali", http, ManualClock(), {})
    for code in ("", "12 4", "<Pin>", "١٢٣٤", "1" * 21):
        assert isinstance(await adapter.submit_otp(with_session(), code), WrongCode)
    assert http.asked == []


async def test_a_code_that_has_run_out_asks_for_another(stand: Stand) -> None:
    intent = await started(stand)
    stand.clock.turn(timedelta(minutes=6))
    assert await stand.adapter().submit_otp(intent, OTP) == WrongCode("TIME", is_expired=True)
    again = await stand.adapter().resend_otp(intent)
    assert again.session["session"] != intent.session["session"]
    assert isinstance(again.action, Otp)
    renewed = msgspec.structs.replace(intent, session=again.session)
    assert isinstance(await stand.adapter().submit_otp(renewed, OTP), Paid)


async def test_a_session_that_is_not_of_this_amount_is_not_charged(stand: Stand) -> None:
    intent = await started(stand)
    for other in (
        msgspec.structs.replace(intent, amount_dirhams=99_000),
        msgspec.structs.replace(intent, session={}),
    ):
        refused = await stand.adapter().submit_otp(other, OTP)
        assert isinstance(refused, WrongCode)
        assert refused.is_expired
    assert stand.simulator.charged == []
    with pytest.raises(ProviderBusy):
        await stand.adapter().resend_otp(msgspec.structs.replace(intent, session={}))


async def test_the_balance_decides_at_the_second_call(stand: Stand) -> None:
    intent = await started(stand, payer=Payer(phone="+218920000010"))
    assert isinstance(await stand.adapter().submit_otp(intent, OTP), Failed)
    assert stand.simulator.charged == []


@pytest.mark.parametrize("phone", [None, "", "+218212345678", "+49301234567", "912"])
async def test_only_libyan_mobiles_are_sent(phone: str | None) -> None:
    http = Replies(says("1", "DoPTrans"))
    with pytest.raises(Invalid) as refused:
        await adapter_of("edfali", http, ManualClock(), {}).start(
            an_intent(payer=Payer(phone=phone))
        )
    assert set(refused.value.faults) == {"phone"}
    assert http.asked == []


@pytest.mark.parametrize("phone", ["+218950000010", "+218910000099"])
async def test_a_number_without_edfali_is_the_phone_s_fault(stand: Stand, phone: str) -> None:
    with pytest.raises(Invalid) as refused:
        await stand.adapter().start(stand.intent(payer=Payer(phone=phone)))
    assert set(refused.value.faults) == {"phone"}


@pytest.mark.parametrize("phone", ["+218930000010", "+218940000010"])
async def test_limits_and_sleeping_accounts_are_told(stand: Stand, phone: str) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await stand.adapter().start(stand.intent(payer=Payer(phone=phone)))
    assert refused.value.faults["method"].ar


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("no", Invalid),
        ("", Invalid),
        ("Acc", ProviderRefused),
        ("LMT", ProviderRefused),
        ("limit", ProviderRefused),
        ("Bal", ProviderRefused),
        ("AMT", ProviderRefused),
        ("DUP", ProviderRefused),
        ("PW", ProviderBusy),
        ("pw1", ProviderBusy),
        ("IP", ProviderBusy),
        ("SYS", ProviderBusy),
        ("TIME", ProviderBusy),
        ("OFF", ProviderBusy),
        ("0", ProviderBusy),
        ("-5", ProviderBusy),
        ("1.5", ProviderBusy),
        ("OK", ProviderBusy),
        ("9" * 33, ProviderBusy),
        ("something new", ProviderBusy),
    ],
)
async def test_words_of_the_first_call(word: str, kind: type[Exception]) -> None:
    adapter = adapter_of("edfali", Replies(says(word, "DoPTrans")), ManualClock(), {})
    with pytest.raises(kind):
        await adapter.start(an_intent())


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("OK", Paid),
        (" ok\n", Paid),
        ("PW", WrongCode),
        ("time", WrongCode),
        ("BAL", Failed),
        ("Limit", Failed),
        ("LMT", Failed),
        ("ACC", Failed),
        ("NO", Failed),
        ("AMT", Failed),
        ("PW1", Failed),
        ("IP", Failed),
        ("OFF", Failed),
        ("SYS", Unknown),
        ("DUP", Unknown),
        ("", Unknown),
        ("success", Unknown),
        ("NOT OK", Unknown),
        ("4711", Unknown),
    ],
)
async def test_words_of_the_second_call(word: str, kind: type[object]) -> None:
    adapter = adapter_of("edfali", Replies(says(word)), ManualClock(), {})
    found = await adapter.submit_otp(with_session(), OTP)
    assert isinstance(found, kind)
    assert not isinstance(found, Unknown) or not found.is_unreachable


async def test_what_words_mean_can_be_set() -> None:
    given = {"wrong_code_words": "pin, Bad ", "expired_words": "none"}
    adapter = adapter_of("edfali", Replies(says("BAD")), ManualClock(), given)
    assert await adapter.submit_otp(with_session(), OTP) == WrongCode("BAD")
    adapter = adapter_of("edfali", Replies(says("TIME")), ManualClock(), given)
    assert isinstance(await adapter.submit_otp(with_session(), OTP), Unknown)


@pytest.mark.parametrize("reply", HOSTILE)
async def test_no_clear_answer_to_the_first_call_charged_nothing(reply: Any) -> None:
    with pytest.raises(ProviderBusy):
        await adapter_of("edfali", Replies(reply), ManualClock(), {}).start(an_intent())


@pytest.mark.parametrize("reply", HOSTILE)
async def test_no_clear_answer_to_the_second_call_is_unknown(reply: Any) -> None:
    http = Replies(reply)
    adapter = adapter_of("edfali", http, ManualClock(), {})
    found = await adapter.submit_otp(with_session(), OTP)
    assert isinstance(found, Unknown)
    assert found.is_unreachable == (reply is SILENCE or reply[0] == 503)
    assert len(http.asked) == 1, "what may have charged is not sent again"


@pytest.mark.parametrize("word", ["OK", "4711"])
async def test_a_good_word_with_a_bad_status_or_of_another_call_is_none(word: str) -> None:
    for reply in (HttpReply(500, says(word).body), says(word, "DoPTrans")):
        adapter = adapter_of("edfali", Replies(reply), ManualClock(), {})
        assert isinstance(await adapter.submit_otp(with_session(), OTP), Unknown)
    for reply in (HttpReply(500, says(word, "DoPTrans").body), says(word)):
        with pytest.raises(ProviderBusy):
            await adapter_of("edfali", Replies(reply), ManualClock(), {}).start(an_intent())


async def test_a_bank_that_was_not_reached_lets_the_same_code_be_tried_again() -> None:
    adapter = adapter_of("edfali", Replies(UNREACHED, says("OK")), ManualClock(), {})
    assert isinstance(await adapter.submit_otp(with_session(), OTP), NotSent)
    assert isinstance(await adapter.submit_otp(with_session(), OTP), Paid)


async def test_money_taken_without_an_answer_is_unknown(stand: Stand) -> None:
    intent = await started(stand)
    stand.simulator.faults = Faults(is_silent_after_charging=True)
    found = await stand.adapter().submit_otp(intent, OTP)
    assert found == Unknown("HTTP status 504 without an answer", is_unreachable=True)
    assert len(stand.simulator.charged) == 1


@pytest.mark.parametrize(
    "faults",
    [
        Faults(is_down=True),
        Faults(soap_fault=True),
        Faults(status=302),
        Faults(body="<a/>"),
        Faults(is_huge=True),
    ],
)
async def test_a_bank_in_trouble_opens_nothing_and_decides_nothing(
    stand: Stand, faults: Faults
) -> None:
    intent = await started(stand)
    stand.simulator.faults = faults
    with pytest.raises(ProviderBusy):
        await stand.adapter().start(stand.intent())
    with pytest.raises(ProviderBusy):
        await stand.adapter().resend_otp(intent)
    assert isinstance(await stand.adapter().submit_otp(intent, OTP), Unknown)


async def test_another_code_too_soon_is_told_as_such(stand: Stand) -> None:
    intent = await started(stand)
    stand.simulator.faults = Faults(open_word="DUP")
    with pytest.raises(ResendTooSoon):
        await stand.adapter().resend_otp(intent)
    stand.simulator.faults = Faults(open_word="BAL")
    with pytest.raises(ProviderRefused):
        await stand.adapter().resend_otp(intent)


@pytest.mark.parametrize(
    ("dirhams", "form", "text"),
    [
        (10, "decimals", "0.01"),
        (25_500, "decimals", "25.50"),
        (1_000_000_000, "decimals", "1000000.00"),
        (25_000, "whole", "25"),
        (1_000_000_000, "whole", "1000000"),
    ],
)
def test_amounts_are_written_exactly(dirhams: int, form: Any, text: str) -> None:
    assert amount_text(dirhams, form) == text


@pytest.mark.parametrize(
    ("dirhams", "form"),
    [(0, "decimals"), (-10, "decimals"), (25_505, "decimals"), (25_500, "whole")],
)
async def test_amounts_are_never_rounded(dirhams: int, form: Any) -> None:
    http = Replies(says("4711", "DoPTrans"))
    adapter = adapter_of("edfali", http, ManualClock(), {"amount_form": form})
    with pytest.raises(ProviderRefused):
        await adapter.start(an_intent(amount_dirhams=dirhams))
    assert http.asked == []


async def test_forms_of_number_and_amount_can_be_set() -> None:
    given = {"amount_form": "whole", "payer_form": "national", "namespace": "urn:bank/"}
    reply = HttpReply(
        200, says("4711", "DoPTrans").body.replace(b"http://tempuri.org/", b"urn:bank/")
    )
    http = Replies(reply)
    await adapter_of("edfali", http, ManualClock(), given).start(an_intent(amount_dirhams=25_000))
    ((_, _, content),) = http.asked
    assert b"<Cmobile>910000010</Cmobile>" in content
    assert b"<Amount>25</Amount>" in content
    assert http.headers[0]["SOAPAction"] == '"urn:bank/DoPTrans"'


async def test_the_whole_dinar_bank_agrees_with_its_simulator() -> None:
    async with open_stand("edfali", amount_form="whole", payer_form="national") as stand:
        intent = await started(stand, amount_dirhams=25_000)
        assert isinstance(await stand.adapter().submit_otp(intent, OTP), Paid)
        assert stand.simulator.charged[0].amount == "25"


@pytest.mark.parametrize(
    "changes",
    [
        {"merchant_mobile": "12"},
        {"code_length": "four"},
        {"code_seconds": "0"},
        {"merchant_pin": "a\x00"},
    ],
)
def test_fields_that_cannot_be_used_are_named_without_their_value(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError) as refused:
        adapter_of("edfali", Replies(SILENCE), ManualClock(), changes)
    assert next(iter(changes)) in str(refused.value).lower()
    assert "four" not in str(refused.value)


async def test_nothing_secret_is_logged_or_shown(stand: Stand) -> None:
    with capture_logs() as lines:
        intent = await started(stand)
        for word in ("SYS", "PW1"):
            stand.simulator.faults = Faults(open_word=word, confirm_word=word)
            with pytest.raises(ProviderBusy):
                await stand.adapter().start(stand.intent())
            await stand.adapter().submit_otp(intent, OTP)
    shown = f"{lines} {stand.adapter()._config!r} {stand.adapter()._config.__rich_repr__()}"
    assert lines
    for secret in (*SECRETS, "910000010", OTP):
        assert secret not in shown


async def test_it_says_what_it_cannot_do(stand: Stand) -> None:
    adapter = stand.adapter()
    assert (adapter.can_query, adapter.can_refund, adapter.can_list) == (False, False, False)
    wanted = RefundIntent(
        reference="x",
        terminal="910000001",
        receipt_reference="1",
        receipt_dirhams=10,
        amount_dirhams=10,
        created_at=stand.clock.now(),
    )
    assert isinstance(await adapter.refund(wanted), RefundManual)
    assert (await adapter.check_connection()).works is None
    await adapter.aclose()


async def test_the_simulator_shows_who_pays_and_takes_faults(stand: Stand) -> None:
    await started(stand)
    async with httpx.AsyncClient(base_url=stand.url, trust_env=False) as client:
        page = await client.get(stand.url)
        assert 'dir="rtl"' in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        for phone in PAYERS:
            assert phone in page.text
        assert "25.50" in page.text
        assert 'lang="en"' in (await client.get(f"{stand.url}?lang=en")).text
        assert (await client.get("/static/desk.css")).status_code == 200
        assert (await client.get("/sessions")).json()[0]["isPaid"] is False
        assert (await client.put("/faults", json={"is_down": True})).json()["is_down"] is True
        assert (await client.get("/faults")).json()["is_down"] is True
        assert (await client.put("/faults", json={"is_down": 1})).status_code == 422
        assert (await client.put("/faults", json={"unheard": 1})).status_code == 422
        await client.put("/faults", json={})
        asked = await client.post("/api/BCDUssd/NewEdfali.asmx", content=b"<a/>")
        assert (asked.status_code, b"Fault" in asked.content) == (500, True)


async def test_the_simulator_takes_only_its_merchant(stand: Stand) -> None:
    strangers = [
        {"merchant_pin": "1"},
        {"service_password": "x"},
        {"merchant_mobile": "0922222222"},
    ]
    for fields in strangers:
        with pytest.raises(ProviderBusy):
            await stand.adapter(None, **fields).start(stand.intent())
    intent = await started(stand)
    refused = await stand.adapter(service_password="x").submit_otp(intent, OTP)
    assert isinstance(refused, Failed)
    assert isinstance(await stand.adapter().submit_otp(intent, OTP), Paid)
    assert isinstance(await stand.adapter().submit_otp(intent, OTP), Unknown)  # DUP
