"""A bank to play with: transfers are made on a page, and its statement is downloaded.

`/sandbox/bank_transfer` is the payer's bank, `statement.csv` what the store's bank lists, and
`PUT …/faults` lets it err: another amount, a missing or damaged reference, the same row twice, rows
in another order. In memory, bounded, gone when the process ends.
"""

import csv
import html
import io
import itertools
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import falcon
import falcon.asgi
import msgspec

from eishro.cells import read_amount
from eishro.clock import TRIPOLI, Clock
from eishro.domain.payments.banks import BANKS
from eishro.money import decimal_from_dirhams
from eishro.outward import WebHttp

KEPT_MAX = 1_000  # transfers
BODY_BYTES_MAX = 16_000
TEXT_LENGTH_MAX = 120
HEADERS = ("Date", "Reference", "Description", "Debit", "Credit")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HTML = "text/html; charset=utf-8"


class BankFaults(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What goes wrong with transfers from now on (the first three) and with the statement."""

    wrong_amount_by_dirhams: int = 0
    loses_reference: bool = False
    damages_reference: bool = False
    repeats_rows: bool = False
    reorders_rows: bool = False
    loses_bank_reference: bool = False


class Made(msgspec.Struct, frozen=True, rename="camel"):
    """One transfer that was made here."""

    bank_reference: str
    text: str
    dirhams: int
    sender: str
    at: datetime


class BankSimulator:
    """The payer's bank and the store's in one."""

    def __init__(self, fields: Mapping[str, str], clock: Clock, http: WebHttp) -> None:
        del http  # a bank tells nobody
        self.fields = fields
        self.faults = BankFaults()
        self.made: deque[Made] = deque(maxlen=KEPT_MAX)
        self._clock = clock
        self._numbers = itertools.count(1)

    def transfer(self, reference: str, dirhams: int, sender: str) -> Made:
        """Make a transfer, as the faults have it."""
        at = self._clock.now()
        faults = self.faults
        text = "" if faults.loses_reference else reference
        if faults.damages_reference and text:
            text = text[:-1] + ("A" if text[-1] != "A" else "C")
        made = Made(
            bank_reference=f"FT{at.astimezone(TRIPOLI):%y%j}{next(self._numbers):06d}",
            text=f"حوالة واردة {sender} {text}".strip(),
            dirhams=max(1, dirhams + faults.wrong_amount_by_dirhams),
            sender=sender,
            at=at,
        )
        self.made.append(made)
        return made

    def statement(self) -> bytes:
        """What the store's bank lists, as CSV in UTF-8 with a mark."""
        rows = [self._row(made) for made in self.made]
        if self.faults.repeats_rows:
            rows = [row for row in rows for _ in range(2)]
        if self.faults.reorders_rows:
            rows.reverse()
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow(["كشف حساب", self.fields.get("iban", "")])
        writer.writerow(HEADERS)
        writer.writerows(rows)
        return b"\xef\xbb\xbf" + out.getvalue().encode()

    def _row(self, made: Made) -> tuple[str, ...]:
        amount = f"{decimal_from_dirhams(made.dirhams):,}"
        known = "" if self.faults.loses_bank_reference else made.bank_reference
        return (f"{made.at.astimezone(TRIPOLI):%d/%m/%Y}", known, made.text, "", amount)

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        app.add_route(prefix, _Page(self, prefix))
        app.add_route(f"{prefix}/transfers", _Transfers(self, prefix))
        app.add_route(f"{prefix}/statement.csv", _Statement(self))
        app.add_route(f"{prefix}/faults", _Faults(self))

    async def aclose(self) -> None:
        """Nothing runs in the background."""


class _Page:
    def __init__(self, bank: BankSimulator, prefix: str) -> None:
        self._bank = bank
        self._prefix = prefix

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.content_type = _HTML
        response.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.data = _page(self._bank, self._prefix).encode()


class _Transfers:
    """GET lists, newest first; POST makes one, of JSON or of the page's form."""

    def __init__(self, bank: BankSimulator, prefix: str) -> None:
        self._bank = bank
        self._prefix = prefix

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.media = [_shown(made) for made in reversed(self._bank.made)]

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        body = await request.stream.read(BODY_BYTES_MAX)
        is_form = (request.content_type or "").startswith("application/x-www-form-urlencoded")
        given = _form(body) if is_form else _json(body)
        dirhams = read_amount(str(given.get("amount", "")))
        reference = "".join(c for c in str(given.get("reference", "")) if c.isprintable())
        if not dirhams:
            response.status = 422
            response.media = {"message": "amount: dinars with at most 3 decimals"}
            return
        sender = "".join(c for c in str(given.get("sender", "")) if c.isprintable())
        made = self._bank.transfer(
            reference[:TEXT_LENGTH_MAX], dirhams, sender[:TEXT_LENGTH_MAX] or "زبون"
        )
        if is_form:
            raise falcon.HTTPSeeOther(self._prefix)
        response.status = 201
        response.media = _shown(made)


class _Statement:
    def __init__(self, bank: BankSimulator) -> None:
        self._bank = bank

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.content_type = "text/csv; charset=utf-8"
        response.set_header("Content-Disposition", 'attachment; filename="statement.csv"')
        response.data = self._bank.statement()


class _Faults:
    """GET shows, PUT sets all members (those left out go back to their default)."""

    def __init__(self, bank: BankSimulator) -> None:
        self._bank = bank

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.media = msgspec.to_builtins(self._bank.faults)

    async def on_put(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        try:
            body = await request.stream.read(BODY_BYTES_MAX)
            self._bank.faults = msgspec.json.decode(body, type=BankFaults)
        except (msgspec.DecodeError, RecursionError) as error:
            response.status = 422
            response.media = {"message": str(error)}
            return
        response.media = msgspec.to_builtins(self._bank.faults)


def _shown(made: Made) -> dict[str, Any]:
    return {
        "bankReference": made.bank_reference,
        "text": made.text,
        "amount": str(decimal_from_dirhams(made.dirhams)),
        "sender": made.sender,
        "at": made.at.isoformat(),
    }


def _json(body: bytes) -> dict[str, Any]:
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _form(body: bytes) -> dict[str, Any]:
    given = falcon.uri.parse_query_string(body.decode("utf-8", "replace"))
    return {name: value if isinstance(value, str) else "" for name, value in given.items()}


def _page(bank: BankSimulator, prefix: str) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(made.bank_reference)}</td><td>{html.escape(made.text)}</td>"
        f"<td dir=ltr>{decimal_from_dirhams(made.dirhams)}</td></tr>"
        for made in reversed(bank.made)
    )
    account = html.escape(bank.fields.get("iban", ""))
    banks = "، ".join(html.escape(one.name) for one in BANKS[:5])
    return f"""<!doctype html><html lang="ar" dir="rtl"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>مصرف التجربة · Demo bank</title>
<style>body{{font:1rem system-ui;max-width:42rem;margin:2rem auto;padding:0 1rem}}
label{{display:block;margin:.7rem 0}}input{{font:inherit;padding:.4rem;width:100%}}
table{{width:100%;border-collapse:collapse}}td,th{{padding:.3rem;border-top:1px solid #ccc}}</style>
<h1>مصرف التجربة · Demo bank</h1>
<p>لا تتحرك أي أموال هنا ({banks}…). No money moves here. <bdi>{account}</bdi></p>
<form method="post" action="{prefix}/transfers">
<label>المرجع · Reference <input name="reference" dir="ltr" required></label>
<label>المبلغ · Amount (LYD) <input name="amount" dir="ltr" inputmode="decimal" required></label>
<label>المرسل · Sender <input name="sender"></label>
<button>حوّل · Transfer</button></form>
<p><a href="{prefix}/statement.csv">كشف الحساب · Statement (CSV)</a></p>
<table><tr><th>مرجع المصرف · Bank reference<th>البيان · Description<th>المبلغ · Amount</tr>
{rows}</table></html>"""
