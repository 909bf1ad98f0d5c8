"""Payments and refunds."""

import contextlib
from datetime import timedelta
from typing import Any

from eishro.domain.payments import sql as payments
from eishro.errors import ShopError
from eishro.flows.refund_order import open_suspense_refund
from eishro.flows.shop import SYSTEM, NotOnce, Shop
from eishro.jobs.ask_gateways import send_due_refunds
from tests.dummy_refunds import Mood
from tests.security.street.step import STORE, Step, Street
from tests.shops import World, order_body

_REFUNDS = "/api/orders/{ours[refunded order]}/refunds"


async def refund(world: World, things: dict[str, Any], send: Any, who: Any, mark: str) -> None:
    """A paid order with a refund that waits for people, one that was refused and one to send, and
    money in suspense.
    """
    at = f"/api/stores/{things['store']}/orders"
    body = order_body(things["product0"], 1, things["variant0"])
    body["customer"]["name"] += mark
    made = await send("POST", at, body, {})
    things["refunded order"] = made["id"]
    paying = f"/api/orders/{made['id']}/payments"
    payment = await send("POST", paying, {"method": "moamalat"}, who)
    things["paid"] = payment["id"]
    found = await payments.get_payment(world.db, payment["id"])
    received = [f"{found.reference}-{number}" for number in (1, 2)]
    world.provider.pay(found.reference, found.amount_dirhams, *received)
    await send("POST", f"/api/payments/{payment['id']}/result", {"done": "yes"}, {})
    at = f"/api/orders/{made['id']}/refunds"
    moods: tuple[tuple[Mood, str], ...] = (
        ("manual", "manual refund"),
        ("refuse", "failed refund"),
        ("later", "refund"),
    )
    for mood, name in moods * (2 if mark else 1):
        world.provider.refunds.mood = mood
        opened = await send("POST", at, {"reason": f"x{mark}", "amount": 1}, who)
        things[name] = opened["id"]
        await world.settle()
    world.provider.refunds.mood = "done"


async def _send_refunds(shop: Shop, _: Street) -> None:
    await send_due_refunds(shop)


async def _return_suspense(shop: Shop, street: Street) -> None:
    found = await payments.list_receipts(shop.db, street.ours["paid"])
    (receipt,) = [each for each in found if not each.applied]
    key = receipt.terminal, receipt.provider_reference
    payment = street.ours["paid"]
    with contextlib.suppress(ShopError):  # a mutant may have been faster; that is noticed
        await open_suspense_refund(shop, payment, key, "x", SYSTEM, NotOnce())


_TERMINAL = {"merchant_id": "10000000001", "terminal_id": "10000001", "secret_key": "ab12cd34"}


async def own_gateway(things: dict[str, Any], send: Any, who: Any) -> None:
    """The store's own terminal, replaced once, and a payment that was begun at it."""
    at = f"/api/stores/{things['store']}/gateways/moamalat"
    for mode in ("test", "live"):
        await send("PUT", at, {"mode": mode, "fields": _TERMINAL}, who)
    paying = f"/api/orders/{things['pending order']}/payments"
    things["own payment"] = (await send("POST", paying, {"method": "moamalat"}, who))["id"]


STEPS = (
    Step("pay again", "POST", "/api/orders/{ours[pending order]}/payments",
         {"method": "moamalat"}, status=201),
    Step("gateways", "GET", f"{STORE}/gateways"),
    Step("own gateway again", "PUT", f"{STORE}/gateways/moamalat",
         {"mode": "live", "fields": _TERMINAL}),
    Step("methods explained", "GET", f"{STORE}/gateway-methods?amount=25.505"),
    Step("gateway log", "GET", f"{STORE}/gateway-log?order={{ours[paid order]}}"),
    Step("their gateway log", "GET", f"{STORE}/gateway-log?order={{theirs[paid order]}}"),
    Step("try own gateway", "POST", f"{STORE}/gateways/moamalat/check"),
    Step("report to own gateway", "POST", "/api/payments/{ours[own payment]}/result",
         {"cancelled": True}),
    Step("platform's gateway", "DELETE", f"{STORE}/gateways/moamalat"),
    Step("report", "POST", "/api/payments/{ours[payment]}/result", {"cancelled": True}),
    Step("refunds", "GET", f"{STORE}/refunds"),
    Step("manual refunds", "GET", f"{STORE}/refunds?status=manual"),
    Step("refunds of an order", "GET", _REFUNDS),
    Step("refunds of theirs", "GET", "/api/orders/{theirs[refunded order]}/refunds", status=404),
    Step("refund", "POST", _REFUNDS, {"reason": "x", "amount": 1}, status=201),
    Step("refund what suspense paid", "POST", "/api/orders/{ours[settled order]}/refunds",
         {"reason": "x", "amount": 1}, status=201),
    Step("refund theirs", "POST", "/api/orders/{theirs[refunded order]}/refunds", {"reason": "x"},
         status=404),
    Step("refund done", "POST", f"{_REFUNDS}/{{ours[manual refund]}}/complete", {"note": "x"}),
    Step("theirs done", "POST", f"{_REFUNDS}/{{theirs[manual refund]}}/complete", {"note": "x"},
         status=404),
    Step("refund again", "POST", f"{_REFUNDS}/{{ours[failed refund]}}/retry", {}),
    Step("theirs again", "POST", f"{_REFUNDS}/{{theirs[failed refund]}}/retry", {}, status=404),
    Step("cancel paid", "PUT", "/api/orders/{ours[refunded order]}/cancel", {}),
    Step("send refunds", job=_send_refunds, later=timedelta(minutes=30)),
    Step("return suspense", job=_return_suspense),
)  # fmt: skip
