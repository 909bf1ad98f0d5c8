"""The Masarat simulator's HTTP side: three calls, the payer's phone, its own switches."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import msgspec

from eishro.errors import Words
from eishro.sandbox.masarat import CARDS, OTP, Answer
from eishro.sandbox.stage import (
    BODY_BYTES_MAX,
    HINT,
    SMS_HEADS,
    SMS_TITLE,
    TEST_HEADS,
    TEST_TITLE,
    Shown,
    Stylesheet,
    Switch,
    hinder,
    language_of,
    paragraph,
    refuse_all,
    show_page,
    table,
)

if TYPE_CHECKING:
    from eishro.sandbox.masarat import Simulator

_TITLE = Words("OnePay at Masarat (simulator)", "ون باي عبر مسارات (محاكاة)")
_CODE = Words(f"The code is always {OTP}.", f"رمز التحقق دائما {OTP}.")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def add_routes(simulator: "Simulator", app: Any, prefix: str) -> None:
    """The three calls and what people look at."""
    app.add_route(prefix, _Desk(simulator, f"{prefix}/static/desk.css"))
    app.add_route(f"{prefix}/static/desk.css", Stylesheet())
    app.add_route(f"{prefix}/faults", Switch(simulator, "faults", simulator.forget))
    app.add_route(f"{prefix}/sessions", Shown(lambda: _sessions(simulator)))
    calls = (simulator.sign_in, simulator.open, simulator.complete)
    for path, call in zip(simulator.paths, calls, strict=True):
        app.add_route(prefix + path, _Call(simulator, call))


class _Call:
    def __init__(
        self, simulator: "Simulator", call: Callable[[Mapping[str, Any], str], Answer]
    ) -> None:
        self._simulator = simulator
        self._call = call

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        simulator = self._simulator
        faults = simulator.faults
        if faults.is_down:
            refuse_all(response)
            return
        bearer = (request.get_header("Authorization") or "").removeprefix("Bearer ")
        status, body = self._call(await _body(request), bearer)
        response.status = status
        response.content_type = "application/json"
        response.data = _ENCODER.encode(body)
        if faults.is_silent_after_charging and self._call == simulator.complete:
            refuse_all(response)
            response.status = 504
        await hinder(faults, response)


async def _body(request: falcon.asgi.Request) -> dict[str, Any]:
    """With exact numbers."""
    try:
        body = _DECODER.decode(await request.stream.read(BODY_BYTES_MAX))
    except (ValueError, ArithmeticError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


class _Desk:
    """The payer's phone, and who pays."""

    def __init__(self, simulator: "Simulator", style: str) -> None:
        self._simulator = simulator
        self._style = style

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        language = language_of(request)
        cards = [(card, words.in_(language)) for card, words in CARDS.items()]
        show_page(
            response,
            language,
            self._style,
            _TITLE,
            paragraph(language, HINT),
            paragraph(language, _CODE),
            table(language, SMS_TITLE, SMS_HEADS, reversed(self._simulator.messages)),
            table(language, TEST_TITLE, TEST_HEADS, cards),
        )


def _sessions(simulator: "Simulator") -> list[dict[str, Any]]:
    newest = list(simulator.sessions.values())[-100:]
    return [
        {
            "transactionId": session.transaction,
            "card": session.card,
            "amount": f"{session.amount:.2f}",
            "onlineOperation": session.operation,
            "isDone": session.is_done,
            "at": session.at.isoformat(),
        }
        for session in reversed(newest)
    ]
