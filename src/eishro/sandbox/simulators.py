"""The simulated gateways of `eishro dev`, by provider: each stands at `/sandbox/<provider>`.

A simulator behaves as the vendor's papers say, keeps everything in memory, errs on request
(`PUT /sandbox/<provider>/faults`), and has pages where the payer acts. It never starts in
production.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from eishro.clock import Clock
from eishro.outward import WebHttp
from eishro.sandbox import bank_transfer, edfali, masarat, mpgs
from eishro.sandbox.mobicash import MobicashDoor
from eishro.sandbox.plutu_door import open_plutu
from eishro.sandbox.sadad_door import SadadDoor
from eishro.sandbox.tlync_door import TlyncDoor


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
SIMULATORS: Mapping[str, Build] = {
    "bank_transfer": bank_transfer.BankSimulator,
    "edfali": edfali.Simulator,
    "masarat": masarat.Simulator,
    "mobicash": MobicashDoor,
    "mpgs": mpgs.Simulator,
    "plutu": open_plutu,
    "sadad": SadadDoor,
    "tlync": TlyncDoor,
}
