"""Two stores alike, side by side: what one does must leave the other's rows as they are.

`build` fills a database once; every `Step` is one request (or one turn of the background) of the
first store's people on a copy of it. `walk` takes a step and looks at what became of the neighbour.
"""

import contextlib
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pypdf
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import METADATA
from eishro.db.statements import Batch, Query
from eishro.domain.catalog import sql as catalog
from eishro.domain.discounts import sql as discounts
from eishro.domain.discounts import uses
from eishro.domain.discounts.model import Applied
from eishro.domain.invoices.sql import invoices
from eishro.domain.payments import sql as payments
from eishro.errors import ShopError
from eishro.flows.issue_invoice import issue_credit_note, issue_invoice
from eishro.flows.pay_order import check_payment
from eishro.flows.refund_order import open_suspense_refund
from eishro.flows.shop import SYSTEM, NotOnce, Shop
from eishro.jobs.schedule import expire_unpaid_orders, send_due_refunds
from eishro.jobs.seal_audit import seal_audit
from eishro.jobs.settle_books import settle_books
from tests.dummy_refunds import Mood
from tests.shops import PASSWORD, World, bearer, changed, order_body

MARK = "zenobia"  # in every text of the neighbour, so that it is seen wherever it turns up
_SCOPES = [
    "store:write",
    "products:write",
    "orders:read",
    "orders:write",
    "money:read",
    "audit:read",
]
# A courier's file that names our parcels, the neighbour's and nobody's; the amounts are right for
# the first only.
_REMITTANCE = (
    "رقم الشحنة,المبلغ,العمولة\n"
    "OURS-1,35.500,5\nOURS-2,30,5\nTHEIRS-1,35.500,5\nTHEIRS-2,35.500,5\nOURS-9,1,0\n"
)
_MOVES = ("confirmed", "processing", "shipped", "delivered")
_MOVED = (("processing", "cod"), ("shipped", "cod"), ("delivered", "cod"))
IBAN = "LY83002048000020100120361"
_TERMINAL = {"merchant_id": "10000000001", "terminal_id": "10000001", "secret_key": "ab12cd34"}
_FORGOTTEN = "0928888888"
_SHELF = {"ours": "قمصان", "theirs": f"قمصان {MARK}"}


class Street(msgspec.Struct, frozen=True):
    """Headers by caller, and the ids of both stores' things."""

    callers: dict[str, dict[str, str]]
    ours: dict[str, Any]
    theirs: dict[str, Any]


class Step(msgspec.Struct, frozen=True):
    """A request: paths and bodies name things as `{ours[order]}`. `job` takes its place, if any."""

    name: str
    method: str = ""
    path: str = ""
    body: Any = None
    file: str | None = None
    who: str = "owner"
    status: int = 200
    job: Callable[[Shop, Street], Awaitable[object]] | None = None
    later: timedelta = timedelta()


class Trespass(AssertionError):
    """A step saw or changed what is the neighbour's, or did not come off."""


