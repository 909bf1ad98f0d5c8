"""A simulated gateway on a real port with an adapter that talks to it, whichever it is; and a
gateway that answers what a test says, without any port.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

import falcon.asgi

from eishro.adapters.http import HttpxHttp
from eishro.adapters.payments import GATEWAYS
from eishro.adapters.payments.journal import MemoryJournal
from eishro.clock import ManualClock
from eishro.domain.payments.gateways import Gateway, Tools
from eishro.domain.payments.port import Intent, Payer
from eishro.outward import HttpReply, NoReply, WebHttp
from eishro.sandbox.simulators import SIMULATORS
from tests.servers.embedded import served
from tests.servers.ports import free_port
from tests.stamps import MemoryStamps

PHONE = "+218910000010"


def gateway_of(provider: str) -> Gateway:
    return next(gateway for gateway in GATEWAYS if gateway.provider == provider)


class Stand:
    """The simulator behind HTTP, the merchant's webhook, and what has arrived there."""

    def __init__(self, provider: str, clock: ManualClock, given: Mapping[str, str]) -> None:
        self.gateway = gateway_of(provider)
        self.clock = clock
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.origin}/sandbox/{provider}"
        self.http = HttpxHttp()
        self.arrived: list[tuple[dict[str, str], bytes]] = []
        self.fields = self.gateway.simulated(given, self.url)
        self.simulator: Any = SIMULATORS[provider](self.fields, clock, self.http)
        self.app: Any = falcon.asgi.App()
        self.simulator.add_routes(self.app, f"/sandbox/{provider}")
        self.app.add_route("/webhook", self)
        self._count = 0

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """The merchant's webhook."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.arrived.append((headers, await request.stream.read()))
        response.media = {}

    def adapter(self, http: WebHttp | None = None, **changes: str) -> Any:
        """An adapter made anew of the simulator's fields."""
        return adapter_of(
            self.gateway.provider, http or self.http, self.clock, {**self.fields, **changes}
        )

    def intent(self, **members: Any) -> Intent:
        """A new attempt of 25.500 dinars."""
        self._count += 1
        return an_intent(
            reference=f"STND{self._count:08d}",
            created_at=self.clock.now(),
            notify_url=f"{self.origin}/webhook",
            **members,
        )


def adapter_of(provider: str, http: WebHttp, clock: ManualClock, given: Mapping[str, str]) -> Any:
    """An adapter of the simulator's fields, but what is given."""
    gateway = gateway_of(provider)
    fields = gateway.simulated(given, f"http://gateway.test/sandbox/{provider}")
    return gateway.build(
        fields, Tools(http, MemoryStamps(), clock, "http://shop.test", MemoryJournal(clock))
    )


def an_intent(**members: Any) -> Intent:
    """An attempt of 25.500 dinars by somebody whom simulators know."""
    whole = {
        "reference": "STND00000001",
        "amount_dirhams": 25_500,
        "created_at": ManualClock().now(),
        "return_url": "http://shop.test/api/payments/STND00000001/return",
        "payer": Payer(phone=PHONE, card="123456789"),
    }
    return Intent(**{**whole, **members})


@contextlib.asynccontextmanager
async def open_stand(
    provider: str, clock: ManualClock | None = None, **given: str
) -> AsyncIterator[Stand]:
    """A gateway that listens, stopped at the end."""
    stand = Stand(provider, clock or ManualClock(), given)
    async with served(stand.app, stand.port):
        try:
            yield stand
        finally:
            await stand.simulator.aclose()
            await stand.http.aclose()


class Replies:
    """The port `WebHttp` without a network: gives the replies in order (the last one for ever),
    raises those that are `NoReply`, and keeps what was asked.
    """

    def __init__(self, *replies: HttpReply | NoReply) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []

    async def get(self, url: str, *, headers: Any = None, **_: Any) -> HttpReply:
        return self._reply("GET", url, None, headers)

    async def send(
        self,
        method: Literal["POST", "PUT"],
        url: str,
        content: bytes,
        *,
        headers: Mapping[str, str],
        **_: Any,
    ) -> HttpReply:
        return self._reply(method, url, content, headers)

    async def post_json(
        self, url: str, body: Mapping[str, object], *, headers: Any = None, **_: Any
    ) -> HttpReply:
        return self._reply("POST", url, body, headers)

    async def post_form(
        self, url: str, form: Mapping[str, str], *, headers: Any = None, **_: Any
    ) -> HttpReply:
        return self._reply("POST", url, form, headers)

    def _reply(self, method: str, url: str, body: Any, headers: Any) -> HttpReply:
        self.asked.append((method, url, body))
        self.headers.append(dict(headers or {}))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, NoReply):
            raise reply
        return reply


SILENCE = NoReply("timed out", sent=True)
UNREACHED = NoReply("refused", sent=False)
# What no gateway says to a question that was understood.
HOSTILE = [
    HttpReply(200, b""),
    HttpReply(200, b"\x00\xff\xfe"),
    HttpReply(200, b"<html><body>OK</body></html>"),
    HttpReply(200, b"null"),
    HttpReply(200, b"[]"),
    HttpReply(200, b"{}"),
    HttpReply(200, b"[" * 60_000),
    HttpReply(200, b'{"a":' * 10_000),
    HttpReply(200, b"<a>" * 20_000),
    HttpReply(204, b""),
    HttpReply(302, b"OK"),
    HttpReply(404, b"not here"),
    HttpReply(500, b"OK"),
    HttpReply(503, b"OK"),
    SILENCE,
]
