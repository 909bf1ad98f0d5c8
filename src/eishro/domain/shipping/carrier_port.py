"""A carrier with an API, as the shop will see it. The `manual` carrier needs none: people type.

Whatever a carrier says is news: it goes through `flows.move_shipment.hear_carrier`, which keeps
its own word and moves the parcel only where the word is known and leads forward.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from eishro.domain.shipping.shipments import Shipment, Status


class News(msgspec.Struct, frozen=True):
    """One thing a carrier said; `status` None is a word of the carrier that we do not know."""

    tracking_number: str
    raw_status: str
    status: Status | None
    at: datetime
    note: str | None = None


class Booked(msgspec.Struct, frozen=True):
    """The carrier took the parcel under this number, for this fee if it said so."""

    tracking_number: str
    fee_dirhams: int | None = None


class Refused(msgspec.Struct, frozen=True):
    """The carrier said no, in its own words."""

    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """No clear answer: it may or may not have happened. The default of everything."""

    reason: str = "no clear answer"


class Carrier(Protocol):
    """One carrier's API. Nothing is raised for what the world may rightly say."""

    name: str

    async def create(self, shipment: Shipment) -> Booked | Refused | Unknown:
        """Book the parcel; called again after `Unknown`, it must find the first booking."""
        ...

    async def cancel(self, shipment: Shipment) -> bool | Unknown:
        """Whether the parcel is cancelled before it left."""
        ...

    async def track(self, shipment: Shipment) -> tuple[News, ...] | Unknown:
        """Everything the carrier says about it, oldest first."""
        ...

    def parse_push(self, headers: Mapping[str, str], body: bytes) -> tuple[News, ...]:
        """What a push says; nothing where it is not authentic."""
        ...
