"""One checkout over several stores: an order at each of them, or none at all."""

from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.domain.orders.model import LINES_MAX
from eishro.errors import Invalid, Words
from eishro.flows.place_order import Placed, place_orders
from eishro.flows.price_order import PlaceOrder
from eishro.web.delivery import DeliveryBody, Destination, destination
from eishro.web.order_views import OrderView
from eishro.web.orders import CustomerBody, ItemBody, PaymentChoice, placed_view, wanted_of
from eishro.web.routes import Call, Reply
from eishro.web.wire import IntegerId, Note, ShortText

STORES_MAX = 10  # in one checkout


class StoreBasketBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is bought at one store; delivery and payment are the checkout's."""

    store_id: IntegerId
    items: Annotated[list[ItemBody], Meta(min_length=1, max_length=LINES_MAX)]
    coupon_code: ShortText | None = None
    notes: Note | None = None


class CheckoutBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Baskets of several stores for one buyer."""

    orders: Annotated[list[StoreBasketBody], Meta(min_length=1, max_length=STORES_MAX)]
    customer: CustomerBody
    shipping: DeliveryBody
    payment: PaymentChoice


class CheckoutView(msgspec.Struct, frozen=True, rename="camel"):
    """The orders made, in the order of the baskets."""

    orders: list[OrderView]


async def check_out(call: Call, body: CheckoutBody) -> Reply:
    """Place an order at each store; if one is refused, none is made."""
    _refuse_twice(body)

    def view(placed: tuple[Placed, ...]) -> Reply:
        return Reply(
            CheckoutView([placed_view(call, one) for one in placed]),
            status=201,
            message=Words("Your orders are placed.", "تم تسجيل طلباتك."),
        )

    once = call.once(view)
    to = await destination(call, body.shipping)
    commands = [_command(call, body, basket, to) for basket in body.orders]
    return once.reply(await place_orders(call.shop, commands, call.actor, once))


def _refuse_twice(body: CheckoutBody) -> None:
    seen: set[int] = set()
    for position, basket in enumerate(body.orders):
        if basket.store_id in seen:
            raise Invalid(
                {
                    f"orders[{position}].storeId": Words(
                        "Put all items of a store into one basket.",
                        "اجمع منتجات المتجر الواحد في سلة واحدة.",
                    )
                }
            )
        seen.add(basket.store_id)


def _command(
    call: Call, body: CheckoutBody, basket: StoreBasketBody, to: Destination
) -> PlaceOrder:
    return PlaceOrder(
        store_id=basket.store_id,
        items=wanted_of(basket.items),
        customer_user_id=call.caller.user_id if call.caller else None,
        customer_name=body.customer.name.strip(),
        customer_phone=body.customer.phone.number,
        customer_email=body.customer.email.address if body.customer.email else None,
        city_code=to.city_code,
        area=to.area,
        address=to.address,
        shipping_notes=to.notes,
        shipping_method=to.method,
        payment_method=body.payment.method,
        notes=basket.notes,
        coupon_code=basket.coupon_code,
    )
