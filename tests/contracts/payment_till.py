"""A shop with one gateway's simulator beside it, and how its payer acts: what the suite of a
payment's life stands on.
"""

import abc
import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Literal

import httpx
import msgspec

from eishro.adapters.http import HttpxHttp
from eishro.adapters.payments import METHODS
from eishro.domain.payments.gateways import Gateway, Tools
from eishro.domain.payments.port import PaymentProvider
from eishro.domain.payments.rates import UsdRate
from eishro.flows.pay_order import check_payment
from eishro.jobs.ask_gateways import check_due_payments
from eishro.outward import WebHttp
from eishro.sandbox.simulators import SIMULATORS, Simulated
from eishro.web.api import ROUTES
from eishro.web.asgi import build_app
from tests.contracts.payment_steps import Fault, Feature, Step
from tests.servers.embedded import served
from tests.servers.ports import free_port
from tests.shops import World, bearer, changed, order_body
from tests.stamps import MemoryStamps

Act = Literal["pay", "decline", "cancel"]
RATE = UsdRate(4_850_000, "test")


class Cashier(abc.ABC):
    """A gateway, and how its payer acts; subclasses say the rest."""

    gateway: Gateway
    method: str
    features: frozenset[Feature]
    payer: Mapping[str, Any] = {}  # what the payer gives to start, as JSON members of the body
    faults: Mapping[Fault, Mapping[str, Any]] = {}  # the body of PUT …/faults for each
    noes: Mapping[Step, str] = {}  # why it does not have a step by itself
    settings: Mapping[str, Any] = {}  # of the store
    keeps_receipts = True  # cash is counted apart
    speaks = True  # calls are made, and noted; a transfer has none
    expiry = timedelta(hours=3)  # after it the order is not waited for any more

    def simulate(self, till: "Till") -> Simulated:
        """The simulator beside the shop."""
        build = SIMULATORS[self.gateway.provider]
        return build(till.fields, till.world.clock, till.http)

    @abc.abstractmethod
    async def act(self, till: "Till", payment: dict[str, Any], what: Act) -> None:
        """The payer acts at the simulator, and what the browser brings back is brought back."""

    async def repeat(self, till: "Till", payment: dict[str, Any]) -> None:
        """What told of the money tells of it again."""
        await self.act(till, payment, "pay")

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
        self.store_id = 0
        self.owner: dict[str, str] = {}  # headers of whoever decides at the store's desk
        self.is_silent = False  # then the browser brings nothing back either
        self._providers: dict[str, PaymentProvider] = {}
        self.restart()
        world.shop = changed(
            world.shop,
            providers=self._providers,
            methods=tuple(m for m in METHODS if m.provider in (None, provider)),
            rules=msgspec.structs.replace(
                world.shop.rules,
                public_url=self.url,
                usd=RATE,
                access_token=timedelta(days=20),  # the clock is turned by days
            ),
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
        merchant = await self.world.merchant(**self.cashier.settings)
        assert merchant.store is not None
        self.store_id, self.owner = merchant.store.id, bearer(merchant)
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

    async def staff(self, path: str, **request: Any) -> httpx.Response:
        """The store's owner does something below the store's address."""
        address = f"/api/stores/{self.store_id}{path}"
        return await self.browser.post(address, headers=self.owner, **request)

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
