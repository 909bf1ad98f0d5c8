"""Every route on the Worker: it works, or it is on the generated list and answers 501."""

from typing import Any

import httpx

from eishro.edge.not_here import NOT_HERE
from eishro.web.api import ROUTES
from eishro.web.routes import Route
from tests.edge.conftest import EdgeStory, needs_platform
from tests.edge.platform import VARIABLES
from tests.shops import PASSWORD
from tests.stories.people import Json, order_of
from tests.web.right_bodies import NOBODYS, RIGHT_BODIES

pytestmark = needs_platform

_LAST = "/api/auth/logout"
# What these routes answer at best here; every other route answers somebody with success.
_REFUSED = {
    "POST /api/stores": 409,  # a merchant has one store
    "PUT /api/stores/{store_id}/drafts/{draft_id}": 409,  # placed by then
    "DELETE /api/stores/{store_id}/drafts/{draft_id}": 409,
    "PUT /api/orders/{order_id}/items": 409,  # cancelled by then
    "GET /verify-email": 422,  # no such token
    "POST /api/auth/reset-password": 422,
    "POST /reset-password": 422,
    "POST /api/auth/2fa/enable": 422,  # nothing was set up
    "POST /api/invitations/accept": 404,  # no such invitation
    "GET /invitation": 404,
    "POST /invitation": 422,
    "DELETE /api/stores/{store_id}/invitations/{invitation_id}": 404,
    "DELETE /api/stores/{store_id}/api-keys/{key_id}": 404,
    "DELETE /api/auth/sessions/{session_id}": 404,
    "PUT /api/stores/{store_id}/staff/{user_id}": 404,  # works elsewhere
    "DELETE /api/stores/{store_id}/staff/{user_id}": 404,
    "POST /api/stores/{store_id}/payouts": 409,  # nothing is owed
    "PUT /api/stores/{store_id}/payouts/{payout_id}/cancel": 404,
    "PUT /api/stores/{store_id}/suspense/{suspense_id}/assign": 404,
    "PUT /api/stores/{store_id}/suspense/{suspense_id}/resolve": 404,
    "PUT /api/admin/payouts/{payout_id}/approve": 404,
    "PUT /api/admin/payouts/{payout_id}/reject": 404,
    "PUT /api/admin/payouts/{payout_id}/pay": 404,
    "POST /api/auth/refresh": 401,  # no such token
    "POST /api/auth/verify-email": 422,  # no such token
    "POST /api/payments/{payment_id}/result": 422,  # nothing was signed
    "POST /api/webhooks/payments/{provider}": 401,  # nothing was signed
    "POST /api/payments/{payment_id}/otp": 409,  # it waits for none
    "POST /api/payments/{payment_id}/otp/resend": 409,
    "POST /api/moamalat/hash": 422,  # of no payment
    "POST /api/stores/{store_id}/gateways/{provider}/check": 404,  # it has no credentials
    "GET /api/stores/{store_id}/gateway-log": 422,  # of no order
    "GET /api/payments/{payment_id}/return": 303,  # on to where it is shown
    "POST /api/payments/{payment_id}/return": 303,
    "GET /pay/{payment_id}/again": 303,  # on to the attempt that is open
    "POST /pay/{payment_id}/again": 409,
    "GET /media/{key:path}": 404,  # nothing was uploaded
    "PUT /api/auth/addresses/{address_id}": 404,  # no such address
    "DELETE /api/auth/addresses/{address_id}": 404,
    "POST /api/auth/phone/start": 503,  # no gateway for text messages
    "POST /api/auth/phone/confirm": 422,  # no code was sent
    "POST /api/auth/erase": 401,  # the password is another by now
    "POST /api/stores/{store_id}/customers/{phone}/erase": 404,  # nobody of that phone
    "GET /api/stores/{store_id}/bank-account": 409,  # none was named
    "GET /api/stores/{store_id}/ledger/statement": 422,  # of no month
    "GET /api/stores/{store_id}/shipping-rates": 422,  # to no city
    "POST /api/orders/{order_id}/refunds": 409,  # nothing was paid
    "POST /api/orders/{order_id}/refunds/{refund_id}/complete": 404,
    "POST /api/orders/{order_id}/refunds/{refund_id}/retry": 404,
    "POST /api/orders/{order_id}/shipments": 409,  # not confirmed
    "GET /api/shipments/{shipment_id}": 404,  # nothing was shipped
    "PUT /api/shipments/{shipment_id}": 404,
    "POST /api/orders/{order_id}/cod/collect": 409,  # not to be paid on delivery
    "POST /api/stores/{store_id}/cod/cases/{case_id}/resolve": 404,  # no such case
    "POST /api/stores/{store_id}/cod/remittances": 415,  # no file
    "POST /api/stores/{store_id}/payments/{payment_id}/verify": 409,  # no transfer
    "POST /api/stores/{store_id}/payments/{payment_id}/reject": 409,
    "POST /api/stores/{store_id}/payments/{payment_id}/settle": 409,  # its gateway can be asked
    "POST /api/stores/{store_id}/statements": 415,  # no file
    "GET /api/stores/{store_id}/statements/{statement_id}": 404,
    "GET /api/stores/{store_id}/proofs/{proof_id}/image": 404,
    "POST /api/payments/{payment_id}/proof": 415,  # no form
    "GET /api/payments/{payment_id}/qr": 404,  # a lightbox
    "GET /api/stores/{store_id}/cod/remittances/{remittance_id}": 404,
    "POST /api/orders/{order_id}/returns": 409,  # nothing was shipped
    "PUT /api/returns/{return_id}/approve": 404,  # nothing was asked for
    "PUT /api/returns/{return_id}/reject": 404,
    "PUT /api/returns/{return_id}/receive": 404,
    "GET /api/stores/{store_id}/order-reviews/{review_id}": 404,  # nothing was held
    "PUT /api/stores/{store_id}/order-reviews/{review_id}/approve": 404,
    "PUT /api/stores/{store_id}/order-reviews/{review_id}/reject": 404,
    "GET /api/orders/{order_id}/invoice": 409,  # nothing was confirmed
    "GET /api/orders/{order_id}/credit-notes/{number}": 404,  # nothing was refunded
}


