"""MobiCash: on T-Lync's page by default, or through the assumed adapter where it is set up."""

from datetime import UTC, datetime
from typing import Any

import pytest

from eishro.adapters.payments import METHODS, mobicash
from eishro.domain.payments.port import Failed, Intent, Paid, Payer, Unknown, WrongCode
from eishro.domain.stores.model import Store
from eishro.errors import Invalid
from eishro.flows.place_order import methods_of
from eishro.gateway_settings import filled
from eishro.outward import HttpReply, NoReply
from eishro.sandbox.mobicash import CARD, OTP, POOR_OTP
from tests.adapters.payments.http_script import Script, adapter, said
from tests.adapters.payments.plutu_cashier import TlyncCashier as PlutuTlyncCashier
from tests.adapters.payments.test_tlync_life import TlyncCashier
from tests.contracts.payment_life import Act, Cashier, PaymentLife, Till, open_till
from tests.dummy_provider import DummyProvider
from tests.shops import World, changed

pytestmark = pytest.mark.anyio


class MobicashCashier(Cashier):
    gateway = mobicash.GATEWAY
    method = "mobicash"
    features = frozenset({"decline"})
    payer = {"card": CARD}
    faults = {
        "wrong amount": {"amount": "1.00"},
        "down": {"is_down": True},
        "charged, then silent": {"confirm_fails": "after"},
    }

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        code = {"code": OTP if what == "pay" else POOR_OTP}
        await till.browser.post(f"/api/payments/{payment['id']}/otp", json=code)


class TestMobicashLife(PaymentLife):
    @pytest.fixture
    def cashier(self) -> Cashier:
        return MobicashCashier()

    async def test_a_wrong_code_leaves_it_open(self, till: Till) -> None:
        payment = await till.start()
        assert payment["action"]["maskedPhone"] == "•••••67"
        reply = await till.browser.post(f"/api/payments/{payment['id']}/otp", json={"code": "1"})
        assert (reply.status_code, list(reply.json()["error"]["details"])) == (422, ["code"])
        await till.act(payment, "pay")
        await self._is_paid(till, payment)


class ThroughTlync(TlyncCashier):
    method = "mobicash"


class ThroughPlutu(PlutuTlyncCashier):
    method = "mobicash"


@pytest.mark.parametrize("cashier", [ThroughTlync(), ThroughPlutu()], ids=["tlync", "plutu"])
async def test_by_default_it_is_paid_on_another_gateway_s_page(
    world: World, cashier: Cashier
) -> None:
    async with open_till(world, cashier) as till:
        payment = await till.start()
        assert (payment["method"], payment["action"]["kind"]) == ("mobicash", "redirect")
        await till.act(payment, "pay")
        assert (await till.order())["paymentStatus"] == "paid"


async def test_each_method_is_offered_once_and_the_own_adapter_first(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    store: Store = merchant.store
    for providers, expected in (
        ((), None),
        (("tlync",), "tlync"),
        (("plutu",), "plutu"),
        (("plutu", "tlync"), "tlync"),
        (("plutu", "tlync", "mobicash"), "mobicash"),
    ):
        shop = changed(
            world.shop, methods=METHODS, providers={name: DummyProvider() for name in providers}
        )
        offered = [m for m in methods_of(shop, store) if m.method == "mobicash"]
        assert [m.provider for m in offered] == ([expected] if expected else [])


def test_under_eishro_dev_it_is_off_unless_something_is_set() -> None:
    url = "http://127.0.0.1:8000/sandbox"
    assert "mobicash" not in filled({}, is_production=False, simulator_url=url)
    assert "tlync" in filled({}, is_production=False, simulator_url=url)
    given = {"mobicash": {"token": "x"}}
    found = filled(given, is_production=False, simulator_url=url)["mobicash"]
    assert (found["token"], found["base_url"]) == ("x", f"{url}/mobicash")


# The assumed messages.

YES = {"transactionId": "MC1", "reference": "REF1", "amount": "25.50", "currency": "LYD"}


def intent(**changes: Any) -> Intent:
    return Intent(
        reference="REF1",
        amount_dirhams=25_500,
        created_at=datetime(2026, 1, 15, 8, 30, tzinfo=UTC),
        payer=changes.get("payer", Payer(card=CARD)),
        session=changes.get("session", {"session_id": "S1"}),
    )


@pytest.mark.parametrize(
    ("payer", "fault"),
    [
        (Payer(card="123456"), "card"),
        (Payer(card="12345678", phone="+218912345678"), "card"),
        (Payer(phone="+442083661177"), "phone"),
        (Payer(), "phone"),
    ],
)
async def test_neither_card_nor_phone_is_refused_before_anything_is_sent(
    payer: Payer, fault: str
) -> None:
    script = Script(said({}))
    with pytest.raises(Invalid) as refused:
        await adapter(mobicash.GATEWAY, script).start(intent(payer=payer))
    assert list(refused.value.faults) == [fault]
    assert script.sent == []


async def test_names_paths_and_lengths_are_settings() -> None:
    script = Script(said({"sid": "S9", "until": "2026-01-15T08:35:00Z"}))
    provider = adapter(
        mobicash.GATEWAY, script, open_path="v2/open", session_name="sid", expiry_name="until",
        card_name="wallet", card_length="9", code_length="4", amount_form="text",
    )  # fmt: skip
    started = await provider.start(intent(payer=Payer(card="123456789")))
    assert started.session == {"session_id": "S9"}
    assert (started.action.length, started.action.masked_phone) == (4, "•••••••89")
    assert started.action.expires_at.isoformat() == "2026-01-15T08:35:00+00:00"
    url, body, _ = script.sent[0]
    assert url.endswith("/v2/open")
    assert (body["wallet"], body["amount"]) == ("123456789", "25.50")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (said(YES), Paid),
        (said({"transactionId": "MC1"}), Paid),
        (said({"code": "INVALID_OTP", "message": "x"}, 422), WrongCode),
        (said({"code": "OTP_EXPIRED"}, 400), WrongCode),
        (said({"code": "NO_MONEY", "message": "x"}, 402), Failed),
        (said({"success": False, "message": "x"}), Failed),
        (said({"message": "x"}, 401), Failed),
        (NoReply("refused", sent=False), WrongCode),
        (NoReply("timed out", sent=True), Unknown),
        (said({**YES, "success": False}), Unknown),
        (said({**YES, "reference": "OTHER"}), Unknown),
        (said({**YES, "currency": "USD"}), Unknown),
        (said({**YES, "amount": "x"}), Unknown),
        (said({**YES, "transactionId": None}), Unknown),
        (said({**YES, "error": "x"}), Unknown),
        (said(YES, 500), Unknown),
        (said(YES, 409), Unknown),
        (said(b"", 302), Unknown),
        (said(b"["), Unknown),
    ],
)
async def test_only_a_plain_yes_is_money(reply: HttpReply | NoReply, kind: type) -> None:
    script = Script(reply)
    answer = await adapter(mobicash.GATEWAY, script).submit_otp(intent(), "123456")
    assert isinstance(answer, kind)
    assert len(script.sent) == 1
