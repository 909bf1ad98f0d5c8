"""Listens to what the background says in its log: it goes on after a fault, the simulation must not."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from eishro.errors import ShopError
from eishro.jobs import ask_gateways, step, work_off_events


class Ears:
    """The background's log. Refusals and crashes are ordinary, anything else is a fault."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def warning(self, event: str, *, error: str, **facts: object) -> None:
        """Something was put off."""
        name = error.partition("(")[0]
        if name != "Crash" and name not in _names_of(ShopError):
            self.faults.append(f"{event} {facts}: {error}")

    def exception(self, event: str, **facts: object) -> None:
        """A fault was caught."""
        self.faults.append(f"{event} {facts}: {sys.exc_info()[1]!r}")


@contextmanager
def listening() -> Iterator[Ears]:
    """Hear it instead of whoever reads the log."""
    ears = Ears()
    with ExitStack() as stack:
        for module in (ask_gateways, step, work_off_events):
            stack.enter_context(patch.object(module, "_LOG", ears))
        yield ears


def _names_of(kind: type[Exception]) -> set[str]:
    names = {kind.__name__}
    for one in kind.__subclasses__():
        names |= _names_of(one)
    return names
