"""The rows that EISHRO keeps beside products: what everybody sees of each.

They are written by the shop itself whenever a product changes; here they are made for goods that
were inserted directly. What a store's counts say comes from the migrations (`schema.py`).
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from eishro.db.compiled import compile_read
from eishro.db.statements import Query
from eishro.domain.catalog import listing
from eishro.domain.catalog import sql as catalog
from eishro.domain.stores import sql as stores
from eishro.flows.product_card import ProductState, card_of


def file_cards(connection: sqlite3.Connection, product_ids: Sequence[int]) -> None:
    """Render and keep the cards of these products."""
    ids = list(product_ids)
    read = {"ids": ids, "product_ids": ids, "limit": 100 * len(ids)}

    def rows(query: Query[Any]) -> list[Any]:
        compiled = compile_read(query, "sqlite")
        return [compiled.row(row) for row in connection.execute(compiled.text, compiled.bind(read))]

    variants: dict[int, list[Any]] = {}
    for variant in rows(listing.VARIANTS):
        variants.setdefault(variant.product_id, []).append(variant)
    shelves: dict[int, list[Any]] = {}
    for shelf in rows(stores.SHELVES):
        shelves.setdefault(shelf.product_id, []).append(shelf.category)
    cards = []
    for product in rows(catalog.PRODUCTS):
        key = product.id
        state = ProductState(product, tuple(variants[key]), {}, tuple(shelves[key]))
        cards.append((key, product.store_id, card_of(state).decode()))
    connection.executemany(
        "INSERT INTO product_cards (product_id, store_id, body) VALUES (?, ?, ?)", cards
    )
