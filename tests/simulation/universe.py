"""A random shop: its database outlives its processes, its gateway and its clock do too."""

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

from eishro.adapters.cache.memory import MemoryKeyValue
from eishro.adapters.documents.typst_press import TypstPress
from eishro.adapters.files.folder import FolderFiles
from eishro.adapters.mail.outbox import OutboxMail
from eishro.adapters.payments import METHODS
from eishro.adapters.payments.journal import MemoryJournal
from eishro.adapters.sms.outbox import OutboxSms
from eishro.clock import ManualClock
from eishro.db import idempotency
from eishro.db.database import Database
from eishro.db.id_blocks import IntegerIds
from eishro.db.statements import Statement
from eishro.domain.accounts.model import Caller
from eishro.domain.orders.model import Wanted
from eishro.flows import pay_out
from eishro.flows.edit_product import ProductDraft, create_product
from eishro.flows.gateway_desk import GatewayDesk
from eishro.flows.pay_out import BankDetails
from eishro.flows.price_list import PriceList
from eishro.flows.price_order import PlaceOrder
from eishro.flows.product_card import ProductState
from eishro.flows.secure_account import Proof
from eishro.flows.set_commission import set_commission
from eishro.flows.shop import NotOnce, Rules, Shop
from eishro.keyring import Keyring
from tests.shops import SECRET, TESTER, World
from tests.simulation.crashes import MortalDatabase, Trail
from tests.simulation.gateway import BadGateway

PRODUCTS = 8  # of each store; few, so that they run out
CITIES = ("tripoli", "benghazi", "sabha")
BANK = BankDetails("متجر", "مصرف الجمهورية", "LY83002048000020100120361")


class Key:
    """An idempotency key that keeps the id of what was made; a buyer repeats with the same one."""

    def __init__(self, shop: Shop, key: str) -> None:
        self._shop = shop
        self.key = key

    def claim(self, result: Any) -> tuple[Statement, ...]:
        now = self._shop.clock.now()
        placed = getattr(result, "placed", result)  # a draft's answer holds the order's
        made = placed.order.id if hasattr(placed, "order") else placed.id
        return idempotency.claim(
            "simulation",
            self.key,
            "",
            (201, made),
            sealed=False,
            now=now,
            expires_at=now + timedelta(days=1),
        )

    async def made(self) -> str | None:
        """The id that was kept under the key, if the batch came through."""
        found = await self._shop.db.one(
            idempotency.FIND, scope="simulation", key=self.key, now=self._shop.clock.now()
        )
        return found.body if found else None


class Universe:
    """Everything that survives a crash, and the `shop` of the process that lives now."""

    def __init__(self, db: Database, folder: Path, rng: random.Random) -> None:
        self.rng = rng
        self.clock = ManualClock()
        self.gateway = BadGateway(rng, self.clock.now)
        self.crashes = 0
        self.refused: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.stores: list[int] = []
        self.products: dict[int, list[ProductState]] = {}
        self.live: list[str] = []  # orders that still move
        self.attempts: list[str] = []
        self.recounted = False  # a merchant counted anew in this step
        self.owners: dict[int, int] = {}  # of each store
        self.admins: list[int] = []
        self.codes: dict[int, list[str]] = {}  # of each store's coupons, living and dead
        self.drafts: list[tuple[int, str]] = []  # with their stores
        self.placed: dict[str, str] = {}  # orders, by their drafts
        self.relimited: set[str] = set()  # promotions whose limits were changed
        self.by_hand: dict[str, str] = {}  # refunds that people gave, and the gateway's numbers
        self.trail = Trail()
        self._real = db
        self._folder = folder
        self.start()

    def start(self) -> None:
        """A new process: nothing is remembered but what the database holds."""
        self.db = MortalDatabase(self._real, self.rng, self.trail)
        self.shop = Shop(
            db=self.db,
            kv=MemoryKeyValue(self.clock),
            files=FolderFiles(self._folder / "files"),
            mail=OutboxMail(self._folder / "mail"),
            press=TypstPress(),
            sms=OutboxSms(self._folder / "sms"),
            clock=self.clock,
            ids=IntegerIds(self.db),
            prices=PriceList(self.db),
            hasher=None,  # type: ignore[arg-type]  # nobody signs in here
            keyring=Keyring([SECRET]),
            providers={"moamalat": self.gateway},
            methods=tuple(m for m in METHODS if m.provider in (None, "moamalat")),
            journal=MemoryJournal(self.clock),
            # No store has credentials of its own here.
            gateways=GatewayDesk((), None, is_production=False, keeps=True),  # type: ignore[arg-type]
            rules=Rules(public_url="http://shop.test"),
        )

    async def open_stores(self, world: World) -> None:
        """Two stores with a few products each, some counted, some not; of the second the platform
        keeps a share. And three admins.
        """
        self.admins = [(await world.admin()).user.id for _ in range(3)]
        for rounding in (0, 250):
            merchant = await world.merchant(cod_rounding_dirhams=rounding)
            assert merchant.store is not None
            store_id = merchant.store.id
            self.stores.append(store_id)
            self.owners[store_id] = merchant.user.id
            await world.zone(store_id, "tripoli", dirhams=5_000, cod_fee_dirhams=2_505)
            await world.zone(store_id, dirhams=15_000, free_above_dirhams=200_000)
            await self.name_bank(store_id)
            self.products[store_id] = [
                await create_product(
                    self.shop,
                    store_id,
                    ProductDraft(
                        name=f"سلعة {number}",
                        price_dirhams=self.rng.choice([1, 999, 10_000, 25_505, 123_456]),
                        stock=None if number == 0 else self.rng.randint(20, 200),
                    ),
                    TESTER,
                    NotOnce(),
                )
                for number in range(PRODUCTS)
            ]
        await set_commission(self.shop, self.stores[1], 275, "a contract", TESTER)

    async def name_bank(self, store_id: int) -> None:
        """The owner, who has just signed in, says where the store's money is to go."""
        caller = Caller(
            name="owner",
            user_id=self.owners[store_id],
            role="merchant",
            login_at=self.clock.now(),
        )
        proof = Proof(caller=caller, session_id="", actor=TESTER)
        await pay_out.change_bank_account(self.shop, store_id, BANK, proof, TESTER)

    def command(self, store_id: int | None = None) -> PlaceOrder:
        """Some order that somebody may send."""
        rng = self.rng
        store_id = store_id or rng.choice(self.stores)
        chosen = rng.sample(self.products[store_id], rng.choice([1, 1, 2, 3]))
        codes = self.codes.get(store_id, [])
        return PlaceOrder(
            store_id=store_id,
            items=tuple(
                Wanted(one.product.id, rng.choice([1, 1, 2, 5]), one.variants[0].id)
                for one in chosen
            ),
            customer_user_id=None,
            customer_name="فاطمة علي",
            customer_phone=f"+21891{rng.randint(1_000_000, 1_000_020)}",
            customer_email=None,
            city_code=rng.choice(CITIES),
            area=None,
            address="شارع الجمهورية",
            shipping_notes=None,
            shipping_method="standard",
            payment_method=rng.choice(["moamalat", "moamalat", "cod"]),
            notes=None,
            coupon_code=rng.choice(codes) if codes and rng.random() < 0.4 else None,
        )

    def count(self, book: dict[str, int], name: str) -> None:
        """One more of it."""
        book[name] = book.get(name, 0) + 1