async def build(world: World) -> Street:
    """Two stores with everything a store has; the neighbour has a little more of each."""
    at_once = msgspec.structs.replace(world.shop.rules, payout_delay=timedelta())
    world.shop = changed(world.shop, rules=at_once)
    owner, neighbour = await world.merchant(), await world.merchant()
    admin, other_admin = bearer(await world.admin()), bearer(await world.admin())
    callers = {
        "owner": bearer(owner), "neighbour": bearer(neighbour), "guest": {},
        "admin": admin, "other admin": other_admin,
    }  # fmt: skip
    assert owner.store is not None
    assert neighbour.store is not None
    ours: dict[str, Any] = {"store": owner.store.id}
    theirs: dict[str, Any] = {"store": neighbour.store.id}
    client = world.client()

    async def send(method: str, path: str, body: Any, who: dict[str, str]) -> Any:
        if method == "FILE":
            files, fields = body
            reply = await client.post(path, files=files, data=fields, headers=who)
        else:
            reply = await client.request(method, path, json=body, headers=who)
        assert reply.status_code in (200, 201), (path, reply.text)
        return reply.json()["data"]

    await send("PUT", f"/api/stores/{theirs['store']}", {"description": MARK}, callers["neighbour"])
    person = bearer(await world.customer())
    profile = await send("GET", "/api/auth/profile", None, person)
    ours["both"] = theirs["both"] = profile["id"]
    callers["both"] = person
    for side, things, who in (
        ("ours", ours, callers["owner"]),
        ("theirs", theirs, callers["neighbour"]),
    ):
        mark = "" if side == "ours" else f" {MARK}"
        at = f"/api/stores/{things['store']}"
        role = "viewer" if side == "ours" else "manager"
        await send("POST", f"{at}/staff", {"email": profile["email"], "role": role}, who)
        token = await world.token(profile["email"], "invitation")
        await send("POST", "/api/invitations/accept", {"token": token}, person)
        for number in range(1 if side == "ours" else 2):
            email = f"{side}{number}{mark.strip()}@example.ly"
            made = await send("POST", f"{at}/staff", {"email": email, "role": "orders"}, who)
            things["invitation"] = made["id"]
            key = {"name": f"till{mark}", "scopes": _SCOPES}
            made = await send("POST", f"{at}/api-keys", key, who)
            things["key"] = made["id"]
            callers[f"{side} key"] = {"X-API-Key": made["key"]}
        for number in range(2 if side == "ours" else 4):
            made = await send("POST", f"{at}/products", _product(side, number), who)
            things[f"product{number}"] = made["id"]
            things[f"variant{number}"] = made["variants"][0]["id"]
            things["category"] = made["categories"][0]["id"]
        for number in range(7, 8 if side == "ours" else 9):
            await send("POST", f"{at}/products", {**_product(side, number), "status": "draft"}, who)
        for number in range(1 if side == "ours" else 2):
            # The first code is the same in both stores.
            named = {
                "code": f"EID{number or ''}",
                "name": f"عيد{mark}",
                "usageLimit": 99,
                "perCustomerLimit": 99,
            }
            made = await send("POST", f"{at}/coupons", {**_DISCOUNT, **named}, who)
            things["coupon"] = made["id"]
            named = {"code": f"LATE{number or ''}", "name": f"متأخر{mark}", "perCustomerLimit": 9}
            await send("POST", f"{at}/coupons", {**_DISCOUNT, **named}, who)
            scope = {"kind": "products", "ids": [things["product1"]]}
            named = {"name": f"عرض{mark}", "perCustomerLimit": 99, "scope": scope}
            made = await send("POST", f"{at}/promotions", {**_DISCOUNT, **named}, who)
            things["promotion"] = made["id"]
        made = await send("POST", f"{at}/categories", {"name": f"فارغ{mark}"}, who)
        things["spare"] = made["id"]
        # A little dearer at the neighbour's, and with a zone more.
        for places in (["*"],) if side == "ours" else (["*"], ["misrata"]):
            made = await send("POST", f"{at}/shipping-zones", _zone(side, places), who)
            things["zone"] = made["id"]
        await seal_audit(world.shop)
        for state, method in (("pending", "moamalat"), ("new", "cod"), *_MOVED):
            for _ in range(1 if side == "ours" else 2):
                body = order_body(things["product0"], 2, things["variant0"], method=method)
                body["customer"]["name"] += mark
                body["couponCode"] = "eid"
                made = await send("POST", f"{at}/orders", body, {})
                things[f"{state} order"] = made["id"]
        for _ in range(1 if side == "ours" else 2):
            wish = order_body(things["product0"], 1, things["variant0"], method="cod")
            draft = {"note": f"مسودة{mark}", **wish}
            made = await send("POST", f"{at}/drafts", draft, who)
            things["draft"] = made["id"]
            noting = f"/api/orders/{things['new order']}/notes"
            await send("POST", noting, {"text": f"ملاحظة{mark}"}, who)
        for state, _ in _MOVED:
            for move in _MOVES[: _MOVES.index(state) + 1]:
                status = f"/api/orders/{things[f'{state} order']}/status"
                await send("PUT", status, {"status": move}, who)
        await _deliver_and_forget(things, send, who, mark)
        await _refund(world, things, send, who, mark)
        await _ship(send, side, things, who)
        for number in range(1 if side == "ours" else 2):
            await issue_credit_note(
                world.shop, things["delivered order"], f"ref_{side}_{number}", 1_000
            )
        for state in ("shipped", "delivered"):
            for number in range(1 if side == "ours" else 2):
                returning = f"/api/orders/{things[f'{state} order']}/returns"
                line = {"variantId": things["variant0"], "quantity": 1, "reason": f"x{mark}"}
                made = await send("POST", returning, {"lines": [line]}, who)
                things[f"{state} return"] = made["id"]
                if (state, side, number) == ("shipped", "theirs", 0):
                    path = f"/api/returns/{made['id']}/reject"
                    await send("PUT", path, {"note": mark}, who)
        await send("PUT", f"/api/returns/{things['shipped return']}/approve", {}, who)
        paying = f"/api/orders/{things['pending order']}/payments"
        made = await send("POST", paying, {"method": "moamalat"}, who)
        things["payment"] = made["id"]
        world.clock.turn(timedelta(seconds=10))
    world.clock.turn(timedelta(minutes=3))
    await settle_books(world.shop)  # what comes from here on is not kept yet
    await _earn(world, send, "ours", ours, callers["owner"], admin)
    await _earn(world, send, "theirs", theirs, callers["neighbour"], admin)
    for things, who in ((ours, callers["owner"]), (theirs, callers["neighbour"])):
        await _own_gateway(things, send, who)
    for at, who in ((ours["store"], callers["owner"]), (theirs["store"], callers["neighbour"])):
        # Something that nobody sealed yet.
        await send(
            "PUT",
            f"/api/stores/{at}",
            {"nameEn": f"Store of {MARK}" if who is callers["neighbour"] else "Shop"},
            who,
        )
    await world.settle()
    return Street(callers, ours, theirs)


async def _own_gateway(things: dict[str, Any], send: Any, who: Any) -> None:
    """The store's own terminal, replaced once, and a payment that was begun at it."""
    at = f"/api/stores/{things['store']}/gateways/moamalat"
    for mode in ("test", "live"):
        await send("PUT", at, {"mode": mode, "fields": _TERMINAL}, who)
    paying = f"/api/orders/{things['pending order']}/payments"
    things["own payment"] = (await send("POST", paying, {"method": "moamalat"}, who))["id"]


