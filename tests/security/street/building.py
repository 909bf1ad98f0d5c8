"""Two stores with everything a store has."""

from datetime import timedelta
from typing import Any

import msgspec

from eishro.flows.issue_invoice import issue_credit_note
from eishro.jobs.seal_audit import seal_audit
from eishro.jobs.settle_books import settle_books
from tests.security.street.books import earn
from tests.security.street.catalog import product
from tests.security.street.discounts import DISCOUNT
from tests.security.street.forgotten import live
from tests.security.street.orders import MOVES
from tests.security.street.payments import own_gateway, refund
from tests.security.street.shipments import ship
from tests.security.street.step import MARK, Street
from tests.security.street.transfers import take_transfers
from tests.security.street.zones import zone
from tests.shops import World, bearer, changed, order_body

_SCOPES = [
    "store:write",
    "products:write",
    "orders:read",
    "orders:write",
    "money:read",
    "audit:read",
]
_MOVED = (("processing", "cod"), ("shipped", "cod"), ("delivered", "cod"))


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
            made = await send("POST", f"{at}/products", product(side, number), who)
            things[f"product{number}"] = made["id"]
            things[f"variant{number}"] = made["variants"][0]["id"]
            things["category"] = made["categories"][0]["id"]
        for number in range(7, 8 if side == "ours" else 9):
            await send("POST", f"{at}/products", {**product(side, number), "status": "draft"}, who)
        for number in range(1 if side == "ours" else 2):
            # The first code is the same in both stores.
            named = {
                "code": f"EID{number or ''}",
                "name": f"عيد{mark}",
                "usageLimit": 99,
                "perCustomerLimit": 99,
            }
            made = await send("POST", f"{at}/coupons", {**DISCOUNT, **named}, who)
            things["coupon"] = made["id"]
            named = {"code": f"LATE{number or ''}", "name": f"متأخر{mark}", "perCustomerLimit": 9}
            await send("POST", f"{at}/coupons", {**DISCOUNT, **named}, who)
            scope = {"kind": "products", "ids": [things["product1"]]}
            named = {"name": f"عرض{mark}", "perCustomerLimit": 99, "scope": scope}
            made = await send("POST", f"{at}/promotions", {**DISCOUNT, **named}, who)
            things["promotion"] = made["id"]
        made = await send("POST", f"{at}/categories", {"name": f"فارغ{mark}"}, who)
        things["spare"] = made["id"]
        # A little dearer at the neighbour's, and with a zone more.
        for places in (["*"],) if side == "ours" else (["*"], ["misrata"]):
            made = await send("POST", f"{at}/shipping-zones", zone(side, places), who)
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
            for move in MOVES[: MOVES.index(state) + 1]:
                status = f"/api/orders/{things[f'{state} order']}/status"
                await send("PUT", status, {"status": move}, who)
        await live(world, things, send, who, mark)
        await refund(world, things, send, who, mark)
        await ship(send, side, things, who)
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
    await earn(world, send, "ours", ours, callers["owner"], admin)
    await earn(world, send, "theirs", theirs, callers["neighbour"], admin)
    for things, who in ((ours, callers["owner"]), (theirs, callers["neighbour"])):
        await own_gateway(things, send, who)
        await take_transfers(things, send, who, "" if things is ours else f" {MARK}")
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
