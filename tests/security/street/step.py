"""A street as tests see it, and one step of somebody on it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec

from eishro.flows.shop import Shop

MARK = "zenobia"  # in every text of the neighbour, so that it is seen wherever it turns up
STORE = "/api/stores/{ours[store]}"


class Street(msgspec.Struct, frozen=True):
    """Headers by caller, and the ids of both stores' things."""

    callers: dict[str, dict[str, str]]
    ours: dict[str, Any]
    theirs: dict[str, Any]


class Step(msgspec.Struct, frozen=True):
    """A request: paths and bodies name things as `{ours[order]}`. `job` takes its place, if any."""

    name: str
    method: str = ""
    path: str = ""
    body: Any = None
    file: str | None = None
    who: str = "owner"
    status: int = 200
    job: Callable[[Shop, Street], Awaitable[object]] | None = None
    later: timedelta = timedelta()


class Trespass(AssertionError):
    """A step saw or changed what is the neighbour's, or did not come off."""
