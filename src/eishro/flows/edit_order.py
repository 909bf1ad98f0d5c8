"""Change an order before any of it is shipped: its items, or where it goes.

The amounts are made again from what they were made of (the order's kept trace), with only that
changed which was asked for: kept lines keep their price, promotions and the coupon are judged as at
the order's own moment. Stock, books, promotions and open attempts to pay follow in the same batch.

A paid order stays paid: what it costs less goes back (`refund_excess.py`), what it costs more is
due, and until it is there the order is `pending` again with the money it has. An invoice that says
what it cost before is made void by a credit note, and the order gets a new one.

Read and decided on: the order with its lines, trace, uses and invoice (guarded by its version),
prices and stock of what is added (guarded by the hold), today's delivery plan for another address
(guarded by the store's version).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.discounts import uses
from eishro.domain.invoices import sql as invoices
from eishro.domain.invoices.model import Invoice
from eishro.domain.ledger import sql as ledger
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Line, NotEditable, Offer, Order, OutOfStock
from eishro.domain.shipping import rates, zones_sql
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Taking
from eishro.domain.stores import sql as stores
from eishro.errors import Invalid, Stale, Words
from eishro.flows.issue_invoice import voiding
from eishro.flows.pay_order import closing_attempts
from eishro.flows.price_list import delivery_plan
from eishro.flows.price_order import Amounts, Inputs, PricedItem, Trace, calculate, shelves_of
from eishro.flows.refund_excess import excess_refunds
from eishro.flows.shop import Shop, again_if_stale
from eishro.ids import text_id
from eishro.money import DIRHAMS_MAX, decimal_from_dirhams

_NOT_SOLD = Words("This variant is not sold here.", "هذا الخيار غير معروض للبيع هنا.")


class NewQuantity(msgspec.Struct, frozen=True):
    """So many pieces of a variant; 0 takes it out."""

    variant_id: int
    quantity: int


class NewAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where the order goes instead."""

    city_code: str
    area: str | None
    address: str
    shipping_notes: str | None
    shipping_method: str


class _Before(msgspec.Struct, frozen=True):
    """The order as read; `inputs` hold only the promotions whose use it still counts for."""

    order: Order
    lines: list[Line]
    inputs: Inputs
    used: list[uses.Use]
    invoice: Invoice | None


class _Edit(msgspec.Struct, frozen=True):
    """What is to change: the order's own members, its lines, what its amounts are made from."""

    id: str
    changed: Order
    lines: list[Line]
    inputs: Inputs
    moves: list[Statement]
    note: str | None


@again_if_stale
async def edit_items(
    shop: Shop, order_id: str, wanted: Sequence[NewQuantity], note: str | None, actor: Actor
) -> Order:
    """The order has these items and no others; nothing changes if it has them already.

    Raises:
        Invalid, OutOfStock, CouponUnusable, NotEditable, OrderPaid.
    """
    before = await _read(shop, order_id)
    _check(wanted)
    offers = await _offers(shop, before, wanted)
    lines = _lines(before, wanted, offers)
    if lines == before.lines:
        return before.order
    at = shop.clock.now()
    inputs = await _with_lines(shop, before, lines)
    edit_id = text_id("edt", at)
    moves = _stock_moves(before, lines, offers, edit_id, at)
    edit = _Edit(edit_id, before.order, lines, inputs, moves, note)
    return await _commit(shop, before, edit, actor, at)


@again_if_stale
async def edit_address(
    shop: Shop, order_id: str, address: NewAddress, note: str | None, actor: Actor
) -> Order:
    """The order goes elsewhere, at what the store's delivery costs there now.

    Raises:
        NotServed, NotEditable, OrderPaid.
    """
    before = await _read(shop, order_id)
    store = await stores.get_store(shop.db, before.order.store_id)
    zones = await zones_sql.list_zones(shop.db, store.id)
    inputs = msgspec.structs.replace(
        before.inputs,
        plan=rates.plan_for_city(delivery_plan(store.settings_value(), zones), address.city_code),
        city_code=address.city_code,
        method=address.shipping_method,
    )
    members = msgspec.structs.asdict(address)
    moved = msgspec.structs.replace(before.order, **members)
    if moved == before.order:
        return moved
    at = shop.clock.now()
    unchanged = [stores.touch(store)]
    edit = _Edit(text_id("edt", at), moved, before.lines, inputs, unchanged, note)
    return await _commit(shop, before, edit, actor, at)


