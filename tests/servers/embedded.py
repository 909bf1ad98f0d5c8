"""An ASGI application on a real port, in the test's own event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
from granian.constants import Interfaces
from granian.server.embed import Server

_TRIES = 500
_PAUSE_SECONDS = 0.01


@contextlib.asynccontextmanager
async def served(app: Any, port: int) -> AsyncIterator[None]:
    """The application listens on loopback while the block runs."""
    server = Server(
        app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False
    )
    serving = asyncio.create_task(server.serve())
    try:
        await _is_up(port)
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await serving


async def _is_up(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(_TRIES):
            with contextlib.suppress(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{port}/")
                return
            await asyncio.sleep(_PAUSE_SECONDS)
    raise RuntimeError("the application does not listen")
