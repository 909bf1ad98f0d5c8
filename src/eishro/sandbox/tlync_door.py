"""The T-Lync simulator's HTTP side: the API, the payer's page, its own switches."""

import asyncio
import html
from typing import Any
from urllib.parse import urlencode, urlsplit

import falcon
import falcon.asgi

from eishro.clock import Clock
from eishro.errors import Words
from eishro.outward import WebHttp
from eishro.sandbox.gateway_door import (
    Static,
    bearer_of,
    dinars,
    listing,
    read_fields,
    send_page,
    shown_of,
)
from eishro.sandbox.stage import HTML, Language, Switch, language_of, paragraph
from eishro.sandbox.tlync import (
    GOOD_ACCOUNT,
    METHODS,
    OTP,
    POOR_ACCOUNTS,
    Checkout,
    TlyncSimulator,
)

HUGE_BYTES = 1_000_000  # more than any client should read
SHOWN_MAX = 100
_TITLE = Words("T-Lync gateway (simulator)", "بوابة تي لينك (محاكاة)")
_WORDS = {
    "amount": Words("Amount", "المبلغ"),
    "method": Words("Pay with", "ادفع بواسطة"),
    "account": Words("Phone or card of the wallet", "هاتف المحفظة أو رقم بطاقتها"),
    "otp": Words("One-time code", "رمز التحقق"),
    "pay": Words("Pay", "ادفع"),
    "cancel": Words("Cancel", "إلغاء"),
    "back": Words("Back to the shop", "العودة إلى المتجر"),
    "hint": Words(
        f"No money moves here. Account {GOOD_ACCOUNT}, code {OTP}.",
        f"لا تتحرك أي أموال هنا. الحساب {GOOD_ACCOUNT} والرمز {OTP}.",
    ),
    "refused": Words("Refused accounts", "حسابات مرفوضة"),
}
_METHODS = {
    "tadawul": Words("Tadawul card", "بطاقة تداول"),
    "mobicash": Words("MobiCash", "موبي كاش"),
    "edfaly": Words("Edfali", "ادفع لي"),
    "sadad": Words("Sadad", "سداد"),
    "localbankcards": Words("Local bank card", "بطاقة مصرفية محلية"),
}
_NOTICES = {
    "Account not found": Words("There is no such account.", "لا يوجد حساب بهذا الرقم."),
    "Wrong code": Words("The code is wrong.", "الرمز غير صحيح."),
}


class TlyncDoor:
    """The simulator as `simulators.Simulated`; made of the adapter's fields."""

    def __init__(self, fields: Any, clock: Clock, http: WebHttp) -> None:
        self.simulator = TlyncSimulator(fields["store_id"], fields["token"], clock, http)
        self._paths = (fields["initiate_path"], fields["receipt_path"])

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        initiate, receipt = (path.strip("/") for path in self._paths)
        app.add_route(prefix, _Index(self.simulator, prefix))
        app.add_route(f"{prefix}/static/{{name}}", Static())
        app.add_route(f"{prefix}/faults", Switch(self.simulator, "faults"))
        app.add_route(f"{prefix}/tdi/{{token}}", _Page(self.simulator, prefix))
        app.add_route(f"{prefix}/api/v3/{initiate}", _Api(self.simulator, prefix, "initiate"))
        app.add_route(f"{prefix}/api/v3/{receipt}", _Api(self.simulator, prefix, "receipt"))

    async def settle(self) -> None:
        """Wait for callbacks under way."""
        await self.simulator.settle()

    async def aclose(self) -> None:
        """Stop."""
        await self.simulator.aclose()


class _Api:
    def __init__(self, simulator: TlyncSimulator, prefix: str, call: str) -> None:
        self._simulator = simulator
        self._prefix = prefix
        self._call = call

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        simulator, faults = self._simulator, self._simulator.faults
        given = shown_of(await read_fields(request))
        if faults.delay_seconds:
            await asyncio.sleep(faults.delay_seconds)
        if faults.is_down:
            response.status, response.content_type = 503, HTML
            response.data = b"<html><body>The service is unavailable.</body></html>"
            return
        if self._call == "initiate":
            page = f"{request.prefix}{self._prefix}/tdi"
            response.status, response.media = simulator.initiate(bearer_of(request), given, page)
        else:
            response.status, response.media = simulator.receipt(bearer_of(request), given)
        if faults.is_huge or faults.is_malformed:
            response.media = None
            response.data = b'{"result":"success"' + b"x" * (HUGE_BYTES if faults.is_huge else 1)


