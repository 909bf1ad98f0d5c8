"""A whole shop for a test: real database, everything else in the process, a clock to turn."""

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import httpx
import msgspec

from eishro.adapters.bcrypt_hasher import BcryptHasher
from eishro.adapters.cache.memory import MemoryKeyValue
from eishro.adapters.documents.typst_press import TypstPress
from eishro.adapters.files.folder import FolderFiles
from eishro.adapters.http import HttpxHttp
from eishro.adapters.mail.outbox import OutboxMail
from eishro.adapters.payments import GATEWAYS, METHODS
from eishro.adapters.payments.bank_transfer import BankTransfer
from eishro.adapters.payments.journal import MemoryJournal
from eishro.adapters.sms.outbox import OutboxSms
from eishro.cli.commands import add_admin
from eishro.clock import ManualClock
from eishro.db.audit import Actor
from eishro.db.database import Database
from eishro.db.id_blocks import IntegerIds
from eishro.db.opening import open_database
from eishro.db.stamps import DatabaseStamps
from eishro.domain.accounts.model import Caller
from eishro.domain.accounts.permissions import permissions_of
from eishro.domain.accounts.tokens import AccessTokens
from eishro.domain.discounts.model import Rule
from eishro.domain.discounts.promotion import Promotion
from eishro.domain.discounts.sql import get_coupon
from eishro.domain.drafts.model import Draft, DraftItem
from eishro.domain.orders.model import Wanted
from eishro.domain.payments.gateways import Tools
from eishro.domain.payments.transfers import PROVIDER
from eishro.domain.returns.model import Asked
from eishro.domain.shipping.zones import Rate, Zone
from eishro.domain.stores.model import StoreSettings
from eishro.flows import edit_staff
from eishro.flows.change_order import change_status
from eishro.flows.draft_orders import create_draft
from eishro.flows.edit_product import ProductDraft, create_product
from eishro.flows.edit_promotion import PromotionChange, create_promotion
from eishro.flows.edit_staff import Newcomer
from eishro.flows.edit_zones import ZoneChange, create_zone
from eishro.flows.gateway_desk import GatewayDesk
from eishro.flows.gateway_health import Breakers
from eishro.flows.open_store import NewStore
from eishro.flows.parcels import Parcel
from eishro.flows.pay_order import check_payment
from eishro.flows.place_order import Placed, place_order
from eishro.flows.price_list import PriceList
from eishro.flows.price_order import PlaceOrder
from eishro.flows.product_card import ProductState
from eishro.flows.return_goods import AskReturn, request_return
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce, Rules, Shop
from eishro.flows.sign_in import Device, Registration, SignedIn, login, register
from eishro.flows.start_payment import start_payment
from eishro.jobs.work_off_events import handle_events
from eishro.keyring import Keyring
from eishro.web.routes import Door, WebRules
from tests.doors import with_cache
from tests.dummy_provider import DummyProvider

TESTER = Actor(name="test")
PASSWORD = "a long enough password"  # noqa: S105 - for users that exist in tests only
SECRET = "a secret of the tests that is long enough"  # noqa: S105 - seals nothing else
_numbers = itertools.count(1)