async def _deliver_and_forget(things: dict[str, Any], send: Any, who: Any, mark: str) -> None:
    """A customer who will be forgotten: nothing of hers is open here, but at the neighbour's."""
    at = f"/api/stores/{things['store']}"
    for number in range(3 if mark else 1):
        body = order_body(things["product1"], 1, things["variant1"])
        body["customer"]["name"] += mark
        body["customer"]["phone"] = "0927777777" if number == 2 else _FORGOTTEN
        order = f"/api/orders/{(await send('POST', f'{at}/orders', body, {}))['id']}"
        await send("POST", f"{order}/payments", {"method": "moamalat"}, who)
        for move in _MOVES if number == 0 else ("confirmed",):
            await send("PUT", f"{order}/status", {"status": move, "note": f"x{mark}"}, who)


async def _earn(
    world: World, send: Any, side: str, things: dict[str, Any], who: Any, admin: Any
) -> None:
    """Money for the store: orders paid twice, so that some is stranded; payouts of it."""
    at, mark = f"/api/stores/{things['store']}", "" if side == "ours" else f" {MARK}"
    account = {
        "beneficiary": f"متجر{mark}",
        "bank": f"مصرف{mark}",
        "iban": IBAN,
        "currentPassword": PASSWORD,
    }
    await send("PUT", f"{at}/bank-account", account, who)
    for number in range(1 if side == "ours" else 2):
        body = order_body(things["product1"], 1, things["variant1"])
        body["customer"]["name"] += mark
        order = (await send("POST", f"{at}/orders", body, {}))["id"]
        made = await send("POST", f"/api/orders/{order}/payments", {"method": "moamalat"}, who)
        payment = await payments.get_payment(world.db, made["id"])
        world.provider.pay(
            payment.reference,
            payment.amount_dirhams,
            *(f"{side}{number}{name}" for name in ("", "x", "y")),
        )
        await check_payment(world.shop, payment.id)
        things["paid order"] = order
        things["like order"] = (await send("POST", f"{at}/orders", body, {}))["id"]
        waiting = await send("GET", f"{at}/suspense", None, who)
        things["item"], other = (item["id"] for item in waiting if item["orderId"] == order)
        things["settled order"] = (await send("POST", f"{at}/orders", body, {}))["id"]
        applied = {"action": "apply", "orderId": things["settled order"]}
        await send("PUT", f"{at}/suspense/{other}/resolve", applied, who)
        for name in ("approved", "payout"):
            made = await send("POST", f"{at}/payouts", {"amount": 5 + number}, who)
            things[name] = made["id"]
        await send("PUT", f"/api/admin/payouts/{things['approved']}/approve", {}, admin)


async def _refund(world: World, things: dict[str, Any], send: Any, who: Any, mark: str) -> None:
    """A paid order with a refund that waits for people, one that was refused and one to send, and
    money in suspense.
    """
    at = f"/api/stores/{things['store']}/orders"
    body = order_body(things["product0"], 1, things["variant0"])
    body["customer"]["name"] += mark
    made = await send("POST", at, body, {})
    things["refunded order"] = made["id"]
    paying = f"/api/orders/{made['id']}/payments"
    payment = await send("POST", paying, {"method": "moamalat"}, who)
    things["paid"] = payment["id"]
    found = await payments.get_payment(world.db, payment["id"])
    received = [f"{found.reference}-{number}" for number in (1, 2)]
    world.provider.pay(found.reference, found.amount_dirhams, *received)
    await send("POST", f"/api/payments/{payment['id']}/result", {"done": "yes"}, {})
    at = f"/api/orders/{made['id']}/refunds"
    moods: tuple[tuple[Mood, str], ...] = (
        ("manual", "manual refund"),
        ("refuse", "failed refund"),
        ("later", "refund"),
    )
    for mood, name in moods * (2 if mark else 1):
        world.provider.refunds.mood = mood
        opened = await send("POST", at, {"reason": f"x{mark}", "amount": 1}, who)
        things[name] = opened["id"]
        await world.settle()
    world.provider.refunds.mood = "done"


async def _ship(send: Any, side: str, things: dict[str, Any], who: dict[str, str]) -> None:
    """Parcels on their way: one new, two whose cash was collected, one in dispute."""
    mark = "" if side == "ours" else f" {MARK}"
    at = f"/api/stores/{things['store']}"
    # A file that came before its parcels: sent again, it fits.
    carrier = "amyal" if side == "ours" else f"amyal-{MARK}"
    body = order_body(things["product0"], 1, things["variant0"], method="cod")
    total = (await send("POST", f"{at}/quote", body, {}))["total"]
    for amount in (total,) if side == "ours" else (total, 1, 2):
        files = {"file": ("a.csv", f"tracking,amount\n{side}-1,{amount}\n".encode())}
        made = await send("FILE", f"{at}/cod/remittances", (files, {"carrier": carrier}), who)
        things["remittance"] = made["id"]
    for number in range(4 if side == "ours" else 6):
        body = order_body(things["product0"], 1, things["variant0"], method="cod")
        body["customer"]["name"] += mark
        order = f"/api/orders/{(await send('POST', f'{at}/orders', body, {}))['id']}"
        await send("PUT", f"{order}/status", {"status": "confirmed"}, who)
        parcel = {"carrier": "amyal", "trackingNumber": f"{side}-{number}", "note": f"x{mark}"}
        made = await send("POST", f"{order}/shipments", parcel, who)
        things[f"shipment{number}"] = made["id"]
        things[f"shipped{number}"] = made["orderId"]
        if number in (1, 2, 4):
            await send("POST", f"{order}/cod/collect", {"amount": total}, who)
        if number in (3, 5):
            made = await send("POST", f"{order}/cod/collect", {"amount": 5}, who)
            things["case"] = made["case"]["id"]


