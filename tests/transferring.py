"""A store that takes transfers, and what its buyers and people send."""

import struct
from datetime import timedelta
from typing import Any

import httpx
import msgspec

from eishro.domain.stores.model import TransferAccount
from eishro.flows.sign_in import SignedIn
from tests.shops import World, bearer, changed

IBAN = "LY83002048000020100120361"
ACCOUNT = TransferAccount(beneficiary="شركة الواحة", bank="wb", iban=IBAN, latin_name="Waha Co")
# The first bytes of pictures: nothing else of them is looked at.
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 800, 600) + b"\x08\x02\0\0\0"
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x02\x58\x03\x20\x03"


class Counter:
    """One store, its owner, and a client of the shop's door."""

    def __init__(self, world: World, owner: SignedIn) -> None:
        assert owner.store is not None
        self.world = world
        self.owner = bearer(owner)
        self.store = owner.store.id
        self.client = world.client()

    async def order(self, *, price: int = 25_500, method: str = "bank_transfer") -> str:
        """A new order; 10 dinars of delivery come on top of the price."""
        state = await self.world.product(self.store, price=price, stock=5)
        return (await self.world.order(state, method=method)).order.id

    async def start(self, order_id: str, method: str = "bank_transfer") -> dict[str, Any]:
        """A payment begun for the order."""
        reply = await self.client.post(
            f"/api/orders/{order_id}/payments", json={"method": method}, headers=self.owner
        )
        assert reply.status_code == 201, reply.text
        return dict(reply.json()["data"])

    async def payment(self, **order: Any) -> dict[str, Any]:
        """A payment by transfer of a new order."""
        return await self.start(await self.order(**order))

    async def prove(
        self, payment_id: str, image: bytes | None = PNG, **fields: str
    ) -> httpx.Response:
        """The payer shows the transfer."""
        day = self.world.clock.now().date().isoformat()
        data = {
            "senderName": "فاطمة علي",
            "bank": "مصرف الجمهورية",
            "date": day,
            "bankReference": "FT-٢٦٠١ 5a",
            **fields,
        }
        parts: dict[str, Any] = {name: (None, text) for name, text in data.items()}
        if image is not None:
            parts["file"] = ("receipt.png", image)
        return await self.client.post(f"/api/payments/{payment_id}/proof", files=parts)

    async def say(self, payment_id: str, verb: str, **body: Any) -> httpx.Response:
        """The store's owner verifies, rejects or settles."""
        return await self.client.post(
            f"/api/stores/{self.store}/payments/{payment_id}/{verb}", json=body, headers=self.owner
        )

    async def statement(self, text: str | bytes, **fields: str) -> httpx.Response:
        """The store's owner imports a statement."""
        parts: dict[str, Any] = {name: (None, value) for name, value in fields.items()}
        content = text.encode() if isinstance(text, str) else text
        parts["file"] = ("statement.csv", content)
        return await self.client.post(
            f"/api/stores/{self.store}/statements", files=parts, headers=self.owner
        )

    async def get(self, path: str) -> Any:
        """What the owner is answered at a path below the store."""
        reply = await self.client.get(f"/api/stores/{self.store}{path}", headers=self.owner)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]

    async def read(self, payment_id: str) -> dict[str, Any]:
        """The payment as its payer sees it."""
        return dict((await self.client.get(f"/api/payments/{payment_id}")).json()["data"])

    async def read_order(self, order_id: str) -> dict[str, Any]:
        """The order."""
        reply = await self.client.get(f"/api/orders/{order_id}", headers=self.owner)
        return dict(reply.json()["data"])


async def counter(world: World, **settings: Any) -> Counter:
    """A store that takes transfers."""
    settings.setdefault("transfer_account", ACCOUNT)
    # The clock is turned by days, and the owner stays signed in.
    rules = msgspec.structs.replace(world.shop.rules, access_token=timedelta(days=20))
    world.shop = changed(world.shop, rules=rules)
    return Counter(world, await world.merchant(**settings))


def reference_of(payment: dict[str, Any]) -> str:
    """What the payer writes on the transfer."""
    return str(payment["action"]["details"]["reference"])
