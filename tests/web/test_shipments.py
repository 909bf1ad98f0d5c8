"""Parcels and cash on delivery over HTTP: what merchants type, what buyers see, what is refused."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from eishro.adapters.mail.outbox import OutboxMail
from eishro.cli.doctor import find_faults
from eishro.jobs.work_off_events import handle_events
from eishro.web.routes import WebRules
from tests.shops import World, bearer, order_body
from tests.test_sheets import spreadsheet

pytestmark = pytest.mark.anyio


class _Desk:
    """A merchant's desk: confirmed orders of three pieces at 25.500, delivery 10."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def come(self) -> "_Desk":
        merchant = await self.world.merchant()
        assert merchant.store is not None
        self.state = await self.world.product(merchant.store.id, stock=50)
        self.store = f"/api/stores/{merchant.store.id}"
        self.merchant = self.world.client(**bearer(merchant))
        self.guest = self.world.client()
        return self

    async def order(self, quantity: int = 3) -> dict[str, Any]:
        self.world.clock.turn(timedelta(seconds=1))
        body = order_body(self.state.product.id, quantity, method="cod")
        order = _data(await self.guest.post(f"{self.store}/orders", json=body), 201)
        path = f"/api/orders/{order['id']}/status"
        _data(await self.merchant.put(path, json={"status": "confirmed"}))
        return {**order, "path": f"/api/orders/{order['id']}"}

    async def ship(self, order: dict[str, Any], **body: Any) -> dict[str, Any]:
        self.world.clock.turn(timedelta(seconds=1))  # ids sort by time
        path = f"{order['path']}/shipments"
        reply = await self.merchant.post(path, json={"carrier": "amyal", **body})
        shipped: dict[str, Any] = _data(reply, 201)
        return {**shipped, "path": f"/api/shipments/{shipped['id']}"}

    async def remit(self, file: bytes | str, name: str = "a.csv", **fields: Any) -> httpx.Response:
        content = file.encode() if isinstance(file, str) else file
        return await self.merchant.post(
            f"{self.store}/cod/remittances",
            files={"file": (name, content)},
            data={"carrier": "amyal", **fields},
        )


