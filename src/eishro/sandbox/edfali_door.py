"""The Edfali simulator's HTTP side: the SOAP address, the payer's phone, its own switches."""

import html
import re
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi

from eishro.errors import Words
from eishro.sandbox.edfali import OTP, PAYERS, values_of
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
    from eishro.sandbox.edfali import Simulator

_TITLE = Words("Edfali (simulator)", "ادفع لي (محاكاة)")
_METHODS = ("DoPTrans", "OnlineConfTrans")
_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>{}</soap:Body></soap:Envelope>'
)
_FAULT = (
    "<soap:Fault><faultcode>soap:Server</faultcode>"
    "<faultstring>Server was unable to process request.</faultstring><detail /></soap:Fault>"
)


def add_routes(simulator: "Simulator", app: Any, prefix: str) -> None:
    """The bank's address and what people look at."""
    style = f"{prefix}/static/desk.css"
    app.add_route(prefix, PhoneDesk(style, _TITLE, OTP, simulator.messages, PAYERS))
    app.add_route(style, Stylesheet())
    app.add_route(f"{prefix}/faults", Switch(simulator, "faults"))
    app.add_route(f"{prefix}/sessions", Shown(lambda: _sessions(simulator)))
    app.add_route(f"{prefix}/api/BCDUssd/NewEdfali.asmx", _Service(simulator))


class _Service:
    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        simulator = self._simulator
        faults = simulator.faults
        if faults.is_down:
            refuse_all(response)
            return
        method = re.sub(r"^\"http://tempuri\.org/|\"$", "", request.get_header("SOAPAction") or "")
        values = values_of(await request.stream.read(BODY_BYTES_MAX), method)
        response.content_type = "text/xml; charset=utf-8"
        if faults.soap_fault or method not in _METHODS or values is None:
            response.status = 500
            response.data = _ENVELOPE.format(_FAULT).encode()
            return
        word = simulator.answer(method, values)
        response.data = _ENVELOPE.format(_result(method, word)).encode()
        if faults.is_silent_after_charging and method == "OnlineConfTrans":
            refuse_all(response)
            response.status = 504
        await hinder(faults, response)


def _result(method: str, word: str) -> str:
    """.NET leaves an empty result out of its element's tags."""
    result = (
        f"<{method}Result>{html.escape(word)}</{method}Result>" if word else (f"<{method}Result />")
    )
    return f'<{method}Response xmlns="http://tempuri.org/">{result}</{method}Response>'


def _sessions(simulator: "Simulator") -> list[dict[str, Any]]:
    newest = list(simulator.sessions.values())[-100:]
    return [
        {
            "sessionID": session.number,
            "payer": session.payer,
            "amount": session.amount,
            "isPaid": session.is_paid,
            "at": session.at.isoformat(),
        }
        for session in reversed(newest)
    ]
