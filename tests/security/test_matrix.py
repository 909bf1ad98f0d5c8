"""Every route as every kind of caller. A route whose permission has no row here fails the test.

One row is a permission of the route table; its columns are the callers, in the order of
`CALLERS`. 2 stands for any answer that refuses nobody: a success, or a fault of the empty body
that this test sends (permission is decided before the body is looked at); 0 for that or 401.
"""

import itertools
from collections.abc import Mapping

import pytest

from eishro.flows.issue_invoice import issue_credit_note
from eishro.flows.sign_in import SignedIn
from eishro.web.api import ROUTES
from eishro.web.routes import Route
from tests.shops import World, bearer, order_body
from tests.web.right_bodies import NOBODYS

pytestmark = pytest.mark.anyio

Headers = dict[str, str]

# fmt: off
CALLERS = (
    "guest", "customer", "buyer", "revoked key", "other merchant", "other staff", "other key",
    "viewer", "catalog", "orders", "manager", "key", "narrow key", "acting admin", "owner", "admin",
)
# A dead key is told where something is read, and ignored where it makes no difference who asks.
_ALL = (2, 2, 2, 0, *(2,) * (len(CALLERS) - 4))
EXPECTED: dict[str, tuple[int, ...]] = {
    #                      gst  cus  buy  rev  mer  stf  oky  vie  cat  ord  man  key  nar  act  own  adm
    "public":             _ALL,
    "public:store":       _ALL,
    "signed_in":          (401,   2,   2, 401,   2,   2, 403,   2,   2,   2,   2, 403, 403,   2,   2, 2),
    "own_account":        (401,   2,   2, 401,   2,   2, 403,   2,   2,   2,   2, 403, 403, 403,   2, 2),
    "merchant":           (401, 403, 403, 401,   2,   2, 403,   2,   2,   2,   2, 403, 403,   2,   2, 2),
    "admin":              (401, 403, 403, 401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 2),
    "store:read":         (401, 403, 403, 401, 403, 403, 403,   2,   2,   2,   2,   2, 403,   2,   2, 2),
    "store:write":        (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2,   2, 403,   2,   2, 2),
    "store:close":        (401, 403, 403, 401, 403, 403, 403, 403, 403, 403, 403, 403, 403,   2,   2, 2),
    "products:write":     (401, 403, 403, 401, 403, 403, 403, 403,   2, 403,   2,   2, 403,   2,   2, 2),
    "orders:read":        (401, 403, 403, 401, 403, 403, 403,   2, 403,   2,   2,   2, 403,   2,   2, 2),
    "orders:write":       (401, 403, 403, 401, 403, 403, 403, 403, 403,   2,   2,   2, 403,   2,   2, 2),
    "orders:read|party":  (401, 404,   2, 401, 404, 404, 404,   2, 403,   2,   2,   2, 403,   2,   2, 2),
    "orders:read|order":  (401, 404, 403, 401, 404, 404, 404,   2, 403,   2,   2,   2, 403,   2,   2, 2),
    "orders:refund|order": (401, 404, 403, 401, 404, 404, 404, 403, 403,  2,   2,   2,   2,   2,   2, 2),
    "orders:write|party": (401, 404,   2, 401, 404, 404, 404, 403, 403,   2,   2,   2, 403,   2,   2, 2),
    "orders:write|order": (401, 404, 403, 401, 404, 404, 404, 403, 403,   2,   2,   2, 403,   2,   2, 2),
    "discounts:read":     (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2,   2, 403,   2,   2, 2),
    "discounts:write":    (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2,   2, 403,   2,   2, 2),
    "orders:write|return": (401, 404, 403, 401, 404, 404, 404, 403, 403,  2,   2,   2, 403,   2,   2, 2),
    "staff:read":         (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2, 403, 403,   2,   2, 2),
    "staff:write":        (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2, 403, 403,   2,   2, 2),
    "staff:write|self":   (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2, 403, 403,   2,   2, 2),
    "keys:read":          (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2, 403, 403,   2,   2, 2),
    "keys:write":         (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2, 403, 403,   2,   2, 2),
    "audit:read":         (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2,   2, 403,   2,   2, 2),
    "money:read":         (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2,   2, 403,   2,   2, 2),
    "money:write":        (401, 403, 403, 401, 403, 403, 403, 403, 403, 403,   2, 403, 403,   2,   2, 2),
    "money:write|owner":  (401, 403, 403, 401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403,   2, 403),
}
# fmt: on
# A page of a product that is not there, an unsigned notification, a token that is not one: these
# are refused as news or links, not as persons.
_NEWS = {
    "POST /api/webhooks/payments/{provider}": {401},
    "POST /api/auth/refresh": {401},
    "POST /api/auth/login": {401},
}
_GROUPS = {
    name: [route for route in ROUTES if route.needs.name == name]
    for name in dict.fromkeys(route.needs.name for route in ROUTES)
}
_KEY_SCOPES = ("store:read", "store:write", "products:read", "products:write", "orders:read",
               "orders:write", "orders:refund", "discounts:read", "discounts:write",
               "audit:read", "money:read")  # fmt: skip


