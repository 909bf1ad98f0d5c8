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
    PhoneDesk,
    Shown,
    Stylesheet,
    Switch,
    hinder,
    refuse_all,
)

if TYPE_CHECKING:
    from eishro.sandbox.masarat import Simulator

_TITLE = Words("OnePay at Masarat (simulator)", "ون باي عبر مسارات (محاكاة)")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def add_routes(simulator: "Simulator", app: Any, prefix: str) -> None:
    """The three calls and what people look at."""
    style = f"{prefix}/static/desk.css"
    app.add_route(prefix, PhoneDesk(style, _TITLE, OTP, simulator.messages, CARDS))
    app.add_route(style, Stylesheet())
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
