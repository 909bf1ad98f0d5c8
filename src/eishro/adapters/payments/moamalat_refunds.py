"""Giving money back by Moamalat's RefundTransaction: a void before settlement, a refund after.

The call has no idempotency key, so the listing is read first, every time: it says whether the
money has gone back already, how much is left, and whether only all of it can (before the end of
the gateway's day). After a call without an answer nothing is sent again until the listing has
shown for `RESEND_AFTER` that nothing happened.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from eishro.adapters.payments.moamalat_queries import (
    DAY_SLACK,
    Terminal,
    TerminalQueries,
    day_text,
)
from eishro.adapters.payments.moamalat_reading import Row, text_of, without_pan
from eishro.adapters.payments.wire import read_object
from eishro.clock import TRIPOLI, Clock
from eishro.domain.payments.port import (
    RefundAnswer,
    Refunded,
    RefundIntent,
    RefundLater,
    RefundRefused,
    RefundUnknown,
    Unknown,
)
from eishro.outward import Http, HttpReply, NoReply

RESEND_AFTER = timedelta(minutes=10)
CLOCK_SLACK = timedelta(minutes=10)  # the gateway's clock against ours
AFTER_MIDNIGHT = timedelta(minutes=30)  # when a day is taken to be settled
TIMEOUT_SECONDS = 30.0
REPLY_BYTES_MAX = 100_000
_APPROVED = ("", "00")

_LOG = structlog.get_logger("eishro.moamalat")


class TerminalRefunds:
    """Refunds of one terminal, each in the terminal's turn."""

    def __init__(
        self, terminal: Terminal, queries: TerminalQueries, http: Http, clock: Clock
    ) -> None:
        self._terminal = terminal
        self._queries = queries
        self._http = http
        self._clock = clock

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """What became of the refund; it is sent if that is certain to be the first time."""
        if self._queries.is_closed:
            return _not_now(wanted, "the shop is closing")
        if wanted.terminal != self._terminal.terminal_id:
            return _not_now(wanted, "the money came through another terminal")
        async with self._queries.turn():
            try:
                sale = await self._look(wanted)
            except Exception:  # noqa: BLE001 - whatever happened, nothing has left
                _LOG.exception("moamalat_refund_not_sent", terminal=self._terminal.terminal_id)
                return _not_now(wanted, "asking failed")
            if not isinstance(sale, Row):
                return sale
            try:
                return await self._send(wanted, sale)
            except Exception:  # noqa: BLE001 - it may have left
                _LOG.exception("moamalat_refund_failed", terminal=self._terminal.terminal_id)
                return RefundUnknown("sending was not finished")

    async def _look(self, wanted: RefundIntent) -> Row | RefundAnswer:
        """The sale, if the refund is to be sent now; otherwise the answer."""
        rows = await self._queries.list_rows({"MerchantReference": wanted.reference})
        if isinstance(rows, Unknown):
            return _not_now(wanted, rows.reason)
        found = find_refund(wanted, rows) if wanted.sent_at is not None else None
        if found is not None:
            return found
        sale = _sale_of(wanted, rows)
        if sale is None:
            return _not_now(wanted, "the gateway does not list the sale")
        gone = _gone(sale, rows)
        unclear = await self._unclear(wanted, gone) if wanted.sent_at is not None else None
        return unclear or self._refusal(wanted, sale, gone) or sale

    def _refusal(self, wanted: RefundIntent, sale: Row, gone: int) -> RefundAnswer | None:
        """What the gateway would not do, seen without asking for it."""
        left = wanted.receipt_dirhams - max(gone, wanted.known_dirhams)
        if wanted.amount_dirhams > left:
            return RefundRefused(f"the gateway has {left} dirhams left of this sale")
        if sale.must_void and wanted.amount_dirhams < wanted.receipt_dirhams:
            return RefundLater(
                "before settlement only the whole sale can go back", self._after_settlement()
            )
        return None

    async def _unclear(self, wanted: RefundIntent, gone: int) -> RefundAnswer | None:
        """Where a call may have left before: done, or not clear yet; None: it did nothing."""
        if gone > wanted.known_dirhams:
            # Something went back that this listing does not show: it may not repeat references.
            days = {
                "DateFrom": day_text(wanted.created_at - DAY_SLACK),
                "DateTo": day_text(self._clock.now() + DAY_SLACK),
            }
            rows = await self._queries.list_rows(days)
            if isinstance(rows, Unknown):
                return RefundUnknown(rows.reason, sent=False)
            found = find_refund(wanted, rows)
            return found or RefundUnknown("the gateway lists another amount", sent=False)
        if wanted.sent_at is not None and self._clock.now() < wanted.sent_at + RESEND_AFTER:
            return RefundUnknown("the gateway does not list the refund yet", sent=False)
        return None

    async def _send(self, wanted: RefundIntent, sale: Row) -> RefundAnswer:
        stamp = await self._queries.stamp()
        if isinstance(stamp, Unknown):
            return _not_now(wanted, stamp.reason)
        signed = {
            "DateTimeLocalTrxn": stamp,
            "MerchantId": self._terminal.merchant_id,
            "TerminalId": self._terminal.terminal_id,
        }
        body = {
            **signed,
            "AmountTrxn": str(wanted.amount_dirhams),
            "SystemReference": wanted.receipt_reference,
            "SecureHash": self._terminal.sign(signed),
        }
        try:
            reply = await self._http.post_json(
                self._terminal.refund_url,
                body,
                timeout_seconds=TIMEOUT_SECONDS,
                limit_bytes=REPLY_BYTES_MAX,
            )
        except NoReply as error:
            if not error.sent:
                return _not_now(wanted, f"no connection: {error}")
            _LOG.warning("moamalat_refund_unknown", terminal=self._terminal.terminal_id)
            return RefundUnknown(f"no reply: {error}"[:200])
        return await self._read(wanted, sale, reply)

    async def _read(self, wanted: RefundIntent, sale: Row, reply: HttpReply) -> RefundAnswer:
        answer = read_refund(reply, was_void=sale.must_void)
        if not isinstance(answer, RefundRefused):
            return answer
        text = answer.reason.lower()
        if "datetimelocaltrxn" in text:  # the call was refused, not the refund
            return _not_now(wanted, answer.reason)
        if "already refunded" not in text:
            return answer
        rows = await self._queries.list_rows({"MerchantReference": wanted.reference})
        found = None if isinstance(rows, Unknown) else find_refund(wanted, rows)
        if found is not None:
            return found
        return answer if wanted.sent_at is None else RefundUnknown(answer.reason, sent=False)

    def _after_settlement(self) -> datetime:
        """Half an hour into the gateway's next day."""
        today = self._clock.now().astimezone(TRIPOLI)
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1) + AFTER_MIDNIGHT


