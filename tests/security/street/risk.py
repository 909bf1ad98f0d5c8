"""Orders that are looked at, and what is counted for that."""

from typing import Any

from eishro.domain.payments import sql as payments
from eishro.domain.payments.port import Failed, Paid, Receipt
from eishro.flows.pay_order import record_answer
from eishro.flows.shop import Shop
from tests.security.street.forgotten import PHONE
from tests.security.street.step import STORE, Step, Street
from tests.shops import World, order_body

_CARD = "512345******0007"
# Everything is counted, nothing is held by it.
_RULES = {
    "phoneReviewAbove": 900,
    "addressReviewAbove": 900,
    "cardReviewAbove": 900,
    "declinesReviewAbove": 900,
    "refusalsReviewFrom": 900,
}


async def look_closely(
    world: World, things: dict[str, Any], send: Any, who: Any, mark: str
) -> None:
    """Held orders; a card that paid for several phones, refused payments, a parcel that turned
    back.
    """
    at = f"/api/stores/{things['store']}"
    times = 2 if mark else 1

    async def order(phone: str, method: str = "cod", pieces: int = 1) -> str:
        body = order_body(things["product0"], pieces, things["variant0"], method=method)
        body["customer"] = {"name": f"نادية{mark}", "phone": phone}
        body["shipping"]["address"] = f"شارع الجمهورية، عمارة 12{mark}"
        return str((await send("POST", f"{at}/orders", body, {}))["id"])

    await send("PUT", f"{at}/risk-rules", {**_RULES, "codReviewAbove": 1}, who)
    for _ in range(times):
        for name, phone in (("held", "0925550001"), ("rejected", PHONE)):
            things[f"{name} order"] = await order(phone)
            asked = f"orderId={things[f'{name} order']}"
            shown = await send("GET", f"{at}/order-reviews?{asked}", None, who)
            things[f"{name} review"] = shown[0]["id"]
        rejecting = f"{at}/order-reviews/{things['rejected review']}/reject"
        await send("PUT", rejecting, {"reason": f"because{mark}"}, who)
    await send("PUT", f"{at}/risk-rules", {"codReviewAbove": None}, who)
    for number in range(times):
        await _pay(world, send, who, await order(f"092555010{number}", "moamalat"), paid=True)
        await _pay(world, send, who, await order("0925550002", "moamalat"), paid=False)
    things["risky order"] = await order("0925550002", "moamalat")
    made = await send(
        "POST", f"/api/orders/{things['risky order']}/payments", {"method": "moamalat"}, who
    )
    things["risky payment"] = made["id"]
    parts = await order("0925550003", pieces=2)
    await send("PUT", f"/api/orders/{parts}/status", {"status": "confirmed"}, who)
    line = {"variantId": things["variant0"], "quantity": 1}
    for name in ("back", "out"):
        parcel = {"carrier": "amyal", "lines": [line]}
        made = await send("POST", f"/api/orders/{parts}/shipments", parcel, who)
        things[f"{name} parcel"] = made["id"]
    turned = {"status": "returning"}
    await send("PUT", f"/api/shipments/{things['back parcel']}", turned, who)


async def _pay(world: World, send: Any, who: Any, order: str, *, paid: bool) -> None:
    made = await send("POST", f"/api/orders/{order}/payments", {"method": "moamalat"}, who)
    await _hear(world.shop, made["id"], paid=paid)


async def _hear(shop: Shop, payment_id: str, *, paid: bool) -> None:
    payment = await payments.get_payment(shop.db, payment_id)
    receipt = Receipt(
        provider_reference=f"tx-{payment.reference}",
        terminal="T1",
        amount_dirhams=payment.amount_dirhams,
        currency="LYD",
        details={"card": _CARD},
    )
    await record_answer(shop, payment.id, Paid((receipt,)) if paid else Failed("x"))


async def _risky_payment(shop: Shop, street: Street) -> None:
    await _hear(shop, street.ours["risky payment"], paid=True)


STEPS = (
    Step("risk rules", "GET", f"{STORE}/risk-rules"),
    Step("other risk rules", "PUT", f"{STORE}/risk-rules", {"phoneReviewAbove": 5}),
    Step("held orders", "GET", f"{STORE}/order-reviews"),
    Step("open reviews", "GET", f"{STORE}/order-reviews?state=open"),
    Step("reviews of an order", "GET", f"{STORE}/order-reviews?orderId={{ours[held order]}}"),
    Step("reviews of theirs", "GET", f"{STORE}/order-reviews?orderId={{theirs[held order]}}"),
    Step("open review of theirs", "GET",
         f"{STORE}/order-reviews?state=open&orderId={{theirs[held order]}}"),
    Step("one review", "GET", f"{STORE}/order-reviews/{{ours[held review]}}"),
    Step("their review", "GET", f"{STORE}/order-reviews/{{theirs[held review]}}", status=404),
    Step("approve a review", "PUT", f"{STORE}/order-reviews/{{ours[held review]}}/approve", {}),
    Step("approve their review", "PUT", f"{STORE}/order-reviews/{{theirs[held review]}}/approve",
         {}, status=404),
    Step("reject a review", "PUT", f"{STORE}/order-reviews/{{ours[held review]}}/reject",
         {"reason": "because"}),
    Step("cancel what is held", "PUT", "/api/orders/{ours[held order]}/cancel", {}),
    Step("pay with a card", job=_risky_payment),
    Step("the rest is taken", "PUT", "/api/shipments/{ours[out parcel]}", {"status": "delivered"}),
)  # fmt: skip
