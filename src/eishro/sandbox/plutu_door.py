"""The Plutu simulator's HTTP side: API calls, payers' pages, and its own switches."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import falcon
import falcon.asgi
import msgspec
import structlog

from eishro.clock import Clock
from eishro.outward import NoReply, WebHttp
from eishro.sandbox.plutu import Checkout, Faults, Outcome, Simulator, Sleep, Switches
from eishro.sandbox.plutu_pages import (
    CONTENT_SECURITY_POLICY,
    CSS,
    HTML,
    data_page,
    outcome_page,
    pay_page,
    static_file,
)
from eishro.sandbox.plutu_wire import CARD_CODE, CARDS, Account, Transaction

BODY_BYTES_MAX = 64_000
HUGE_BYTES = 1_000_000  # more than any client should read
NOTIFY_TRIES = 5
ROWS_SHOWN = 100

_LOG = structlog.get_logger("eishro.sandbox")


class SimulatorDoor:
    """Adds the simulator's routes below a prefix."""

    def __init__(self, simulator: Simulator, sleep: Sleep = asyncio.sleep) -> None:
        self._simulator = simulator
        self._sleep = sleep

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        simulator = self._simulator
        call = f"{prefix}/api/v1/transaction/{{gateway}}/{{name}}"
        app.add_route(prefix, _Data(prefix))
        app.add_route(call, _Call(simulator, prefix, self._sleep))
        app.add_route(f"{prefix}/pay/{{token}}", _Pay(simulator, prefix))
        app.add_route(f"{prefix}/static/page.css", _Style())
        app.add_route(f"{prefix}/faults", _Setting(simulator, "faults", Faults))
        app.add_route(f"{prefix}/switches", _Setting(simulator, "switches", Switches))
        app.add_route(f"{prefix}/transactions", _Transactions(simulator))

    async def settle(self) -> None:
        """Wait until every callback under way is delivered."""
        await self._simulator.settle()

    async def aclose(self) -> None:
        """Drop callbacks that are under way."""
        await self._simulator.aclose()


def open_plutu(fields: Mapping[str, str], clock: Clock, http: WebHttp) -> SimulatorDoor:
    """The simulator that knows this account; its callbacks are tried again a few times."""

    async def notify(url: str, body: dict[str, Any]) -> None:
        for attempt in range(NOTIFY_TRIES):
            try:
                reply = await http.post_json(url, body)
            except NoReply as error:
                _LOG.warning("callback_not_delivered", error=str(error))
            else:
                if reply.status == 200:
                    return
            await pause(2**attempt)

    pause: Sleep = asyncio.sleep
    account = Account(fields["access_token"], fields["api_key"], fields["secret_key"])
    return SimulatorDoor(Simulator(account, clock, notify))


class _Call:
    """`POST /transaction/<gateway>/<verify|confirm>`, and what goes wrong with its answer."""

    def __init__(self, simulator: Simulator, prefix: str, sleep: Sleep) -> None:
        self._simulator = simulator
        self._prefix = prefix
        self._sleep = sleep

    async def on_post(
        self,
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        gateway: str,
        name: str,
    ) -> None:
        faults = self._simulator.faults
        page_url = f"{request.scheme}://{request.netloc}{self._prefix}/pay"
        bearer = request.get_header("Authorization") or ""
        keys = (bearer.removeprefix("Bearer "), request.get_header("X-API-KEY") or "")
        if faults.is_down:
            self._send_html(response, 503)
            return
        form = _form(await request.stream.read(BODY_BYTES_MAX))
        status, body = self._simulator.call(gateway, name, keys, form, page_url)
        if faults.delay_seconds:
            await self._sleep(faults.delay_seconds)
        response.status = status
        response.media = body
        if faults.redirects:
            response.status = 302
            response.set_header("Location", f"{page_url}/elsewhere")
        elif faults.is_huge:
            response.media = None
            response.data = b'{"status":200,"message":"' + b"x" * HUGE_BYTES + b'"}'
        elif faults.body is not None:
            response.media = None
            response.data = faults.body.encode()
            response.status = faults.status
        elif faults.status != 200:
            self._send_html(response, faults.status)
        elif status == 504:
            self._send_html(response, status)

    def _send_html(self, response: falcon.asgi.Response, status: int) -> None:
        response.status = status
        response.media = None
        response.content_type = HTML
        response.data = b"<html><body>The service is unavailable.</body></html>"


