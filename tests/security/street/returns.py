"""Returns and exchanges."""

from typing import Any

from eishro.domain.payments import sql as payments
from eishro.flows.change_order import cancel_order
from eishro.flows.refund_order import open_due_refunds
from eishro.flows.refund_return import refund_return
from eishro.flows.shop import SYSTEM, Shop
from tests.security.street.orders import MOVES
from tests.security.street.step import STORE, Step, Street
from tests.shops import World, order_body


async def exchange(world: World, things: dict[str, Any], send: Any, who: Any, mark: str) -> None:
    """An order paid online whose goods were exchanged: its money pays a part of another one."""
    pieces = 2 if mark else 1
    body = order_body(things["product0"], pieces, things["variant0"])
    body["customer"]["name"] += mark
    made = await send("POST", f"/api/stores/{things['store']}/orders", body, {})
    order = f"/api/orders/{made['id']}"
    payment = await send("POST", f"{order}/payments", {"method": "moamalat"}, who)
    found = await payments.get_payment(world.db, payment["id"])
    world.provider.pay(found.reference, found.amount_dirhams, f"{found.reference}-exchanged")
    await send("POST", f"/api/payments/{payment['id']}/result", {"done": "yes"}, {})
    for move in MOVES[MOVES.index("confirmed") + 1 :]:
        await send("PUT", f"{order}/status", {"status": move}, who)
    asked = {
        "lines": [{"variantId": things["variant0"], "quantity": pieces}],
        "replacement": [
            {"productId": things["product0"], "variantId": things["variant0"], "quantity": pieces}
        ],
    }
    returned = await send("POST", f"{order}/returns", asked, who)
    at = f"/api/returns/{returned['id']}"
    approved = await send("PUT", f"{at}/approve", {}, who)
    things["exchanged order"] = approved["replacementOrderId"]
    await send("PUT", f"{at}/receive", {}, who)
    await refund_return(world.shop, returned["id"])


async def _give_back(shop: Shop, street: Street) -> None:
    await cancel_order(shop, street.ours["exchanged order"], SYSTEM, only_pending=False)
    await open_due_refunds(shop, street.ours["exchanged order"])


STEPS = (
    Step("ask back", "POST", "/api/orders/{ours[new order]}/returns",
         {"lines": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=409),
    Step("ask theirs back", "POST", "/api/orders/{theirs[delivered order]}/returns",
         {"lines": [{"variantId": "{theirs[variant0]}", "quantity": 1}]}, status=404),
    Step("returns", "GET", f"{STORE}/returns"),
    Step("asked returns", "GET", f"{STORE}/returns?status=requested"),
    Step("returns of an order", "GET", "/api/orders/{ours[delivered order]}/returns"),
    Step("returns of theirs", "GET", "/api/orders/{theirs[delivered order]}/returns", status=404),
    Step("approve return", "PUT", "/api/returns/{ours[delivered return]}/approve", {}),
    Step("approve theirs", "PUT", "/api/returns/{theirs[delivered return]}/approve", {}, status=404),
    Step("reject", "PUT", "/api/returns/{ours[delivered return]}/reject", {}),
    Step("receive", "PUT", "/api/returns/{ours[shipped return]}/receive", {}),
    Step("receive theirs", "PUT", "/api/returns/{theirs[shipped return]}/receive", {}, status=404),
    Step("what an exchange paid goes back", job=_give_back),
    Step("more than left", "POST", "/api/orders/{ours[delivered order]}/returns",
         {"lines": [{"variantId": "{ours[variant0]}", "quantity": 2}]}, status=422),
    Step("the rest", "POST", "/api/orders/{ours[delivered order]}/returns",
         {"lines": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=201),
)  # fmt: skip
