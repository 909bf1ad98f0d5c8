"""An ASGI application on a real port, in the test's own event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from eishro.cli.address import bind
from eishro.server.limits import Limits
from eishro.server.serving import Server

_TRIES = 500
_PAUSE_SECONDS = 0.01


@contextlib.asynccontextmanager
async def served(app: Any, port: int) -> AsyncIterator[None]:
    """The application listens on loopback while the block runs."""
    server = Server(app, Limits(stop_seconds=1.0))
    serving = asyncio.create_task(server.serve(bind("127.0.0.1", port)))
    try:
        await _is_up(port)
        yield
    finally:
        server.stop()
        await serving


async def _is_up(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(_TRIES):
            with contextlib.suppress(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{port}/")
                return
            await asyncio.sleep(_PAUSE_SECONDS)
    raise RuntimeError("the application does not listen")
