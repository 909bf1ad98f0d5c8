"""A payment's whole life, whoever the gateway is: adapter, simulator and shop over real sockets.

Subclass `PaymentLife`, name the gateway and say how its payer acts (`Cashier`). What a gateway
cannot do is left out of its `features`; then the suite proves what the shop does instead.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Literal

import httpx
import msgspec
import pytest

from eishro.adapters.http import HttpxHttp
from eishro.adapters.payments import METHODS
from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import list_exchanges
from eishro.domain.payments.gateways import Gateway, Tools
from eishro.domain.payments.port import PaymentProvider
from eishro.domain.payments.rates import UsdRate
from eishro.domain.payments.refund_amounts import RefundWanted
from eishro.domain.payments.refunds import Refund, RefundTooLarge
from eishro.flows.change_order import expire_order
from eishro.flows.pay_order import check_payment
from eishro.flows.refund_order import open_refunds
from eishro.flows.send_refund import send_refund
from eishro.flows.shop import NotOnce
from eishro.jobs.schedule import check_due_payments
from eishro.outward import WebHttp
from eishro.sandbox.simulators import SIMULATORS, Simulated
from eishro.web.api import ROUTES
from eishro.web.asgi import build_app
from tests.servers.embedded import served
from tests.servers.ports import free_port
from tests.shops import TESTER, World, changed, order_body
from tests.stamps import MemoryStamps

Act = Literal["pay", "decline", "cancel"]
# What a gateway may be able to do. `news`: it tells the shop by itself; `query`: it can be asked.
Feature = Literal["news", "query", "decline", "cancel", "refund", "partial_refund"]
Fault = Literal[
    "silent",  # no news, neither from the gateway nor from the browser
    "twice",  # every piece of news twice
    "wrong amount",  # another amount than was asked for
    "forged",  # news that the gateway did not make
    "down",  # answers nothing usable
    "charged, then silent",  # the money is taken, and the answer to that call is lost
]
RATE = UsdRate(4_850_000, "test")


class Cashier:
    """A gateway, and how its payer acts; subclasses say the rest."""

    gateway: Gateway
    method: str
    features: frozenset[Feature]
    payer: Mapping[str, Any] = {}  # what the payer gives to start, as JSON members of the body
    faults: Mapping[Fault, Mapping[str, Any]] = {}  # the body of PUT …/faults for each

    def simulate(self, till: "Till") -> Simulated:
        """The simulator beside the shop."""
        build = SIMULATORS[self.gateway.provider]
        return build(till.fields, till.world.clock, till.http)

    async def act(self, till: "Till", payment: dict[str, Any], what: Act) -> None:
        """The payer acts at the simulator, and what the browser brings back is brought back."""
        raise NotImplementedError

    async def close_day(self, till: "Till") -> None:
        """The gateway has settled its day: from now on parts of a sale can go back."""


class Till:
    """A shop on a port of its own with the gateway's simulator beside it."""

    def __init__(self, world: World, cashier: Cashier) -> None:
        self.world = world
        self.cashier = cashier
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = HttpxHttp()
        self.browser = httpx.AsyncClient(
            base_url=self.url, timeout=60, trust_env=False, follow_redirects=False
        )
        provider = cashier.gateway.provider
        self.simulator_url = f"{self.url}/sandbox/{provider}"
        self.fields = cashier.gateway.simulated({}, self.simulator_url)
        self.simulated = cashier.simulate(self)
        self.stamps = MemoryStamps()
        self.order_id = ""
        self.is_silent = False  # then the browser brings nothing back either
        self._providers: dict[str, PaymentProvider] = {}
        self.restart()
        world.shop = changed(
            world.shop,
            providers=self._providers,
            methods=tuple(m for m in METHODS if m.provider in (None, provider)),
            rules=msgspec.structs.replace(world.shop.rules, public_url=self.url, usd=RATE),
        )

    def restart(self, http: WebHttp | None = None) -> None:
        """The adapter anew, as after a crash: what it kept in memory is gone. `http` is its way
        to the gateway from now on.
        """
        journal = self.world.shop.journal
        tools = Tools(http or self.http, self.stamps, self.world.clock, self.url, journal)
        gateway = self.cashier.gateway
        self._providers[gateway.provider] = gateway.build(self.fields, tools.of(gateway.provider))

    async def start(self, price: int = 25_500) -> dict[str, Any]:
        """An order of one piece, and a payment of it; the payment as the payer sees it."""
        merchant = await self.world.merchant()
        assert merchant.store is not None
        state = await self.world.product(merchant.store.id, stock=3, price=price)
        body = order_body(state.product.id, method=self.cashier.method)
        placed = await self.browser.post(f"/api/stores/{merchant.store.id}/orders", json=body)
        assert placed.status_code == 201, placed.text
        self.order_id = placed.json()["data"]["id"]
        self.browser.headers["X-Order-Token"] = placed.json()["data"]["accessToken"]
        return await self.again()

    async def again(self) -> dict[str, Any]:
        """One more attempt at the same order."""
        reply = await self.ask_to_pay()
        assert reply.status_code == 201, reply.text
        payment: dict[str, Any] = reply.json()["data"]
        return payment

    async def ask_to_pay(self) -> httpx.Response:
        """The answer to a wish to pay."""
        body = {"method": self.cashier.method, **self.cashier.payer}
        return await self.browser.post(f"/api/orders/{self.order_id}/payments", json=body)

    async def order(self) -> dict[str, Any]:
        reply = await self.browser.get(f"/api/orders/{self.order_id}")
        data: dict[str, Any] = reply.json()["data"]
        return data

    async def payment(self, payment_id: str) -> dict[str, Any]:
        reply = await self.browser.get(f"/api/payments/{payment_id}")
        data: dict[str, Any] = reply.json()["data"]
        return data

    async def act(self, payment: dict[str, Any], what: Act) -> None:
        """The payer acts, and all that is told by it has been heard."""
        await self.cashier.act(self, payment, what)
        await self.hear()

    async def hear(self) -> None:
        """Wait for what the simulator still tells, and for what the shop makes of it."""
        for _ in range(3):
            settle = getattr(self.simulated, "settle", None)
            if settle is not None:
                await settle()
            await asyncio.sleep(0.02)
            await self.world.settle()

    async def err(self, fault: Fault) -> bool:
        """Have the simulator err from now on; False if it cannot in this way."""
        told = self.cashier.faults.get(fault)
        if told is None:
            return False
        self.is_silent = fault == "silent"
        reply = await self.browser.put(f"{self.simulator_url}/faults", json=told)
        assert reply.status_code == 200, reply.text
        return True

    async def behave(self) -> None:
        """No faults any more."""
        self.is_silent = False
        reply = await self.browser.put(f"{self.simulator_url}/faults", json={})
        assert reply.status_code == 200, reply.text

    async def look(self, payment_id: str) -> None:
        """The clock's own question: later, without any news."""
        self.world.clock.turn(timedelta(minutes=3))
        await check_due_payments(self.world.shop)
        await check_payment(self.world.shop, payment_id)