def test_every_route_works_or_is_on_the_list(story: EdgeStory) -> None:
    callers, ids, product = _cast(story)
    # Who deletes comes last, the store after what is in it, and signing out after all that.
    routes = sorted(ROUTES, key=lambda r: (r.path == _LAST, r.method == "DELETE", -len(r.path)))
    wrong = {}
    for route in routes:
        name = f"{route.method} {route.path}"
        replies = [_ask(story, route, headers, ids, product) for headers in callers]
        seen = sorted({reply.status_code for reply in replies})
        if (route.method, route.path) in NOT_HERE:
            codes = {reply.json()["error"]["code"] for reply in replies}
            if (seen, codes) != ([501], {"NOT_AVAILABLE_HERE"}):
                wrong[name] = seen
        elif not (seen[0] < 300 or _REFUSED.get(name) in seen) or _is_fault(name, seen[-1]):
            wrong[name] = seen
    assert not wrong, "\n".join(f"{name}: {seen}" for name, seen in sorted(wrong.items()))
    assert len(NOT_HERE) <= 5  # short, or the profile is another product


def _is_fault(name: str, status: int) -> bool:
    return status >= 500 and status != _REFUSED.get(name)


def test_payment_requests_are_counted_in_d1(story: EdgeStory) -> None:
    _, ids, _ = _cast(story)
    path = f"/api/payments/{ids['payment_id']}"
    name = "EISHRO_RATE_LIMIT_PAYMENTS"
    try:
        story.platform.set(**{name: "3/hour"})
        results = [story.client.post(f"{path}/result", json={}).status_code for _ in range(5)]
        assert results[-2:] == [429, 429]
        rows = story.platform.sql(
            "SELECT value FROM edge_counters WHERE key LIKE 'rate:payments:%'"
        )
        assert rows == [[5]]
    finally:
        story.platform.sql("DELETE FROM edge_counters")
        story.platform.set(**{name: VARIABLES[name]})


def _cast(story: EdgeStory) -> tuple[list[dict[str, str]], dict[str, str], Json]:
    """Headers of a guest, a buyer and a merchant; ids of what there is; a product."""
    store, merchant = story.open_store()
    product = story.add_product(store, merchant, categories=["قمصان"], stock=100)
    categories = story.list_(f"/api/stores/{store['id']}/categories")
    basket = story.order(product)
    zones = f"/api/stores/{store['id']}/shipping-zones"
    body = RIGHT_BODIES["POST /api/stores/{store_id}/shipping-zones"]
    zone = story.client.post(zones, json=body, headers=merchant).json()["data"]
    ids = {
        **NOBODYS,
        "store_id": str(store["id"]),
        "product_id": str(product["id"]),
        "category_id": str(categories[0]["id"]),
        "order_id": basket.id,
        "payment_id": story.start_payment(basket)["id"],
        "provider": "moamalat",
        "key": "x.webp",
        "name": "pay.css",
        "session_id": "ses_0",
        "shipment_id": "shp_0",
        "case_id": "cas_0",
        "remittance_id": "rem_0",
        "invitation_id": "inv_0",
        "refund_id": "ref_0",
        "number": "CN-000001",
        "return_id": "ret_0",
        "key_id": "key_0",
        "zone_id": zone["id"],
        "address_id": "adr_0",
        "phone": "+218910000000",
        "draft_id": _draft(story, store, merchant, product),
        "coupon_id": _discount(story, store, merchant, "coupons", {"code": "FIRST"}),
        "promotion_id": _discount(story, store, merchant, "promotions", {"name": "عرض"}),
        "payout_id": "pyo_0",
        "suspense_id": "sus_0",
        "user_id": "999999",
    }
    callers = [{}, {"X-Order-Token": basket.token}, merchant, _admin(story, ids)]
    return callers, ids, product


