"""Attacks by parameters, headers and names: SQL, search syntax, wildcards, templates, markup.

Whatever stands in a query, a header or a stored text stays a value: it widens no list, reaches no
row, starts no template, becomes no markup, makes no second log line or header.
"""

import json
import logging
from typing import Any

import httpx
import msgspec
import pytest

from eishro.web.api import ROUTES
from tests.rows import count_rows
from tests.shops import PASSWORD, World, bearer, order_body
from tests.web.right_bodies import NOBODYS

pytestmark = pytest.mark.anyio

SYNTAX = (
    "' OR '1'='1", "' OR 1=1 --", "1; DROP TABLE products", "1) UNION SELECT password_hash FROM users",
    '" OR "" = "', "\\' OR 1=1 #", "%", "_", "%%", "\\%", "*", "a*", '"', '"a" OR "b"', "a OR b",
    "NOT a", "a NEAR b", "NEAR(a b, 3)", "{name}: a", "name:a", "^a", "(a", "a)", "a & b", "a | !b",
    "a <-> b", ":*", "''", "\\", "$1", "?1", ":q", "%(q)s", "{{7*7}}", "${7*7}", "/**/", "\u2019 OR 1=1",
    "-1", "1e9", "0x1", "NaN", "null", "true", "[]", "{}", "../..", "ar'; --", "\u0660", "😀",
    "\x00", "a\x00.b", "\x1b[2J", "\ufffe", "1\x00",
)  # fmt: skip
TEMPLATES = "{{7*7}} ${7*7} #{7*7} <%= 7*7 %> {7*7} %(x)s %s {0.__class__} {{config}} {% debug %}"
MARKUP = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'-alert(1)-'", "</title><b>",
    "<svg/onload=alert(1)>", "&lt;b&gt;", "javascript:alert(1)", "<!--", "]]>", "</script><b>",
)  # fmt: skip


async def _counts(world: World) -> dict[str, int]:
    # What is refused has a line in the trail (test_trail.py).
    return await count_rows(world.db, "audit_records")


async def _cast(
    world: World,
) -> tuple[httpx.AsyncClient, dict[str, str], dict[str, dict[str, str]]]:
    """Two stores with orders and drafts; the ids of the first one, and its callers' headers."""
    merchant, other = await world.merchant(), await world.merchant()
    for one in (other, merchant):
        assert one.store is not None
        state = await world.product(one.store.id, stock=5, categories=[f"فئة {one.store.id}"])
        await world.product(one.store.id, name=f"zenobia {one.store.id}", status="draft")
        placed = await world.order(state)
    assert merchant.store is not None
    ids = {
        **NOBODYS,
        "store_id": str(merchant.store.id),
        "product_id": str(state.product.id),
        "order_id": placed.order.id,
        "provider": "moamalat",
        "name": "pay.css",
        "key": "x",
        "payment_id": "pay_x",
        "user_id": "1",
        "category_id": "1",
        "zone_id": "zon_0",
        "address_id": "adr_0",
        "phone": "+218910000000",
        "draft_id": "drf_0",
    }
    callers = {"admin": bearer(await world.admin()), "merchant": bearer(merchant), "guest": {}}
    return world.client(), ids, callers


def _asked() -> list[tuple[Any, str]]:
    return [
        (route, field.encode_name)
        for route in ROUTES
        if route.query is not None and "oauth" not in route.path
        for field in msgspec.structs.fields(route.query)
    ]


async def test_syntax_in_any_parameter_widens_no_list_and_breaks_nothing(world: World) -> None:
    client, ids, callers = await _cast(world)
    before = await _counts(world)
    for route, name in _asked():
        path = route.path.format(**ids)
        admin = route.needs.name == "admin"
        headers = callers["admin" if admin else "merchant"]
        for junk in SYNTAX:
            reply = await client.request(route.method, path, params={name: junk}, headers=headers)
            assert reply.status_code in (200, 304, 400, 404, 422), (path, name, junk, reply.text)
            if reply.status_code != 200 or "json" not in reply.headers["content-type"]:
                continue
            text = reply.text
            assert "password" not in text, (path, name, junk)
            if not admin and "stores/" in path:  # of the store's own rows, never more
                stores = {r["storeId"] for r in reply.json()["data"] if "storeId" in r}
                assert stores <= {int(ids["store_id"])}, (path, name, junk)
    assert await _counts(world) == before