async def _read(shop: Shop, order_id: str) -> _Before:
    order = await orders.get_order(shop.db, order_id)
    order.check_editable()
    trace = await orders.find_trace(shop.db, order.store_id, order.id)
    if trace is None:  # from before amounts were traced
        raise NotEditable(details={"status": order.status})
    inputs = msgspec.json.decode(trace, type=Trace).inputs
    used = await uses.list_uses(shop.db, order.store_id, order.id)
    lines = await orders.list_lines(shop.db, [order.id])
    if (await orders.get_order(shop.db, order_id)).version != order.version:
        raise Stale()  # lines and trace may be those of two moments, and not fit each other
    counted = {one.promotion_id for one in used if not one.is_given_back}
    coupon = inputs.coupon
    inputs = msgspec.structs.replace(
        inputs,
        promotions=tuple(rule for rule in inputs.promotions if rule.id in counted),
        coupon=coupon if coupon is not None and coupon.id in counted else None,
    )
    invoice = await invoices.find_invoice(shop.db, order.store_id, order.id, order.revision)
    return _Before(order, lines, inputs, used, invoice)


def _check(wanted: Sequence[NewQuantity]) -> None:
    seen: set[int] = set()
    faults: dict[str, Words] = {}
    for position, item in enumerate(wanted):
        if item.variant_id in seen:
            faults[f"items[{position}].variantId"] = Words(
                "This variant is named twice.", "ذكر هذا الخيار مرتين."
            )
        seen.add(item.variant_id)
    if not any(item.quantity for item in wanted):
        faults["items"] = Words(
            "One item stays at least; cancel the order instead.",
            "يجب أن يبقى منتج واحد على الأقل؛ أو ألغ الطلب.",
        )
    if faults:
        raise Invalid(faults)


async def _offers(shop: Shop, before: _Before, wanted: Sequence[NewQuantity]) -> dict[int, Offer]:
    """What the catalogue says now of everything of which more pieces are wanted."""
    had = {line.variant_id: line.quantity for line in before.lines}
    more = {
        item.variant_id: item.quantity - had.get(item.variant_id, 0)
        for item in wanted
        if item.quantity > had.get(item.variant_id, 0)
    }
    store_id = before.order.store_id
    found = await orders.list_offers_of_variants(shop.db, store_id, sorted(more))
    offers = {offer.variant_id: offer for offer in found if offer.is_sold}
    faults = {
        f"items[{position}].variantId": _NOT_SOLD
        for position, item in enumerate(wanted)
        if item.variant_id in more and item.variant_id not in offers
    }
    if faults:
        raise Invalid(faults)
    short = [
        {"productId": offer.product_id, "variantId": offer.variant_id}
        for offer in offers.values()
        if offer.available is not None and offer.available < more[offer.variant_id]
    ]
    if short:
        raise OutOfStock(details={"items": short})
    return offers


def _lines(before: _Before, wanted: Sequence[NewQuantity], offers: dict[int, Offer]) -> list[Line]:
    """The lines after: kept ones in their places, new ones behind. Discounts come later."""
    quantities = {item.variant_id: item.quantity for item in wanted if item.quantity}
    lines = []
    for line in before.lines:
        quantity = quantities.pop(line.variant_id, 0)
        if quantity:
            total = line.unit_price_dirhams * quantity
            lines.append(msgspec.structs.replace(line, quantity=quantity, total_dirhams=total))
    behind = before.lines[-1].position + 1
    for position, (variant_id, quantity) in enumerate(quantities.items(), behind):
        offer = offers[variant_id]
        lines.append(
            Line(
                order_id=before.order.id,
                position=position,
                store_id=before.order.store_id,
                product_id=offer.product_id,
                variant_id=variant_id,
                name=offer.name,
                options=offer.options,
                sku=offer.sku,
                unit_price_dirhams=offer.unit_price_dirhams,
                quantity=quantity,
                total_dirhams=offer.unit_price_dirhams * quantity,
                weight_grams=offer.weight_grams,
            )
        )
    return lines


async def _with_lines(shop: Shop, before: _Before, lines: Sequence[Line]) -> Inputs:
    """The inputs with these lines; what is new counts for its categories of now."""
    inputs = before.inputs
    known = {item.variant_id: item.category_ids for item in inputs.items}
    new = [line.product_id for line in lines if line.variant_id not in known]
    rules = (*inputs.promotions, *((inputs.coupon,) if inputs.coupon else ()))
    shelves = await shelves_of(shop.db, before.order.store_id, new, rules) if new else {}
    items = tuple(
        PricedItem(
            product_id=line.product_id,
            variant_id=line.variant_id,
            category_ids=known.get(line.variant_id, shelves.get(line.product_id, ())),
            unit_price_dirhams=line.unit_price_dirhams,
            quantity=line.quantity,
            weight_grams=line.weight_grams,
        )
        for line in lines
    )
    return msgspec.structs.replace(inputs, items=items)


