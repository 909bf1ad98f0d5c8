"""Reading what Moamalat says: notification fields and FilterTransactions. Pure.

Facts: the vendor's data service page and the answers shown in public SDKs, read 2026-11. What is
not documented (how a void is spelled, whether it repeats the sale's reference) is read with
care: only an Approved Sale that nothing contradicts is money, only Declined is a no.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from eishro.adapters.payments.long_reading import read_long_object
from eishro.domain.payments.port import Answer, Failed, Intent, Paid, Receipt, Unknown

NOTIFICATION_BYTES_MAX = 64_000
REPLY_BYTES_MAX = 4_000_000  # a page of FilterTransactions
NOTIFICATION_FIELDS_MAX = 100
ROWS_IN_A_TURN = 10  # read without a pause
TEXT_MAX = 200  # characters of a field that are looked at

# 13 digits and more, in one piece or in groups, may be a card number.
_PAN = re.compile(r"\d(?:[ -]?\d){12,}", re.ASCII)
# Dirhams; newer answers write `.000` behind them.
_WHOLE = re.compile(r"(\d{1,15})(?:\.0{1,6})?", re.ASCII)

Kind = Literal["sale", "refund", "void", "void_refund", "other"]
Outcome = Literal["approved", "declined", "other"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of FilterTransactions, as far as it decides something.

    `amount_dirhams` is None where it cannot be read; `original_id` names the transaction that
    a refund or void undoes. Of a sale, `remaining_dirhams` can still go back (None: unreadable),
    and `must_void` says that only all of it can, before settlement. `at` is Tripoli's time.
    """

    reference: str
    transaction_id: str
    kind: Kind
    outcome: Outcome
    amount_dirhams: int | None
    currency: str
    original_id: str
    is_refund: bool
    reason: str
    details: dict[str, str]
    remaining_dirhams: int | None = None
    must_void: bool = False
    at: datetime | None = None


class Page(msgspec.Struct, frozen=True):
    """A readable answer: rows of our terminal, how many rows it had, how many there are.
    `elsewhere` are the references of rows of other terminals.
    """

    rows: list[Row]
    count: int
    total: int
    elsewhere: frozenset[str] = frozenset()


async def read_page(body: bytes, terminal_id: str) -> Page | Unknown:
    """The rows of an answer, or why it cannot be used; with pauses in which others get their turn
    of the loop, since a page of a thousand rows takes tens of milliseconds.

    Rows that name another terminal are left out; `count` includes them.
    """
    page = await _read_items(body)
    if isinstance(page, Unknown):
        return page
    items, total = page
    rows: list[Row] = []
    elsewhere: set[str] = set()
    for first in range(0, len(items), ROWS_IN_A_TURN):
        some = items[first : first + ROWS_IN_A_TURN]
        rows += _rows(some, terminal_id)
        elsewhere |= _elsewhere(some, terminal_id)
        await asyncio.sleep(0)
    return Page(rows, len(items), total, frozenset(elsewhere))


def _elsewhere(items: Sequence[dict[str, Any]], terminal_id: str) -> frozenset[str]:
    return frozenset(
        text_of(item, "MerchantReference")
        for item in items
        if text_of(item, "TerminalId") not in ("", terminal_id)
    )


def _rows(items: Sequence[dict[str, Any]], terminal_id: str) -> list[Row]:
    return [_row(item) for item in items if text_of(item, "TerminalId") in ("", terminal_id)]


async def _read_items(body: bytes) -> tuple[list[dict[str, Any]], int] | Unknown:
    """The transactions of an answer as they stand there, and how many there are in all."""
    reply = await read_long_object(body, bytes_max=REPLY_BYTES_MAX)
    if reply is None:
        return Unknown("the gateway's answer is not JSON, or says one thing twice")
    if reply.get("Success") is not True:
        message = text_of(reply, "Message")
        return Unknown(f"the gateway refuses the question: {without_pan(message)}")
    items = _items(reply)
    if items is None:
        return Unknown("the gateway's answer is malformed")
    if items and "not found" in text_of(reply, "Message").lower():
        return Unknown("the gateway's answer contradicts itself", is_foreign=True)
    total = text_of(reply, "TotalCountAllTransaction")
    return items, int(total) if re.fullmatch(r"\d{1,9}", total) else len(items)


