"""The ledger, payouts and money in suspense."""

from datetime import timedelta
from typing import Any

from eishro.db.statements import Batch
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import Exchange, insert_exchanges
from eishro.domain.payments.model import Payment
from eishro.flows.pay_order import check_payment
from eishro.flows.shop import Shop
from eishro.ids import text_id
from eishro.jobs.settle_books import settle_books
from tests.security.street.step import MARK, STORE, Step, Street
from tests.shops import PASSWORD, World, order_body

IBAN = "LY83002048000020100120361"


def _said(payment: Payment, mark: str) -> Exchange:
    """What was said to the gateway about it."""
    return Exchange(
        id=text_id("gex", payment.created_at),
        store_id=payment.store_id,
        payment_id=payment.id,
        order_id=payment.order_id,
        provider=payment.provider,
        call="POST /x",
        request=f"x{mark}",
        status=200,
        reply=f"x{mark}",
        error=None,
        milliseconds=1,
        request_id=None,
        at=payment.created_at,
    )


async def earn(
    world: World, send: Any, side: str, things: dict[str, Any], who: Any, admin: Any
) -> None:
    """Money for the store: orders paid twice, so that some is stranded; payouts of it."""
    at, mark = f"/api/stores/{things['store']}", "" if side == "ours" else f" {MARK}"
    account = {
        "beneficiary": f"متجر{mark}",
        "bank": f"مصرف{mark}",
        "iban": IBAN,
        "currentPassword": PASSWORD,
    }
    await send("PUT", f"{at}/bank-account", account, who)
    for number in range(1 if side == "ours" else 2):
        body = order_body(things["product1"], 1, things["variant1"])
        body["customer"]["name"] += mark
        order = (await send("POST", f"{at}/orders", body, {}))["id"]
        made = await send("POST", f"/api/orders/{order}/payments", {"method": "moamalat"}, who)
        payment = await payments.get_payment(world.db, made["id"])
        world.provider.pay(
            payment.reference,
            payment.amount_dirhams,
            *(f"{side}{number}{name}" for name in ("", "x", "y")),
        )
        await check_payment(world.shop, payment.id)
        await world.db.commit(Batch(insert_exchanges([_said(payment, mark)])))
        things["paid order"] = order
        things["like order"] = (await send("POST", f"{at}/orders", body, {}))["id"]
        waiting = await send("GET", f"{at}/suspense", None, who)
        things["item"], other = (item["id"] for item in waiting if item["orderId"] == order)
        things["settled order"] = (await send("POST", f"{at}/orders", body, {}))["id"]
        applied = {"action": "apply", "orderId": things["settled order"]}
        await send("PUT", f"{at}/suspense/{other}/resolve", applied, who)
        for name in ("approved", "payout"):
            made = await send("POST", f"{at}/payouts", {"amount": 5 + number}, who)
            things[name] = made["id"]
        await send("PUT", f"/api/admin/payouts/{things['approved']}/approve", {}, admin)


async def _settle(shop: Shop, _: Street) -> None:
    await settle_books(shop)


STEPS = (
    Step("ledger", "GET", f"{STORE}/ledger?limit=100"),
    Step("one account", "GET", f"{STORE}/ledger?limit=100&account=clearing:moamalat"),
    Step("sales", "GET", f"{STORE}/ledger?limit=100&account=sales&from=2026-01-01T00:00:00Z"),
    Step("books of an order", "GET", f"{STORE}/ledger?order={{ours[paid order]}}"),
    Step("books of theirs", "GET", f"{STORE}/ledger?order={{theirs[paid order]}}"),
    Step("balances", "GET", f"{STORE}/ledger/balances"),
    Step("statement", "GET", f"{STORE}/ledger/statement?month=2026-01"),
    Step("settle", job=_settle, later=timedelta(minutes=9)),
    Step("bank account", "GET", f"{STORE}/bank-account"),
    Step("another bank", "PUT", f"{STORE}/bank-account",
         {"beneficiary": "x", "bank": "y", "iban": IBAN, "currentPassword": PASSWORD}),
    Step("payouts", "GET", f"{STORE}/payouts"),
    Step("ask for a payout", "POST", f"{STORE}/payouts", {"amount": 3}, status=201),
    Step("take it back", "PUT", f"{STORE}/payouts/{{ours[payout]}}/cancel"),
    Step("take theirs", "PUT", f"{STORE}/payouts/{{theirs[payout]}}/cancel", status=404),
    Step("approve", "PUT", "/api/admin/payouts/{ours[payout]}/approve", who="admin",
         later=timedelta(minutes=5)),
    Step("pay out", "PUT", "/api/admin/payouts/{ours[approved]}/pay", {"reference": "FT1"},
         who="other admin"),
    Step("suspense", "GET", f"{STORE}/suspense"),
    Step("all suspense", "GET", f"{STORE}/suspense?show=all"),
    Step("assign", "PUT", f"{STORE}/suspense/{{ours[item]}}/assign", {"userId": None}),
    Step("assign theirs", "PUT", f"{STORE}/suspense/{{theirs[item]}}/assign", {"userId": None},
         status=404),
    Step("apply", "PUT", f"{STORE}/suspense/{{ours[item]}}/resolve",
         {"action": "apply", "orderId": "{ours[like order]}"}),
    Step("apply to theirs", "PUT", f"{STORE}/suspense/{{ours[item]}}/resolve",
         {"action": "apply", "orderId": "{theirs[like order]}"}, status=404),
)  # fmt: skip