def _stock_moves(
    before: _Before,
    lines: Sequence[Line],
    offers: dict[int, Offer],
    edit_id: str,
    at: datetime,
) -> list[Statement]:
    """The difference in pieces, by variant, as orders take them: nobody deadlocks."""
    more = {line.variant_id: line.quantity for line in lines}
    for line in before.lines:
        more[line.variant_id] = more.get(line.variant_id, 0) - line.quantity
    moves: list[Statement] = []
    store_id = before.order.store_id
    for variant_id, pieces in sorted(more.items()):
        if pieces > 0:
            version = offers[variant_id].product_version
            taking = Taking(store_id, variant_id, pieces, version)
            moves += stock.hold([taking], edit_id, at, Stale())
        elif pieces < 0:
            moves += stock.release(Taking(store_id, variant_id, -pieces), edit_id, at)
    return moves


async def _commit(shop: Shop, before: _Before, edit: _Edit, actor: Actor, at: datetime) -> Order:
    """Everything that follows from other lines or another address, in one batch."""
    order, amounts = before.order, calculate(edit.inputs)
    after, excess = _order_after(edit.changed, amounts, at).reprice(order.total_dirhams, at)
    lines = [
        msgspec.structs.replace(line, discount_dirhams=cut)
        for line, cut in zip(edit.lines, amounts.line_discounts, strict=True)
    ]
    batch = Batch().add(*edit.moves)
    if before.invoice is not None:
        void = voiding(shop, order, before.invoice, edit.id, edit.note, actor)
        after = msgspec.structs.replace(after, revision=order.revision + 1)
        batch.add(*void)
    told = _told(order, after, edit.note)
    batch.add(
        orders.save_order(after, seen=order),
        *orders.replace_lines(before.lines, lines),
        orders.replace_trace(after, Trace(edit.inputs, amounts.steps)),
        *uses.change(before.used, amounts.applied),
        orders.note_history(after, "order.edited", actor.name, at, told),
        ledger.post(order.store_id, "order.edited", at, _posting(order, after), order_id=order.id),
    )
    if excess:
        batch.add(*await excess_refunds(shop, order, excess, f"order changed: {told}", actor, at))
    if after.payment_status == "paid" != order.payment_status:
        batch.add(*_now_paid(after, actor, at))
    if after.total_dirhams != order.total_dirhams:
        # What they would take is not what the order costs now.
        batch.add(*await closing_attempts(shop, order, at))
    batch.add(
        outbox.publish("order.edited", order.id, at, store_id=order.store_id),
        audit.record(
            actor,
            "order.edited",
            order.id,
            at,
            store_id=order.store_id,
            before=_shown(order, before.lines),
            after=_shown(after, lines),
        ),
    )
    await shop.db.commit(batch)
    return msgspec.structs.replace(after, version=order.version + 1)


def _now_paid(after: Order, actor: Actor, at: datetime) -> list[Statement]:
    """It costs no more than what has come for it."""
    return [
        orders.note_history(after, "order.paid", actor.name, at),
        outbox.publish("order.paid", after.id, at, store_id=after.store_id),
    ]


def _order_after(changed: Order, amounts: Amounts, at: datetime) -> Order:
    if amounts.subtotal_dirhams + amounts.shipping_dirhams > DIRHAMS_MAX:
        raise Invalid({"items": Words("The total is too large.", "المجموع كبير جدا.")})
    codes = (one.rule.code for one in amounts.applied if one.rule.code is not None)
    return msgspec.structs.replace(
        changed,
        subtotal_dirhams=amounts.subtotal_dirhams,
        discount_dirhams=amounts.discount_dirhams,
        shipping_dirhams=amounts.shipping_dirhams,
        total_dirhams=amounts.total_dirhams,
        weight_grams=amounts.weight_grams,
        coupon_code=next(codes, None),
        updated_at=at,
    )


def _posting(before: Order, after: Order) -> dict[str, int]:
    """What the buyer owes more, and for what."""

    def goods(order: Order) -> int:
        return order.subtotal_dirhams - order.discount_dirhams

    return {
        "receivable": after.total_dirhams - before.total_dirhams,
        "sales": goods(before) - goods(after),
        "delivery": before.shipping_dirhams - after.shipping_dirhams,
    }


def _told(before: Order, after: Order, note: str | None) -> str:
    """For the history: the totals before and after, and why."""
    old, new = (decimal_from_dirhams(one.total_dirhams) for one in (before, after))
    return f"{old} -> {new}" if note is None else f"{old} -> {new}: {note}"


def _shown(order: Order, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "items": {str(line.variant_id): line.quantity for line in lines},
        "city": order.city_code,
        "shipping": order.shipping_dirhams,
        "total": order.total_dirhams,
        "due": order.due_dirhams,
    }
