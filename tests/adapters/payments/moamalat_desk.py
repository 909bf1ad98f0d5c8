"""A provider whose calls are watched, and a payer at the simulated gateway."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from eishro.domain.payments.port import Answer, Intent, Lightbox
from eishro.outward import Http, HttpReply
from tests.adapters.payments.moamalat_gateway import GOOD_CARD, Gateway
from tests.stamps import MemoryStamps


class Watched:
    """An `Http` that lets through what it notes; `hold` keeps calls back until it is set."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.bodies: list[dict[str, Any]] = []
        self.hold: asyncio.Event | None = None
        self.sent = asyncio.Event()
        self.running = 0
        self.running_max = 0

    async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
        self.bodies.append(dict(body))
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        self.sent.set()
        try:
            reply = await self._http.post_json(url, body, **more)
            if self.hold is not None:  # the gateway has decided, its answer is on the way
                await self.hold.wait()
            return reply
        finally:
            self.running -= 1

    @property
    def stamps(self) -> list[str]:
        return [body["DateTimeLocalTrxn"] for body in self.bodies]


class Desk:
    """A provider, what it sends, and a payer at the simulated gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.simulator = gateway.simulator
        self.http = Watched(gateway.http)
        self.stamps = MemoryStamps()
        self.provider = gateway.provider(http=self.http, stamps=self.stamps)

    def intent(self, number: int = 1, **changes: Any) -> Intent:
        usual = Intent(
            reference=f"ORD-{number:06d}",
            amount_dirhams=25_500,
            created_at=self.gateway.clock.now(),
        )
        return msgspec.structs.replace(usual, **changes)

    async def pay(self, intent: Intent, card: str = GOOD_CARD) -> dict[str, Any]:
        action = (await self.provider.start(intent)).action
        assert isinstance(action, Lightbox)
        return await self.simulator.pay(action.parameters, card=card)

    async def ask(self, *intents: Intent) -> list[Answer]:
        return list(await asyncio.gather(*(self.provider.query(intent) for intent in intents)))
