"""Idempotency keys of cash on delivery: the same request again is the same answer, and no more."""

from typing import Any

import httpx
import pytest

from eishro.cli.doctor import find_faults
from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio


async def _shipped(world: World) -> tuple[httpx.AsyncClient, dict[str, str], str, str]:
    """A store's own client, its headers, the store's path, and an order on its way."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    client, who = world.client(), bearer(merchant)
    store = f"/api/stores/{merchant.store.id}"
    body = order_body(state.product.id, method="cod")
    made = (await client.post(f"{store}/orders", json=body)).json()["data"]
    order = f"/api/orders/{made['id']}"
    await client.put(f"{order}/status", json={"status": "confirmed"}, headers=who)
    parcel = {"carrier": "amyal", "trackingNumber": "AMY-1"}
    sent = await client.post(f"{order}/shipments", json=parcel, headers=who)
    assert sent.status_code == 201, sent.text
    return client, who, store, order


async def _twice(
    client: httpx.AsyncClient, path: str, who: dict[str, str], **content: Any
) -> dict[str, Any]:
    headers = {**who, "Idempotency-Key": "key-1"}
    first = await client.post(path, headers=headers, **content)
    assert first.status_code in (200, 201), first.text
    again = await client.post(path, headers=headers, **content)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    found: dict[str, Any] = first.json()["data"]
    return found


async def test_cash_told_twice_with_one_key_is_counted_once(world: World) -> None:
    client, who, _, order = await _shipped(world)
    total = (await client.get(order, headers=who)).json()["data"]["total"]
    await _twice(client, f"{order}/cod/collect", who, json={"amount": total})
    assert (await client.get(order, headers=who)).json()["data"]["paymentStatus"] == "paid"
    assert await find_faults(world.db) == []


async def test_a_case_decided_twice_with_one_key_is_decided_once(world: World) -> None:
    client, who, store, order = await _shipped(world)
    told = await client.post(f"{order}/cod/collect", json={"amount": 1}, headers=who)
    case = told.json()["data"]["case"]["id"]
    body = {"resolution": "dismiss", "note": "a mistake"}
    await _twice(client, f"{store}/cod/cases/{case}/resolve", who, json=body)
    assert await find_faults(world.db) == []


async def test_a_file_sent_twice_with_one_key_is_booked_once(world: World) -> None:
    client, who, store, order = await _shipped(world)
    total = (await client.get(order, headers=who)).json()["data"]["total"]
    await client.post(f"{order}/cod/collect", json={"amount": total}, headers=who)
    # A form's boundary is a part of its bytes: the very same body is sent again.
    form = (
        b'--x\r\nContent-Disposition: form-data; name="carrier"\r\n\r\namyal\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        + f"tracking,amount\nAMY-1,{total}\n".encode()
        + b"\r\n--x--\r\n"
    )
    headers = {**who, "Content-Type": "multipart/form-data; boundary=x"}
    await _twice(client, f"{store}/cod/remittances", headers, content=form)
    assert await find_faults(world.db) == []
