"""The Mastercard simulator's HTTP side: merchants' calls, the page where the payer pays."""

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import falcon
import falcon.asgi

from eishro.errors import Words
from eishro.sandbox import mpgs_wire as wire
from eishro.sandbox.mpgs import CARDS, CHALLENGED, EXPIRIES, GOOD_CVV
from eishro.sandbox.mpgs_wire import Answer, Order
from eishro.sandbox.stage import (
    BODY_BYTES_MAX,
    HINT,
    TEST_HEADS,
    TEST_TITLE,
    Language,
    Shown,
    Stylesheet,
    Switch,
    hinder,
    language_of,
    paragraph,
    read_json,
    refuse_all,
    show_page,
    table,
)

if TYPE_CHECKING:
    from eishro.sandbox.mpgs import Simulator

_TITLE = Words("Mastercard gateway (simulator)", "بوابة ماستركارد (محاكاة)")
_OVER = Words("This session is over.", "انتهت هذه الجلسة.")
_REFUSED = Words("Refused", "مرفوضة")
_ASKED = Words("Is it you who pays?", "هل أنت من يدفع؟")
_LABELS = {
    "card": Words("Card number", "رقم البطاقة"),
    "expiry": Words("Expiry (month/year)", "تاريخ الانتهاء (شهر/سنة)"),
    "cvv": Words("Security code", "رمز الأمان"),
    "pay": Words("Pay", "ادفع"),
    "yes": Words("Yes, it is me", "نعم، أنا"),
    "no": Words("No", "لا"),
    "cancel": Words("Cancel", "إلغاء"),
}
_EXAMPLES = {"card": next(iter(CARDS)), "expiry": "01/39", "cvv": GOOD_CVV}


def add_routes(simulator: "Simulator", app: Any, prefix: str) -> None:
    """The gateway's addresses and what people look at."""
    style = f"{prefix}/static/desk.css"
    root = f"{prefix}/api/rest/version/{{version}}/merchant/{{merchant}}"
    app.add_route(prefix, _Desk(style))
    app.add_route(style, Stylesheet())
    app.add_route(f"{prefix}/faults", Switch(simulator, "faults", simulator.after_setting))
    app.add_route(f"{prefix}/orders", Shown(lambda: _orders(simulator)))
    app.add_route(f"{root}/session", _Session(simulator))
    app.add_route(f"{root}/order/{{order}}", _Order(simulator))
    app.add_route(f"{root}/order/{{order}}/transaction/{{number}}", _Transaction(simulator))
    app.add_route(f"{prefix}/checkout/pay/{{session}}", _Checkout(simulator, style))


class _Calls:
    """What all calls of merchants have in common."""

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator

    async def _answer(
        self,
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        merchant: str,
        work: Callable[[], Answer],
    ) -> None:
        simulator = self._simulator
        if simulator.faults.is_down:
            refuse_all(response)
            return
        is_known = simulator.is_merchant(merchant, request.get_header("Authorization") or "")
        status, body = work() if is_known else wire.UNAUTHORIZED
        response.status = status
        response.content_type = "application/json"
        response.data = wire.ENCODER.encode(body)
        await hinder(simulator.faults, response)


class _Session(_Calls):
    async def on_post(
        self,
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        version: str,
        merchant: str,
    ) -> None:
        del version
        body = await read_json(request)
        await self._answer(request, response, merchant, lambda: self._simulator.open(body))


class _Order(_Calls):
    async def on_get(
        self,
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        version: str,
        merchant: str,
        order: str,
    ) -> None:
        del version
        await self._answer(request, response, merchant, lambda: self._simulator.retrieve(order))


class _Transaction(_Calls):
    async def on_put(
        self,
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        version: str,
        merchant: str,
        order: str,
        number: str,
    ) -> None:
        del version
        body = await read_json(request)
        await self._answer(
            request, response, merchant, lambda: self._simulator.refund(order, number, body)
        )


