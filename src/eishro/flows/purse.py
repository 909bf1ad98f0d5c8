"""An order's purse: the money that came for it, and what of that may still go back.

Read once; everything else here is pure. Whoever opens a refund saves the order by its version, so
two of them never work on one state.
"""

from collections.abc import Sequence

import msgspec

from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Line, Order
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import StoredReceipt
from eishro.domain.payments.refund_amounts import (
    Amounts,
    RefundableLine,
    RefundWanted,
    Standing,
    measure,
)
from eishro.domain.payments.refunds import REFUNDS_MAX, Refund, TooManyRefunds
from eishro.domain.suspense import sql as suspense
from eishro.flows.shop import Shop


class Purse(msgspec.Struct, frozen=True):
    """An order with its lines, the gateways' money that paid it, and the refunds of that."""

    order: Order
    lines: tuple[Line, ...]
    receipts: tuple[StoredReceipt, ...]
    refunds: tuple[Refund, ...]

    @property
    def _earlier(self) -> list[Refund]:
        return [refund for refund in self.refunds if refund.is_of_order]

    def check_room(self, more: int = 1) -> None:
        """The order can have `more` refunds.

        Raises:
            TooManyRefunds
        """
        if len(self.refunds) + more > REFUNDS_MAX:
            raise TooManyRefunds()

    def measure(self, wanted: RefundWanted) -> Amounts:
        """What a refund comes to.

        Raises:
            Invalid, RefundTooLarge.
        """
        earlier = self._earlier
        return measure(wanted, _standing(self.order, earlier), _refundable(self.lines, earlier))

    def with_refund(self, refund: Refund) -> "Purse":
        """The purse after one more refund of the order was opened."""
        opened = self.order.refunds_opened_dirhams + refund.amount_dirhams
        order = msgspec.structs.replace(self.order, refunds_opened_dirhams=opened)
        return msgspec.structs.replace(self, order=order, refunds=(*self.refunds, refund))

    def receipt_for(self, dirhams: int) -> StoredReceipt | None:
        """The receipt that this much can go back from; None: by no gateway."""
        return next((r for r in self.receipts if self._rest(r) >= dirhams), None)

    def split(self, dirhams: int) -> list[tuple[StoredReceipt | None, int]]:
        """The amount by the receipts it goes back from: by one if it can, else by as many as it
        takes; what no receipt has left goes back by no gateway.
        """
        if dirhams <= 0:
            return []
        if (whole := self.receipt_for(dirhams)) is not None:
            return [(whole, dirhams)]
        parts: list[tuple[StoredReceipt | None, int]] = []
        for receipt in self.receipts:
            part = min(self._rest(receipt), dirhams)
            if part > 0:
                parts.append((receipt, part))
                dirhams -= part
        return [*parts, (None, dirhams)] if dirhams else parts

    def _rest(self, receipt: StoredReceipt) -> int:
        key = (receipt.provider, receipt.terminal, receipt.provider_reference)
        gone = sum(r.amount_dirhams for r in self.refunds if r.receipt_key == key)
        return receipt.amount_dirhams - gone


async def read_purse(shop: Shop, order: Order) -> Purse:
    """The order with all that came for it and went back."""
    found = await refunds.list_refunds_of_order(shop.db, order.store_id, order.id)
    return Purse(
        order,
        tuple(await orders.list_lines(shop.db, [order.id])),
        tuple(await _money_of(shop, order)),
        tuple(refund for refund in found if refund.is_of_payment),
    )


async def _money_of(shop: Shop, order: Order) -> list[StoredReceipt]:
    """The money that paid the order: its own, what was in suspense before, and what an exchange
    brought with it from another order.
    """
    found = await refunds.list_applied_receipts(shop.db, order.store_id, order.id)
    if not order.paid_dirhams:
        return found
    for item in await suspense.list_applied_to(shop.db, order.store_id, order.id):
        key = (item.terminal, item.provider_reference)
        found += [
            receipt
            for receipt in await payments.list_receipts(shop.db, item.payment_id)
            if (receipt.terminal, receipt.provider_reference) == key
        ]
    return [*found, *await _exchanged(shop, order)]


async def _exchanged(shop: Shop, order: Order) -> list[StoredReceipt]:
    """Receipts of other orders, each with as much of it as pays this one now."""
    parts: dict[tuple[str | None, str | None, str | None], int] = {}
    payment_ids: dict[str, None] = {}
    for exchange in await refunds.list_exchanges_to(shop.db, order.store_id, order.id):
        if exchange.payment_id is not None:
            key = exchange.receipt_key
            parts[key] = parts.get(key, 0) + exchange.amount_dirhams
            payment_ids[exchange.payment_id] = None
    return [
        msgspec.structs.replace(receipt, amount_dirhams=parts[key])
        for payment_id in payment_ids
        for receipt in await payments.list_receipts(shop.db, payment_id)
        if (key := (receipt.provider, receipt.terminal, receipt.provider_reference)) in parts
    ]


def _standing(order: Order, earlier: Sequence[Refund]) -> Standing:
    goods = order.subtotal_dirhams - order.discount_dirhams
    return Standing(
        # What came for an order with a balance due is a part of its price, not to be given back.
        captured_dirhams=order.paid_dirhams if order.is_captured else 0,
        opened_dirhams=order.refunds_opened_dirhams,
        goods_left_dirhams=max(0, goods - sum(r.goods_dirhams for r in earlier)),
        delivery_left_dirhams=max(
            0, order.shipping_dirhams - sum(r.delivery_dirhams for r in earlier)
        ),
    )


def _refundable(lines: Sequence[Line], earlier: Sequence[Refund]) -> list[RefundableLine]:
    """The order's lines with what was paid for each: its total without its share of discounts."""
    refunded: dict[int, int] = {}
    for refund in earlier:
        for line in refund.lines_value():
            refunded[line.position] = refunded.get(line.position, 0) + line.quantity
    return [
        RefundableLine(
            position=line.position,
            variant_id=line.variant_id,
            quantity=line.quantity,
            net_dirhams=line.total_dirhams - line.discount_dirhams,
            refunded=refunded.get(line.position, 0),
        )
        for line in lines
    ]
