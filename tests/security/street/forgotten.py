"""A customer who will be forgotten, with everything that is written about one."""

from typing import Any

import msgspec

from eishro.db.statements import Batch
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import Exchange, insert_exchanges
from eishro.domain.payments.transfers import PROVIDER, Proof
from eishro.domain.payments.transfers_sql import insert_proof
from eishro.ids import text_id
from tests.security.street.orders import MOVES
from tests.security.street.step import MARK, STORE, Step
from tests.shops import World, order_body

_PHONE = "0928888888"


async def live(world: World, things: dict[str, Any], send: Any, who: Any, mark: str) -> None:
    """Orders of hers and what comes of them: nothing is open here, but at the neighbour's."""
    at, said = f"/api/stores/{things['store']}", f"x{mark}"

    async def order(phone: str = _PHONE, method: str = "moamalat") -> str:
        # One of them uses a promotion, once: its count goes with it.
        number = 1 if method == "moamalat" else 0
        product, variant = things[f"product{number}"], things[f"variant{number}"]
        body = order_body(product, 1, variant, method=method)
        body["customer"]["name"] += mark
        body["customer"]["phone"] = phone
        return f"/api/orders/{(await send('POST', f'{at}/orders', body, {}))['id']}"

    await _pay(world, things, send, who, await order(), said)
    await _send_parcel(things, send, who, await order(method="cod"), said)
    await send("POST", f"{at}/drafts", {"customer": {"phone": _PHONE}, "note": said}, who)
    for phone in (_PHONE, "0927777777") if mark else ():
        await send("PUT", f"{await order(phone)}/status", {"status": "confirmed"}, who)


async def _pay(
    world: World, things: dict[str, Any], send: Any, who: Any, order: str, said: str
) -> None:
    """Paid online, delivered, and a part of it given back."""
    made = await send("POST", f"{order}/payments", {"method": "moamalat"}, who)
    shown = msgspec.structs.replace(
        (await payments.get_payment(world.db, made["id"])),
        id=text_id("pay", world.clock.now()),
        provider=PROVIDER,
        status="cancelled",
    )
    proof = Proof(
        id=text_id("prf", world.clock.now()), store_id=things["store"], payment_id=shown.id,
        sender_name=said, bank="wb", sent_on="2026-01-15", bank_reference="B", file_key=None,
        file_type=None, created_at=world.clock.now(),
    )  # fmt: skip
    await world.db.commit(Batch(payments.insert_payment(shown), insert_proof(proof)))
    payment = await payments.get_payment(world.db, made["id"])
    paid = f"forgotten-{things['store']}"
    world.provider.pay(payment.reference, payment.amount_dirhams, paid, payer=said)
    await send("POST", f"/api/payments/{payment.id}/result", {"done": "yes"}, {})
    for move in MOVES[1:]:
        await send("PUT", f"{order}/status", {"status": move, "note": said}, who)
    # Amounts differ from the neighbour's, so that no line of the books is like one of its.
    given = 2 if MARK in said else 1
    await send("POST", f"{order}/refunds", {"reason": said, "amount": given}, who)
    await send("POST", f"{order}/notes", {"text": said}, who)
    line = {"variantId": things["variant1"], "quantity": 1, "reason": said}
    await send("POST", f"{order}/returns", {"lines": [line], "reason": said}, who)
    said_to_gateway = Exchange(
        id=text_id("gex", world.clock.now()), store_id=things["store"], payment_id=payment.id,
        order_id=payment.order_id, provider="moamalat", call="POST /x", request="", status=200,
        reply=said, error=None, milliseconds=1, request_id=None, at=world.clock.now(),
    )  # fmt: skip
    await world.db.commit(Batch(insert_exchanges([said_to_gateway])))
    await world.settle()


async def _send_parcel(things: dict[str, Any], send: Any, who: Any, order: str, said: str) -> None:
    """Sent with a courier who brings less than was due."""
    await send("PUT", f"{order}/status", {"status": "confirmed"}, who)
    parcel = {"carrier": "amyal", "trackingNumber": f"gone-{things['store']}", "note": said}
    made = await send("POST", f"{order}/shipments", parcel, who)
    arrived = {"status": "delivered", "note": said}
    await send("PUT", f"/api/shipments/{made['id']}", arrived, who)
    case = (await send("POST", f"{order}/cod/collect", {"amount": 5}, who))["case"]["id"]
    resolving = f"/api/stores/{things['store']}/cod/cases/{case}/resolve"
    await send("POST", resolving, {"resolution": "dismiss", "note": said}, who)


STEPS = (
    Step("a customer's orders", "GET", f"{STORE}/customers/{_PHONE}/orders"),
    Step("forget a customer", "POST", f"{STORE}/customers/{_PHONE}/erase", {"reason": "x"}),
)