def _draft(story: EdgeStory, store: Json, merchant: dict[str, str], product: Json) -> str:
    path = f"/api/stores/{store['id']}/drafts"
    body = {**order_of(product), "payment": {"method": "cod"}}
    made = story.client.post(path, json=body, headers=merchant)
    return str(made.json()["data"]["id"])


def _discount(
    story: EdgeStory, store: Json, merchant: dict[str, str], noun: str, named: Json
) -> str:
    path = f"/api/stores/{store['id']}/{noun}"
    body = {**named, "kind": "percent", "value": 10}
    made = story.client.post(path, json=body, headers=merchant)
    return str(made.json()["data"]["id"])


def _admin(story: EdgeStory, ids: dict[str, str]) -> dict[str, str]:
    """An admin's header; somebody to administer, too."""
    other, _ = story.open_store()
    ids["other_store"], ids["other_user"] = str(other["id"]), str(other["ownerId"])
    body = {
        "email": f"admin{other['id']}@example.ly",
        "password": PASSWORD,
        "accountType": "customer",
    }
    made = story.client.post("/api/auth/register", json=body).json()["data"]
    story.platform.sql("UPDATE users SET role = 'admin' WHERE id = ?", made["user"]["id"])
    return {"Authorization": f"Bearer {made['accessToken']}"}


def _ask(
    story: EdgeStory, route: Route, headers: dict[str, str], ids: dict[str, str], product: Json
) -> httpx.Response:
    body = _body(story, f"{route.method} {route.path}", headers, ids, product)
    if route.path.startswith("/api/admin/"):
        ids = {**ids, "store_id": ids["other_store"], "user_id": ids["other_user"]}
    path = route.path.replace(":path", "").format(**ids)
    return story.client.request(route.method, path, json=body, headers=headers)


def _body(
    story: EdgeStory, name: str, headers: dict[str, str], ids: dict[str, str], product: Json
) -> Any:
    if name == "POST /api/auth/login":
        email = f"caller{len(headers)}{ids['store_id']}@example.ly"
        known = {"email": email, "password": PASSWORD}
        story.client.post("/api/auth/register", json={**known, "accountType": "customer"})
        return known
    body = RIGHT_BODIES.get(name)
    if name == "PUT /api/auth/email":
        return {"email": f"next{ids['store_id']}{len(headers)}@example.ly"}
    if name == "PUT /api/auth/password":
        return {"currentPassword": PASSWORD, "password": "another long password"}
    if body is None:
        return {} if name.startswith(("POST", "PUT")) else None
    if name == "POST /api/checkout":
        order = order_of(product)
        basket = {"storeId": int(ids["store_id"]), "items": order.pop("items")}
        return {**order, "payment": {"method": "cod"}, "orders": [basket]}
    if name.endswith(("/quote", "/orders")):
        return {**order_of(product), "payment": {"method": "cod"}}
    if "/drafts" in name:
        return {"note": "x"}
    # The story's own variant: which number it has depends on the tests that came before.
    own = {"variantId": product["variants"][0]["id"], "quantity": 1}
    if name == "PUT /api/orders/{order_id}/items":
        return {"items": [own]}
    if name == "POST /api/orders/{order_id}/refunds":
        return {**body, "lines": [{**own, "position": 0}]}
    if name.endswith("/categories"):
        return {**body, "parentId": None, "slug": "more-shoes"}
    if name.endswith(("/coupons", "/promotions", "/{coupon_id}", "/{promotion_id}")):
        return {**body, "scope": {"kind": "all"}}
    if name.startswith("PUT /api/products/"):
        return {"name": body["name"], "price": body["price"]}  # its SKUs are another's by now
    if name.startswith("POST /api/auth/register"):
        return {**body, "email": f"new{ids['store_id']}@example.ly"}
    return body
