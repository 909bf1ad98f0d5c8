"""Invoices over HTTP: who gets one, what comes, and what is refused."""

import io
from typing import Any

import httpx
import pypdf
import pytest

from eishro.edge.not_here import edge_routes
from eishro.flows.change_order import change_status
from eishro.flows.issue_invoice import issue_credit_note
from eishro.web.api import ROUTES
from eishro.web.asgi import build_app
from eishro.web.routes import Door, WebRules
from tests.shops import TESTER, World, bearer, order_body

pytestmark = pytest.mark.anyio


async def _placed(world: World, *, confirmed: bool = True) -> tuple[dict[str, Any], dict[str, str]]:
    """A guest's order and its store's owner."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    reply = await world.client().post(
        f"/api/stores/{merchant.store.id}/orders", json=order_body(state.product.id, method="cod")
    )
    order = reply.json()["data"]
    if confirmed:
        await change_status(world.shop, order["id"], "confirmed", TESTER)
    return order, bearer(merchant)


def _text(reply: httpx.Response) -> str:
    return pypdf.PdfReader(io.BytesIO(reply.content)).pages[0].extract_text()


async def test_buyer_and_merchant_get_the_same_file(world: World) -> None:
    order, owner = await _placed(world)
    path, client = f"/api/orders/{order['id']}/invoice", world.client()
    replies = [
        await client.get(path, headers=headers)
        for headers in (owner, {"X-Order-Token": order["accessToken"]}, owner)
    ]
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.content for reply in replies}) == 1
    headers = replies[0].headers
    assert headers["Content-Type"] == "application/pdf"
    assert headers["Content-Disposition"] == 'inline; filename="INV-000001.pdf"'
    assert headers["Cache-Control"] == "private, no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    text = _text(replies[0])
    assert "INV-000001" in text
    assert order["number"] in text
    again = await client.get(path, headers={**owner, "If-None-Match": headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_link_in_it_opens_nothing_without_a_token(world: World) -> None:
    """The paper travels with the parcel: whoever reads its code must still show who they are."""
    order, owner = await _placed(world)
    client = world.client()
    reply = await client.get(f"/api/orders/{order['id']}/invoice", headers=owner)
    assert order["accessToken"] not in _text(reply)
    assert (await client.get(f"/api/orders/{order['id']}")).status_code == 401


async def test_an_unconfirmed_order_answers_409_in_both_languages(world: World) -> None:
    order, owner = await _placed(world, confirmed=False)
    path = f"/api/orders/{order['id']}/invoice"
    for language, words in (("en", "confirmed"), ("ar", "الفاتورة")):
        reply = await world.client().get(path, headers={**owner, "Accept-Language": language})
        assert reply.status_code == 409
        assert reply.json()["error"]["code"] == "CONFLICT"
        assert words in reply.json()["error"]["message"]


async def test_credit_notes_are_listed_and_printed(world: World) -> None:
    order, owner = await _placed(world)
    for number in range(3):
        await issue_credit_note(world.shop, order["id"], f"ref_{number}", 1_000 * (number + 1))
    path, client = f"/api/orders/{order['id']}/credit-notes", world.client()
    token = {"X-Order-Token": order["accessToken"]}
    body = (await client.get(path, params={"limit": 2}, headers=token)).json()
    assert [(n["number"], n["amount"], n["refundId"]) for n in body["data"]] == [
        ("CN-000001", 1.0, "ref_0"),
        ("CN-000002", 2.0, "ref_1"),
    ]
    assert body["pagination"] == {"page": 1, "limit": 2, "total": 3, "totalPages": 2}
    for written in ("CN-000002", "2", "cn-2"):
        reply = await client.get(f"{path}/{written}", headers=owner)
        assert reply.status_code == 200
        assert "CN-000002" in _text(reply)


async def test_a_credit_note_of_another_order_is_not_found(world: World) -> None:
    order, owner = await _placed(world)
    other, _ = await _placed(world)
    await issue_credit_note(world.shop, other["id"], "ref_1", 1_000)
    client = world.client()
    for number in ("CN-000001", "CN-000009", "0", "x", "INV-000001", "9" * 40, "%00", "1.0"):
        reply = await client.get(f"/api/orders/{order['id']}/credit-notes/{number}", headers=owner)
        assert reply.status_code == 404, number


async def test_hostile_names_come_out_as_text(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, name="#eval(1) \u202e<b>قميص</b>" + "W" * 90)
    body = order_body(state.product.id, method="cod")
    body["customer"]["name"] = "\u202e" + "x" * 100
    body["shipping"]["address"] = '"}; #read("/etc/passwd") $' + "ا" * 250
    client = world.client()
    placed = await client.post(f"/api/stores/{merchant.store.id}/orders", json=body)
    assert placed.status_code == 201, placed.text
    order = placed.json()["data"]
    await change_status(world.shop, order["id"], "confirmed", TESTER)
    reply = await client.get(f"/api/orders/{order['id']}/invoice", headers=bearer(merchant))
    assert reply.status_code == 200
    assert "#eval(1)" in _text(reply)


async def test_business_settings_are_kept_and_can_be_sent_back(world: World) -> None:
    _, owner = await _placed(world)
    client = world.client()
    store_id = (await client.get("/api/stores", headers=owner)).json()["data"][-1]["id"]
    path = f"/api/stores/{store_id}"
    business = {
        "legalName": "شركة النور للتجارة", "registerNumber": "12345", "licenceNumber": "L-9",
        "taxNumber": None, "address": "طرابلس", "phone": "0912345678", "showsTax": True,
    }  # fmt: skip
    sent = await client.put(path, json={"settings": {"business": business}}, headers=owner)
    assert sent.status_code == 200, sent.text
    seen = sent.json()["data"]["settings"]
    assert seen["business"] == {**business, "phone": "+218912345678"}
    assert (await client.put(path, json={"settings": seen}, headers=owner)).status_code == 200
    wrong = {"registerNumber": 5, "phone": "x", "capital": 1}
    reply = await client.put(path, json={"settings": {"business": wrong}}, headers=owner)
    assert reply.status_code == 422
    assert set(reply.json()["error"]["details"]) == {
        "settings.business.registerNumber",
        "settings.business.phone",
        "settings.business.capital",
    }


async def test_where_nothing_can_print_a_kept_file_is_still_served(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, owner = await _placed(world)
    other, other_owner = await _placed(world)
    path = "/api/orders/{}/invoice"
    first = await world.client().get(path.format(order["id"]), headers=owner)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    door = Door(
        shop=world.shop,
        tokens=world.tokens,
        rules=WebRules(authenticated=None, anonymous=None, payments=None),
        clock=world.clock,
        background=lambda _: None,
    )
    transport = httpx.ASGITransport(app=build_app(door, edge_routes(ROUTES)))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as edge:
        kept = await edge.get(path.format(order["id"]), headers=owner)
        assert (kept.status_code, kept.content) == (200, first.content)
        refused = await edge.get(path.format(other["id"]), headers=other_owner)
        assert refused.status_code == 501
        assert refused.json()["error"]["code"] == "NOT_AVAILABLE_HERE"