@contextlib.asynccontextmanager
async def open_till(world: World, cashier: Cashier) -> AsyncIterator[Till]:
    """A till that listens, closed at the end."""
    till = Till(world, cashier)
    app: Any = build_app(world.door(), ROUTES)  # its own: routes are added
    till.simulated.add_routes(app, f"/sandbox/{cashier.gateway.provider}")
    async with served(app, till.port):
        try:
            yield till
        finally:
            await world.settle()
            await till.simulated.aclose()
            for provider in world.shop.providers.values():
                await provider.aclose()
            await till.browser.aclose()
            await till.http.aclose()


@pytest.mark.anyio
class PaymentLife:
    """Subclass it and provide the fixture `cashier`."""

    @pytest.fixture
    async def till(self, world: World, cashier: Cashier) -> AsyncIterator[Till]:
        async with open_till(world, cashier) as opened:
            yield opened

    async def test_it_starts_with_something_to_do_for_the_exact_amount(self, till: Till) -> None:
        payment = await till.start(25_500)
        method = next(m for m in till.world.shop.methods if m.method == till.cashier.method)
        assert (payment["status"], payment["action"]["kind"]) == ("action_required", method.kind)
        asked = {"LYD": (35.5, "LYD"), "USD": (RATE.cents(35_500) / 100, "USD")}[method.currency]
        assert (payment["amount"], payment["currency"]) == asked
        assert payment["id"] not in str(payment["action"]).replace(f"/pay/{payment['id']}", "")

    async def test_it_is_paid_once_and_the_books_know(self, till: Till) -> None:
        payment = await till.start()
        await till.act(payment, "pay")
        await self._is_paid(till, payment)
        (receipt,) = await payments.list_receipts(till.world.db, payment["id"])
        assert receipt.applied
        assert receipt.amount_dirhams == 35_500
        assert await find_faults(till.world.db) == []
        await self._is_noted(till)

    async def test_what_nobody_acted_on_is_not_paid(self, till: Till) -> None:
        payment = await till.start()
        await till.look(payment["id"])
        assert (await till.order())["paymentStatus"] == "pending"
        assert (await till.payment(payment["id"]))["status"] == "action_required"

    async def test_a_declined_attempt_pays_nothing_and_another_may_follow(self, till: Till) -> None:
        if "decline" not in till.cashier.features:
            return
        payment = await till.start()
        await till.act(payment, "decline")
        assert (await till.order())["paymentStatus"] in ("pending", "failed")
        assert await payments.list_receipts(till.world.db, payment["id"]) == []
        second = await till.again()
        await till.act(second, "pay")
        await self._is_paid(till, second)
        assert await find_faults(till.world.db) == []

    async def test_a_cancelled_attempt_pays_nothing(self, till: Till) -> None:
        if "cancel" not in till.cashier.features:
            return
        payment = await till.start()
        await till.act(payment, "cancel")
        assert (await till.order())["paymentStatus"] in ("pending", "failed")
        assert await payments.list_receipts(till.world.db, payment["id"]) == []

    async def test_after_a_restart_in_the_middle_it_goes_on(self, till: Till) -> None:
        payment = await till.start()
        till.restart()
        await till.act(payment, "pay")
        await self._is_paid(till, payment)

    async def test_news_twice_counts_once(self, till: Till) -> None:
        if not await till.err("twice"):
            return
        payment = await till.start()
        await till.act(payment, "pay")
        await self._is_paid(till, payment)
        assert len(await payments.list_receipts(till.world.db, payment["id"])) == 1
        assert await find_faults(till.world.db) == []

    async def test_without_any_news_the_shop_asks_by_itself(self, till: Till) -> None:
        if not await till.err("silent"):
            return
        payment = await till.start()
        await till.act(payment, "pay")
        await till.look(payment["id"])
        if "query" in till.cashier.features:
            await self._is_paid(till, payment)
        else:
            assert (await till.order())["paymentStatus"] == "pending"

    async def test_money_taken_in_silence_is_unclear_until_it_is_known(self, till: Till) -> None:
        if not await till.err("charged, then silent"):
            return
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

    async def test_forged_news_moves_nothing(self, till: Till) -> None:
        if not await till.err("forged"):
            return
        payment = await till.start()
        await till.act(payment, "pay")
        if "query" in till.cashier.features:
            return  # it may only have been a reason to ask, and the money is there
        assert (await till.order())["paymentStatus"] == "pending"
        assert await payments.list_receipts(till.world.db, payment["id"]) == []

    async def test_another_amount_never_pays_the_order(self, till: Till) -> None:
        if not await till.err("wrong amount"):
            return
        payment = await till.start()
        await till.act(payment, "pay")
        await till.look(payment["id"])
        assert (await till.order())["paymentStatus"] != "paid"
        for receipt in await payments.list_receipts(till.world.db, payment["id"]):
            assert (receipt.applied, receipt.reason) == (False, "amount_differs")
        assert await find_faults(till.world.db) == []

    async def test_a_gateway_that_is_down_decides_nothing(self, till: Till) -> None:
        if not await till.err("down"):
            return
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

    async def test_late_money_of_an_expired_order_waits_in_suspense(self, till: Till) -> None:
        payment = await till.start()
        till.world.clock.turn(timedelta(hours=3))
        await expire_order(till.world.shop, till.order_id)
        assert (await till.order())["status"] == "cancelled"
        await till.act(payment, "pay")
        await till.look(payment["id"])
        order = await till.order()
        assert (order["status"], order["paymentStatus"]) != ("pending", "paid")
        receipts = await payments.list_receipts(till.world.db, payment["id"])
        assert all((r.applied, r.reason) == (False, "order_closed") for r in receipts)
        assert await find_faults(till.world.db) == []

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

    async def test_a_part_of_the_money_goes_back(self, till: Till) -> None:
        payment = await till.start()
        await till.act(payment, "pay")
        with pytest.raises(RefundTooLarge):
            await self._refund(till, 35_501)
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

    async def _refund(self, till: Till, dirhams: int | None) -> Refund:
        wanted = RefundWanted(reason="a test", amount_dirhams=dirhams)
        opened = await open_refunds(till.world.shop, till.order_id, wanted, TESTER, NotOnce())
        return opened[0]
