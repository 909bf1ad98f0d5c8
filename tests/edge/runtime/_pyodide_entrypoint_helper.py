"""The platform's own module behind the `workers` SDK, as much of it as the entry's class uses."""

from typing import Any


def patchWaitUntil(_: Any) -> None:
    """On the platform this lets `waitUntil` take Python's awaitables; we give it promises."""


def doAnImport(name: str) -> Any:
    raise ImportError(name)
