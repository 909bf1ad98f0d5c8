"""The HTTP side of simulated gateways that send one-time codes: API calls, one page, faults."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import falcon
import falcon.asgi

from eishro.errors import Words
from eishro.sandbox.gateway_door import Static, bearer_of, listing, read_fields, send_page
from eishro.sandbox.stage import (
    HUGE_BYTES,
    Language,
    Switch,
    language_of,
    paragraph,
    refuse_all,
)

Answer = tuple[int, Any]


class OtpSimulator(Protocol):
    """A gateway behind this door."""

    @property
    def faults(self) -> Any:
        """With `is_down`, `is_huge`, `is_malformed` and `delay_seconds`, among others."""
        ...

    def is_known(self, token: str) -> bool:
        """Whether calls with this token are taken."""
        ...


class Board:
    """What the simulator's page says: its name, its test data, and what it has recorded."""

    def __init__(
        self,
        title: Words,
        lines: Sequence[Words],
        head: Sequence[Words],
        rows: Callable[[], Sequence[Sequence[str]]],
    ) -> None:
        self.title = title
        self.lines = lines
        self.head = head
        self.rows = rows

    def parts(self, language: Language) -> list[str]:
        """The page's HTML."""
        shown = [paragraph(language, line) for line in self.lines]
        return [*shown, listing(self.head, self.rows(), language)]


def add_otp_routes(
    app: Any,
    prefix: str,
    simulator: OtpSimulator,
    calls: Mapping[str, Callable[[Mapping[str, Any]], Answer]],
    board: Board,
) -> None:
    """Add the gateway's `calls` by path, its page and its switches below the prefix."""
    app.add_route(prefix, _Index(prefix, board))
    app.add_route(f"{prefix}/static/{{name}}", Static())
    app.add_route(f"{prefix}/faults", Switch(simulator, "faults"))
    for path, answer in calls.items():
        # The gateways that are known take their paths in any case; both that are seen will do.
        for spelling in dict.fromkeys((path, path.lower())):
            app.add_route(f"{prefix}/{spelling}", _Call(simulator, answer))


class _Call:
    def __init__(
        self, simulator: OtpSimulator, answer: Callable[[Mapping[str, Any]], Answer]
    ) -> None:
        self._simulator = simulator
        self._answer = answer

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        faults = self._simulator.faults
        if faults.delay_seconds:
            await asyncio.sleep(faults.delay_seconds)
        if faults.is_down:
            refuse_all(response)
            return
        if not self._simulator.is_known(bearer_of(request)):
            response.status, response.media = 401, {"message": "Unauthorized"}
            return
        response.status, response.media = self._answer(await read_fields(request))
        if faults.is_huge or faults.is_malformed:
            response.media = None
            response.data = b'{"statusCode":0,' + b"x" * (HUGE_BYTES if faults.is_huge else 1)


class _Index:
    def __init__(self, prefix: str, board: Board) -> None:
        self._prefix = prefix
        self._board = board

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        language = language_of(request)
        parts = self._board.parts(language)
        send_page(response, self._prefix, language, self._board.title, parts)
