"""A payment's whole life, whoever the gateway is: adapter, simulator and shop over real sockets.

Subclass `PaymentLife` and say how the gateway's payer acts (`Cashier`). A step that a gateway does
not have by itself has its reason in `Cashier.noes`; the table of the documentation is made of it
(`payment_steps.py`).
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import list_exchanges
from eishro.domain.payments.refund_amounts import RefundWanted
from eishro.domain.payments.refunds import Refund, RefundTooLarge
from eishro.flows.change_order import expire_order
from eishro.flows.refund_order import open_refunds
from eishro.flows.send_refund import send_refund
from eishro.flows.shop import NotOnce
from tests.contracts.payment_steps import Fault, Feature, Step, shows
from tests.contracts.payment_till import RATE, Act, Cashier, Till, open_till
from tests.shops import TESTER, World, bearer

__all__ = ["Act", "Cashier", "Fault", "Feature", "PaymentLife", "Step", "Till", "open_till"]


@pytest.mark.anyio
class PaymentLife:
    """Subclass it and say whose life it is."""

    at: type[Cashier]

    @pytest.fixture
    def cashier(self) -> Cashier:
        return self.at()

    @pytest.fixture
    async def till(self, world: World, cashier: Cashier) -> AsyncIterator[Till]:
        async with open_till(world, cashier) as opened:
            yield opened

    @shows("start")
    async def test_it_starts_with_something_to_do_for_the_exact_amount(self, till: Till) -> None:
        payment = await till.start(25_500)
        method = next(m for m in till.world.shop.methods if m.method == till.cashier.method)
        assert (payment["status"], payment["action"]["kind"]) == ("action_required", method.kind)
        asked = {"LYD": (35.5, "LYD"), "USD": (RATE.cents(35_500) / 100, "USD")}[method.currency]
        assert (payment["amount"], payment["currency"]) == asked
        # Our own addresses may hold the payment's id, what goes to a gateway may not.
        action = re.sub(rf"/(pay|api/payments)/{payment['id']}", "", str(payment["action"]))
        assert payment["id"] not in action

    @shows("success")
    async def test_it_is_paid_once_and_the_books_know(self, till: Till) -> None:
        payment = await till.start()
        await till.act(payment, "pay")
        await self._is_paid(till, payment)
        receipts = await payments.list_receipts(till.world.db, payment["id"])
        booked = [(receipt.applied, receipt.amount_dirhams) for receipt in receipts]
        assert booked == [(True, 35_500)] * till.cashier.keeps_receipts
        assert await find_faults(till.world.db) == []
        if till.cashier.speaks:
            await self._is_noted(till)

    @shows("nobody acts")
    async def test_what_nobody_acted_on_is_not_paid(self, till: Till) -> None:
        payment = await till.start()
        await till.look(payment["id"])
        assert (await till.order())["paymentStatus"] == "pending"
        assert (await till.payment(payment["id"]))["status"] == "action_required"

    @shows("decline")
    async def test_a_declined_attempt_pays_nothing_and_another_may_follow(self, till: Till) -> None:
        payment = await till.start()
        await till.act(payment, "decline")
        assert (await till.order())["paymentStatus"] in ("pending", "failed")
        assert await payments.list_receipts(till.world.db, payment["id"]) == []
        second = await till.again()
        await till.act(second, "pay")
        await self._is_paid(till, second)
        assert await find_faults(till.world.db) == []

    @shows("cancel")
    async def test_a_cancelled_attempt_pays_nothing(self, till: Till) -> None:
        payment = await till.start()
        await till.act(payment, "cancel")
        assert (await till.order())["paymentStatus"] in ("pending", "failed")
        assert await payments.list_receipts(till.world.db, payment["id"]) == []

    @shows("restart")
    async def test_after_a_restart_in_the_middle_it_goes_on(self, till: Till) -> None:
        payment = await till.start()
        till.restart()
        await till.act(payment, "pay")
        await self._is_paid(till, payment)

    @shows("duplicate")
    async def test_news_twice_counts_once(self, till: Till) -> None:
        is_told_twice = await till.err("twice")
        payment = await till.start()
        await till.act(payment, "pay")
        if not is_told_twice:
            await till.cashier.repeat(till, payment)
            await till.hear()
        await self._is_paid(till, payment)
        receipts = await payments.list_receipts(till.world.db, payment["id"])
        assert len(receipts) == till.cashier.keeps_receipts
        assert await find_faults(till.world.db) == []

    @shows("reordered")
    async def test_news_in_the_wrong_order_pays_the_attempt_that_was_paid(self, till: Till) -> None:
        await till.err("reordered")
        first = await till.start()
        await till.act(first, "decline")
        second = await till.again()
        await till.act(second, "pay")
        await till.behave()
        await till.hear()
        await self._is_paid(till, second)
        assert await payments.list_receipts(till.world.db, first["id"]) == []
        assert await find_faults(till.world.db) == []

    @shows("silence")
    async def test_without_any_news_the_shop_asks_or_people_find_out(self, till: Till) -> None:
        await till.err("silent")
        payment = await till.start()
        await till.act(payment, "pay")
        await till.look(payment["id"])
        if "query" in till.cashier.features:
            await self._is_paid(till, payment)
            return
        assert (await till.order())["paymentStatus"] == "pending"
        await self._settled_by_people(till, payment)

    @shows("charged in silence")
    async def test_money_taken_in_silence_is_unclear_until_it_is_known(self, till: Till) -> None:
        await till.err("charged, then silent")
        payment = await till.start()
        await till.act(payment, "pay")
        await till.behave()
        assert (await till.order())["paymentStatus"] in ("pending", "paid")
        if "query" in till.cashier.features:
            await till.look(payment["id"])
            await self._is_paid(till, payment)
            return
        shown = await till.payment(payment["id"])
        assert shown["status"] == "unknown"
        refused = await till.ask_to_pay()  # it could be charged twice
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "PAYMENT_UNCLEAR")
        assert await payments.list_receipts(till.world.db, payment["id"]) == []
        await self._settled_by_people(till, payment)

    @shows("forged")
    async def test_forged_news_moves_nothing(self, till: Till) -> None:
        errs = await till.err("forged")
        payment = await till.start()
        if errs:
            await till.act(payment, "pay")
        else:
            await self._forge(till, payment)
        if errs and "query" in till.cashier.features:
            return  # it may only have been a reason to ask, and the money is there
        assert (await till.order())["paymentStatus"] == "pending"
        assert await payments.list_receipts(till.world.db, payment["id"]) == []

    @shows("wrong amount")
    async def test_another_amount_never_pays_the_order(self, till: Till) -> None:
        await till.err("wrong amount")
        payment = await till.start()
        await till.act(payment, "pay")
        await till.look(payment["id"])
        assert (await till.order())["paymentStatus"] != "paid"
        for receipt in await payments.list_receipts(till.world.db, payment["id"]):
            assert (receipt.applied, receipt.reason) == (False, "amount_differs")
        assert await find_faults(till.world.db) == []

    @shows("down")
    async def test_a_gateway_that_is_down_decides_nothing(self, till: Till) -> None:
        merchant_sees = await self._order_only(till)
        begun = await till.ask_to_pay()
        if begun.status_code != 201:
            assert (begun.status_code, begun.json()["error"]["code"]) == (502, "PROVIDER_ERROR")
            await till.behave()
            payment = await till.again()
        else:
            payment = begun.json()["data"]
            await till.look(payment["id"])
            assert (await till.order())["paymentStatus"] == merchant_sees
            await till.behave()
        await till.act(payment, "pay")
        await self._is_paid(till, payment)

    @shows("expiry")
    async def test_late_money_of_an_expired_order_waits_in_suspense(self, till: Till) -> None:
        payment = await till.start()
        till.world.clock.turn(till.cashier.expiry)
        await expire_order(till.world.shop, till.order_id)
        assert (await till.order())["status"] == "cancelled"
        await till.act(payment, "pay")
        await till.look(payment["id"])
        order = await till.order()
        assert (order["status"], order["paymentStatus"]) != ("pending", "paid")
        receipts = await payments.list_receipts(till.world.db, payment["id"])
        assert all((r.applied, r.reason) == (False, "order_closed") for r in receipts)
        assert await find_faults(till.world.db) == []

    @shows("refund in full")
    async def test_money_goes_back_in_full_once(self, till: Till) -> None:
        payment = await till.start()
        await till.act(payment, "pay")
        opened = await self._refund(till, None)
        done = await send_refund(till.world.shop, opened.id)
        can = "refund" in till.cashier.features
        assert done.status == ("done" if can else "manual")
        with pytest.raises(RefundTooLarge):
            await self._refund(till, 1)
        assert await find_faults(till.world.db) == []

    @shows("refund too much")
    async def test_more_than_was_paid_never_goes_back(self, till: Till) -> None:
        payment = await till.start()
        with pytest.raises(RefundTooLarge):
            await self._refund(till, 1)
        await till.act(payment, "pay")
        with pytest.raises(RefundTooLarge):
            await self._refund(till, 35_501)
        assert await find_faults(till.world.db) == []

    @shows("refund in part")
    async def test_a_part_of_the_money_goes_back(self, till: Till) -> None:
        payment = await till.start()
        await till.act(payment, "pay")
        await till.cashier.close_day(till)
        opened = await self._refund(till, 10_000)
        done = await send_refund(till.world.shop, opened.id)
        can = "partial_refund" in till.cashier.features
        assert done.status == ("done" if can else "manual")
        assert await find_faults(till.world.db) == []

    async def _is_noted(self, till: Till) -> None:
        """Every call stands in the log of the order, and no secret in any of them."""
        order = await orders.get_order(till.world.db, till.order_id)
        noted, total = await list_exchanges(till.world.db, order.store_id, order.id, 100, 0)
        assert total == len(noted) > 0
        said = " ".join(f"{one.call} {one.request} {one.reply}" for one in noted)
        for field in till.cashier.gateway.fields:
            secret = till.fields[field.name]
            assert not field.is_secret or not secret or secret not in said
        for given in till.cashier.payer.values():
            assert str(given) not in said

    async def _order_only(self, till: Till) -> str:
        """An order with an attempt begun in good times is not what this is about."""
        await till.behave()
        await till.start()
        assert await till.err("down")
        status: str = (await till.order())["paymentStatus"]
        return status

    async def _is_paid(self, till: Till, payment: dict[str, Any]) -> None:
        assert (await till.payment(payment["id"]))["status"] == "paid"
        assert (await till.order())["paymentStatus"] == "paid"

    async def _settled_by_people(self, till: Till, payment: dict[str, Any]) -> None:
        """Somebody has looked in the gateway's own pages."""
        said = {"outcome": "paid", "providerReference": "SEEN-1", "note": "seen in the portal"}
        till.owner = bearer(await till.world.admin())  # the account is the platform's
        reply = await till.staff(f"/payments/{payment['id']}/settle", json=said)
        assert reply.status_code == 200, reply.text
        await self._is_paid(till, payment)
        assert await find_faults(till.world.db) == []

    async def _forge(self, till: Till, payment: dict[str, Any]) -> None:
        """News that nobody makes there, with the reference of the payment in every spelling."""
        kept = await payments.get_payment(till.world.db, payment["id"])
        names = ("MerchantReference", "invoice_no", "custom_ref", "reference", "InvoiceNo")
        news = {"approved": "1", "result": "success", **dict.fromkeys(names, kept.reference)}
        reply = await till.browser.post(f"/api/webhooks/payments/{kept.provider}", json=news)
        assert reply.status_code in (401, 404), reply.text
        await till.hear()

    async def _refund(self, till: Till, dirhams: int | None) -> Refund:
        wanted = RefundWanted(reason="a test", amount_dirhams=dirhams)
        opened = await open_refunds(till.world.shop, till.order_id, wanted, TESTER, NotOnce())
        return opened[0]
