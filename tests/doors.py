"""The HTTP door of a test's shop. One application serves all of them, since building it takes
longer than most tests; each request finds its own shop."""

import contextvars
import functools
from typing import Any

from eishro.web.api import ROUTES
from eishro.web.asgi import FalconApp, build_app
from eishro.web.response_cache import App, Receive, ResponseCache, Scope, Send
from eishro.web.routes import Door, WebRules

_entered: contextvars.ContextVar[Door] = contextvars.ContextVar("door")


class _Entered:
    """Stands for the door through which the request came."""

    def __init__(self, rules: WebRules) -> None:
        self.rules = rules  # read while the application is built, when nobody has come yet

    def __getattr__(self, name: str) -> Any:
        return getattr(_entered.get(), name)


@functools.cache
def _application(rules: WebRules) -> FalconApp:
    door: Any = _Entered(rules)
    return build_app(door, ROUTES)


def through(door: Door) -> App:
    """The application of this door, as `build_app` makes it."""
    application: Any = _application(door.rules)  # now, not while others wait for an answer

    async def enter(scope: Scope, receive: Receive, send: Send) -> None:
        token = _entered.set(door)
        try:
            await application(scope, receive, send)
        finally:
            _entered.reset(token)

    return enter


def with_cache(door: Door) -> ResponseCache:
    """The application with a cache in front, as in a server, which nobody else uses."""
    return ResponseCache(through(door), door, 10_000_000)
