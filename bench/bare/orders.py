"""`python -m bench.bare.orders DATABASE`: a transaction loop that writes what one order means.

The ceiling for placing orders: the statements and rows of one EISHRO order (reads of store and
prices, key, holds, movements, order, lines, history, trace, ledger, outbox, audit), durable, without
HTTP, checking, signing, sealing or tasks. With `--group N` N orders share one commit, each
under its own savepoint; else each has its own. Prints one line of JSON.
"""

import argparse
import json
import random
import secrets
import time
from typing import Any

import apsw

_PRAGMAS = ("synchronous = FULL", "foreign_keys = ON", "cache_size = -32000")
_LINES = 3
_ANSWER = "s" * 1_900  # what a sealed answer of three lines weighs
_KEPT_MICROS = 24 * 3_600 * 1_000_000
_TRACE_TEXT = json.dumps({"inputs": "i" * 1_050})  # what a trace of three lines weighs

_STORE = "SELECT id, settings, version FROM stores WHERE id = ? AND is_active = 1"
_OFFERS = """SELECT v.id, v.product_id, p.name, v.options, v.sku,
    coalesce(v.price_dirhams, p.price_dirhams), s.available, p.version,
    coalesce(v.weight_grams, p.weight_grams, 0)
  FROM products p JOIN variants v ON v.product_id = p.id JOIN stock s ON s.variant_id = v.id
  WHERE p.id IN (SELECT value FROM json_each(?)) AND p.store_id = ?
    AND p.status = 'active' AND p.sells = 1 AND v.is_active = 1"""
_FREE_KEY = "DELETE FROM idempotency_keys WHERE scope = ? AND key = ? AND expires_at <= ?"
_CLAIM = """INSERT INTO idempotency_keys
  (scope, key, fingerprint, status, body, is_sealed, expires_at) VALUES (?, ?, ?, 201, ?, 1, ?)"""
_HOLD = """UPDATE stock SET available = available - ?1, held = held + ?1
  WHERE variant_id = ?2 AND store_id = ?3 AND (available IS NULL OR available >= ?1)
    AND EXISTS (SELECT 1 FROM products WHERE id = stock.product_id AND version = ?4)"""
_MOVE = """INSERT INTO stock_movements (subject_id, variant_id, kind, store_id, quantity, at)
  VALUES (?, ?, 'hold', ?, ?, ?)"""
_ORDER = """INSERT INTO orders (id, store_id, number, customer_user_id, status, payment_status,
    fulfilment_status, customer_name, customer_phone, customer_email, city_code, area, address,
    shipping_notes, shipping_method, payment_method, notes, subtotal_dirhams, discount_dirhams,
    shipping_dirhams, total_dirhams, expires_at, created_at, updated_at, version)
  SELECT ?1, ?2, ?3, NULL, 'pending', 'pending', 'unfulfilled', 'سالم المبروك', ?9,
    NULL, 'TIP', 'حي الأندلس', 'شارع الجمهورية، عمارة 12', NULL, 'standard', 'cod', NULL, ?4, 0,
    ?5, ?6, ?7 + 172800000000, ?7, ?7, 1
  WHERE EXISTS (SELECT 1 FROM stores WHERE id = ?2 AND version = ?8)"""
_TRACE = "INSERT INTO order_traces (order_id, store_id, trace) VALUES (?, ?, ?)"
_GUARD = """INSERT INTO buyer_guards (subject, version) VALUES ('phone:' || ?1, 1)
  ON CONFLICT (subject) DO UPDATE SET version = version + 1 WHERE version = ?2"""
_SEEN = "SELECT version FROM buyer_guards WHERE subject = 'phone:' || ?"
_HELD = """SELECT count(DISTINCT o.id), coalesce(sum(l.quantity), 0)
  FROM orders o JOIN order_lines l ON l.order_id = o.id
  WHERE o.customer_phone = ? AND o.status = 'pending'
    AND o.payment_status IN ('pending', 'failed')"""
