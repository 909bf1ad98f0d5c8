"""The simulated Moamalat gateway on a real port, and a provider that talks to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import falcon.asgi
import msgspec

from eishro.adapters.http import HttpxHttp
from eishro.adapters.payments.moamalat import Config, Moamalat
from eishro.clock import ManualClock
from eishro.domain.payments.port import Action, Claim, Intent, Lightbox
from eishro.outward import Http
from eishro.sandbox.moamalat import Faults, Merchant, Simulator
from eishro.sandbox.moamalat_door import SimulatorDoor
from eishro.sandbox.moamalat_wire import sign
from tests.adapters.payments.vectors import KEY_A, KEY_B, MID, TID
from tests.servers.embedded import served
from tests.servers.ports import free_port
from tests.stamps import MemoryStamps

PREFIX = "/sandbox/moamalat"
GOOD_CARD = "6394993077260781"
POOR_CARD = "6394990000000051"


class Gateway:
    """The simulator behind HTTP, the merchant's webhook, and what has arrived there."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{PREFIX}"
        self.http = HttpxHttp()
        self.arrived: list[tuple[dict[str, str], bytes]] = []
        self.slept: list[float] = []
        self.merchant = Merchant(MID, TID, KEY_A, KEY_B)
        self.simulator = Simulator(self.merchant, clock, self._notify, sleep=self.sleep)
        self.app: Any = falcon.asgi.App()
        SimulatorDoor(self.simulator).add_routes(self.app, PREFIX)
        self.app.add_route("/webhook", self)

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """The merchant's webhook."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.arrived.append((headers, await request.stream.read()))
        response.media = {"Message": "Success", "Success": True}

    async def sleep(self, seconds: float) -> None:
        """Time goes by at once."""
        self.slept.append(seconds)
        self.clock.turn(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    def provider(
        self, *, stamps: MemoryStamps | None = None, http: Http | None = None, **changes: Any
    ) -> Moamalat:
        """A provider for the simulator's terminal."""
        config = msgspec.structs.replace(self.config, **changes)
        return Moamalat(
            config, http or self.http, stamps or MemoryStamps(), self.clock, sleep=self.sleep
        )

    @property
    def config(self) -> Config:
        return Config(
            merchant_id=MID,
            terminal_id=TID,
            secret_key=KEY_A,
            notification_key=KEY_B,
            base_url=f"{self.url}/cube/paylink.svc/api/",
            lightbox_url=f"{self.url}/js/lightbox.js",
        )

    async def _notify(self, body: dict[str, Any]) -> None:
        await self.http.post_json(f"http://127.0.0.1:{self.port}/webhook", body)


@contextlib.asynccontextmanager
async def open_gateway() -> AsyncIterator[Gateway]:
    """A gateway that listens, stopped at the end."""
    gateway = Gateway(ManualClock())
    async with served(gateway.app, gateway.port):
        try:
            yield gateway
        finally:
            await gateway.simulator.aclose()
            await gateway.http.aclose()


class MoamalatPlayer:
    """Plays payer and gateway for the contract suite."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.provider = gateway.provider()
        self._read = 0
        self._count = 0

    def intent(self, amount_dirhams: int = 25_500) -> Intent:
        self._count += 1
        return Intent(
            reference=f"CNTR{self._count:08d}",
            amount_dirhams=amount_dirhams,
            created_at=self.gateway.clock.now(),
        )

    async def pay(self, action: Action) -> Mapping[str, object]:
        return await self._play(action, GOOD_CARD)

    async def decline(self, action: Action) -> Mapping[str, object]:
        return await self._play(action, POOR_CARD)

    def cancel(self, action: Action) -> Mapping[str, object]:
        return {"cancelled": True}

    async def undo(self, intent: Intent) -> None:
        simulator = self.gateway.simulator
        sale = next(row for row in simulator.transactions if row.reference == intent.reference)
        status, reply = simulator.refund(refund_body(self.gateway, sale.transaction_id, intent))
        assert (status, reply["Success"]) == (200, True)

    async def news(self) -> list[Claim]:
        await self.gateway.simulator.settle()
        arrived = self.gateway.arrived[self._read :]
        self._read = len(self.gateway.arrived)
        return [self.provider.parse_webhook(headers, raw) for headers, raw in arrived]

    def misbehave(self, what: str) -> None:
        self.gateway.simulator.faults = {
            "nothing": Faults(),
            "knows nothing yet": Faults(filter_not_found_times=2),
            "tells twice": Faults(notify="twice"),
            "tells in another order": Faults(reorder_notifications=True),
            "forges": Faults(forge_notification=True),
            "is broken": Faults(filter_status=500),
        }[what]

    async def _play(self, action: Action, card: str) -> Mapping[str, object]:
        assert isinstance(action, Lightbox)
        return await self.gateway.simulator.pay(action.parameters, card=card)


def refund_body(gateway: Gateway, transaction_id: str, intent: Intent) -> dict[str, Any]:
    """A RefundTransaction of everything, signed independently of the adapter."""
    gateway.clock.turn(timedelta(seconds=30))  # a stamp that is new
    stamp = (gateway.clock.now() + timedelta(hours=2)).strftime("%Y%m%d%H%M%S")
    signed = {"DateTimeLocalTrxn": stamp, "MerchantId": MID, "TerminalId": TID}
    return {
        **signed,
        "SecureHash": sign(KEY_A, signed),
        "AmountTrxn": str(intent.amount_dirhams),
        "SystemReference": transaction_id,
    }