def _data(reply: httpx.Response, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()["data"]


def _code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


async def test_a_part_of_an_order_is_shipped_and_followed_to_the_buyer(world: World) -> None:
    desk = await _Desk(world).come()
    order = await desk.order()
    variant = order["items"][0]["variantId"]
    part = await desk.ship(
        order,
        carrier="D-Express",
        trackingNumber=" dx ١٢٣ ",
        lines=[{"variantId": variant, "quantity": 1}],
        note="هش",
    )
    assert (part["carrier"], part["trackingNumber"]) == ("d-express", "DX123")
    assert (part["status"], part["lines"][0]["quantity"]) == ("created", 1)
    assert part["cod"] == {"amount": 35.5, "state": "pending_collection"}
    rest = await desk.ship(order)
    assert (rest["lines"][0]["quantity"], rest["cod"]["amount"]) == (2, 51)
    token = {"X-Order-Token": order["accessToken"]}
    listed = _data(await desk.guest.get(f"{order['path']}/shipments", headers=token))
    assert [s["id"] for s in listed] == [part["id"], rest["id"]]
    for shipment in (part, rest):
        for status in ("out_for_delivery", "delivered"):
            world.clock.turn(timedelta(minutes=1))
            _data(await desk.merchant.put(shipment["path"], json={"status": status}))
    seen = _data(await desk.guest.get(part["path"], headers=token))
    assert [e["status"] for e in seen["events"]] == ["created", "out_for_delivery", "delivered"]
    assert {e["source"] for e in seen["events"]} == {"merchant"}
    whole = _data(await desk.guest.get(order["path"], headers=token))
    assert (whole["status"], whole["fulfilmentStatus"]) == ("delivered", "fulfilled")
    assert await find_faults(world.db) == []


async def test_the_buyer_is_told_what_left_and_what_arrived(world: World) -> None:
    desk = await _Desk(world).come()
    order = await desk.order()
    shipment = await desk.ship(order, trackingNumber="AMY-284510")
    await handle_events(world.shop)
    _data(await desk.merchant.put(shipment["path"], json={"status": "delivered"}))
    await handle_events(world.shop)
    mail = world.shop.mail
    assert isinstance(mail, OutboxMail)
    letters: list[Any] = [m for m in mail.newest() if m["to"] == "buyer@example.ly"]
    assert "AMY-284510" in " ".join(str(m["text"]) for m in letters)
    assert sum("was delivered" in str(m["subject"]) for m in letters) == 1


async def test_a_repeated_request_sends_one_parcel_and_books_cash_once(world: World) -> None:
    desk = await _Desk(world).come()
    order = await desk.order()
    key = {"Idempotency-Key": "once"}
    body = {"carrier": "amyal", "trackingNumber": "A-1"}
    path = f"{order['path']}/shipments"
    first, second = [await desk.merchant.post(path, json=body, headers=key) for _ in range(2)]
    assert _data(first, 201) == _data(second, 201)
    assert second.headers["Idempotent-Replayed"] == "true"
    cash = {"amount": order["total"]}
    replies = await asyncio.gather(
        *(
            desk.merchant.post(f"{order['path']}/cod/collect", json=cash, headers=key)
            for _ in range(5)
        )
    )
    assert {_data(r)["state"] for r in replies} == {"collected"}
    (till,) = _data(await desk.merchant.get(f"{desk.store}/cod"))["couriers"]
    assert (till["courier"], till["collected"], till["outstanding"]) == ("amyal", 86.5, 86.5)
    assert await find_faults(world.db) == []


async def test_what_is_out_of_order_is_refused_with_a_code(world: World) -> None:
    desk = await _Desk(world).come()
    order = await desk.order()
    path, variant = f"{order['path']}/shipments", order["items"][0]["variantId"]
    lines = [{"variantId": variant, "quantity": 4}]
    reply = await desk.merchant.post(path, json={"carrier": "x", "lines": lines})
    assert _code(reply) == (409, "NOTHING_LEFT_TO_SHIP")
    assert reply.json()["error"]["details"]["items"] == [{"variantId": variant, "left": 3}]
    part = await desk.ship(
        order, trackingNumber="A-1", lines=[{"variantId": variant, "quantity": 1}]
    )
    reply = await desk.merchant.put(f"{order['path']}/cancel", json={})
    assert _code(reply) == (409, "ORDER_PARTLY_SHIPPED")
    reply = await desk.merchant.post(path, json={"carrier": "amyal", "trackingNumber": "a-1"})
    assert _code(reply) == (409, "TRACKING_NUMBER_TAKEN")
    _data(await desk.merchant.put(part["path"], json={"status": "delivered"}))
    reply = await desk.merchant.put(part["path"], json={"status": "in_transit"})
    assert _code(reply) == (409, "INVALID_TRANSITION")
    stale = {"If-Match": '"old"'}
    reply = await desk.merchant.put(part["path"], json={"note": "x"}, headers=stale)
    assert reply.status_code == 412
    assert await find_faults(world.db) == []


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"carrier"}),
        ({"carrier": "  "}, {"carrier"}),
        ({"carrier": "x", "status": "delivered"}, {"status"}),
        ({"carrier": "x", "lines": []}, {"lines"}),
        ({"carrier": "x", "lines": [{"variantId": 1, "quantity": 0}]}, {"lines[0].quantity"}),
        ({"carrier": "x", "lines": [{"variantId": 1, "quantity": 1.5}]}, {"lines[0].quantity"}),
        ({"carrier": "x", "lines": [{"variantId": 987, "quantity": 1}]}, {"lines[0].variantId"}),
        ({"carrier": "x", "lines": [{"variantId": 1, "quantity": 1}] * 2}, {"lines[1].variantId"}),
        ({"carrier": "x", "trackingNumber": "x" * 61}, {"trackingNumber"}),
        ({"carrier": 5, "trackingNumber": "--"}, {"carrier", "trackingNumber"}),
    ],
)
async def test_a_faulty_parcel_names_its_faults(
    world: World, body: dict[str, Any], fields: set[str]
) -> None:
    desk = await _Desk(world).come()
    order = await desk.order()
    reply = await desk.merchant.post(f"{order['path']}/shipments", json=body)
    assert (reply.status_code, set(reply.json()["error"]["details"])) == (422, fields), reply.text
    assert _data(await desk.merchant.get(f"{order['path']}/shipments")) == []