_LINE = """INSERT INTO order_lines (order_id, position, store_id, product_id, variant_id, name,
    options, sku, unit_price_dirhams, quantity, total_dirhams, weight_grams)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_HISTORY = """INSERT INTO order_history (order_id, id, store_id, event, status, actor, note, at)
  VALUES (?, ?, ?, 'order.placed', 'pending', 'guest', NULL, ?)"""
_ENTRY = """INSERT INTO ledger_entries (transaction_id, position, store_id, account, dirhams,
    reason, order_id, payment_id, at) VALUES (?, ?, ?, ?, ?, 'order.placed', ?, NULL, ?)"""
_PUBLISH = """INSERT INTO outbox (id, store_id, topic, subject_id, payload, created_at,
    next_try_at, tries, is_dead, last_error)
  VALUES (?, ?, 'order.placed', ?, '{}', ?, ?, 0, 0, NULL)"""
_AUDIT = """INSERT INTO audit_records (id, store_id, actor, action, subject_id, changes,
    request_id, address, at) VALUES (?, ?, 'guest', 'order.placed', ?, ?, ?, '127.0.0.1', ?)"""


class Loop:
    """The loop's connection, dice and goods."""

    def __init__(self, database: str, products: int, stores: int, seed: int) -> None:
        self._connection = apsw.Connection(database, statementcachesize=64)
        # Else SQLite, built with STAT4, plans a statement anew whenever its values change.
        self._connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        self._cursor = self._connection.cursor()
        self._dice = random.Random(seed)
        self._stores = stores
        self._third = products // stores // _LINES
        self._placed = 0

    def run(self, seconds: float, group: int) -> dict[str, float]:
        """Place orders for so long; how many, and how long it took in truth."""
        begun, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - begun < seconds:
            self._cursor.execute("BEGIN IMMEDIATE")
            for _ in range(group):
                self._cursor.execute("SAVEPOINT batch")
                self._place()
                self._cursor.execute("RELEASE batch")
            self._cursor.execute("COMMIT")
        elapsed = time.perf_counter() - begun
        return {
            "orders": self._placed,
            "seconds": elapsed,
            "cpu_seconds": time.process_time() - cpu,
        }

    def close(self) -> None:
        """Close the connection: the log is written back."""
        self._connection.close()

    def _place(self) -> None:
        execute, many = self._cursor.execute, self._cursor.executemany
        at = time.time_ns() // 1_000
        store_id, _, version = self._row(_STORE, (self._dice.randint(1, self._stores),))
        wanted = self._choose(store_id)
        ids = json.dumps([product_id for product_id, _, _ in wanted])
        offers = {row[0]: row for row in execute(_OFFERS, (ids, store_id))}
        phone = f"+21891{self._dice.randrange(10_000_000):07}"
        seen = execute(_SEEN, (phone,)).fetchone() or (0,)
        self._row(_HELD, (phone,))
        lines = [(offers[variant_id], quantity) for _, variant_id, quantity in wanted]
        order_id = _text_id("ord", at)
        key = (f"guest POST /api/stores/{store_id}/orders", f"bare-{self._placed}")
        execute(_FREE_KEY, (*key, at))
        execute(_CLAIM, (*key, secrets.token_hex(32), _ANSWER, at + _KEPT_MICROS))
        execute(_GUARD, (phone, *seen))
        self._expect_change()
        for offer, quantity in lines:
            execute(_HOLD, (quantity, offer[0], store_id, offer[7]))
            self._expect_change()
        many(_MOVE, [(order_id, offer[0], store_id, pieces, at) for offer, pieces in lines])
        subtotal = sum(offer[5] * quantity for offer, quantity in lines)
        number = secrets.token_hex(4)
        total = subtotal + 5_000
        order = (order_id, store_id, number, subtotal, 5_000, total, at, version, phone)
        execute(_ORDER, order)
        self._expect_change()
        many(_LINE, [_line(order_id, n, store_id, *line) for n, line in enumerate(lines)])
        execute(_TRACE, (order_id, store_id, _TRACE_TEXT))
        execute(_HISTORY, (order_id, _text_id("his", at), store_id, at))
        transaction = _text_id("trn", at)
        sums = (("receivable", total), ("sales", -subtotal), ("delivery", -5_000))
        many(_ENTRY, [(transaction, n, store_id, *s, order_id, at) for n, s in enumerate(sums)])
        execute(_PUBLISH, (_text_id("evt", at), store_id, order_id, at, at))
        changes, request = json.dumps({"number": number}), _text_id("req", at)
        execute(_AUDIT, (_text_id("aud", at), store_id, order_id, changes, request, at))
        self._placed += 1

    def _choose(self, store_id: int) -> list[tuple[int, int, int]]:
        """Three goods of a store: product, variant, quantity, as wrk/order.lua draws them."""
        chosen = []
        for part in range(_LINES):
            number = part * self._third + self._dice.randrange(self._third)
            product_id = store_id + self._stores * number
            variant_id = product_id * 4 - self._dice.randrange(4)
            chosen.append((product_id, variant_id, self._dice.randint(1, 3)))
        return chosen

    def _row(self, text: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        row = self._cursor.execute(text, values).fetchone()
        if row is None:
            raise RuntimeError(f"no row: {text}")
        return tuple(row)

    def _expect_change(self) -> None:
        if self._connection.changes() != 1:
            raise RuntimeError("a guarded statement did not touch one row")


def _line(
    order_id: str, position: int, store_id: int, offer: Any, quantity: int
) -> tuple[Any, ...]:
    variant_id, product_id, name, options, sku, price, _, _, weight = offer
    row = (order_id, position, store_id, product_id, variant_id, name, options, sku, price)
    return (*row, quantity, price * quantity, weight)


def _text_id(prefix: str, at: int) -> str:
    """Sorted by time and as long as EISHRO's."""
    return f"{prefix}_{at // 1_000:010x}{secrets.token_hex(8)[:15]}"


def main() -> None:
    """Run once."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare.orders", description=__doc__)
    parser.add_argument("database")
    for name, default in (
        ("group", 1),
        ("seconds", 3),
        ("products", 0),
        ("stores", 0),
        ("seed", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    loop = Loop(given.database, given.products, given.stores, given.seed)
    result = loop.run(given.seconds, given.group)
    loop.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
