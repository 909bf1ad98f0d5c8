"""Bank statements: rows are matched by reference and exact amount, differences are flagged."""

import asyncio
import io
from typing import Any

import pytest
import xlsxwriter

from eishro.cli.doctor_money import find_money_adrift
from eishro.sandbox.bank_transfer import BankFaults, BankSimulator
from tests.shops import World
from tests.transferring import counter, reference_of

pytestmark = pytest.mark.anyio
_HEADERS = "التاريخ,رقم المرجع,البيان,مدين,دائن\n"


def _outcomes(imported: dict[str, Any]) -> dict[int, str]:
    return {row["row"]: row["outcome"] for row in imported["rows"]}


async def test_every_row_pays_or_is_flagged(world: World) -> None:
    desk = await counter(world)
    exact, less, twice, late = [await desk.payment() for _ in range(4)]
    stranger = await (await counter(world)).payment()
    refs = [reference_of(one) for one in (exact, less, twice, late, stranger)]
    await desk.client.put(
        f"/api/orders/{late['orderId']}/cancel", json={"reason": "x"}, headers=desk.owner
    )
    text = _HEADERS + "\n".join(
        (
            f"١٥/٠١/٢٠٢٦,A1,حوالة {refs[0]},,٣٥٫٥٠٠",
            f"2026-01-15,A2,{refs[1].lower().replace('-', ' ')},,35.499",
            f"2026-01-15,A3,x {refs[2]} y,0,35.5",
            f"2026-01-15,a 3,x {refs[2]} y,0,35.5",
            f"2026-01-15,A4,{refs[2]},,35.5",
            f"2026-01-15,A5,{refs[3]},,35.5",
            f"2026-01-15,A6,{refs[4]},,35.5",
            "2026-01-15,A7,salary,,1000",
            f"2026-01-15,,{refs[0]},,35.5",
            f"2026-01-15,A8,{refs[0]} {refs[1]},,71",
            f"2026-01-15,A9,{refs[0]},,1.2.3",
            "2026-01-15,A10,fee,5,",
        )
    )
    expected = {
        2: "matched", 3: "amount_differs", 4: "matched", 5: "duplicate_row",
        6: "other_bank_reference", 7: "order_closed", 8: "unknown_reference", 9: "no_reference",
        10: "no_bank_reference", 11: "several_references", 12: "no_amount",
    }  # fmt: skip
    dry = (await desk.statement(text, dryRun="true")).json()["data"]
    # A dry run books nothing, so it does not see what rows above would have paid.
    assert _outcomes(dry) == {**expected, 6: "matched"}
    assert (await desk.read(exact["id"]))["status"] == "action_required"
    reply = await desk.statement(text)
    assert reply.status_code == 201, reply.text
    made = reply.json()["data"]
    assert _outcomes(made) == expected
    assert (made["amount"], made["counts"]["matched"]) == (71, 2)
    statuses = [(await desk.read(one["id"]))["status"] for one in (exact, less, twice)]
    assert statuses == ["paid", "unknown", "paid"]
    assert {one["reason"] for one in await desk.get("/suspense")} == {
        "amount_differs",
        "order_closed",
    }
    first = next(row for row in made["rows"] if row["row"] == 2)
    assert (first["bankReference"], first["amount"], first["date"]) == ("A1", 35.5, "2026-01-15")
    again = (await desk.statement(text)).json()["data"]
    assert (again["id"], _outcomes(again)) == (made["id"], expected)
    assert len(await desk.get("/suspense")) == 2
    assert await desk.get(f"/statements/{made['id']}") == again
    assert [one["id"] for one in await desk.get("/statements")] == [made["id"]]
    assert await find_money_adrift(world.db) == []


async def test_a_statement_sent_twice_at_once_books_once(world: World) -> None:
    desk = await counter(world)
    made = [await desk.payment() for _ in range(3)]
    text = _HEADERS + "\n".join(
        f"2026-01-15,B{n},{reference_of(one)},,35.5" for n, one in enumerate(made)
    )
    replies = await asyncio.gather(*(desk.statement(text) for _ in range(3)))
    assert {reply.status_code for reply in replies} == {201}
    assert [(await desk.read(one["id"]))["status"] for one in made] == ["paid"] * 3
    assert len(await desk.get("/statements")) == 1
    assert await find_money_adrift(world.db) == []


async def test_what_people_verified_is_known_to_the_statement(world: World) -> None:
    desk = await counter(world)
    by_hand, otherwise = await desk.payment(), await desk.payment()
    await desk.say(by_hand["id"], "verify", amount=35.5, bankReference="C-1")
    await desk.say(otherwise["id"], "verify", amount=35.5, bankReference="of the app")
    text = _HEADERS + (
        f"2026-01-15,C1,{reference_of(by_hand)},,35.5\n"
        f"2026-01-15,C2,{reference_of(otherwise)},,35.5\n"
        f"2026-01-15,C1,{reference_of(otherwise)},,35.5\n"
    )
    made = (await desk.statement(text)).json()["data"]
    assert _outcomes(made) == {
        2: "already_booked",
        3: "other_bank_reference",
        4: "duplicate_row",
    }
    assert await desk.get("/suspense") == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"date,amount\n2026-01-15,5\n",
        b"reference,description,credit\n",
        b"\x00\x01",
        b"PK\x03\x04nothing",
        b"reference,description,credit\n" + b"R,t,1\n" * 1_001,
    ],
    ids=["empty", "columns", "no rows", "binary", "damaged", "too many"],
)
async def test_what_is_no_statement_is_refused(world: World, content: bytes) -> None:
    desk = await counter(world)
    reply = await desk.statement(content)
    assert reply.status_code == 422, reply.text
    assert list(reply.json()["error"]["details"]) == ["file"]
    assert await desk.get("/statements") == []


async def test_a_spreadsheet_is_read(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["كشف حساب"])
        sheet.write_row(2, 0, ["Value Date", "Transaction No", "Narration", "Deposit"])
        sheet.write_row(3, 0, ["15/01/2026", 900123, f"TRF {reference_of(payment)}", 35.5])
    made = (await desk.statement(out.getvalue())).json()["data"]
    assert _outcomes(made) == {4: "matched"}
    assert (await desk.read(payment["id"]))["status"] == "paid"


@pytest.mark.parametrize(
    ("faults", "outcomes"),
    [
        (BankFaults(), {"matched": 1}),
        (BankFaults(wrong_amount_by_dirhams=-1), {"amount_differs": 1}),
        (BankFaults(loses_reference=True), {"no_reference": 1}),
        (BankFaults(damages_reference=True), {"no_reference": 1}),
        (BankFaults(repeats_rows=True), {"matched": 1, "duplicate_row": 1}),
        (BankFaults(repeats_rows=True, reorders_rows=True), {"matched": 1, "duplicate_row": 1}),
        (BankFaults(loses_bank_reference=True), {"no_bank_reference": 1}),
    ],
    ids=["right", "amount", "lost", "damaged", "twice", "reordered", "unnamed"],
)
async def test_the_demo_bank_s_statement_is_matched(
    world: World, faults: BankFaults, outcomes: dict[str, int]
) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    bank = BankSimulator({}, world.clock, None)  # type: ignore[arg-type]
    bank.faults = faults
    bank.transfer(reference_of(payment), 35_500, "فاطمة")
    made = (await desk.statement(bank.statement())).json()["data"]
    assert made["counts"] == outcomes
    assert await find_money_adrift(world.db) == []
