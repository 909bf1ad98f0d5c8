"""Invoices: one an order, numbers without a gap, and what they say never changes."""

import asyncio
import io
from datetime import timedelta

import msgspec
import pypdf
import pytest

from eishro.db.statements import Batch
from eishro.domain.files.port import FilesUnavailable
from eishro.domain.invoices import sql as invoices
from eishro.domain.invoices.model import Invoice, NotInvoiced
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import OrderNotFound, Wanted
from eishro.domain.stores.model import Business
from eishro.errors import Stale
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.edit_order import NewQuantity, edit_items
from eishro.flows.edit_store import StoreChange, update_store
from eishro.flows.issue_invoice import (
    CreditLine,
    issue_credit_note,
    issue_invoice,
    print_document,
)
from eishro.flows.pay_order import check_payment
from eishro.flows.place_order import place_order
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.jobs.work_off_events import handle_events
from tests.flows.meddling import meddled
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio


async def _orders(world: World, count: int, *, confirmed: bool = True) -> list[str]:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, price=24_500)
    ids = [(await world.order(state, 2, "cod")).order.id for _ in range(count)]
    if confirmed:
        for order_id in ids:
            await change_status(world.shop, order_id, "confirmed", TESTER)
    return ids


def _words(document: bytes) -> str:
    return pypdf.PdfReader(io.BytesIO(document)).pages[0].extract_text()


async def test_fifty_orders_at_once_get_the_numbers_one_to_fifty(world: World) -> None:
    ids = await _orders(world, 50)
    made = await asyncio.gather(*(issue_invoice(world.shop, order_id) for order_id in ids))
    assert sorted(one.number for one in made) == list(range(1, 51))
    assert {one.order_id for one in made} == set(ids)


async def test_one_order_asked_for_by_many_at_once_has_one_invoice(world: World) -> None:
    first, second = await _orders(world, 2)
    made = await asyncio.gather(*(issue_invoice(world.shop, first) for _ in range(20)))
    assert {(one.id, one.number) for one in made} == {(made[0].id, 1)}
    # Those who were too late gave their numbers back.
    assert (await issue_invoice(world.shop, second)).number == 2


async def test_each_store_and_each_kind_counts_for_itself(world: World) -> None:
    (one,), (other,) = await _orders(world, 1), await _orders(world, 1)
    assert [(await issue_invoice(world.shop, i)).name for i in (one, other)] == ["INV-000001"] * 2
    notes = [await issue_credit_note(world.shop, one, f"ref_{n}", 1_000) for n in range(2)]
    notes.append(await issue_credit_note(world.shop, other, "ref_9", 1_000))
    assert [note.name for note in notes] == ["CN-000001", "CN-000002", "CN-000001"]


async def test_an_order_that_is_not_confirmed_has_none(world: World) -> None:
    pending, cancelled = await _orders(world, 2, confirmed=False)
    await cancel_order(world.shop, cancelled, TESTER, only_pending=False)
    for order_id in (pending, cancelled):
        with pytest.raises(NotInvoiced):
            await issue_invoice(world.shop, order_id)
    with pytest.raises(OrderNotFound):
        await issue_invoice(world.shop, "ord_0")
    await change_status(world.shop, pending, "confirmed", TESTER)
    assert (await issue_invoice(world.shop, pending)).number == 1


async def test_an_invoice_stays_when_the_order_is_cancelled_later(world: World) -> None:
    (order_id,) = await _orders(world, 1)
    made = await issue_invoice(world.shop, order_id)
    await cancel_order(world.shop, order_id, TESTER, only_pending=False)
    assert await issue_invoice(world.shop, order_id) == made


