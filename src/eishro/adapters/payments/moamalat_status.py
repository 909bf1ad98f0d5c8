"""Asking Moamalat's CheckTxnStatus what it says of one transaction, by its own number.

Papers: the vendor's mobile SDK, read 2026-11; the call is known, its answer is not printed there.
It carries no amount, so it proves no payment: it tells people who look into a difference whether
the gateway knows the transaction at all.
"""

from typing import Any

import structlog

from eishro.adapters.payments.moamalat_queries import Terminal, TerminalQueries
from eishro.adapters.payments.moamalat_reading import text_of
from eishro.adapters.payments.wire import read_object
from eishro.domain.payments.exchanges import speaking_of
from eishro.domain.payments.port import SaidOfTransaction, Unknown
from eishro.outward import Http, NoReply

TIMEOUT_SECONDS = 30.0
REPLY_BYTES_MAX = 100_000
_APPROVED = "00"

_LOG = structlog.get_logger("eishro.moamalat")


class TerminalStatus:
    """Questions about single transactions, each in the terminal's turn."""

    def __init__(self, terminal: Terminal, queries: TerminalQueries, http: Http) -> None:
        self._terminal = terminal
        self._queries = queries
        self._http = http

    async def ask(self, transaction_id: str) -> SaidOfTransaction:
        """What it says; anything unclear is `unknown`. Never raises for what the outside does."""
        if self._queries.is_closed:
            return "unknown"
        async with self._queries.turn():
            stamp = await self._queries.stamp()
            if isinstance(stamp, Unknown):
                return "unknown"
            signed = {
                "DateTimeLocalTrxn": stamp,
                "MerchantId": self._terminal.merchant_id,
                "TerminalId": self._terminal.terminal_id,
            }
            body = {
                **signed,
                "TxnId": transaction_id,
                "SecureHash": self._terminal.sign(signed),
            }
            try:
                with speaking_of(None):
                    reply = await self._http.post_json(
                        self._terminal.status_url,
                        body,
                        timeout_seconds=TIMEOUT_SECONDS,
                        limit_bytes=REPLY_BYTES_MAX,
                    )
            except NoReply as error:
                _LOG.warning("moamalat_status_unknown", error=str(error)[:200])
                return "unknown"
        said = read_object(reply.body) if reply.status == 200 else None
        return "unknown" if said is None else read_status(said, transaction_id)


def read_status(said: dict[str, Any], transaction_id: str) -> SaidOfTransaction:
    """Only where flag and code agree, about this very transaction."""
    if said.get("Success") is not True:
        is_absent = "not found" in text_of(said, "Message").lower()
        return "absent" if said.get("Success") is False and is_absent else "unknown"
    if text_of(said, "SystemReference") not in ("", transaction_id):
        return "unknown"
    code, is_paid = text_of(said, "ActionCode"), said.get("IsPaid")
    if is_paid is True and code == _APPROVED:
        return "paid"
    return "declined" if is_paid is False and code not in ("", _APPROVED) else "unknown"
