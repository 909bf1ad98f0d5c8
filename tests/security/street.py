"""Two stores alike, side by side: what one does must leave the other's rows as they are.

`build` fills a database once; every `Step` is one request (or one turn of the background) of the
first store's people on a copy of it. `walk` takes a step and looks at what became of the neighbour.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import METADATA
from eishro.db.statements import Batch, Query
from eishro.domain.catalog import sql as catalog
from eishro.domain.discounts import sql as discounts
from eishro.domain.discounts import uses
from eishro.domain.discounts.model import Applied
from eishro.flows.shop import Shop
from eishro.jobs.schedule import expire_unpaid_orders
from eishro.jobs.seal_audit import seal_audit
from tests.shops import World, bearer, order_body

MARK = "zenobia"  # in every text of the neighbour, so that it is seen wherever it turns up
_SCOPES = ["store:write", "products:write", "orders:read", "orders:write", "audit:read"]
_MOVES = ("confirmed", "processing", "shipped", "delivered")
_MOVED = (("processing", "cod"), ("delivered", "cod"))
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
    who: str = "owner"
    status: int = 200
    job: Callable[[Shop, Street], Awaitable[object]] | None = None
    later: timedelta = timedelta()


class Trespass(AssertionError):
    """A step saw or changed what is the neighbour's, or did not come off."""


async def build(world: World) -> Street:
    """Two stores with everything a store has; the neighbour has a little more of each."""
    owner, neighbour = await world.merchant(), await world.merchant()
    admin = bearer(await world.admin())
    callers = {"owner": bearer(owner), "neighbour": bearer(neighbour), "admin": admin, "guest": {}}
    assert owner.store is not None
    assert neighbour.store is not None
    ours: dict[str, Any] = {"store": owner.store.id}
    theirs: dict[str, Any] = {"store": neighbour.store.id}
    client = world.client()

    async def send(method: str, path: str, body: Any, who: dict[str, str]) -> Any:
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
            named = {"code": f"EID{number or ''}", "name": f"عيد{mark}", "usageLimit": 9}
            made = await send("POST", f"{at}/coupons", {**_DISCOUNT, **named}, who)
            things["coupon"] = made["id"]
            named = {"code": f"LATE{number or ''}", "name": f"متأخر{mark}", "perCustomerLimit": 9}
            await send("POST", f"{at}/coupons", {**_DISCOUNT, **named}, who)
            named = {"name": f"عرض{mark}", "perCustomerLimit": 9}
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
                body = order_body(things["product0"], 1, things["variant0"], method=method)
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
        paying = f"/api/orders/{things['pending order']}/payments"
        made = await send("POST", paying, {"method": "moamalat"}, who)
        things["payment"] = made["id"]
        world.clock.turn(timedelta(seconds=10))
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


def _product(side: str, number: int) -> dict[str, Any]:
    mark = "" if side == "ours" else f" {MARK}"
    return {
        "name": f"قميص {number}{mark}",
        "price": 25.5,
        "category": _SHELF[side],
        "variants": [
            {"options": {"size": f"{size}{mark}"}, "sku": sku, "stock": 9}
            for size, sku in (("S", f"{side}-{number}"), ("L", f"{side}-{number}-L"))
        ],
    }


def _zone(side: str, places: list[str]) -> dict[str, Any]:
    mark, rate = ("", 7) if side == "ours" else (f" {MARK}", 9)
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
_VARIANTS = [{"options": {"size": "L"}, "sku": "ours-0", "stock": 4, "price": 30}]


async def _seal(shop: Shop, _: Street) -> None:
    await seal_audit(shop)


async def _expire(shop: Shop, _: Street) -> None:
    await expire_unpaid_orders(shop)


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
         {"items": [{"variantId": "{ours[variant1]}", "quantity": 2}]}),
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
    Step("cancel", "PUT", "/api/orders/{ours[pending order]}/cancel", {}),
    Step("cancel theirs", "PUT", "/api/orders/{theirs[new order]}/cancel", {}, status=404),
    Step("pay again", "POST", "/api/orders/{ours[pending order]}/payments",
         {"method": "moamalat"}, status=201),
    Step("report", "POST", "/api/payments/{ours[payment]}/result", {"cancelled": True}),
    Step("audit", "GET", f"{_STORE}/audit?limit=100"),
    Step("seal", job=_seal, later=timedelta(minutes=1)),
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
    reply = await world.client().request(
        step.method,
        step.path.format(**names),
        json=_filled(step.body, names),
        headers=street.callers[step.who],
    )
    if reply.status_code != step.status:
        raise Trespass(f"{step.name}: {reply.status_code} {reply.text}")
    if MARK in reply.text:
        raise Trespass(f"{step.name}: the answer shows what is the neighbour's")
    body = reply.json()
    total = (body.get("pagination") or {}).get("total")
    if total is not None and total != len(body["data"]):
        raise Trespass(f"{step.name}: counts {total}, shows {len(body['data'])}")


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