async def test_odd_tokens_in_the_forms_of_our_pages_are_wrong_links(world: World) -> None:
    for path in ("/reset-password", "/invitation"):
        for token in (*SYNTAX, "1.\x00", "inv_\x00.x", "1.2.\x00"):
            form = {"token": token, "password": PASSWORD, "firstName": token, "lang": token}
            reply = await world.client().post(path, data=form)
            assert reply.status_code in (404, 422), (path, token)


async def test_search_words_are_words(world: World) -> None:
    """No wildcard and no operator: what is searched for is in the name, or nothing is found."""
    merchant = await world.merchant()
    assert merchant.store is not None
    await world.product(merchant.store.id, name="خصم 100% _ * قميص")
    await world.product(merchant.store.id, name="zenobia", status="draft")
    client = world.client()
    for path in (
        "/api/products",
        "/api/products/search",
        f"/api/stores/{merchant.store.id}/products",
    ):
        for query in (
            "zeno*",
            "zen%",
            "_______",
            "%",
            "*",
            "zenobia OR قميص",
            '"zenobia"',
            "z" * 200,
        ):
            reply = await client.get(path, params={"q": query})
            assert reply.status_code == 200, (path, query)
            names = [one["name"] for one in reply.json()["data"]]
            assert "zenobia" not in names, (path, query)
        found = (await client.get(path, params={"q": "قميص"})).json()["data"]
        assert len(found) == 1


async def test_wildcards_find_no_order_and_no_person(world: World) -> None:
    client, ids, callers = await _cast(world)
    for junk in ("%", "_", "%%", "*", "%@%", "' OR 1=1 --", "\\"):
        people = await client.get(
            "/api/admin/users", params={"email": junk}, headers=callers["admin"]
        )
        assert people.json().get("data", []) == [], junk
        orders = await client.get(
            f"/api/stores/{ids['store_id']}/orders", params={"q": junk}, headers=callers["merchant"]
        )
        assert orders.json().get("data", []) == [], junk


async def test_the_order_of_a_list_is_one_of_its_names(world: World) -> None:
    client = world.client()
    for sort in ("price; DROP TABLE products", "(SELECT 1)", "-price,name", "createdAt", "1", ""):
        reply = await client.get("/api/products", params={"sort": sort})
        assert reply.status_code == 422, sort
        assert list(reply.json()["error"]["details"]) == ["sort"]


async def test_repeated_parameters_are_refused_and_arrays_are_nobody_s(world: World) -> None:
    """Two values never leave open which one counts; `page[]` is not `page`, so it is passed over."""
    client, _, _ = await _cast(world)
    for query in (
        "page=1&page=2",
        "q=a&q=b",
        "limit=1&limit=100",
        "sort=price&sort=name",
        "page=1,2",
    ):
        reply = await client.get(f"/api/products?{query}")
        assert reply.status_code == 422, query
        assert list(reply.json()["error"]["details"]) == [query.partition("=")[0]]
    plain = (await client.get("/api/products")).json()
    for query in (
        "page[]=9",
        "page[$ne]=9",
        "limit[0]=1",
        "q[]=a",
        "category[x]=x",
        "__proto__[q]=a",
    ):
        reply = await client.get(f"/api/products?{query}")
        assert {**reply.json(), "timestamp": ""} == {**plain, "timestamp": ""}, query


async def test_a_page_too_far_costs_nothing(world: World) -> None:
    client, ids, callers = await _cast(world)
    paths = ["/api/products", "/api/stores", f"/api/stores/{ids['store_id']}/orders"]
    for path in (*paths, "/api/orders", "/api/admin/users"):
        headers = callers["admin" if "admin" in path else "merchant"]
        for page in ("1000000000", "1e9", str(10**30), "-1", "0", "1.5", "٣"):
            reply = await client.get(path, params={"page": page}, headers=headers)
            assert reply.status_code == 422, (path, page)
            assert list(reply.json()["error"]["details"]) == ["page"]
        last = await client.get(path, params={"page": "100000"}, headers=headers)
        assert last.status_code in (200, 422)
        assert last.json().get("data", []) == []