class _Checkout:
    """The page where the payer pays, without any script."""

    def __init__(self, simulator: "Simulator", style: str) -> None:
        self._simulator = simulator
        self._style = style

    async def on_get(
        self, _: falcon.asgi.Request, response: falcon.asgi.Response, session: str
    ) -> None:
        self._show(response, self._simulator.find(session), None)

    async def on_post(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, session: str
    ) -> None:
        text = (await request.stream.read(BODY_BYTES_MAX)).decode("utf-8", "replace")
        form = dict(parse_qsl(text, max_num_fields=20))
        simulator, order = self._simulator, self._simulator.find(session)
        if order is None:
            self._show(response, None, None)
            return
        if form.get("do") == "cancel":
            _go(response, order.cancel_url or order.return_url)
            return
        card = (form.get("card", "").replace(" ", ""), form.get("expiry", ""), form.get("cvv", ""))
        if form.get("do") in ("yes", "no") and order.pending is not None:
            card, order.pending = order.pending, None
            if form["do"] == "no":
                self._show(response, order, "AUTHENTICATION_FAILED")
                return
        elif card[0] == CHALLENGED:
            order.pending = card
            self._ask(response, order)
            return
        code = simulator.pay(order, *card)
        if order.is_paid:
            _go(response, simulator.back(order))
        else:
            self._show(response, order, code)

    def _show(
        self, response: falcon.asgi.Response, order: Order | None, refused: str | None
    ) -> None:
        if order is None:
            show_page(response, "ar", self._style, _TITLE, paragraph("ar", _OVER, "alert"))
            response.status = 410
            return
        language = order.language
        alert = (
            f'<p class="alert" role="alert">{html.escape(_REFUSED.in_(language))}: '
            f"{html.escape(refused or '')}</p>"
        )
        fields = "".join(
            f'<label for="{name}">{html.escape(_LABELS[name].in_(language))}</label>'
            f'<input id="{name}" name="{name}" value="{value}" dir="ltr" maxlength="23" '
            'autocomplete="off" required>'
            for name, value in _EXAMPLES.items()
        )
        show_page(
            response,
            language,
            self._style,
            _TITLE,
            paragraph(language, HINT, "small"),
            f'<p><b dir="ltr">{order.amount:.2f} {order.currency}</b></p>',
            alert if refused else "",
            _form(language, fields, "pay"),
            _form(language, "", "cancel"),
            _tests(language),
        )

    def _ask(self, response: falcon.asgi.Response, order: Order) -> None:
        language = order.language
        show_page(
            response,
            language,
            self._style,
            _TITLE,
            paragraph(language, _ASKED),
            _form(language, "", "yes"),
            _form(language, "", "no"),
        )


class _Desk:
    """Which cards do what."""

    def __init__(self, style: str) -> None:
        self._style = style

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        language = language_of(request)
        show_page(
            response,
            language,
            self._style,
            _TITLE,
            paragraph(language, HINT),
            _tests(language),
        )


def _form(language: Language, fields: str, do: str) -> str:
    label = html.escape(_LABELS[do].in_(language))
    return f'<form method="post">{fields}<button name="do" value="{do}">{label}</button></form>'


def _tests(language: Language) -> str:
    asked = Words("asks its holder (3-D Secure)", "تسأل حاملها (3-D Secure)")
    goes = Words("goes by the expiry", "حسب تاريخ الانتهاء")
    rows = [(card, (asked if card == CHALLENGED else goes).in_(language)) for card in CARDS]
    rows += list(EXPIRIES.items())
    rows += [(f"CVV {GOOD_CVV}", "APPROVED"), ("CVV 101", "NOT_PROCESSED")]
    rows += [("CVV 102", "DECLINED_CSC")]
    return table(language, TEST_TITLE, TEST_HEADS, rows)


def _go(response: falcon.asgi.Response, address: str) -> None:
    """Back to the merchant; only where a browser can go."""
    if not address.startswith(("https://", "http://")):
        raise falcon.HTTPBadRequest
    response.status = 303
    response.set_header("Location", address)


def _orders(simulator: "Simulator") -> list[dict[str, Any]]:
    newest = list(simulator.orders.values())[-100:]
    return [
        {
            "id": order.id,
            "amount": f"{order.amount:.2f}",
            "currency": order.currency,
            "transactions": [
                f"{row.type} {row.amount:.2f} {row.result} {row.code} {row.card}"
                for row in order.transactions
            ],
            "at": order.at.isoformat(),
        }
        for order in reversed(newest)
    ]
