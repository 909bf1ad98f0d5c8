"""What cannot run in a Worker answers 501 `NOT_AVAILABLE_HERE`.

Two ways lead there: a route listed in `NOT_HERE`, and a handler that reaches for a package that
is left out of the bundle. `tools/edge_reference.py` makes `docs/reference/edge.md` from here.
"""

import functools
from collections.abc import Sequence
from typing import Any

import msgspec

from eishro.errors import ShopError, Words
from eishro.web.routes import Call, Raw, Reply, Route

NOT_HERE: dict[tuple[str, str], str] = {
    ("GET", "/docs"): "Swagger UI's files are larger than the whole Worker may be; "
    "`/openapi.json` is there",
    ("GET", "/docs/{name}"): "as `/docs`",
    ("GET", "/api/auth/oauth/{provider}"): "providers sign with keys of their own, and what "
    "verifies that is a large native package",
    ("GET", "/api/auth/oauth/{provider}/callback"): "as setting out",
    ("POST", "/api/auth/oauth/complete"): "as setting out",
}

# Packages that the bundle leaves out, and what is missing with them.
LEFT_OUT: dict[str, str] = {
    "PIL": "making and resizing pictures",
    "typst": "printing PDF documents; those printed elsewhere are served",
    "xlsxwriter": "writing spreadsheets",
    "python_calamine": "reading spreadsheets",
    "prometheus_client": "metrics to be fetched",
    "swagger_ui": "the API's documentation page",
    "httpx": "sockets; `fetch` takes their place",
    "aiosmtplib": "SMTP; a mail service's HTTP API takes its place",
    "redis": "Redis; KV and D1 take its place",
    "obstore": "S3; R2 takes its place",
    "asyncpg": "PostgreSQL; D1 takes its place",
    "apsw": "SQLite files; D1 takes their place",
    "alembic": "migrating from the process; `wrangler d1 migrations apply` takes its place",
}


class NotAvailableHere(ShopError):
    """This installation runs where this cannot run."""

    code = "NOT_AVAILABLE_HERE"
    words = Words(
        "This is not available in this installation.", "هذه الميزة غير متاحة في هذا النظام."
    )


def edge_routes(routes: Sequence[Route]) -> tuple[Route, ...]:
    """The same table, with refusals where something cannot run here."""
    return tuple(msgspec.structs.replace(route, handler=_guarded(route)) for route in routes)


def _guarded(route: Route) -> Any:
    handler = route.handler
    if (route.method, route.path) in NOT_HERE:

        async def refuse(_: Call, **__: object) -> Reply:
            raise NotAvailableHere()

        return refuse

    @functools.wraps(handler)
    async def guarded(call: Call, **values: object) -> Reply | Raw:
        try:
            return await handler(call, **values)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in LEFT_OUT:
                raise NotAvailableHere() from error
            raise

    return guarded
