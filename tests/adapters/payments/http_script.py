"""An `Http` that answers what a test says, and remembers what was sent."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from eishro.adapters.payments.journal import MemoryJournal
from eishro.clock import ManualClock
from eishro.domain.payments.gateways import Gateway, Tools
from eishro.outward import HttpReply, NoReply
from tests.stamps import MemoryStamps

Answer = HttpReply | NoReply


class Script:
    """Answers in order; the last one for ever. `sent` holds address, fields and headers."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.gate: asyncio.Event | None = None

    async def post_form(self, url: str, form: Mapping[str, Any], **more: Any) -> HttpReply:
        return await self._answer(url, form, more)

    async def post_json(self, url: str, body: Mapping[str, Any], **more: Any) -> HttpReply:
        return await self._answer(url, body, more)

    async def get(self, url: str, **more: Any) -> HttpReply:
        raise AssertionError("nothing is fetched here")

    async def send(self, method: str, url: str, content: bytes, **more: Any) -> HttpReply:
        raise AssertionError("nothing raw is sent here")

    async def _answer(
        self, url: str, fields: Mapping[str, Any], more: Mapping[str, Any]
    ) -> HttpReply:
        self.sent.append((url, dict(fields), dict(more.get("headers") or {})))
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, NoReply):
            raise answer
        return answer


def said(body: object, status: int = 200) -> HttpReply:
    return HttpReply(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def adapter(
    gateway: Gateway, script: Script, clock: ManualClock | None = None, /, **given: str
) -> Any:
    """The adapter with the simulator's credentials, speaking with the script."""
    fields = gateway.simulated(given, "https://gateway.test")
    now = clock or ManualClock()
    tools = Tools(script, MemoryStamps(), now, "https://shop.test", MemoryJournal(now))
    return gateway.build(fields, tools)
