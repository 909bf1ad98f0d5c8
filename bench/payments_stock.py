"""What the payments part begins with: a shop with orders that wait for their money, and the news
that gateways will bring of them, true and forged.
"""

import contextlib
import itertools
import json
import random
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.contenders import EISHRO
from bench.crowd import Ask, post_all
from bench.data import VARIANTS, Goods
from bench.gateway import MERCHANT, sale
from bench.servers import Source, running
from eishro.money import decimal_from_dirhams
from eishro.sandbox import moamalat_wire, plutu_wire

Provider = Literal["moamalat", "plutu"]
PROVIDERS: tuple[Provider, ...] = ("moamalat", "plutu")
PLUTU_KEY = "sk_" + "b7" * 20
_DAY_MICROSECONDS = 86_400_000_000
_NUMBERS = itertools.count(700_000_000)


class Due(msgspec.Struct, frozen=True):
    """A payment that waits for its money, and the number that the gateway gives it."""

    payment_id: str
    reference: str
    dirhams: int
    transaction_id: str


def settings(gateway_port: int) -> dict[str, str]:
    """Credentials of three gateways: one that is asked, one that proves by its signature, and one
    that sends codes."""
    url = f"http://127.0.0.1:{gateway_port}"
    return {
        "EISHRO_MOAMALAT_MERCHANT_ID": MERCHANT.merchant_id,
        "EISHRO_MOAMALAT_TERMINAL_ID": MERCHANT.terminal_id,
        "EISHRO_MOAMALAT_SECRET_KEY": MERCHANT.secret_key,
        "EISHRO_MOAMALAT_BASE_URL": f"{url}/cube/paylink.svc/api/",
        "EISHRO_PLUTU_ACCESS_TOKEN": "bench-token",
        "EISHRO_PLUTU_API_KEY": "bench-key",
        "EISHRO_PLUTU_SECRET_KEY": PLUTU_KEY,
        "EISHRO_SADAD_TOKEN": "bench-token",
        "EISHRO_SADAD_BASE_URL": url,
    }


def place_orders(port: int, goods: Goods, count: int, method: str) -> list[tuple[str, str]]:
    """So many orders of one piece each; their ids and tokens."""
    dice = random.Random(secrets.randbits(64))
    asks: list[Ask] = []
    for _ in range(count):
        product = dice.randint(1, goods.products)
        asks.append(
            (
                f"/api/stores/{(product - 1) % goods.stores + 1}/orders",
                {
                    "items": [
                        {"productId": product, "variantId": product * VARIANTS, "quantity": 1}
                    ],
                    "customer": {"name": "سالم المبروك", "phone": f"091{dice.randrange(10**7):07}"},
                    "shipping": {"city": "طرابلس", "address": "شارع الجمهورية، عمارة 12"},
                    "payment": {"method": method},
                },
                {"Idempotency-Key": secrets.token_hex(12)},
            )
        )
    return [(one["data"]["id"], one["data"]["accessToken"]) for one in post_all(port, asks)]


def payment_of(order: tuple[str, str], method: str, **payer: Any) -> Ask:
    """The wish to pay an order."""
    order_id, token = order
    return (
        f"/api/orders/{order_id}/payments",
        {"method": method, **payer},
        {"X-Order-Token": token, "Idempotency-Key": secrets.token_hex(12)},
    )


def stock(
    source: Source, folder: Path, goods: Goods, count: int, more: dict[str, str]
) -> tuple[Source, dict[Provider, list[Due]]]:
    """A copy of the data with `count` started payments of each gateway.

    All are begun as Moamalat's, for which no gateway is needed; half are then made Plutu's in the
    file. What the orders left in the outbox is taken away, and the times at which gateways are
    asked of their own accord are spread over a day, as those of payments that have waited for an
    hour: begun within a minute, all would be asked about at once, two, five and fifteen minutes
    later, and quiet would not be quiet.
    """
    with running(EISHRO, source, folder / "stock", pinned=False, more=more) as server:
        orders = place_orders(server.port, goods, 2 * count, "moamalat")
        asks = [payment_of(order, "moamalat") for order in orders]
        ids = [one["data"]["id"] for one in post_all(server.port, asks)]
    with contextlib.closing(sqlite3.connect(server.database, isolation_level=None)) as connection:
        found = {
            payment_id: (reference, dirhams)
            for payment_id, reference, dirhams in connection.execute(
                "SELECT id, reference, amount_dirhams FROM payments"
            )
        }
        due = [Due(one, *found[one], str(next(_NUMBERS))) for one in ids]
        connection.execute("BEGIN")
        connection.executemany(
            "UPDATE payments SET provider = 'plutu', method = 'plutu_tlync' WHERE id = ?",
            [(one.payment_id,) for one in due[count:]],
        )
        connection.executemany(
            "UPDATE payments SET next_check_at = next_check_at + ? WHERE id = ?",
            [
                (_DAY_MICROSECONDS * (place % count + 1) // count, one.payment_id)
                for place, one in enumerate(due)
            ],
        )
        connection.execute("DELETE FROM outbox")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Source(Path(server.database)), {"moamalat": due[:count], "plutu": due[count:]}


def news_of(provider: Provider, due: Due, *, is_forged: bool = False) -> Ask:
    """The gateway's POST about a payment; a forged one is the same with a made-up signature."""
    if provider == "moamalat":
        row = sale(due.reference, due.transaction_id, due.dirhams)
        body: Any = moamalat_wire.notification(row, is_forged=is_forged)
    else:
        row_of_plutu = plutu_wire.Transaction(
            transaction_id=int(due.transaction_id),
            gateway="tlync",
            invoice_no=due.reference,
            amount=f"{decimal_from_dirhams(due.dirhams):.2f}",
            currency="LYD",
            outcome="paid",
            payment_method="tadawul",
        )
        fields = plutu_wire.tlync_callback(row_of_plutu)
        body = {**dict(fields), "hashed": plutu_wire.sign(PLUTU_KEY, fields)}
        if is_forged:
            body["hashed"] = "F" * 64
    return f"/api/webhooks/payments/{provider}", json.dumps(body).encode(), {}


def count_paid(database: str, due: Sequence[Due]) -> int:
    """How many of them are paid, each by the money of its own transaction."""
    wanted = {one.payment_id: one for one in due}
    found = 0
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for payment_id, transaction_id, dirhams in connection.execute(
            "SELECT r.payment_id, r.provider_reference, r.amount_dirhams FROM payment_receipts r"
            " JOIN payments p ON p.store_id = r.store_id AND p.id = r.payment_id"
            " JOIN orders o ON o.store_id = p.store_id AND o.id = p.order_id"
            " WHERE r.applied = 1 AND p.status = 'paid' AND o.payment_status = 'paid'"
        ):
            one = wanted.get(payment_id)
            found += one is not None and (one.transaction_id, one.dirhams) == (
                transaction_id,
                dirhams,
            )
    return found


def count_left(database: str) -> int:
    """How many events wait to be handled, and lines of the trail for their seal."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute(
            "SELECT (SELECT count(*) FROM outbox WHERE next_try_at IS NOT NULL)"
            " + (SELECT count(*) FROM audit_records) - (SELECT count(*) FROM audit_seals)"
        ).fetchone()
    return int(count)


def count_stored(database: str) -> int:
    """How many notifications are in the database."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM payment_news").fetchone()
        return int(count)