class _Pay:
    """A payer's page; its form says `do` (pay, cancel), `card` and `code`, or `wallet`."""

    def __init__(self, simulator: Simulator, prefix: str) -> None:
        self._simulator = simulator
        self._prefix = prefix

    async def on_get(
        self, _: falcon.asgi.Request, response: falcon.asgi.Response, token: str
    ) -> None:
        checkout = self._find(token)
        if checkout.row is None:
            _show(response, pay_page(checkout, self._prefix))
        else:
            self._show_outcome(response, checkout)

    async def on_post(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, token: str
    ) -> None:
        checkout = self._find(token)
        form = _form(await request.stream.read(BODY_BYTES_MAX))
        is_card = checkout.gateway in CARDS
        is_pay = form.get("do") == "pay"
        if is_card and is_pay and form.get("code", CARD_CODE) != CARD_CODE:
            _show(response, pay_page(checkout, self._prefix, is_wrong_code=True))
            return
        outcome: Outcome = "paid" if is_pay else "canceled"
        if is_pay and is_card and _digits(form.get("card", "")) != CARDS[checkout.gateway]:
            outcome = "declined"
        wallet = form.get("wallet", "tadawul")
        if is_pay and wallet == "declined":
            outcome, wallet = "declined", "tadawul"
        self._simulator.act(checkout, outcome, wallet)
        self._show_outcome(response, checkout)

    def _find(self, token: str) -> Checkout:
        checkout = self._simulator.find_checkout(token)
        if checkout is None:
            raise falcon.HTTPNotFound
        return checkout

    def _show_outcome(self, response: falcon.asgi.Response, checkout: Checkout) -> None:
        address = self._simulator.return_address(checkout)
        _show(response, outcome_page(checkout, address, self._prefix))
        response.set_header("X-Simulated-Return", address)  # for programs that play the payer


class _Data:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        is_english = request.params.get("lang") == "en"
        _show(response, data_page(self._prefix, "en" if is_english else "ar"))


class _Style:
    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.content_type = CSS
        response.data = static_file("page.css")


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
            value = msgspec.json.decode(await request.stream.read(BODY_BYTES_MAX), type=self._kind)
        except (msgspec.DecodeError, RecursionError) as error:
            response.status = 422
            response.media = {"message": str(error)}
            return
        setattr(self._simulator, self._name, value)
        if not self._simulator.faults.reorder_callbacks:
            self._simulator.release()
        response.media = msgspec.to_builtins(value)


class _Transactions:
    """What the gateway has recorded, newest first, for people who look over its shoulder."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        rows: list[Transaction] = list(self._simulator.transactions)[-ROWS_SHOWN:]
        response.media = [msgspec.to_builtins(row) for row in reversed(rows)]


def _show(response: falcon.asgi.Response, page: bytes) -> None:
    response.content_type = HTML
    response.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.set_header("Cache-Control", "no-store")
    response.set_header("Referrer-Policy", "no-referrer")
    response.data = page


def _form(body: bytes) -> dict[str, str]:
    """Form fields, or JSON's, which other clients send."""
    text = body.decode("utf-8", "replace")
    if text.startswith("{"):
        try:
            return {k: str(v) for k, v in msgspec.json.decode(text, type=dict[str, Any]).items()}
        except (msgspec.DecodeError, RecursionError):
            return {}
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50))
    except ValueError:
        return {}


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())
