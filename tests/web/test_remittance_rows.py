"""What a courier hands over, typed row by row: matched and flagged as a file is."""

import asyncio
from typing import Any

import pytest

from tests.flows.test_collect_cash import TOTAL, Courier
from tests.shops import World, bearer

pytestmark = pytest.mark.anyio

_DINARS = TOTAL / 1000


async def _desk(world: World) -> tuple[Courier, Any, str]:
    courier = await Courier(world).come()
    admin = bearer(await world.admin())
    return courier, world.client(**admin), f"/api/stores/{courier.store_id}/cod/remittances"


def _rows(*rows: tuple[str, float], fee: float = 5) -> dict[str, Any]:
    made = [{"trackingNumber": number, "amount": amount, "fee": fee} for number, amount in rows]
    return {"carrier": "Amyal", "rows": made}


async def test_rows_are_judged_as_those_of_a_file(world: World) -> None:
    courier, client, path = await _desk(world)
    for number in ("B-1", "B-2", "B-3"):
        parcel = await courier.parcel(number)
        if number != "B-3":
            await courier.collect(parcel.order_id)
    wanted = (("b-1", _DINARS), ("B-2", _DINARS - 1), ("B-1", _DINARS), ("B-3", 3), ("B-9", 4))
    outcomes = ["matched", "amount_differs", "duplicate_row", "not_collected", "unknown_tracking"]
    dry = await client.post(f"{path}/rows", json={**_rows(*wanted, fee=1), "dryRun": True})
    assert dry.status_code == 201, dry.text
    reply = await client.post(f"{path}/rows", json={**_rows(*wanted, fee=1), "reference": "R-7"})
    assert reply.status_code == 201, reply.text
    made = reply.json()["data"]
    for answer in (dry.json()["data"], made):
        rows = sorted(answer["rows"], key=lambda row: row["row"])
        assert [row["outcome"] for row in rows] == outcomes
        assert [row["row"] for row in rows] == [1, 2, 3, 4, 5]
    assert dry.json()["data"]["dryRun"] is True
    assert (made["fileName"], made["carrier"], made["rowsTotal"]) == ("R-7", "amyal", 5)
    assert (made["amount"], made["net"]) == (_DINARS, _DINARS - 1)
    listed = (await client.get(path)).json()["data"]
    assert [one["id"] for one in listed] == [made["id"]]
    kept = (await client.get(f"{path}/{made['id']}")).json()["data"]
    assert kept["rows"] == made["rows"]
    cases = await client.get(f"/api/stores/{courier.store_id}/cod/cases?state=open")
    assert [one["remittanceId"] for one in cases.json()["data"]] == [made["id"]]


async def test_the_same_rows_again_book_nothing_more(world: World) -> None:
    courier, client, path = await _desk(world)
    await courier.collect((await courier.parcel("C-1")).order_id)
    body = _rows(("C-1", _DINARS))
    replies = await asyncio.gather(*(client.post(f"{path}/rows", json=body) for _ in range(6)))
    assert {reply.status_code for reply in replies} == {201}, [r.text for r in replies]
    assert len({reply.json()["data"]["id"] for reply in replies}) == 1
    other = await client.post(f"{path}/rows", json={**body, "reference": "again"})
    assert [row["outcome"] for row in other.json()["data"]["rows"]] == ["already_remitted"]
    till = (await client.get(f"/api/stores/{courier.store_id}/cod")).json()["data"]["couriers"]
    assert [(one["remitted"], one["outstanding"]) for one in till] == [(_DINARS, 0)]


async def test_every_fault_of_the_rows_is_named_and_nothing_is_kept(world: World) -> None:
    _, client, path = await _desk(world)
    wrong = {
        "carrier": "",
        "rows": [
            {"trackingNumber": "D-1", "amount": "5"},
            {"trackingNumber": "  ", "amount": 5.0001, "date": "15/01/2026"},
            {"trackingNumber": "D-2", "amount": 5, "date": "2026-02-30", "total": 5},
        ],
    }
    reply = await client.post(f"{path}/rows", json=wrong)
    assert reply.status_code == 422
    assert set(reply.json()["error"]["details"]) == {
        "carrier", "rows[0].amount", "rows[1].trackingNumber", "rows[1].amount", "rows[1].date",
        "rows[2].date", "rows[2].total",
    }  # fmt: skip
    dear = await client.post(f"{path}/rows", json=_rows(("D-1", 9), ("D-2", 4)))
    assert set(dear.json()["error"]["details"]) == {"rows[1].fee"}
    wrongs: tuple[Any, ...] = ([], None, "D-1")
    for rows in wrongs:
        empty = await client.post(f"{path}/rows", json={"carrier": "amyal", "rows": rows})
        assert empty.status_code == 422
    assert (await client.get(path)).json()["data"] == []