async def test_another_amount_is_kept_for_people_who_decide(world: World) -> None:
    desk = await _Desk(world).come()
    order = await desk.order()
    await desk.ship(order)
    collected = _data(await desk.merchant.post(f"{order['path']}/cod/collect", json={"amount": 80}))
    assert (collected["state"], collected["paymentStatus"]) == ("disputed", "pending")
    reply = await desk.merchant.get(f"{desk.store}/cod/cases?state=open")
    (case,) = _data(reply)
    assert (case["kind"], case["expected"], case["amount"]) == ("partial", 86.5, 80)
    assert reply.json()["pagination"]["total"] == 1
    path = f"{desk.store}/cod/cases/{case['id']}/resolve"
    decided = _data(await desk.merchant.post(path, json={"resolution": "accept", "note": "خصم"}))
    assert (decided["state"], decided["resolution"]) == ("resolved", "accept")
    reply = await desk.merchant.post(path, json={"resolution": "dismiss"})
    assert _code(reply) == (409, "COD_CASE_CLOSED")
    assert _data(await desk.merchant.get(order["path"]))["paymentStatus"] == "paid"
    assert await find_faults(world.db) == []


@pytest.mark.parametrize(
    "body",
    [{}, {"amount": -1}, {"amount": "5"}, {"amount": 1.2345}, {"amount": 5, "collectedAt": "x"}],
)
async def test_faulty_cash_is_refused(world: World, body: dict[str, Any]) -> None:
    desk = await _Desk(world).come()
    order = await desk.order()
    reply = await desk.merchant.post(f"{order['path']}/cod/collect", json=body)
    assert _code(reply) == (422, "VALIDATION_ERROR")


_ARABIC = "رقم الشحنة;المبلغ;العمولة;التاريخ\nA-1;٨٦٫٥٠٠;٥;٢٠٢٦/٠١/٠٥\nA-9;١;٠;\n"


@pytest.mark.parametrize("kind", ["csv", "windows csv", "xlsx"])
async def test_a_courier_s_file_is_tried_then_imported(world: World, kind: str) -> None:
    desk = await _Desk(world).come()
    order = await desk.order()
    await desk.ship(order, trackingNumber="A-1")
    _data(await desk.merchant.post(f"{order['path']}/cod/collect", json={"amount": 86.5}))
    if kind == "xlsx":
        file = spreadsheet(("رقم الشحنة", "المبلغ", "العمولة"), ("A-1", 86.5, 5), ("A-9", 1, 0))
    elif kind == "windows csv":  # that code page has no Arabic digits
        western = _ARABIC.translate(str.maketrans("٠١٢٣٤٥٦٧٨٩٫", "0123456789."))
        file = western.encode("cp1256")
    else:
        file = _ARABIC.encode("utf-8-sig")
    tried = _data(await desk.remit(file, dryRun="true"), 201)
    assert (tried["dryRun"], tried["counts"]) == (True, {"matched": 1, "unknown_tracking": 1})
    assert _data(await desk.merchant.get(f"{desk.store}/cod/remittances")) == []
    made = _data(await desk.remit(file), 201)
    assert (made["amount"], made["fee"], made["net"]) == (86.5, 5, 81.5)
    assert [(r["row"], r["outcome"]) for r in made["rows"]] == [
        (3, "unknown_tracking"),
        (2, "matched"),
    ]
    again = _data(await desk.remit(file), 201)
    assert (again["id"], again["rows"]) == (made["id"], made["rows"])
    (listed,) = _data(await desk.merchant.get(f"{desk.store}/cod/remittances"))
    assert listed["id"] == made["id"]
    path = f"{desk.store}/cod/remittances/{made['id']}"
    assert _data(await desk.merchant.get(path))["rows"] == made["rows"]
    (till,) = _data(await desk.merchant.get(f"{desk.store}/cod"))["couriers"]
    assert (till["remitted"], till["outstanding"]) == (86.5, 0)
    (shipment,) = _data(await desk.merchant.get(f"{order['path']}/shipments"))
    assert shipment["cod"]["state"] == "remitted"
    assert await find_faults(world.db) == []


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("", {"file"}),
        ("a,b\n1,2\n", {"file"}),
        (b"PK\x03\x04broken", {"file"}),
        ("tracking,amount\nA-1,86.5\nA-2,12x\n,5\n", {"rows[3].amount", "rows[4].tracking"}),
        ("tracking,amount,fee\nA-1,86.5,90\n", {"rows[2].fee"}),
        ("tracking,amount,date\nA-1,86.5,2026-13-01\n", {"rows[2].date"}),
        ("tracking,amount\n" + "A-1,1\n" * 5_001, {"file"}),
    ],
)
async def test_a_malformed_file_names_its_rows_and_changes_nothing(
    world: World, file: str | bytes, fields: set[str]
) -> None:
    desk = await _Desk(world).come()
    order = await desk.order()
    await desk.ship(order, trackingNumber="A-1")
    _data(await desk.merchant.post(f"{order['path']}/cod/collect", json={"amount": 86.5}))
    reply = await desk.remit(file)
    assert (reply.status_code, set(reply.json()["error"]["details"])) == (422, fields), reply.text
    assert _data(await desk.merchant.get(f"{desk.store}/cod/remittances")) == []
    (till,) = _data(await desk.merchant.get(f"{desk.store}/cod"))["couriers"]
    assert till["outstanding"] == 86.5


