"""The loop that the server runs in, and a place for it that leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eishro.server import serving
from tests.server.hosting import Hosting


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def hosting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hosting]:
    """Starts servers; afterwards none of their connections and tasks is left."""
    monkeypatch.setattr(serving, "SWEEP_SECONDS", 0.02)
    hosting = Hosting()
    try:
        yield hosting
    finally:
        await hosting.close()
    assert not [task for task in asyncio.all_tasks() if _is_ours(task)]


def _is_ours(task: "asyncio.Task[Any]") -> bool:
    """A request's, or the server's own."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "/eishro/server/" in code.co_filename
