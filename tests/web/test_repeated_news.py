"""News that somebody captured and sends again, as it was or changed where nothing is signed."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.statements import Query
from eishro.domain.payments import exchanges
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.domain.payments.sql import payment_news
from eishro.flows import store_news
from eishro.outward import HttpReply, NoReply
from tests.adapters.payments.moamalat_messages import signed
from tests.adapters.payments.test_moamalat_life import MoamalatCashier
from tests.adapters.payments.test_sadad_life import SadadCashier
from tests.adapters.payments.test_tlync_life import TlyncCashier
from tests.contracts.payment_life import Cashier, Till, open_till
from tests.shops import World

pytestmark = pytest.mark.anyio

_KEPT = Query(sa.select(payment_news.c.outcome).order_by(payment_news.c.id), str)
MANY = 12
PAUSE = timedelta(seconds=3)  # so long that no gateway is asked too often, and nobody waits for it


class Unreachable:
    """A way to a gateway on which nothing leaves."""

    async def _refuse(self, *_: Any, **__: Any) -> HttpReply:
        raise NoReply("no connection", sent=False)

    get = send = post_json = post_form = _refuse


async def _tell(till: Till, news: dict[str, Any]) -> None:
    till.world.clock.turn(PAUSE)
    path = f"/api/webhooks/payments/{till.cashier.gateway.provider}"
    reply = await till.browser.post(path, json=news)
    assert reply.status_code == 200, reply.text
    assert (
        reply.content
        == till.world.shop.providers[till.cashier.gateway.provider].webhook_reply().body
    )
    await till.world.settle()


async def _started(till: Till) -> Payment:
    return await payments.get_payment(till.world.db, (await till.start())["id"])


def _notification(till: Till, payment: Payment, **changes: Any) -> dict[str, Any]:
    fields = {
        "MerchantId": till.fields["merchant_id"],
        "TerminalId": till.fields["terminal_id"],
        "DateTimeLocalTrxn": "20260115103145",
        "TxnType": 1,
        "SystemReference": "1233674",
        "MerchantReference": payment.reference,
        "Amount": str(payment.amount_dirhams),
        "Currency": "434",
        "ActionCode": "00",
    }
    names = ("Amount", "Currency", "DateTimeLocalTrxn", "MerchantId", "TerminalId")
    return {**signed(fields, names), **changes}


async def test_a_signed_notification_is_kept_once_whatever_else_is_changed(world: World) -> None:
    async with open_till(world, MoamalatCashier()) as till:
        payment = await _started(till)
        for number in range(MANY):
            changed = {
                "SystemReference": f"99{number}",
                "NetworkReference": str(number),
                "Message": f"No. {number}",
                "AuthorizationDateTime": f"202601151031{number:02}",
            }
            await _tell(till, _notification(till, payment, **changed))
            await _tell(till, _notification(till, payment, MerchantReference=f"NOBODYS-{number}"))
        # One of the payment, one of nobody's.
        assert sorted(await world.db.all(_KEPT)) == ["checked:action_required", "no_such_payment"]
        assert await find_faults(world.db) == []


async def test_what_was_kept_is_looked_into_again_until_the_money_has_come(world: World) -> None:
    async with open_till(world, MoamalatCashier()) as till:
        begun = await till.start()
        payment = await payments.get_payment(world.db, begun["id"])
        await _tell(till, _notification(till, payment))
        assert (await till.payment(payment.id))["status"] == "action_required"
        await till.err("silent")
        await till.act(begun, "pay")  # and neither the gateway nor the browser tells of it
        assert (await till.payment(payment.id))["status"] == "action_required"
        await _tell(till, _notification(till, payment))
        assert (await till.payment(payment.id))["status"] == "paid"
        asked = await world.db.all(_KEPT)
        await _tell(till, _notification(till, payment))
        assert await world.db.all(_KEPT) == asked == ["checked:paid"]


async def test_of_news_that_nobody_signs_each_kind_is_kept_once(world: World) -> None:
    async with open_till(world, TlyncCashier()) as till:
        payment = await _started(till)
        for number in range(MANY):
            for result in ("success", "failed"):
                news = {"custom_ref": payment.reference, "result": result, "amount": str(number)}
                await _tell(till, {**news, "gateway": f"no. {number}"})
        assert len(await world.db.all(_KEPT)) == 2
        assert (await till.payment(payment.id))["status"] == "action_required"


async def test_news_of_one_payment_has_a_limit_and_is_still_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_news, "KEPT_MAX", 3)
    async with open_till(world, MoamalatCashier()) as till:
        payment = await _started(till)
        for number in range(6):  # each truly signed
            stamp = f"2026011510314{number}"
            names = ("Amount", "Currency", "DateTimeLocalTrxn", "MerchantId", "TerminalId")
            news = _notification(till, payment) | {"DateTimeLocalTrxn": stamp}
            await _tell(till, signed(news, names))
        assert len(await world.db.all(_KEPT)) == 3
        await till.look(payment.id)  # the clock asks all the same
        assert (await till.payment(payment.id))["status"] == "action_required"


async def test_a_browser_that_asks_without_end_fills_no_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchanges, "KEPT_MAX", 4)
    async with open_till(world, MoamalatCashier()) as till:
        begun = await till.start()
        for _ in range(8):
            told = {"error": "no money", "MerchantReference": ""}
            world.clock.turn(PAUSE)
            reply = await till.browser.post(f"/api/payments/{begun['id']}/result", json=told)
            assert reply.status_code == 200
            await world.settle()
        _, count = await exchanges.list_exchanges(world.db, till.store_id, till.order_id, 50, 0)
        assert count == 4
        await till.act(begun, "pay")  # which is asked about all the same
        assert (await till.payment(begun["id"]))["status"] == "paid"
        _, count = await exchanges.list_exchanges(world.db, till.store_id, till.order_id, 50, 0)
        assert count == 4


async def test_codes_that_never_leave_fill_no_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchanges, "KEPT_MAX", 3)
    async with open_till(world, SadadCashier()) as till:
        begun = await till.start()
        till.restart(Unreachable())
        for _ in range(6):
            path = f"/api/payments/{begun['id']}/otp"
            assert (await till.browser.post(path, json={"code": "111111"})).status_code == 502
        _, count = await exchanges.list_exchanges(world.db, till.store_id, till.order_id, 50, 0)
        assert count == 3
        payment = await payments.get_payment(world.db, begun["id"])
        assert (payment.status, payment.code_tries) == ("action_required", 0)


@pytest.mark.parametrize("cashier", [MoamalatCashier, TlyncCashier])
async def test_the_gateway_s_own_news_sent_again_costs_no_row(
    world: World, cashier: type[Cashier]
) -> None:
    async with open_till(world, cashier()) as till:
        await till.err("twice")
        begun = await till.start()
        await till.act(begun, "pay")
        assert (await till.payment(begun["id"]))["status"] == "paid"
        assert len(await world.db.all(_KEPT)) == 1