def find_refund(wanted: RefundIntent, rows: Sequence[Row]) -> RefundAnswer | None:
    """The refund as the gateway lists it: of this sale, of this amount, not another one of ours.

    Returns: None if there is none; unknown if there are several.
    """
    undone = {row.original_id for row in rows if _is_done(row, "void_refund")}
    found = {
        row.transaction_id: row
        for row in rows
        if row.original_id == wanted.receipt_reference
        and (_is_done(row, "refund") or _is_done(row, "void"))
        and row.amount_dirhams == wanted.amount_dirhams
        and row.transaction_id
        and row.transaction_id not in undone
        and row.transaction_id not in wanted.known
        and (row.at is None or row.at >= wanted.created_at - CLOCK_SLACK)
    }
    if len(found) > 1:
        return RefundUnknown("the gateway lists several such refunds", sent=False)
    for reference, row in found.items():
        return Refunded(reference, was_void=row.kind == "void")
    return None


def read_refund(reply: HttpReply, *, was_void: bool) -> RefundAnswer:
    """RefundTransaction's answer; only a plain yes or no is one."""
    if reply.status == 401:
        return RefundLater("the gateway does not accept our signature")
    if reply.status != 200:
        return RefundUnknown(f"the gateway answers with HTTP status {reply.status}")
    fields = read_object(reply.body)
    if fields is None:
        return RefundUnknown("the gateway's answer cannot be read")
    return _outcome(fields, was_void=was_void)


def _outcome(fields: Mapping[str, Any], *, was_void: bool) -> RefundAnswer:
    message = without_pan(text_of(fields, "Message"))
    if fields.get("Success") is False:
        return RefundRefused(message or "the gateway refuses")
    reference = text_of(fields, "RefNumber")
    is_approved = fields.get("Success") is True and text_of(fields, "ActionCode") in _APPROVED
    if not is_approved or not (reference.isascii() and reference.isalnum()):
        return RefundUnknown(f"the gateway's answer makes no sense: {message}")
    return Refunded(reference[:64], was_void)


def _not_now(wanted: RefundIntent, reason: str) -> RefundAnswer:
    """Nothing has left this time."""
    if wanted.sent_at is None:
        return RefundLater(reason[:200])
    return RefundUnknown(reason[:200], sent=False)


def _sale_of(wanted: RefundIntent, rows: Sequence[Row]) -> Row | None:
    for row in rows:
        if row.transaction_id == wanted.receipt_reference and _is_done(row, "sale"):
            return row
    return None


def _gone(sale: Row, rows: Sequence[Row]) -> int:
    """How much of the sale has gone back, as its own row says, or as the others come to."""
    if sale.remaining_dirhams is not None and sale.amount_dirhams is not None:
        return max(0, sale.amount_dirhams - sale.remaining_dirhams)
    return sum(
        row.amount_dirhams or 0
        for row in rows
        if row.original_id == sale.transaction_id
        and (_is_done(row, "refund") or _is_done(row, "void"))
    )


def _is_done(row: Row, kind: str) -> bool:
    return row.kind == kind and row.outcome == "approved"