def _product(side: str, number: int) -> dict[str, Any]:
    mark = "" if side == "ours" else f" {MARK}"
    return {
        "name": f"قميص {number}{mark}",
        "price": 25.5,
        "category": _SHELF[side],
        "variants": [
            {"options": {"size": f"{size}{mark}"}, "sku": sku, "stock": 40}
            for size, sku in (("S", f"{side}-{number}"), ("L", f"{side}-{number}-L"))
        ],
    }


def _zone(side: str, places: list[str]) -> dict[str, Any]:
    mark, rate = ("", 10) if side == "ours" else (f" {MARK}", 12)
    return {
        "name": f"كل البلاد{mark}",
        "places": places,
        "rates": [{"method": "standard", "rate": rate}],
    }


_DISCOUNT = {"kind": "percent", "value": 10, "stackable": True}


_ORDER = {
    **order_body(0, method="cod"),
    "couponCode": "eid",
    "items": [{"productId": "{ours[product0]}", "variantId": "{ours[variant0]}", "quantity": 2}],
}
_FOREIGN_ORDER = {**_ORDER, "items": [{"productId": "{theirs[product0]}", "quantity": 1}]}
_STORE = "/api/stores/{ours[store]}"
_REFUNDS = "/api/orders/{ours[refunded order]}/refunds"
_VARIANTS = [{"options": {"size": "L"}, "sku": "ours-0", "stock": 4, "price": 30}]


async def _seal(shop: Shop, _: Street) -> None:
    await seal_audit(shop)


async def _settle(shop: Shop, _: Street) -> None:
    await settle_books(shop)


async def _expire(shop: Shop, _: Street) -> None:
    await expire_unpaid_orders(shop)


async def _send_refunds(shop: Shop, _: Street) -> None:
    await send_due_refunds(shop)


async def _return_suspense(shop: Shop, street: Street) -> None:
    found = await payments.list_receipts(shop.db, street.ours["paid"])
    (receipt,) = [each for each in found if not each.applied]
    key = receipt.terminal, receipt.provider_reference
    payment = street.ours["paid"]
    with contextlib.suppress(ShopError):  # a mutant may have been faster; that is noticed
        await open_suspense_refund(shop, payment, key, "x", SYSTEM, NotOnce())


async def _find_skus(shop: Shop, street: Street) -> None:
    """What loading a demo store again asks."""
    wanted = ["ours-0", "theirs-0"]
    found = await catalog.find_skus(shop.db, street.ours["store"], wanted)
    if found != {"ours-0"}:
        raise Trespass(f"SKUs of the store: {found}")


async def _use_late(shop: Shop, street: Street) -> None:
    """A use counted for an order that is there already, so that each statement stands alone."""
    store, who = street.ours["store"], ("phone:+218912345678",)
    rule = await discounts.get_coupon(shop.db, store, "late")
    used = uses.use(Applied(rule, 100, frees_shipping=False), who, street.ours["pending order"])
    await shop.db.commit(Batch(*used))


async def _credit(shop: Shop, street: Street) -> None:
    """A refund of ours that is called like one of the neighbour's."""
    note = await issue_credit_note(shop, street.ours["delivered order"], "ref_theirs_0", 2_000)
    if note.store_id != street.ours["store"]:
        raise Trespass("a credit note of the neighbour's")


async def _number(shop: Shop, street: Street) -> None:
    """The neighbour's next number follows its own last one, not ours."""
    before = await shop.db.one(_INVOICES, store_id=street.theirs["store"]) or 0
    try:
        made = await issue_invoice(shop, street.theirs["processing order"])
    except ShopError as refusal:
        raise Trespass(f"the neighbour's invoice: {refusal}") from refusal
    if made.number != before + 1:
        raise Trespass(f"the neighbour's invoice after {before} has the number {made.number}")


_INVOICES = Query(
    sa.select(sa.func.count())
    .select_from(invoices)
    .where(invoices.c.store_id == sa.bindparam("store_id"), invoices.c.kind == "invoice"),
    int,
)