async def test_a_form_that_is_none_is_refused(world: World) -> None:
    desk = await _Desk(world).come()
    path = f"{desk.store}/cod/remittances"
    assert (await desk.merchant.post(path, json={"carrier": "x"})).status_code == 415
    reply = await desk.merchant.post(path, data={"carrier": "x"}, files={"other": b"x"})
    assert (reply.status_code, set(reply.json()["error"]["details"])) == (422, {"file", "other"})
    reply = await desk.merchant.post(path, files={"file": b"x"}, data={"dryRun": "perhaps"})
    assert set(reply.json()["error"]["details"]) == {"carrier", "dryRun"}
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    for content in (b"", b"--x", b"--x\r\nno header", b"x" * 99):
        reply = await desk.merchant.post(path, content=content, headers=broken)
        assert reply.status_code in (400, 422), reply.text
    for kind in ("multipart/form-data", "multipart/form-data; boundary="):
        reply = await desk.merchant.post(path, content=b"x", headers={"Content-Type": kind})
        assert reply.status_code in (400, 415, 422), reply.text


async def test_a_file_beyond_the_body_s_limit_is_refused(world: World) -> None:
    desk = await _Desk(world).come()
    headers = dict(desk.merchant.headers)
    rules = WebRules(authenticated=None, anonymous=None, payments=None, body_bytes_max=2_000)
    desk.merchant = world.client(rules, Authorization=headers["authorization"])
    assert (await desk.remit("tracking,amount\n" + "A-1,1\n" * 500)).status_code == 413


async def test_five_thousand_rows_are_imported(world: World) -> None:
    desk = await _Desk(world).come()
    rows = "".join(f"A-{number},1\n" for number in range(5_000))
    made = _data(await desk.remit("tracking,amount\n" + rows), 201)
    assert made["counts"] == {"unknown_tracking": 5_000}
    assert (len(made["rows"]), made["rowsLeftOut"]) == (1_000, 4_000)
    path = f"{desk.store}/cod/remittances/{made['id']}"
    assert len(_data(await desk.merchant.get(path))["rows"]) == 5_000


async def test_a_carrier_spelled_in_three_ways_is_one_courier_with_one_file(world: World) -> None:
    desk = await _Desk(world).come()
    for number, carrier in enumerate(["Amyal Express", "شركة أميال للشحن", "AMYAL"]):
        order = await desk.order()
        parcel = await desk.ship(order, carrier=carrier, trackingNumber=f"A-{number}")
        assert (parcel["carrier"], parcel["carrierName"]) == ("amyal", carrier)
        cash = {"amount": order["total"], "courier": ["أميال", "Amyal", "amyal co"][number]}
        _data(await desk.merchant.post(f"{order['path']}/cod/collect", json=cash))
    (till,) = _data(await desk.merchant.get(f"{desk.store}/cod"))["couriers"]
    assert (till["courier"], till["outstanding"]) == ("amyal", 259.5)
    rows = "\n".join(f"A-{number},86.5" for number in range(3))
    made = _data(await desk.remit(f"tracking number,amount\n{rows}\n", carrier="أميال"), 201)
    assert (made["carrier"], made["counts"]) == ("amyal", {"matched": 3})
    assert await find_faults(world.db) == []