def test_every_permission_has_a_row_and_no_row_is_left_over() -> None:
    assert set(_GROUPS) == set(EXPECTED)
    assert all(len(row) == len(CALLERS) for row in EXPECTED.values())


@pytest.mark.parametrize("permission", _GROUPS)
async def test_a_route_lets_in_whom_its_permission_names(world: World, permission: str) -> None:
    headers, ids = await cast(world)
    client = world.client()
    wrong = []
    for route, (caller, expected) in itertools.product(
        _GROUPS[permission], zip(CALLERS, EXPECTED[permission], strict=True)
    ):
        reply = await client.request(
            route.method,
            route.path.replace(":path", "").format(**ids),
            content=b"[]" if route.method in ("POST", "PUT") else None,
            headers={**headers[caller], "Content-Type": "application/json"},
        )
        if not _fits(route, expected, reply.status_code):
            wrong.append((f"{route.method} {route.path}", caller, expected, reply.status_code))
    assert wrong == []


def _fits(route: Route, expected: int, seen: int) -> bool:
    if expected == 0 and seen == 401:
        return True
    if expected not in (0, 2):
        return seen == expected
    refusals = {401, 403} - _NEWS.get(f"{route.method} {route.path}", set())
    if "|" in route.needs.name and route.needs.name.startswith("orders"):
        refusals |= {404}
    return seen not in refusals and seen < 500


async def test_a_hidden_store_is_unknown_to_all_but_its_own_people(world: World) -> None:
    """What the public may not see, other merchants, customers and keys may not learn of either."""
    headers, ids = await cast(world)
    client = world.client()
    closed = await client.delete(f"/api/stores/{ids['store_id']}", headers=headers["owner"])
    assert closed.status_code == 200
    outside = ("customer", "buyer", "other merchant", "other staff", "other key")
    for route in ROUTES:
        if "{store_id}" not in route.path or route.needs.name == "admin":
            continue
        for caller in outside:
            reply = await client.request(
                route.method,
                route.path.format(**ids),
                content=b"[]" if route.method in ("POST", "PUT") else None,
                headers={**headers[caller], "Content-Type": "application/json"},
            )
            # A fault of the body may be told first where the body alone is public.
            assert reply.status_code in (404, 400, 405), (route.path, caller, reply.status_code)
    for caller in ("viewer", "catalog", "orders", "manager", "owner", "key", "admin"):
        reply = await client.get(f"/api/stores/{ids['store_id']}", headers=headers[caller])
        assert reply.status_code == 200, caller


async def test_a_suspended_store_s_routes_let_in_its_own_people_alone(world: World) -> None:
    """Every route about the store: its people as before, others may not know that it is there."""
    headers, ids = await cast(world)
    client = world.client()
    path = f"/api/admin/stores/{ids['store_id']}/suspend"
    done = await client.put(path, json={"reason": "a test"}, headers=headers["admin"])
    assert done.status_code == 200
    outside = ("guest", "customer", "buyer", "revoked key", *CALLERS[4:7])
    wrong = []
    for route, (number, caller) in itertools.product(ROUTES, enumerate(CALLERS)):
        expected = EXPECTED[route.needs.name][number]
        is_below = "{store_id}" in route.path or "{product_id}" in route.path
        if not is_below and "{order_id}" not in route.path:
            continue
        reply = await client.request(
            route.method,
            route.path.format(**ids),
            content=b"[]" if route.method in ("POST", "PUT") else None,
            headers={**headers[caller], "Content-Type": "application/json"},
        )
        seen = reply.status_code
        if is_below and caller in outside and route.needs.name != "admin" and expected != 401:
            fits = seen == 404 or (expected == 0 and seen == 401)
        else:
            fits = _fits(route, expected, seen)
        if not fits:
            wrong.append((f"{route.method} {route.path}", caller, expected, seen))
    assert wrong == []