class Listing:
    """All rows of a complete listing, found by what they are of: a flood of news asks for hundreds
    of attempts in one listing of thousands.
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.contradicts = False
        self.undone: set[str] = set()
        self._seen: dict[str, tuple[object, ...]] = {}
        self._of_reference: dict[str, list[Row]] = {}
        self._of_original: dict[str, list[Row]] = {}
        self.add(rows)

    def add(self, rows: Sequence[Row]) -> None:
        """More of its rows. Pages can overlap while transactions arrive; the same transaction
        must then read the same.
        """
        for row in rows:
            facts = (row.reference, row.kind, row.outcome, row.amount_dirhams, row.currency)
            if row.transaction_id and self._seen.setdefault(row.transaction_id, facts) != facts:
                self.contradicts = True
            if _is_done(row, "void_refund"):
                self.undone.add(row.original_id)
            self._of_reference.setdefault(row.reference, []).append(row)
            self._of_original.setdefault(row.original_id, []).append(row)

    def of_reference(self, reference: str) -> Sequence[Row]:
        """Rows of one attempt."""
        return self._of_reference.get(reference, ())

    def of_original(self, transaction_id: str) -> Sequence[Row]:
        """What was done to one transaction afterwards."""
        return self._of_original.get(transaction_id, ())


def decide(intent: Intent, rows: Sequence[Row] | Listing, terminal_id: str) -> Answer:
    """What all rows of a complete listing say about one attempt."""
    listing = rows if isinstance(rows, Listing) else Listing(rows)
    ours = listing.of_reference(intent.reference)
    if listing.contradicts:
        reason = "the gateway tells one transaction in two ways"
        return Unknown(reason, is_foreign=bool(ours))
    sales = [row for row in ours if row.kind == "sale" and row.outcome == "approved"]
    standing = {sale.transaction_id: _standing(sale, listing) for sale in sales}
    receipts = {
        sale.transaction_id: Receipt(
            provider_reference=sale.transaction_id,
            terminal=terminal_id,
            amount_dirhams=sale.amount_dirhams,
            currency=sale.currency,
            details=sale.details,
        )
        for sale in sales
        if standing[sale.transaction_id] == "stands" and sale.amount_dirhams is not None
    }
    if receipts:
        return Paid(tuple(receipts.values()))
    if sales:
        if "doubtful" in standing.values():
            return Unknown("the sale cannot be read with certainty", is_foreign=True)
        return Unknown("the sale was voided or refunded in full")
    return _refusal(ours)


def _refusal(ours: Sequence[Row]) -> Answer:
    """Failed if every try was declined, with the last reason."""
    if not ours:
        return Unknown("the gateway does not know the transaction")
    if any(row.outcome != "declined" for row in ours):
        return Unknown("the transaction is not decided")
    last = max(ours, key=lambda row: (len(row.transaction_id), row.transaction_id))
    return Failed(last.reason or "Declined")


def read_notification(raw_body: bytes) -> dict[str, str] | None:
    """The fields of a notification as text; None if it cannot be read in exactly one way.

    JSON, or a form if it does not begin like JSON: the gateway's content type is not documented.
    Members that are neither text nor whole numbers are left out.
    """
    if not raw_body or len(raw_body) > NOTIFICATION_BYTES_MAX:
        return None
    try:
        text = raw_body.decode("utf-8-sig").strip()
        if text.startswith(("{", "[")):
            # The standard library's reader, since it shows members that come twice.
            found = json.loads(text, object_pairs_hook=_once)
        else:
            found = _once(
                parse_qsl(text, keep_blank_values=True, max_num_fields=NOTIFICATION_FIELDS_MAX)
            )
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or len(found) > NOTIFICATION_FIELDS_MAX:
        return None
    return {
        name: str(value)
        for name, value in found.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    }


def text_of(source: Mapping[str, Any], name: str) -> str:
    """A member as bounded text; empty for what is neither text nor a number."""
    value = source.get(name)
    if isinstance(value, str):
        return value.strip()[:TEXT_MAX]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def whole_dirhams(text: str) -> int | None:
    """`25500` and `25500.000` are 25500 dirhams; anything else is unreadable."""
    found = _WHOLE.fullmatch(text)
    return int(found[1]) if found else None


def without_pan(text: str) -> str:
    """The text with every run of 13 digits or more masked, control characters gone."""
    shown = "".join(c for c in text[:TEXT_MAX] if c.isprintable())
    return _PAN.sub(_mask, shown)


def _mask(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0])
    return f"{digits[:6]}{'X' * (len(digits) - 10)}{digits[-4:]}"


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of pairs; a name that comes twice could be read in two ways."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member comes twice")
    return found


def _items(reply: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """All transactions of all days; None if the shape is another one."""
    items: list[dict[str, Any]] = []
    days = reply.get("Transactions")
    for day in [] if days is None else days if isinstance(days, list) else [None]:
        found = day.get("DateTransactions") if isinstance(day, dict) else None
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            return None
        items += found
    return items


def _row(item: Mapping[str, Any]) -> Row:
    status = text_of(item, "Status").lower()
    currency = text_of(item, "Currency").upper()
    details = {
        "networkReference": text_of(item, "RRN") or text_of(item, "ReceiptNo"),
        "card": text_of(item, "CardNo"),
        "cardType": text_of(item, "CardType"),
        "authCode": text_of(item, "AuthCode"),
    }
    return Row(
        reference=text_of(item, "MerchantReference"),
        transaction_id=_id(item, "TransactionId"),
        kind=_kind(text_of(item, "TransType")),
        outcome=(
            "approved" if status == "approved" else "declined" if status == "declined" else "other"
        ),
        amount_dirhams=whole_dirhams(text_of(item, "AmountTrxn")),
        currency="LYD" if currency == "434" else currency,
        original_id=_id(item, "OriginalTxnId"),
        is_refund=item.get("IsRefund") is True,
        reason=without_pan(text_of(item, "ResCodeDesc")),
        details={name: without_pan(value) for name, value in details.items() if value},
        remaining_dirhams=whole_dirhams(text_of(item, "RemainingRefundAmount")),
        must_void=item.get("IsMustVoidTotalAmount") is True,
        at=_instant(text_of(item, "TxnDateTime")),
    )


def _instant(text: str) -> datetime | None:
    """`15/01/26  10:30`, with any number of spaces."""
    try:
        return datetime.strptime(f"{' '.join(text.split())} +0200", "%d/%m/%y %H:%M %z")
    except ValueError:
        return None


def _id(item: Mapping[str, Any], name: str) -> str:
    found = text_of(item, name)
    return found if re.fullmatch(r"[\w.-]{1,64}", found, re.ASCII) and found != "0" else ""


def _kind(text: str) -> Kind:
    letters = re.sub(r"[^a-z]", "", text.lower())
    if letters == "sale":
        return "sale"
    is_void = "void" in letters or "revers" in letters
    if "refund" in letters:
        return "void_refund" if is_void else "refund"
    return "void" if is_void else "other"


def _standing(sale: Row, listing: Listing) -> Literal["stands", "gone", "doubtful"]:
    """Whether an approved sale's money is still there."""
    if not sale.transaction_id or not sale.amount_dirhams or not sale.currency or sale.is_refund:
        return "doubtful"
    refunded: dict[str, int] = {}
    for row in listing.of_original(sale.transaction_id):
        if row.outcome == "declined":
            continue
        if _is_done(row, "void"):
            return "gone"
        if not _is_done(row, "refund") or not row.transaction_id or row.amount_dirhams is None:
            return "doubtful"
        if row.transaction_id not in listing.undone:
            refunded[row.transaction_id] = row.amount_dirhams
    return "gone" if sum(refunded.values()) >= sale.amount_dirhams else "stands"


def _is_done(row: Row, kind: Kind) -> bool:
    return row.kind == kind and row.outcome == "approved"