STEPS = (
    # Somebody of both stores first: a membership is where a mix-up shows soonest.
    Step("a viewer reads", "GET", f"{_STORE}/orders", who="both"),
    Step("a viewer writes", "PUT", _STORE, {"description": "x"}, who="both", status=403),
    Step("a key reads", "GET", f"{_STORE}/orders", who="ours key"),
    Step("store", "GET", _STORE),
    Step("change store", "PUT", _STORE, {"description": "x"}),
    Step("close store", "DELETE", _STORE),
    Step("suspend", "PUT", "/api/admin/stores/{ours[store]}/suspend", {"reason": "a test"}, who="admin"),
    Step("categories", "GET", f"{_STORE}/categories"),
    Step("new category", "POST", f"{_STORE}/categories", {"name": "جديد"}, status=201),
    Step("rename category", "PUT", f"{_STORE}/categories/{{ours[category]}}", {"name": "اسم"}),
    Step(
        "rename theirs", "PUT", f"{_STORE}/categories/{{theirs[category]}}", {"name": "x"},
        status=404,
    ),
    Step("no category", "DELETE", f"{_STORE}/categories/{{ours[category]}}"),
    Step("no spare", "DELETE", f"{_STORE}/categories/{{ours[spare]}}"),
    Step("not theirs", "DELETE", f"{_STORE}/categories/{{theirs[category]}}", status=404),
    Step("below theirs", "POST", f"{_STORE}/categories",
         {"name": "x", "parentId": "{theirs[category]}"}, status=422),
    Step("zones", "GET", f"{_STORE}/shipping-zones"),
    Step("zone", "GET", f"{_STORE}/shipping-zones/{{ours[zone]}}"),
    Step("their zone", "GET", f"{_STORE}/shipping-zones/{{theirs[zone]}}", status=404),
    # What the neighbour has given to one of its zones is free here.
    Step("new zone", "POST", f"{_STORE}/shipping-zones", _zone("ours", ["misrata"]), status=201),
    Step("change zone", "PUT", f"{_STORE}/shipping-zones/{{ours[zone]}}", {"name": "اسم"}),
    Step("change their zone", "PUT", f"{_STORE}/shipping-zones/{{theirs[zone]}}", {"name": "x"},
         status=404),
    Step("no zone", "DELETE", f"{_STORE}/shipping-zones/{{ours[zone]}}"),
    Step("not their zone", "DELETE", f"{_STORE}/shipping-zones/{{theirs[zone]}}", status=404),
    Step("rates", "GET", f"{_STORE}/shipping-rates?city=misrata", who="guest"),
    Step("methods", "GET", f"{_STORE}/payment-methods"),
    Step("staff", "GET", f"{_STORE}/staff"),
    Step("invite", "POST", f"{_STORE}/staff", {"email": "new@example.ly", "role": "viewer"},
         status=201),
    Step("promote", "PUT", f"{_STORE}/staff/{{ours[both]}}", {"role": "catalog"}),
    Step("dismiss", "DELETE", f"{_STORE}/staff/{{ours[both]}}"),
    Step("take invitation back", "DELETE", f"{_STORE}/invitations/{{ours[invitation]}}"),
    Step("take theirs back", "DELETE", f"{_STORE}/invitations/{{theirs[invitation]}}", status=404),
    Step("keys", "GET", f"{_STORE}/api-keys"),
    Step("new key", "POST", f"{_STORE}/api-keys", {"name": "x", "scopes": ["orders:read"]},
         status=201),
    Step("revoke", "DELETE", f"{_STORE}/api-keys/{{ours[key]}}"),
    Step("revoke theirs", "DELETE", f"{_STORE}/api-keys/{{theirs[key]}}", status=404),
    Step("products", "GET", f"{_STORE}/products"),
    Step("drafts", "GET", f"{_STORE}/products?status=draft"),
    Step("shelf", "GET", f"{_STORE}/products?category={{ours[category]}}&sort=price"),
    Step("products by word", "GET", f"{_STORE}/products?q=قميص&sort=name"),
    Step("products in stock", "GET", f"{_STORE}/products?inStock=true&sort=-price"),
    Step("product", "GET", "/api/products/{ours[product0]}"),
    # The neighbour's SKU is free here.
    Step("new product", "POST", f"{_STORE}/products",
         {"name": "جديد", "price": 5, "category": _SHELF["ours"],
          "variants": [{"options": {"size": "S"}, "sku": "theirs-0", "stock": 3}]}, status=201),
    Step("SKU taken", "POST", f"{_STORE}/products",
         {"name": "جديد", "price": 5,
          "variants": [{"options": {"size": "S"}, "sku": "ours-1"}]}, status=409),
    Step("change product", "PUT", "/api/products/{ours[product0]}", {"price": 31, "name": "قميص"}),
    Step("change variants", "PUT", "/api/products/{ours[product0]}", {"variants": _VARIANTS}),
    Step("change stock", "PUT", "/api/products/{ours[product1]}",
         {"variants": [{"options": {"size": "S"}, "stock": 2, "price": 7},
                       {"options": {"size": "L"}, "stock": None}]}),
    Step("move product", "PUT", "/api/products/{ours[product0]}", {"category": "أحذية"}),
    Step("change theirs", "PUT", "/api/products/{theirs[product0]}", {"price": 1}, status=403),
    Step("no product", "DELETE", "/api/products/{ours[product1]}"),
    Step("coupons", "GET", f"{_STORE}/coupons"),
    Step("coupon", "GET", f"{_STORE}/coupons/{{ours[coupon]}}"),
    Step("their coupon", "GET", f"{_STORE}/coupons/{{theirs[coupon]}}", status=404),
    # The neighbour's second code is free here.
    Step("new coupon", "POST", f"{_STORE}/coupons",
         {**_DISCOUNT, "code": "EID1", "scope": {"kind": "products", "ids": ["{ours[product0]}"]}},
         status=201),
    Step("coupon for theirs", "POST", f"{_STORE}/coupons",
         {**_DISCOUNT, "code": "X1", "scope": {"kind": "products", "ids": ["{theirs[product0]}"]}},
         status=422),
    Step("coupon on their shelf", "POST", f"{_STORE}/coupons",
         {**_DISCOUNT, "code": "X1",
          "scope": {"kind": "categories", "ids": ["{theirs[category]}"]}}, status=422),
    Step("change coupon", "PUT", f"{_STORE}/coupons/{{ours[coupon]}}", {"value": 20}),
    Step("change their coupon", "PUT", f"{_STORE}/coupons/{{theirs[coupon]}}", {"value": 20},
         status=404),
    Step("no coupon", "DELETE", f"{_STORE}/coupons/{{ours[coupon]}}"),
    Step("promotions", "GET", f"{_STORE}/promotions"),
    Step("new promotion", "POST", f"{_STORE}/promotions", {**_DISCOUNT, "name": "x"}, status=201),
    Step("change promotion", "PUT", f"{_STORE}/promotions/{{ours[promotion]}}", {"value": 20}),
    Step("not their promotion", "DELETE", f"{_STORE}/promotions/{{theirs[promotion]}}",
         status=404),
    Step("quote", "POST", f"{_STORE}/quote", _ORDER, who="guest"),
    Step("quote theirs", "POST", f"{_STORE}/quote", _FOREIGN_ORDER, who="guest", status=422),
    Step("order", "POST", f"{_STORE}/orders", _ORDER, who="guest", status=201),
    Step("order theirs", "POST", f"{_STORE}/orders", _FOREIGN_ORDER, who="guest", status=422),
    Step("orders", "GET", f"{_STORE}/orders"),
    Step("pending orders", "GET", f"{_STORE}/orders?status=pending&q=فاطمة علي"),
    Step("customers", "GET", f"{_STORE}/customers"),
    Step("customers by name", "GET", f"{_STORE}/customers?q=فاطمة علي"),
    Step("a customer's orders", "GET", f"{_STORE}/customers/{_FORGOTTEN}/orders"),
    Step("forget a customer", "POST", f"{_STORE}/customers/{_FORGOTTEN}/erase", {"reason": "x"}),
    Step("one order", "GET", "/api/orders/{ours[pending order]}"),
    Step("use", job=_use_late),
    Step("drafts of orders", "GET", f"{_STORE}/drafts"),
    Step("draft", "GET", f"{_STORE}/drafts/{{ours[draft]}}"),
    Step("their draft", "GET", f"{_STORE}/drafts/{{theirs[draft]}}", status=404),
    Step("new draft", "POST", f"{_STORE}/drafts", {"note": "x"}, status=201),
    Step("change draft", "PUT", f"{_STORE}/drafts/{{ours[draft]}}", {"note": "x"}),
    Step("change their draft", "PUT", f"{_STORE}/drafts/{{theirs[draft]}}", {"note": "x"},
         status=404),
    Step("no draft", "DELETE", f"{_STORE}/drafts/{{ours[draft]}}"),
    Step("not their draft", "DELETE", f"{_STORE}/drafts/{{theirs[draft]}}", status=404),
    Step("place draft", "POST", f"{_STORE}/drafts/{{ours[draft]}}/place", status=201),
    Step("place their draft", "POST", f"{_STORE}/drafts/{{theirs[draft]}}/place", status=404),
    Step("notes", "GET", "/api/orders/{ours[new order]}/notes"),
    Step("note", "POST", "/api/orders/{ours[new order]}/notes", {"text": "x"}, status=201),
    Step("their notes", "GET", "/api/orders/{theirs[new order]}/notes", status=404),
    Step("edit", "PUT", "/api/orders/{ours[new order]}/items",
         {"items": [{"variantId": "{ours[variant1]}", "quantity": 3}]}),
    Step("edit to theirs", "PUT", "/api/orders/{ours[new order]}/items",
         {"items": [{"variantId": "{theirs[variant0]}", "quantity": 1}]}, status=422),
    Step("edit theirs", "PUT", "/api/orders/{theirs[new order]}/items",
         {"items": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=404),
    Step("move order", "PUT", "/api/orders/{ours[new order]}/address",
         {"shipping": {"city": "بنغازي", "address": "شارع جمال"}}),
    Step("why it costs that", "GET", "/api/orders/{ours[pending order]}/trace"),
    Step("their order", "GET", "/api/orders/{theirs[new order]}", status=404),
    Step("confirm", "PUT", "/api/orders/{ours[new order]}/status", {"status": "confirmed"}),
    Step("ship", "PUT", "/api/orders/{ours[processing order]}/status", {"status": "shipped"}),
    Step("return", "PUT", "/api/orders/{ours[delivered order]}/status", {"status": "returned"}),
    Step("part", "POST", "/api/orders/{ours[processing order]}/shipments",
         {"carrier": "x", "trackingNumber": "THEIRS-0",
          "lines": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=201),
    Step("parcels", "GET", "/api/orders/{ours[shipped0]}/shipments"),
    Step("parcel", "GET", "/api/shipments/{ours[shipment0]}"),
    Step("their parcel", "GET", "/api/shipments/{theirs[shipment0]}", status=404),
    Step("parcel arrives", "PUT", "/api/shipments/{ours[shipment0]}", {"status": "delivered"}),
    Step("parcel stays", "PUT", "/api/shipments/{ours[shipment0]}", {"status": "cancelled"}),
    Step("parcel comes back", "PUT", "/api/shipments/{ours[shipment0]}", {"status": "returned"}),
    Step("their parcel moves", "PUT", "/api/shipments/{theirs[shipment0]}",
         {"status": "delivered"}, status=404),
    Step("collect", "POST", "/api/orders/{ours[shipped0]}/cod/collect", {"amount": 35.5}),
    Step("collect less", "POST", "/api/orders/{ours[shipped0]}/cod/collect", {"amount": 5}),
    Step("collect theirs", "POST", "/api/orders/{theirs[shipped0]}/cod/collect",
         {"amount": 35.5}, status=404),
    Step("cash", "GET", f"{_STORE}/cod", who="ours key", later=timedelta(days=9)),
    Step("cases", "GET", f"{_STORE}/cod/cases"),
    Step("open cases", "GET", f"{_STORE}/cod/cases?state=open"),
    Step("accept", "POST", f"{_STORE}/cod/cases/{{ours[case]}}/resolve",
         {"resolution": "accept"}),
    Step("accept theirs", "POST", f"{_STORE}/cod/cases/{{theirs[case]}}/resolve",
         {"resolution": "accept"}, status=404),
    Step("remit", "POST", f"{_STORE}/cod/remittances", {"carrier": "amyal"}, file=_REMITTANCE,
         status=201),
    Step("remit again", "POST", f"{_STORE}/cod/remittances", {"carrier": "amyal"},
         file="tracking,amount\nours-1,35.5\n", status=201),
    Step("remittances", "GET", f"{_STORE}/cod/remittances"),
    Step("remittance", "GET", f"{_STORE}/cod/remittances/{{ours[remittance]}}"),
    Step("their remittance", "GET", f"{_STORE}/cod/remittances/{{theirs[remittance]}}", status=404),
    Step("cancel", "PUT", "/api/orders/{ours[pending order]}/cancel", {}),
    Step("cancel theirs", "PUT", "/api/orders/{theirs[new order]}/cancel", {}, status=404),
    Step("pay again", "POST", "/api/orders/{ours[pending order]}/payments",
         {"method": "moamalat"}, status=201),
    Step("gateways", "GET", f"{_STORE}/gateways"),
    Step("own gateway again", "PUT", f"{_STORE}/gateways/moamalat",
         {"mode": "live", "fields": _TERMINAL}),
    Step("gateway log", "GET", f"{_STORE}/gateway-log?order={{ours[paid order]}}"),
    Step("their gateway log", "GET", f"{_STORE}/gateway-log?order={{theirs[paid order]}}"),
    Step("try own gateway", "POST", f"{_STORE}/gateways/moamalat/check"),
    Step("report to own gateway", "POST", "/api/payments/{ours[own payment]}/result",
         {"cancelled": True}),
    Step("platform's gateway", "DELETE", f"{_STORE}/gateways/moamalat"),
    Step("report", "POST", "/api/payments/{ours[payment]}/result", {"cancelled": True}),
    Step("ledger", "GET", f"{_STORE}/ledger?limit=100"),
    Step("one account", "GET", f"{_STORE}/ledger?limit=100&account=clearing:moamalat"),
    Step("sales", "GET", f"{_STORE}/ledger?limit=100&account=sales&from=2026-01-01T00:00:00Z"),
    Step("books of an order", "GET", f"{_STORE}/ledger?order={{ours[paid order]}}"),
    Step("books of theirs", "GET", f"{_STORE}/ledger?order={{theirs[paid order]}}"),
    Step("balances", "GET", f"{_STORE}/ledger/balances"),
    Step("statement", "GET", f"{_STORE}/ledger/statement?month=2026-01"),
    Step("settle", job=_settle, later=timedelta(minutes=9)),
    Step("bank account", "GET", f"{_STORE}/bank-account"),
    Step("another bank", "PUT", f"{_STORE}/bank-account",
         {"beneficiary": "x", "bank": "y", "iban": IBAN, "currentPassword": PASSWORD}),
    Step("payouts", "GET", f"{_STORE}/payouts"),
    Step("ask for a payout", "POST", f"{_STORE}/payouts", {"amount": 3}, status=201),
    Step("take it back", "PUT", f"{_STORE}/payouts/{{ours[payout]}}/cancel"),
    Step("take theirs", "PUT", f"{_STORE}/payouts/{{theirs[payout]}}/cancel", status=404),
    Step("approve", "PUT", "/api/admin/payouts/{ours[payout]}/approve", who="admin",
         later=timedelta(minutes=5)),
    Step("pay out", "PUT", "/api/admin/payouts/{ours[approved]}/pay", {"reference": "FT1"},
         who="other admin"),
    Step("suspense", "GET", f"{_STORE}/suspense"),
    Step("all suspense", "GET", f"{_STORE}/suspense?show=all"),
    Step("assign", "PUT", f"{_STORE}/suspense/{{ours[item]}}/assign", {"userId": None}),
    Step("assign theirs", "PUT", f"{_STORE}/suspense/{{theirs[item]}}/assign", {"userId": None},
         status=404),
    Step("apply", "PUT", f"{_STORE}/suspense/{{ours[item]}}/resolve",
         {"action": "apply", "orderId": "{ours[like order]}"}),
    Step("apply to theirs", "PUT", f"{_STORE}/suspense/{{ours[item]}}/resolve",
         {"action": "apply", "orderId": "{theirs[like order]}"}, status=404),
    Step("refunds", "GET", f"{_STORE}/refunds"),
    Step("manual refunds", "GET", f"{_STORE}/refunds?status=manual"),
    Step("refunds of an order", "GET", _REFUNDS),
    Step("refunds of theirs", "GET", "/api/orders/{theirs[refunded order]}/refunds", status=404),
    Step("refund", "POST", _REFUNDS, {"reason": "x", "amount": 1}, status=201),
    Step("refund what suspense paid", "POST", "/api/orders/{ours[settled order]}/refunds",
         {"reason": "x", "amount": 1}, status=201),
    Step("refund theirs", "POST", "/api/orders/{theirs[refunded order]}/refunds", {"reason": "x"},
         status=404),
    Step("refund done", "POST", f"{_REFUNDS}/{{ours[manual refund]}}/complete", {"note": "x"}),
    Step("theirs done", "POST", f"{_REFUNDS}/{{theirs[manual refund]}}/complete", {"note": "x"},
         status=404),
    Step("refund again", "POST", f"{_REFUNDS}/{{ours[failed refund]}}/retry", {}),
    Step("theirs again", "POST", f"{_REFUNDS}/{{theirs[failed refund]}}/retry", {}, status=404),
    Step("cancel paid", "PUT", "/api/orders/{ours[refunded order]}/cancel", {}),
    Step("send refunds", job=_send_refunds, later=timedelta(minutes=30)),
    Step("return suspense", job=_return_suspense),
    Step("new invoice", "GET", "/api/orders/{ours[processing order]}/invoice"),
    Step("invoice", "GET", "/api/orders/{ours[delivered order]}/invoice"),
    Step("their invoice", "GET", "/api/orders/{theirs[delivered order]}/invoice", status=404),
    Step("credit notes", "GET", "/api/orders/{ours[delivered order]}/credit-notes"),
    Step("credit note", "GET", "/api/orders/{ours[delivered order]}/credit-notes/CN-000001"),
    Step("their number", "GET", "/api/orders/{ours[delivered order]}/credit-notes/2", status=404),
    Step("credit", job=_credit),
    Step("number", job=_number),
    Step("ask back", "POST", "/api/orders/{ours[new order]}/returns",
         {"lines": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=409),
    Step("ask theirs back", "POST", "/api/orders/{theirs[delivered order]}/returns",
         {"lines": [{"variantId": "{theirs[variant0]}", "quantity": 1}]}, status=404),
    Step("returns", "GET", f"{_STORE}/returns"),
    Step("asked returns", "GET", f"{_STORE}/returns?status=requested"),
    Step("returns of an order", "GET", "/api/orders/{ours[delivered order]}/returns"),
    Step("returns of theirs", "GET", "/api/orders/{theirs[delivered order]}/returns", status=404),
    Step("approve return", "PUT", "/api/returns/{ours[delivered return]}/approve", {}),
    Step("approve theirs", "PUT", "/api/returns/{theirs[delivered return]}/approve", {}, status=404),
    Step("reject", "PUT", "/api/returns/{ours[delivered return]}/reject", {}),
    Step("receive", "PUT", "/api/returns/{ours[shipped return]}/receive", {}),
    Step("receive theirs", "PUT", "/api/returns/{theirs[shipped return]}/receive", {}, status=404),
    Step("more than left", "POST", "/api/orders/{ours[delivered order]}/returns",
         {"lines": [{"variantId": "{ours[variant0]}", "quantity": 2}]}, status=422),
    Step("the rest", "POST", "/api/orders/{ours[delivered order]}/returns",
         {"lines": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=201),
    Step("audit", "GET", f"{_STORE}/audit?limit=100"),
    Step("seal", job=_seal, later=timedelta(minutes=9)),
    Step("SKUs", job=_find_skus),
    Step("expire", job=_expire, later=timedelta(minutes=30)),
)  # fmt: skip


async def walk(world: World, street: Street, step: Step) -> None:
    """Take the step.

    Raises:
        Trespass: it did not come off, or shows what is the neighbour's.
    """
    world.clock.turn(step.later)
    if step.job is not None:
        try:
            await step.job(world.shop, street)
        except Exception as error:  # as a request would answer
            raise Trespass(f"{step.name}: {error!r}") from error
    else:
        await _request(world, street, step)
    await world.settle()


async def _request(world: World, street: Street, step: Step) -> None:
    names = {"ours": street.ours, "theirs": street.theirs}
    body = _filled(step.body, names)
    reply = await world.client().request(
        step.method,
        step.path.format(**names),
        headers=street.callers[step.who],
        **(_form(step.file, body) if step.file else {"json": body}),
    )
    if reply.status_code != step.status:
        raise Trespass(f"{step.name}: {reply.status_code} {reply.text}")
    if MARK in reply.text:
        raise Trespass(f"{step.name}: the answer shows what is the neighbour's")
    if reply.headers["Content-Type"] == "application/pdf":
        if MARK in pypdf.PdfReader(io.BytesIO(reply.content)).pages[0].extract_text():
            raise Trespass(f"{step.name}: the document shows what is the neighbour's")
        return
    body = reply.json()
    total = (body.get("pagination") or {}).get("total")
    if total is not None and total != len(body["data"]):
        raise Trespass(f"{step.name}: counts {total}, shows {len(body['data'])}")


def _form(file: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"files": {"file": ("a.csv", file.encode())}, "data": fields}


def _filled(body: Any, names: dict[str, Any]) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, names) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, names) for value in body]
    if isinstance(body, str) and body.startswith("{"):
        text = body.format(**names)
        return int(text) if text.isdigit() else text
    return body


async def rows_of(db: Database, store_id: int) -> dict[str, list[str]]:
    """Every row of the store, by table."""
    found = {}
    for table, query in _ROWS.items():
        rows = await db.all(query, store_id=store_id)
        found[table] = sorted(msgspec.json.encode(row).decode() for row in rows)
    return found


def _row(*values: object) -> tuple[object, ...]:
    return values


_ROWS: dict[str, Query[tuple[object, ...]]] = {
    table.name: Query(
        sa.select(table).where(
            table.c.id == sa.bindparam("store_id")
            if table.name == "stores"
            else table.c.store_id == sa.bindparam("store_id")
        ),
        _row,
    )
    for table in METADATA.tables.values()
    if table.name == "stores" or "store_id" in table.c
}