class World:
    """A shop, what stands around it, and builders with sensible defaults."""

    def __init__(self, shop: Shop, clock: ManualClock, provider: DummyProvider) -> None:
        self.shop = shop
        self.clock = clock
        self.provider = provider
        self.tokens = AccessTokens(shop.keyring)
        self.working: set[asyncio.Future[object]] = set()

    @property
    def db(self) -> Database:
        """The shop's database."""
        return self.shop.db

    def client(self, rules: WebRules | None = None, /, **headers: str) -> httpx.AsyncClient:
        """An HTTP client of the shop's door, inside the process."""
        door = self.door(rules)
        # With the cache in front, as in a server; every client has one of its own, like a process.
        transport = httpx.ASGITransport(app=with_cache(door), raise_app_exceptions=False)
        return httpx.AsyncClient(
            transport=transport, base_url="http://shop.test", headers=headers, timeout=60
        )

    def door(self, rules: WebRules | None = None) -> Door:
        """The shop's HTTP door; without rate limits unless `rules` say otherwise."""
        return Door(
            shop=self.shop,
            tokens=self.tokens,
            rules=rules
            or WebRules(authenticated=None, anonymous=None, payments=None, staleness_seconds=0),
            clock=self.clock,
            background=self._in_background,
        )

    def _in_background(self, work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(work)
        self.working.add(task)

    async def letters(self, to: str) -> list[str]:
        """The links of what was mailed to somebody so far, oldest first; "" for none."""
        await handle_events(self.shop)
        mail = self.shop.mail
        assert isinstance(mail, OutboxMail)
        found: list[Any] = [letter for letter in reversed(mail.newest()) if letter["to"] == to]
        return [letter["links"][0] if letter["links"] else "" for letter in found]

    async def link(self, to: str, page: str) -> str:
        """The path of the last link to this page that was mailed."""
        links = [link for link in await self.letters(to) if f"/{page}?" in link]
        return links[-1].removeprefix("http://shop.test")

    async def token(self, to: str, page: str) -> str:
        """The token of that link."""
        return (await self.link(to, page)).partition("token=")[2]

    async def join(self, owner: SignedIn, role: str) -> SignedIn:
        """A new member of the owner's store, signed in."""
        assert owner.store is not None
        email = f"{role}{next(_numbers)}@example.ly"
        store_id = owner.store.id
        caller = Caller(
            name=f"user:{owner.user.id}",
            user_id=owner.user.id,
            role="merchant",
            permissions={store_id: permissions_of("owner")},
        )
        made = await edit_staff.invite(self.shop, store_id, caller, email, role, TESTER, NotOnce())
        token = edit_staff.invitation_token(self.shop, made)
        await edit_staff.accept(self.shop, token, None, Newcomer(PASSWORD, "علي", ""), TESTER)
        return await login(self.shop, self.tokens, email, PASSWORD, Device("", ""))

    async def api_key(self, owner: SignedIn, *scopes: str) -> dict[str, str]:
        """The header of a new key of the owner's store."""
        assert owner.store is not None
        reply = await self.client().post(
            f"/api/stores/{owner.store.id}/api-keys",
            json={"name": "x", "scopes": scopes},
            headers=bearer(owner),
        )
        return {"X-API-Key": reply.json()["data"]["key"]}

    async def address(self, person: SignedIn) -> str:
        """The id of a new address in the person's book."""
        body = {"name": "x", "phone": "0912345678", "city": "tripoli", "address": "x"}
        made = await self.client().post("/api/auth/addresses", json=body, headers=bearer(person))
        return str(made.json()["data"]["id"])

    async def texted(self, phone: str) -> list[str]:
        """The codes that were texted to a telephone so far, oldest first."""
        await handle_events(self.shop)
        sms = self.shop.sms
        assert isinstance(sms, OutboxSms)
        texts = [str(one["text"]) for one in reversed(sms.newest()) if one["to"] == phone]
        return [re.findall(r"code ([0-9]{6})", text)[0] for text in texts]

    async def settle(self) -> None:
        """Wait for what requests left in the background."""
        while self.working:
            await self.working.pop()

    async def merchant(self, *, store: bool = True, **settings: Any) -> SignedIn:
        """A merchant with a store, signed in."""
        number = next(_numbers)
        registration = Registration(
            email=f"merchant{number}@example.ly",
            password=PASSWORD,
            first_name="سالم",
            last_name="",
            phone=None,
            role="merchant",
            store=NewStore(
                name=f"متجر {number}", slug=f"store-{number}", settings=StoreSettings(**settings)
            )
            if store
            else None,
        )
        return await register(self.shop, self.tokens, registration, Device("", ""), NotOnce())

    async def customer(self) -> SignedIn:
        """A customer, signed in."""
        registration = Registration(
            email=f"customer{next(_numbers)}@example.ly",
            password=PASSWORD,
            first_name="مريم",
            last_name="",
            phone=None,
            role="customer",
            store=None,
        )
        return await register(self.shop, self.tokens, registration, Device("", ""), NotOnce())

    async def admin(self) -> SignedIn:
        """A platform admin, signed in."""
        email = f"admin{next(_numbers)}@example.ly"
        await add_admin(self.shop, email, PASSWORD)
        return await login(self.shop, self.tokens, email, PASSWORD, Device("", ""))

    async def product(
        self, store_id: int, *, stock: int | None = None, price: int = 25_500, **draft: Any
    ) -> ProductState:
        """A product; `price` in dirhams, `stock` None is untracked."""
        draft.setdefault("name", f"قميص قطني {next(_numbers)}")
        return await create_product(
            self.shop,
            store_id,
            ProductDraft(price_dirhams=price, stock=stock, **draft),
            TESTER,
            NotOnce(),
        )

    async def zone(self, store_id: int, *places: str, active: bool = True, **rate: Any) -> Zone:
        """A delivery zone with one rate; standard, 10 dinars, for the whole country if unsaid."""
        rate.setdefault("method", "standard")
        rate.setdefault("dirhams", 10_000)
        change = ZoneChange(
            name=f"منطقة {next(_numbers)}",
            places=places or ("*",),
            rates=(Rate(**rate),),
            is_active=active,
        )
        return await create_zone(self.shop, store_id, change, TESTER, NotOnce())

    def command(
        self, state: ProductState, quantity: int = 1, method: str = "moamalat"
    ) -> PlaceOrder:
        """An order request for the product's first variant."""
        return PlaceOrder(
            store_id=state.product.store_id,
            items=(Wanted(state.product.id, quantity, state.variants[0].id),),
            customer_user_id=None,
            customer_name="فاطمة علي",
            customer_phone="+218912345678",
            customer_email="buyer@example.ly",
            city_code="tripoli",
            area=None,
            address="شارع الجمهورية",
            shipping_notes=None,
            shipping_method="standard",
            payment_method=method,
            notes=None,
        )

    async def coupon(self, store_id: int, code: str = "EID", **change: Any) -> Rule:
        """A coupon as the calculation sees it; by default 10 % off."""
        change = {"kind": "percent", "value": 10_000, **change}
        await create_promotion(
            self.shop,
            store_id,
            PromotionChange(code=code, **change),
            TESTER,
            NotOnce(),
            is_coupon=True,
        )
        return await get_coupon(self.db, store_id, code)

    async def promotion(self, store_id: int, **change: Any) -> Promotion:
        """An automatic promotion; by default 10 % off."""
        change = {"kind": "percent", "value": 10_000, "name": "عرض", **change}
        return await create_promotion(
            self.shop, store_id, PromotionChange(**change), TESTER, NotOnce(), is_coupon=False
        )

    async def draft(self, state: ProductState, **members: Any) -> Draft:
        """A complete draft of one piece of the product, in cash; `members` of `Content` differ."""
        item = DraftItem(state.product.id, 1, state.variants[0].id)
        whole = {
            "items": (item,),
            "customer_name": "فاطمة علي",
            "customer_phone": "+218912345678",
            "city_code": "tripoli",
            "address": "شارع الجمهورية",
            "payment_method": "cod",
        }
        return await create_draft(
            self.shop, state.product.store_id, {**whole, **members}, None, TESTER, NotOnce()
        )

    async def order(
        self, state: ProductState, quantity: int = 1, method: str = "moamalat"
    ) -> Placed:
        """A placed order."""
        return await place_order(
            self.shop, self.command(state, quantity, method), TESTER, NotOnce()
        )

    async def earn(self, state: ProductState, quantity: int = 1, *transactions: str) -> str:
        """An order that was paid through the gateway, with these transactions; its id."""
        order = (await self.order(state, quantity)).order
        payment = await start_payment(self.shop, order.id, "moamalat", None, TESTER, NotOnce())
        self.provider.pay(payment.reference, payment.amount_dirhams, *transactions)
        await check_payment(self.shop, payment.id)
        return order.id


async def asked_return(world: World, state: ProductState) -> str:
    """The id of a return that waits to be decided, of a shipped order of the product."""
    order = (await world.order(state, method="cod")).order
    for status in ("confirmed", "processing", "shipped"):
        await change_status(world.shop, order.id, status, TESTER)
    command = AskReturn(
        order_id=order.id,
        lines=(Asked(state.variants[0].id, 1),),
        reason=None,
        replacement=(),
        is_buyer=False,
    )
    return (await request_return(world.shop, command, TESTER, NotOnce())).made.id


def order_body(
    product_id: int, quantity: int = 1, variant_id: int | None = None, method: str = "moamalat"
) -> dict[str, Any]:
    """The JSON of an order."""
    item: dict[str, Any] = {"productId": product_id, "quantity": quantity}
    if variant_id is not None:
        item["variantId"] = variant_id
    return {
        "items": [item],
        "customer": {"name": "فاطمة علي", "phone": "0912345678", "email": "buyer@example.ly"},
        "shipping": {"city": "طرابلس", "address": "شارع الجمهورية"},
        "payment": {"method": method},
    }


def bearer(signed_in: SignedIn) -> dict[str, str]:
    """The header of a signed-in caller."""
    return {"Authorization": f"Bearer {signed_in.access_token}"}


@contextlib.asynccontextmanager
async def open_world(database_url: str, folder: Path) -> AsyncIterator[World]:
    """A world on a migrated database."""
    clock = ManualClock()
    provider = DummyProvider()
    db = await open_database(database_url)
    hasher = BcryptHasher(4)
    http = HttpxHttp()
    journal = MemoryJournal(clock)
    kv = MemoryKeyValue(clock)
    tools = Tools(http, DatabaseStamps(db), clock, "http://shop.test", journal, Breakers(kv, clock))
    try:
        shop = Shop(
            db=db,
            kv=kv,
            files=FolderFiles(folder / "files"),
            mail=OutboxMail(folder / "mail"),
            press=TypstPress(),
            sms=OutboxSms(folder / "sms"),
            clock=clock,
            ids=IntegerIds(db),
            prices=PriceList(db),
            hasher=hasher,
            keyring=Keyring([SECRET]),
            providers={"moamalat": provider, PROVIDER: BankTransfer()},
            methods=tuple(m for m in METHODS if m.provider in (None, provider.name, PROVIDER)),
            journal=journal,
            gateways=GatewayDesk(GATEWAYS, tools, is_production=False, keeps=True),
            rules=Rules(public_url="http://shop.test"),
        )
        yield World(shop, clock, provider)
    finally:
        await http.aclose()
        await hasher.aclose()
        await db.aclose()


def changed(shop: Shop, **members: Any) -> Shop:
    """The same shop with other members."""
    return msgspec.structs.replace(shop, **members)


async def shipped_parcel(world: World, state: ProductState) -> str:
    """The id of a parcel on its way, of an order to be paid on delivery."""
    order_id = (await world.order(state, method="cod")).order.id
    await change_status(world.shop, order_id, "confirmed", TESTER)
    return (await ship_order(world.shop, order_id, Parcel(), TESTER, NotOnce())).shipment.id
