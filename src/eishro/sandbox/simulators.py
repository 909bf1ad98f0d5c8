"""The simulated gateways of `eishro dev`, by provider: each stands at `/sandbox/<provider>`.

A simulator behaves as the vendor's papers say, keeps everything in memory, errs on request
(`PUT /sandbox/<provider>/faults`), and has pages where the payer acts. It never starts in
production.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from eishro.clock import Clock
from eishro.outward import WebHttp


class Simulated(Protocol):
    """A gateway to try payments with."""

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        ...

    async def aclose(self) -> None:
        """Stop what runs in the background."""
        ...


# Made of the fields that the adapter uses, so that both agree.
Build = Callable[[Mapping[str, str], Clock, WebHttp], Simulated]
SIMULATORS: Mapping[str, Build] = {}
