"""A process that buys, pays, is told of it and gives the money back, and kills itself at a commit.

    python -m tests.simulation.doomed DATABASE_URL FOLDER COMMIT before|after

SIGKILL leaves no chance to finish or tidy anything. What the gateway knows is kept in a file, since
a gateway does not die with its customers. Without a COMMIT to die at (0), the story ends well.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

from eishro.db import idempotency
from eishro.db.database import Database
from eishro.db.opening import open_database
from eishro.db.statements import Batch, Query
from eishro.domain.orders.model import Wanted
from eishro.domain.payments import sql as payments
from eishro.domain.payments.port import RefundAnswer, Refunded, RefundIntent
from eishro.domain.payments.refund_amounts import RefundWanted
from eishro.flows.pay_order import work_off_news
from eishro.flows.place_order import place_order
from eishro.flows.price_order import PlaceOrder
from eishro.flows.refund_order import open_refunds
from eishro.flows.send_refund import send_refund
from eishro.flows.shop import Shop
from eishro.flows.start_payment import start_payment
from eishro.flows.store_news import store_news
from tests.dummy_provider import DummyProvider
from tests.shops import TESTER, World, changed, open_world
from tests.simulation.universe import Key

T = TypeVar("T")


class Paper(msgspec.Struct):
    """What the gateway has written down: dirhams it took, by reference; what it gave back, of which
    money, and under which number.
    """

    taken: dict[str, int] = {}
    given: list[tuple[str, int, str]] = []


class PaperGateway(DummyProvider):
    """The dummy provider with a memory in a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / "gateway.json"

    @property
    def paper(self) -> Paper:
        """What is written down now."""
        if not self._path.exists():
            return Paper()
        return msgspec.json.decode(self._path.read_bytes(), type=Paper)

    def write(self, paper: Paper) -> None:
        """Write it down, whole or not at all."""
        draft = self._path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(paper))
        draft.replace(self._path)

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """Once for who asks first, as the port promises."""
        paper = self.paper
        if wanted.sent_at is not None:
            for receipt, dirhams, number in paper.given:
                same = (receipt, dirhams) == (wanted.receipt_reference, wanted.amount_dirhams)
                if same and number not in wanted.known:
                    return Refunded(number)
        number = f"r{len(paper.given)}"
        paper.given.append((wanted.receipt_reference, wanted.amount_dirhams, number))
        self.write(paper)
        return Refunded(number)

    def recall(self) -> None:
        """Answer from now on as the paper says."""
        for reference, dirhams in self.paper.taken.items():
            self.pay(reference, dirhams)


class DoomedDatabase:
    """The `Database` port; kills its process at the commit it is told."""

    def __init__(self, db: Database, dies_at: int, *, applies: bool) -> None:
        self.engine = db.engine
        self._db = db
        self._left = dies_at
        self._applies = applies

    async def one(self, query: Query[T], **values: object) -> T | None:
        return await self._db.one(query, **values)

    async def all(self, query: Query[T], **values: object) -> list[T]:
        return await self._db.all(query, **values)

    async def commit(self, batch: Batch) -> None:
        self._left -= 1
        if self._left == 0 and not self._applies:
            os.kill(os.getpid(), signal.SIGKILL)
        await self._db.commit(batch)
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async def run_script(self, script: str) -> None:
        await self._db.run_script(script)

    async def aclose(self) -> None:
        await self._db.aclose()


def world_of(world: World, gateway: PaperGateway, db: Database | None = None) -> World:
    """The same world with this gateway (and this database)."""
    members = {"providers": {"moamalat": gateway}} | ({"db": db} if db else {})
    return World(changed(world.shop, **members), world.clock, gateway)


async def story(
    shop: Shop, gateway: PaperGateway, name: str, store_id: int, product: tuple[int, int]
) -> str:
    """Buy two pieces, pay, be notified, get all of it back; whoever tells it again with the same
    keys gets on with it.

    Returns: the order's id.
    """
    order_id = await _place(shop, name, store_id, product)
    key = Key(shop, f"start {name}")
    payment_id = await key.made()
    if payment_id is None:
        payment_id = (await start_payment(shop, order_id, "moamalat", None, TESTER, key)).id
    payment = await payments.get_payment(shop.db, payment_id)
    paper = gateway.paper
    if payment.reference not in paper.taken:  # the payer pays once
        paper.taken[payment.reference] = payment.amount_dirhams
        gateway.write(paper)
    gateway.recall()
    body = {"signature": "good", "reference": payment.reference, "event": name}
    claim = gateway.parse_webhook({}, msgspec.json.encode(body))
    news = await store_news(shop, gateway.name, claim)
    assert news is not None
    await work_off_news(shop, news)
    refund = Key(shop, f"refund {name}")
    refund_id = await refund.made()
    if refund_id is None:
        wanted = RefundWanted(reason="changed my mind")
        (made,) = await open_refunds(shop, order_id, wanted, TESTER, refund)
        refund_id = made.id
    await send_refund(shop, refund_id)
    return order_id


async def _place(shop: Shop, name: str, store_id: int, product: tuple[int, int]) -> str:
    key = Key(shop, f"place {name}")
    command = PlaceOrder(
        store_id=store_id,
        items=(Wanted(product[0], 2, product[1]),),
        customer_user_id=None,
        customer_name="فاطمة علي",
        customer_phone="+218912345678",
        customer_email=None,
        city_code="tripoli",
        area=None,
        address="شارع الجمهورية",
        shipping_notes=None,
        shipping_method="standard",
        payment_method="moamalat",
        notes=None,
    )
    try:
        return (await place_order(shop, command, TESTER, key)).order.id
    except idempotency.AlreadyClaimed:
        made = await key.made()
        if made is None:
            raise
        return made


async def _main(url: str, folder: Path, dies_at: int, *, applies: bool) -> None:
    store_id, product_id, variant_id = msgspec.json.decode((folder / "cast.json").read_bytes())
    db = DoomedDatabase(await open_database(url), dies_at, applies=applies)
    async with open_world(url, folder) as world:
        gateway = PaperGateway(folder)
        doomed = world_of(world, gateway, db)
        await story(doomed.shop, gateway, folder.name, store_id, (product_id, variant_id))
    await db.aclose()


if __name__ == "__main__":
    asyncio.run(
        _main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), applies=sys.argv[4] == "after")
    )