class _Page:
    """Where the payer pays."""

    def __init__(self, simulator: TlyncSimulator, prefix: str) -> None:
        self._simulator = simulator
        self._prefix = prefix

    async def on_get(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, token: str
    ) -> None:
        self._show(response, self._find(token), language_of(request), None)

    async def on_post(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, token: str
    ) -> None:
        checkout = self._find(token)
        given = shown_of(await read_fields(request))
        notice = self._simulator.act(checkout, given.get("action", "pay"), given)
        if notice is not None:
            self._show(response, checkout, language_of(request), notice)
            return
        await self._lead_back(response, checkout, language_of(request))

    def _find(self, token: str) -> Checkout:
        checkout = self._simulator.by_token(token)
        if checkout is None:
            raise falcon.HTTPNotFound
        return checkout

    async def _lead_back(
        self, response: falcon.asgi.Response, checkout: Checkout, language: Language
    ) -> None:
        is_paid = checkout.state == "paid"
        address = checkout.frontend_url if is_paid else checkout.failed_url
        told = {"result": "success" if is_paid else "failed", "custom_ref": checkout.reference}
        if self._simulator.faults.returns == "get":
            mark = "&" if "?" in address else "?"
            response.status = 303
            response.set_header("Location", f"{address}{mark}{urlencode(told)}")
            return
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
            for name, value in told.items()
        )
        button = f"<button>{html.escape(_WORDS['back'].in_(language))}</button>"
        form = (
            f'<form id="back" method="post" action="{html.escape(address)}">{inputs}{button}</form>'
        )
        send_page(response, self._prefix, language, _TITLE, [form], posts_to=[_origin(address)])

    def _show(
        self,
        response: falcon.asgi.Response,
        checkout: Checkout,
        language: Language,
        notice: str | None,
    ) -> None:
        words = {name: html.escape(text.in_(language)) for name, text in _WORDS.items()}
        options = "".join(
            f'<option value="{name}">{html.escape(_METHODS[name].in_(language))}</option>'
            for name in METHODS
        )
        said = _NOTICES[notice].in_(language) if notice else ""
        form = (
            f'<p class="amount">{words["amount"]} '
            f'<b dir="ltr">{dinars(checkout.amount_dirhams)} LYD</b></p>'
            f'<form method="post"><label for="method">{words["method"]}</label>'
            f'<select id="method" name="method">{options}</select>'
            f'<label for="account">{words["account"]}</label>'
            '<input id="account" name="account" inputmode="numeric" dir="ltr" '
            f'value="{GOOD_ACCOUNT}"><label for="otp">{words["otp"]}</label>'
            '<input id="otp" name="otp" inputmode="numeric" dir="ltr" maxlength="6">'
            f'<button name="action" value="pay">{words["pay"]}</button>'
            f'<button name="action" value="cancel" class="quiet">{words["cancel"]}</button></form>'
            f'<p role="alert">{html.escape(said)}</p>'
        )
        posts_to = [_origin(checkout.frontend_url), _origin(checkout.failed_url)]
        hint = paragraph(language, _WORDS["hint"], "small")
        parts = [form, hint, _refused(language)]
        send_page(response, self._prefix, language, _TITLE, parts, posts_to=posts_to)


class _Index:
    """What the gateway has recorded, and its test accounts."""

    def __init__(self, simulator: TlyncSimulator, prefix: str) -> None:
        self._simulator = simulator
        self._prefix = prefix

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        language = language_of(request)
        newest = list(reversed(self._simulator.checkouts.values()))[:SHOWN_MAX]
        rows = [(c.our_ref, c.reference, dinars(c.amount_dirhams), c.state) for c in newest]
        head = (
            Words("Number", "الرقم"),
            Words("Reference", "المرجع"),
            _WORDS["amount"],
            Words("State", "الحالة"),
        )
        hint = paragraph(language, _WORDS["hint"])
        parts = [hint, _refused(language), listing(head, rows, language)]
        send_page(response, self._prefix, language, _TITLE, parts)


def _refused(language: Language) -> str:
    reasons = Words("Reason", "السبب")
    return listing((_WORDS["refused"], reasons), list(POOR_ACCOUNTS.items()), language)


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"
