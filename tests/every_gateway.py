"""A world in which the platform has an account at every gateway, and what they all answer."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec

from eishro.adapters.payments import GATEWAYS, METHODS
from eishro.domain.payments.gateways import Tools
from eishro.domain.payments.port import Payer
from eishro.domain.payments.rates import UsdRate
from eishro.domain.payments.transfers import Beneficiary
from eishro.outward import HttpReply, NoReply
from tests.shops import World, changed
from tests.stamps import MemoryStamps

RATE = UsdRate(4_850_000, "test")
SILENCE = NoReply("timed out", sent=True)
# Satisfies every gateway that asks for something.
PAYER = Payer(phone="+218911234567", birth_year=1990, card="123456789")
ACCOUNT = Beneficiary(
    name="متجر",
    bank="wb",
    iban="LY83002048000020100120361",
    latin_name="Shop",
    institution="002 - Wahda Bank",
)


class Wire:
    """Every call out, answered by `answer`; `sent` holds the addresses."""

    def __init__(self) -> None:
        self.answer: HttpReply | NoReply = SILENCE
        self.sent: list[str] = []

    async def get(self, url: str, **_: Any) -> HttpReply:
        return self._answer(url)

    async def post_json(self, url: str, body: Mapping[str, object], **_: Any) -> HttpReply:
        del body
        return self._answer(url)

    async def post_form(self, url: str, form: Mapping[str, str], **_: Any) -> HttpReply:
        del form
        return self._answer(url)

    async def send(
        self, method: Literal["POST", "PUT"], url: str, content: bytes, **_: Any
    ) -> HttpReply:
        return self._answer(url)

    def _answer(self, url: str) -> HttpReply:
        self.sent.append(url)
        if isinstance(self.answer, NoReply):
            raise self.answer
        return self.answer


@asynccontextmanager
async def every_gateway(world: World) -> AsyncIterator[Wire]:
    """All of them built with the simulators' credentials; calls end at the wire that is given."""
    wire, desk = Wire(), world.shop.gateways
    health, journal = desk.health, world.shop.journal
    tools = Tools(wire, MemoryStamps(), world.clock, "http://shop.test", journal, health)
    providers = {
        gateway.provider: gateway.build(
            gateway.simulated({}, "https://gateway.test"), tools.of(gateway.provider)
        )
        for gateway in GATEWAYS
    }
    world.shop = changed(
        world.shop,
        providers=providers,
        methods=METHODS,
        rules=msgspec.structs.replace(world.shop.rules, usd=RATE, transfer_account=ACCOUNT),
    )
    try:
        yield wire
    finally:
        for provider in providers.values():
            await provider.aclose()
