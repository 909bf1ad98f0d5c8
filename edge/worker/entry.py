# ruff: noqa: INP001 - the platform loads this file by itself
"""What Cloudflare calls: `fetch` for each request, `scheduled` for each cron turn.

Everything is in the package `eishro.edge`; here is only the class that the platform looks for.
"""

from typing import Any

from workers import WorkerEntrypoint

from eishro.edge.worker import Worker

_WORKER = Worker()


class Default(WorkerEntrypoint):
    """The Worker's entry point."""

    async def fetch(self, request: Any) -> Any:
        return await _WORKER.fetch(request, self.env, self.ctx)

    async def scheduled(self, controller: Any, env: Any = None, ctx: Any = None) -> None:
        del controller, env, ctx  # the instance has them
        await _WORKER.scheduled(self.env, self.ctx)
