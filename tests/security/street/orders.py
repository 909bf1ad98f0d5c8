"""Orders and who buys."""

from datetime import timedelta

from eishro.flows.shop import Shop
from eishro.jobs.schedule import expire_unpaid_orders
from tests.security.street.step import STORE, Step, Street
from tests.shops import order_body

MOVES = ("confirmed", "processing", "shipped", "delivered")
_ORDER = {
    **order_body(0, method="cod"),
    "couponCode": "eid",
    "items": [{"productId": "{ours[product0]}", "variantId": "{ours[variant0]}", "quantity": 2}],
}
_FOREIGN_ORDER = {**_ORDER, "items": [{"productId": "{theirs[product0]}", "quantity": 1}]}


async def _expire(shop: Shop, _: Street) -> None:
    await expire_unpaid_orders(shop)


STEPS = (
    Step("quote", "POST", f"{STORE}/quote", _ORDER, who="guest"),
    Step("quote theirs", "POST", f"{STORE}/quote", _FOREIGN_ORDER, who="guest", status=422),
    Step("order", "POST", f"{STORE}/orders", _ORDER, who="guest", status=201),
    Step("order theirs", "POST", f"{STORE}/orders", _FOREIGN_ORDER, who="guest", status=422),
    Step("orders", "GET", f"{STORE}/orders"),
    Step("pending orders", "GET", f"{STORE}/orders?status=pending&q=فاطمة علي"),
    Step("customers", "GET", f"{STORE}/customers"),
    Step("customers by name", "GET", f"{STORE}/customers?q=فاطمة علي"),
    Step("one order", "GET", "/api/orders/{ours[pending order]}"),
    Step("why it costs that", "GET", "/api/orders/{ours[pending order]}/trace"),
    Step("their order", "GET", "/api/orders/{theirs[new order]}", status=404),
    Step("confirm", "PUT", "/api/orders/{ours[new order]}/status", {"status": "confirmed"}),
    Step("ship", "PUT", "/api/orders/{ours[processing order]}/status", {"status": "shipped"}),
    Step("return", "PUT", "/api/orders/{ours[delivered order]}/status", {"status": "returned"}),
    Step("cancel", "PUT", "/api/orders/{ours[pending order]}/cancel", {}),
    Step("cancel theirs", "PUT", "/api/orders/{theirs[new order]}/cancel", {}, status=404),
    Step("expire", job=_expire, later=timedelta(minutes=30)),
)  # fmt: skip