async def test_a_header_makes_no_other_header_and_no_other_log_line(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    client = world.client()
    with caplog.at_level(logging.DEBUG):
        for header in (
            "X-Request-ID",
            "Accept-Language",
            "User-Agent",
            "Idempotency-Key",
            "Referer",
        ):
            for value in (
                "a\tlevel=error",
                'x","level":"error',
                "%0d%0aSet-Cookie: a=b",
                "a b\\n{}",
            ):
                reply = await client.get("/api/stores", headers={header: value})
                assert reply.status_code in (200, 400), (header, value)
                assert "set-cookie" not in reply.headers
                assert value not in str(reply.headers), (header, value)
                assert reply.headers["X-Request-ID"].replace("-", "").replace("_", "").isalnum()
    for path in (
        "/api/products/1%0d%0aSet-Cookie:%20a=b",
        "/api/orders/a%0d%0ab",
        "/media/a%0d%0ab",
    ):
        reply = await client.get(path)
        assert reply.status_code in (401, 404)
        assert "set-cookie" not in reply.headers
    assert "\n{}" not in caplog.text


async def test_links_in_mails_name_our_address_whatever_the_host_header_says(world: World) -> None:
    person = await world.customer()
    client = world.client(**{"Host": "evil.test", "X-Forwarded-Host": "evil.test"})
    await client.post("/api/auth/forgot-password", json={"email": person.user.email})
    links = await world.letters(person.user.email)
    assert any("/reset-password?" in link for link in links)
    assert all(not link or link.startswith("http://shop.test/") for link in links)


async def test_names_are_no_templates_and_no_markup_wherever_they_are_shown(world: World) -> None:
    """In pages nothing becomes markup; in mails everything stands as it was written."""
    for hostile in (TEMPLATES, *MARKUP):
        name = hostile[:110]
        client = world.client()
        email = f"owner{abs(hash(hostile))}@example.ly"
        joined = await client.post(
            "/api/auth/register",
            json={
                "email": email, "password": PASSWORD, "accountType": "merchant",
                "firstName": name, "lastName": name,
                "store": {"name": name, "slug": f"s-{abs(hash(hostile))}x"},
            },
        )  # fmt: skip
        assert joined.status_code == 201, joined.text
        data = joined.json()["data"]
        owner = {"Authorization": f"Bearer {data['accessToken']}"}
        at = f"/api/stores/s-{abs(hash(hostile))}x"
        product = {"name": name, "price": 10, "description": name, "stock": 3, "sizes": [name[:50]]}
        made = await client.post(f"{at}/products", json=product, headers=owner)
        assert made.status_code == 201, made.text
        shown = made.json()["data"]
        assert (shown["name"], shown["description"]) == (name, name)
        body = order_body(shown["id"], 1, shown["variants"][0]["id"])
        body["customer"]["name"] = name
        body["shipping"]["address"] = name
        order = (await client.post(f"{at}/orders", json=body)).json()["data"]
        started = await client.post(
            f"/api/orders/{order['id']}/payments",
            json={"method": "moamalat"},
            headers={"X-Order-Token": order["accessToken"]},
        )
        guest = f"guest{abs(hash(hostile))}@example.ly"
        invited = {"email": guest, "role": "viewer"}
        assert (await client.post(f"{at}/staff", json=invited, headers=owner)).status_code == 201
        for path in (f"/pay/{started.json()['data']['id']}", await world.link(guest, "invitation")):
            page = await client.get(path)
            assert page.status_code == 200, path
            if hostile == TEMPLATES:
                assert "{{7*7}} ${7*7}" in page.text, path
            if "<" in name:
                assert name not in page.text, path
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
        mail = world.shop.mail.newest(20)  # type: ignore[attr-defined]
        texts = [one["subject"] + one["text"] for one in mail if one["to"] in (guest, email)]
        assert any(name in text for text in texts), texts


async def test_an_answer_to_json_is_never_read_as_a_page(world: World) -> None:
    """Names come back as they are in JSON: its type and nosniff keep browsers from drawing it."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, name="<script>alert(1)</script>")
    for path in (f"/api/products/{state.product.id}", "/api/products", "/api/<script>"):
        reply = await world.client().get(path, headers={"Accept": "text/html"})
        assert reply.headers["content-type"].startswith("application/json")
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert json.loads(reply.content)