async def test_a_paid_order_gets_its_invoice_by_itself_once(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    order = (await world.order(state)).order
    payment = await start_payment(world.shop, order.id, "moamalat", None, TESTER, NotOnce())
    world.provider.pay(payment.reference, payment.amount_dirhams)
    await check_payment(world.shop, payment.id)
    await handle_events(world.shop)
    made = await invoices.find_invoice(world.db, order.store_id, order.id)
    assert made is not None
    assert made.content_value().payment.status == "paid"
    assert await issue_invoice(world.shop, order.id) == made


async def test_what_it_says_is_what_was_true_when_it_was_issued(world: World) -> None:
    merchant = await world.merchant(
        business=Business(legal_name="شركة النور", register_number="REG-77"),
        contact_address="طرابلس",
    )
    assert merchant.store is not None
    state = await world.product(merchant.store.id, price=25_500, name="قميص", sizes=["XL"])
    placed = await world.order(state, 3, "cod")
    await change_status(world.shop, placed.order.id, "confirmed", TESTER)
    made = await issue_invoice(world.shop, placed.order.id)
    first = await print_document(world.shop, made)
    content = made.content_value()
    assert content.total_dirhams == placed.order.total_dirhams
    assert [(i.quantity, i.total_dirhams, i.details) for i in content.items] == [(3, 76_500, "XL")]
    seller = content.seller
    assert (seller.legal_name, seller.register_number) == ("شركة النور", "REG-77")
    assert seller.address == "طرابلس"
    text = _words(first)
    for expected in ("INV-000001", "REG-77", "76.500", "86.500", placed.order.number):
        assert expected in text
    await update_store(
        world.shop, merchant.store.id, StoreChange(name="اسم آخر"), TESTER, lambda _: None
    )
    world.clock.turn(timedelta(days=400))
    assert (
        await print_document(world.shop, await issue_invoice(world.shop, placed.order.id)) == first
    )


async def test_the_file_is_printed_to_the_same_bytes_without_the_kept_one(world: World) -> None:
    (order_id,) = await _orders(world, 1)
    made = await issue_invoice(world.shop, order_id)
    first = await print_document(world.shop, made)
    await world.shop.files.delete(f"documents/{made.store_id}/{made.id}.pdf")
    assert await print_document(world.shop, made) == first


async def test_storage_that_is_away_holds_no_invoice_back(world: World) -> None:
    class Away:
        async def find(self, key: str) -> None:
            raise FilesUnavailable

        async def put(self, *_: object) -> None:
            raise FilesUnavailable

    (order_id,) = await _orders(world, 1)
    made = await issue_invoice(world.shop, order_id)
    printed = await print_document(changed(world.shop, files=Away()), made)
    assert printed == await print_document(world.shop, made)


async def test_a_refund_has_one_credit_note_below_an_invoice(world: World) -> None:
    (order_id,) = await _orders(world, 1)
    lines = (CreditLine("قميص", 1, 24_500),)
    made = await asyncio.gather(
        *(
            issue_credit_note(world.shop, order_id, "ref_1", 30_000, lines, reason="مقاس")
            for _ in range(10)
        )
    )
    assert {note.id for note in made} == {made[0].id}
    invoice = await issue_invoice(world.shop, order_id)
    content = made[0].content_value()
    assert (content.invoice_number, content.total_dirhams) == (invoice.number, 30_000)
    assert [item.total_dirhams for item in content.items] == [24_500, 5_500]
    text = _words(await print_document(world.shop, made[0]))
    for expected in ("CN-000001", "INV-000001", "30.000", "24.500"):
        assert expected in text


async def test_a_cancelled_order_whose_money_goes_back_gets_both(world: World) -> None:
    (order_id,) = await _orders(world, 1, confirmed=False)
    await cancel_order(world.shop, order_id, TESTER, only_pending=False)
    note = await issue_credit_note(world.shop, order_id, "ref_1", 59_000)
    assert note.content_value().invoice_number == 1
    assert (await issue_invoice(world.shop, order_id)).number == 1


@pytest.mark.parametrize(("amount", "line"), [(0, 0), (-1, 0), (1_000, 1_001)])
async def test_a_credit_note_of_nothing_is_a_fault(world: World, amount: int, line: int) -> None:
    (order_id,) = await _orders(world, 1)
    with pytest.raises(ValueError, match="credit note"):
        await issue_credit_note(world.shop, order_id, "r", amount, [CreditLine("x", 1, line)])


async def test_a_document_of_an_older_order_is_refused_and_gives_its_number_back(
    world: World,
) -> None:
    (order_id,) = await _orders(world, 1)
    order = await orders.get_order(world.db, order_id)
    content = msgspec.Raw(b"{}")
    late = Invoice("ivc_0", order.store_id, "invoice", 0, order_id, None, order.created_at, content)
    with pytest.raises(Stale):
        await world.db.commit(Batch(*invoices.insert_document(late, order.version - 1)))
    assert (await issue_invoice(world.shop, order_id)).number == 1


async def test_an_order_of_a_hundred_lines_prints(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    states = [await world.product(merchant.store.id, price=1_000) for _ in range(100)]
    items = tuple(Wanted(s.product.id, 1, s.variants[0].id) for s in states)
    command = msgspec.structs.replace(world.command(states[0], method="cod"), items=items)
    placed = await place_order(world.shop, command, TESTER, NotOnce())
    await change_status(world.shop, placed.order.id, "confirmed", TESTER)
    made = await issue_invoice(world.shop, placed.order.id)
    printed = await print_document(world.shop, made)
    assert len(pypdf.PdfReader(io.BytesIO(printed)).pages) >= 3


async def test_an_invoice_that_is_issued_while_its_order_changes_says_what_it_costs(
    world: World,
) -> None:
    (order_id,) = await _orders(world, 1)
    (line,) = await orders.list_lines(world.db, [order_id])

    async def issued() -> None:
        await issue_invoice(world.shop, order_id)

    wanted = [NewQuantity(line.variant_id, 1)]
    await edit_items(meddled(world.shop, issued), order_id, wanted, None, TESTER)
    order = await orders.get_order(world.db, order_id)
    made = await issue_invoice(world.shop, order_id)
    assert (made.number, made.content_value().total_dirhams) == (2, order.total_dirhams)


async def test_an_invoice_and_a_change_at_once_end_with_a_right_invoice(world: World) -> None:
    for order_id in await _orders(world, 4):
        (line,) = await orders.list_lines(world.db, [order_id])
        wanted = [NewQuantity(line.variant_id, 1)]
        await asyncio.gather(
            issue_invoice(world.shop, order_id),
            edit_items(world.shop, order_id, wanted, None, TESTER),
            issue_invoice(world.shop, order_id),
        )
        order = await orders.get_order(world.db, order_id)
        made = await issue_invoice(world.shop, order_id)
        assert made.content_value().total_dirhams == order.total_dirhams
        notes, _ = await invoices.list_credit_notes(world.db, order.store_id, order_id, 10, 0)
        assert len(notes) == order.revision
