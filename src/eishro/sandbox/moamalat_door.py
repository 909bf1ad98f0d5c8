"""The Moamalat simulator's HTTP side: script, card form, REST calls, and its own switches."""

import asyncio
from typing import Any

import falcon
import falcon.asgi
import msgspec

from eishro.sandbox.moamalat import Faults, Refused, Simulator, Switches, Transaction
from eishro.sandbox.moamalat_cards import OTP
from eishro.sandbox.moamalat_pages import (
    CONTENT_SECURITY_POLICY,
    HTML,
    STATIC,
    form_page,
    static_file,
)
from eishro.sandbox.moamalat_wire import UNAUTHENTICATED

BODY_BYTES_MAX = 64_000
HUGE_BYTES = 6_000_000  # more than any client should read
_REST = ("cube", "paylink.svc", "api")


class SimulatorDoor:
    """Adds the simulator's routes below a prefix."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        simulator = self._simulator
        app.add_route(f"{prefix}/js/{{name}}", _Static())
        app.add_route(f"{prefix}/static/{{name}}", _Static())
        app.add_route(f"{prefix}/form", _Form(simulator))
        app.add_route(f"{prefix}/pay", _Pay(simulator))
        app.add_route(f"{prefix}/faults", _Setting(simulator, "faults", Faults))
        app.add_route(f"{prefix}/switches", _Setting(simulator, "switches", Switches))
        app.add_route(f"{prefix}/transactions", _Transactions(simulator))
        app.add_route(f"{prefix}/{{first}}/{{second}}/{{third}}/{{call}}", _Rest(simulator))


class _Static:
    async def on_get(
        self, _: falcon.asgi.Request, response: falcon.asgi.Response, name: str
    ) -> None:
        if name not in STATIC:
            raise falcon.HTTPNotFound
        response.content_type = STATIC[name]
        response.data = static_file(name)


class _Form:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        parameters = {name: str(value) for name, value in request.params.items()}
        refused = None
        try:
            self._simulator.check_request(parameters)
        except Refused as error:
            refused = str(error)
        response.content_type = HTML
        response.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.set_header("Cache-Control", "no-store")
        response.set_header("Referrer-Policy", "no-referrer")
        response.data = form_page(parameters, refused)


class _Pay:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        body = await _json(request)
        given = body.get("request")
        parameters = {str(k): str(v) for k, v in given.items()} if isinstance(given, dict) else {}
        try:
            payload = await self._simulator.pay(
                parameters,
                card=str(body.get("card", "")),
                expiry=str(body["expiry"]) if "expiry" in body else None,
                otp=str(body.get("otp", OTP)),
            )
        except Refused as error:
            response.media = {"refused": str(error)}
        else:
            response.media = {"payload": payload}


class _Rest:
    """The PayLink calls; their path is taken in any case, as the gateway does."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def on_post(
        self,
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        first: str,
        second: str,
        third: str,
        call: str,
    ) -> None:
        simulator = self._simulator
        answers = {
            "filtertransactions": simulator.filter,
            "refundtransaction": simulator.refund,
            "checktxnstatus": simulator.status,
        }
        answer = answers.get(call.lower())
        if answer is None or (first.lower(), second.lower(), third.lower()) != _REST:
            raise falcon.HTTPNotFound
        status, body = answer(await _json(request))
        response.status = status
        response.media = body
        if call.lower() == "filtertransactions":
            await self._err(response)
        if call.lower() == "refundtransaction" and simulator.faults.refund_delay_seconds:
            await asyncio.sleep(simulator.faults.refund_delay_seconds)

    async def _err(self, response: falcon.asgi.Response) -> None:
        """What goes wrong with the answer on its way."""
        faults = self._simulator.faults
        if faults.filter_delay_seconds:
            await asyncio.sleep(faults.filter_delay_seconds)
        if faults.filter_is_huge:
            response.media = None
            response.data = b'{"Message":"' + b"x" * HUGE_BYTES + b'"}'
        elif faults.filter_body is not None:
            response.media = None
            response.data = faults.filter_body.encode()
        elif faults.filter_status == 401:
            response.media = UNAUTHENTICATED
        elif faults.filter_status != 200:
            response.media = None
            response.content_type = HTML
            response.data = b"<html><body>The service is unavailable.</body></html>"
        if faults.filter_status != 200:
            response.status = faults.filter_status


class _Setting:
    """GET shows, PUT sets all members (those left out go back to their default)."""

    def __init__(self, simulator: Simulator, name: str, kind: type[msgspec.Struct]) -> None:
        self._simulator = simulator
        self._name = name
        self._kind = kind

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.media = msgspec.to_builtins(getattr(self._simulator, self._name))

    async def on_put(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        try:
            value = msgspec.convert(await _json(request), self._kind)
        except msgspec.ValidationError as error:
            response.status = 422
            response.media = {"message": str(error)}
            return
        setattr(self._simulator, self._name, value)
        if not self._simulator.faults.reorder_notifications:
            self._simulator.release()
        response.media = msgspec.to_builtins(value)


class _Transactions:
    """What the gateway has recorded, newest first, for people who look over its shoulder."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        rows = list(self._simulator.transactions)[-100:]
        response.media = [_shown(row) for row in reversed(rows)]


def _shown(row: Transaction) -> dict[str, Any]:
    return {
        "transactionId": row.transaction_id,
        "merchantReference": row.reference,
        "kind": row.kind,
        "amountDirhams": row.amount_dirhams,
        "card": row.masked_card,
        "actionCode": row.code,
        "text": row.text,
        "originalId": row.original_id,
        "at": row.at.isoformat(),
    }


async def _json(request: falcon.asgi.Request) -> dict[str, Any]:
    """The body as an object; anything else is an empty one."""
    try:
        body = msgspec.json.decode(await request.stream.read(BODY_BYTES_MAX))
    except (msgspec.DecodeError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
