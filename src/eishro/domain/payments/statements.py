"""Imported bank statements as values: what became of each row. Pure."""

from datetime import datetime
from typing import Literal

import msgspec

from eishro.errors import NotFound, Words

ROWS_MAX = 1_000  # of one file

# What became of a row. `matched` paid its order. Booked, but in suspense: `amount_differs`,
# `paid_already`, `order_closed`. Not booked: `already_booked` (this very transfer is),
# `other_bank_reference` (the payment has its money, under another one), `unknown_reference`
# (nobody here waits for it), `no_reference` (its text names none), `several_references`,
# `no_bank_reference`, `no_amount`, `duplicate_row` (a row above is the same transfer), and
# `reference_used` (the transfer paid something else).
Outcome = Literal[
    "matched",
    "amount_differs",
    "paid_already",
    "order_closed",
    "already_booked",
    "other_bank_reference",
    "unknown_reference",
    "no_reference",
    "several_references",
    "no_bank_reference",
    "no_amount",
    "duplicate_row",
    "reference_used",
]
BOOKED: frozenset[Outcome] = frozenset(
    {"matched", "amount_differs", "paid_already", "order_closed"}
)


class StatementRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of a statement and what became of it; `number` counts as in the file, from 1."""

    number: int
    outcome: Outcome
    text: str = ""
    bank_reference: str = ""
    amount_dirhams: int | None = None
    expected_dirhams: int | None = None
    paid_on: str | None = None
    reference: str | None = None
    payment_id: str | None = None


class Statement(msgspec.Struct, frozen=True):
    """An imported file. `counts` are rows by outcome, `rows` every row as JSON; the amount is that
    of matched rows.
    """

    id: str
    store_id: int
    file_name: str
    file_hash: str
    rows_total: int
    counts: msgspec.Raw
    amount_dirhams: int
    rows: msgspec.Raw
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int

    def rows_value(self) -> tuple[StatementRow, ...]:
        """The rows, decoded."""
        return msgspec.json.decode(self.rows, type=tuple[StatementRow, ...])


class StatementNotFound(NotFound):
    """No such import in this store."""

    words = Words("There is no such statement.", "لا يوجد كشف حساب كهذا.")