async def test_a_member_of_one_store_finds_nothing_of_another_through_its_own(
    world: World,
) -> None:
    """Ids of another store's things below one's own store lead nowhere."""
    own, other = await world.merchant(), await world.merchant()
    assert own.store is not None
    assert other.store is not None
    theirs = await world.product(other.store.id, categories=["أحذية"])
    client, mine = world.client(), f"/api/stores/{own.store.id}"
    staff = await world.join(other, "viewer")
    category = f"{mine}/categories/{theirs.categories[0].id}"
    zone = f"{mine}/shipping-zones/{(await world.zone(other.store.id)).id}"
    draft = f"{mine}/drafts/{(await world.draft(theirs)).id}"
    asked = [
        ("PUT", category, {"name": "x"}),
        ("DELETE", category, None),
        ("GET", zone, None),
        ("PUT", zone, {"name": "x"}),
        ("DELETE", zone, None),
        ("GET", draft, None),
        ("PUT", draft, {"note": "x"}),
        ("DELETE", draft, None),
        ("POST", f"{draft}/place", None),
        ("PUT", f"{mine}/staff/{staff.user.id}", {"role": "viewer"}),
        ("DELETE", f"{mine}/staff/{other.user.id}", None),
        ("POST", f"{mine}/categories", {"name": "x", "parentId": theirs.categories[0].id}),
        ("POST", f"{mine}/orders", order_body(theirs.product.id, method="cod")),
    ]
    for method, path, body in asked:
        reply = await client.request(method, path, json=body, headers=bearer(own))
        assert reply.status_code in (404, 409, 422), (path, reply.status_code)


async def cast(world: World) -> tuple[Mapping[str, Headers], dict[str, str]]:
    """Everybody, and the ids of one store's things."""
    owner, other = await world.merchant(), await world.merchant()
    customer, buyer = await world.customer(), await world.customer()
    admin = await world.admin()
    assert owner.store is not None
    state = await world.product(owner.store.id, categories=["قمصان"])
    client = world.client()
    placed = await client.post(
        f"/api/stores/{owner.store.id}/orders",
        json=order_body(state.product.id, method="cod"),
        headers=bearer(buyer),
    )
    assert placed.status_code == 201, placed.text
    order = f"/api/orders/{placed.json()['data']['id']}"
    await client.put(f"{order}/status", json={"status": "confirmed"}, headers=bearer(owner))
    shipped = await client.post(
        f"{order}/shipments", json={"carrier": "amyal"}, headers=bearer(owner)
    )
    assert shipped.status_code == 201, shipped.text
    order_id = placed.json()["data"]["id"]
    await issue_credit_note(world.shop, order_id, "ref_0", 1_000)
    asked = await client.post(
        f"/api/orders/{order_id}/returns",
        json={"lines": [{"variantId": state.variants[0].id, "quantity": 1}]},
        headers=bearer(buyer),
    )
    assert asked.status_code == 201, asked.text
    headers: dict[str, Headers] = {
        "guest": {},
        "customer": bearer(customer),
        "buyer": bearer(buyer),
        "revoked key": await _revoked_key(world, owner),
        "other merchant": bearer(other),
        "other staff": bearer(await world.join(other, "manager")),
        "other key": await world.api_key(other, *_KEY_SCOPES),
        **{
            role: bearer(await world.join(owner, role))
            for role in ("viewer", "catalog", "orders", "manager")
        },
        "key": await world.api_key(owner, *_KEY_SCOPES),
        "narrow key": await world.api_key(owner, "orders:refund"),
        "acting admin": await _acting(world, admin, owner),
        "owner": bearer(owner),
        "admin": bearer(admin),
    }
    ids = {
        **NOBODYS,
        "store_id": str(owner.store.id),
        "product_id": str(state.product.id),
        "category_id": str(state.categories[0].id),
        "order_id": placed.json()["data"]["id"],
        "payment_id": "pay_0",
        "refund_id": "ref_0",
        "provider": "moamalat",
        "key": "x.webp",
        "name": "pay.css",
        "session_id": "ses_0",
        "user_id": "999999",
        "shipment_id": shipped.json()["data"]["id"],
        "case_id": "cas_0",
        "remittance_id": "rem_0",
        "invitation_id": "inv_0",
        "number": "CN-000001",
        "return_id": asked.json()["data"]["id"],
        "key_id": "key_0",
        "zone_id": "zon_0",
        "address_id": "adr_0",
        "phone": "+218910000000",
        "draft_id": "drf_0",
        "coupon_id": "prm_0",
        "promotion_id": "prm_0",
        "payout_id": "pyo_0",
        "suspense_id": "sus_0",
    }
    return headers, ids


async def _revoked_key(world: World, owner: SignedIn) -> Headers:
    assert owner.store is not None
    client, path = world.client(), f"/api/stores/{owner.store.id}/api-keys"
    key = await world.api_key(owner, *_KEY_SCOPES)
    (listed,) = (await client.get(path, headers=bearer(owner))).json()["data"]
    await client.delete(f"{path}/{listed['id']}", headers=bearer(owner))
    return key


async def _acting(world: World, admin: SignedIn, owner: SignedIn) -> Headers:
    made = await world.client().post(
        f"/api/admin/users/{owner.user.id}/act-as",
        json={"reason": "a test"},
        headers=bearer(admin),
    )
    return {"Authorization": f"Bearer {made.json()['data']['accessToken']}"}
