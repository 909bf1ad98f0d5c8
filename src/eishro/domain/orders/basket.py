"""Make a basket: what a buyer wants, matched with what the catalogue offers. Pure."""

from collections.abc import Sequence

from eishro.domain.orders.model import Basket, Offer, OutOfStock, Priced, Wanted
from eishro.errors import Invalid, Words
from eishro.money import DIRHAMS_MAX
from eishro.trace import Step


def match(wanted: Sequence[Wanted], offers: Sequence[Offer]) -> tuple[Priced, ...]:
    """The lines of a basket with their offers and amounts.

    Args:
        wanted: shape (lines,), quantities >= 1.
        offers: every live variant of the wanted products.

    Raises:
        Invalid: a product or variant that is not on offer, a variant that must be named, the
            same variant twice.
        OutOfStock: fewer pieces left than wanted.
    """
    lines = _match(wanted, offers)
    _check_stock(lines)
    return lines


def basket_of(
    lines: Sequence[Priced],
    *,
    discount_dirhams: int,
    shipping_dirhams: int,
    shipping_reason: str,
    steps: Sequence[Step] = (),
    weight_grams: int = 0,
) -> Basket:
    """The lines and amounts of an order together.

    Args:
        lines: with their shares of the discount.
        steps: why each amount is what it is.

    Raises:
        Invalid: an amount beyond `DIRHAMS_MAX`.
    """
    subtotal = sum(line.total_dirhams for line in lines)
    if subtotal + shipping_dirhams > DIRHAMS_MAX:
        raise Invalid({"items": Words("The total is too large.", "المجموع كبير جدا.")})
    reasons = {"shippingCost": shipping_reason}
    if discount_dirhams:
        reasons["discount"] = "promotions"
    return Basket(
        lines=tuple(lines),
        subtotal_dirhams=subtotal,
        discount_dirhams=discount_dirhams,
        shipping_dirhams=shipping_dirhams,
        total_dirhams=subtotal - discount_dirhams + shipping_dirhams,
        reasons=reasons,
        steps=tuple(steps),
        weight_grams=weight_grams,
    )


def _match(wanted: Sequence[Wanted], offers: Sequence[Offer]) -> tuple[Priced, ...]:
    by_product: dict[int, list[Offer]] = {}
    for offer in offers:
        if offer.is_sold:
            by_product.setdefault(offer.product_id, []).append(offer)
    faults: dict[str, Words] = {}
    lines: list[Priced] = []
    taken: set[int] = set()
    for position, item in enumerate(wanted):
        found = _choose(item, by_product.get(item.product_id, []))
        if isinstance(found, Words):
            field = "productId" if item.product_id not in by_product else "variantId"
            faults[f"items[{position}].{field}"] = found
        elif found.variant_id in taken:
            faults[f"items[{position}].variantId"] = Words(
                "This variant is in the order already; raise its quantity.",
                "هذا الخيار موجود في الطلب بالفعل؛ زد الكمية.",
            )
        else:
            taken.add(found.variant_id)
            total = found.unit_price_dirhams * item.quantity
            lines.append(Priced(found, item.quantity, total))
    if faults:
        raise Invalid(faults)
    return tuple(lines)


def _choose(item: Wanted, offers: Sequence[Offer]) -> Offer | Words:
    if not offers:
        return Words("This product is not sold here.", "هذا المنتج غير معروض للبيع هنا.")
    if item.variant_id is None:
        if len(offers) == 1:
            return offers[0]
        return Words("Choose a variant of this product.", "اختر أحد خيارات هذا المنتج.")
    for offer in offers:
        if offer.variant_id == item.variant_id:
            return offer
    return Words("This variant is not sold here.", "هذا الخيار غير معروض للبيع هنا.")


def _check_stock(lines: Sequence[Priced]) -> None:
    short = [
        {"productId": line.offer.product_id, "variantId": line.offer.variant_id}
        for line in lines
        if line.offer.available is not None and line.offer.available < line.quantity
    ]
    if short:
        raise OutOfStock(details={"items": short})
