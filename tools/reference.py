"""Pages of docs/reference/ made from the code.

python tools/reference.py           writes them
python tools/reference.py --check   exits 1 and names what is stale
"""

import ast
import importlib
import pkgutil
import sys
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import eishro
from eishro.adapters.payments import GATEWAYS, METHODS
from eishro.domain.accounts.permissions import (
    PERMISSIONS,
    PERMISSIONS_OF,
    SCOPES,
    STORE_ROLES,
)
from eishro.domain.orders.model import MOVES, Order, Status
from eishro.domain.payments.gateways import Field, Gateway
from eishro.errors import ShopError
from eishro.gateway_settings import described
from eishro.jobs.events import HANDLERS
from eishro.money import decimal_from_dirhams
from eishro.settings import PREFIX, Rate, setting_fields
from eishro.web.api import ROUTES
from eishro.web.errors import status_of

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "reference"
_HIDDEN_DEFAULTS = {"secret_keys"}


def main() -> int:
    pages = {
        "settings.md": settings_page(),
        "routes.md": routes_page(),
        "permissions.md": permissions_page(),
        "errors.md": errors_page(),
        "events.md": events_page(),
        "orders.md": orders_page(),
        "gateways.md": gateways_page(),
    }
    if "--check" not in sys.argv[1:]:
        TARGET.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            (TARGET / name).write_text(text, encoding="utf-8")
        return 0
    stale = [
        name
        for name, text in pages.items()
        if not (TARGET / name).exists() or (TARGET / name).read_text(encoding="utf-8") != text
    ]
    for name in stale:
        print(f"docs/reference/{name} is stale: run `.venv/bin/python tools/reference.py`")
    return 1 if stale else 0


def settings_page() -> str:
    """Every setting: variable, what it takes, default, meaning."""
    rows = []
    for field in setting_fields():
        meanings, given = _metas(field.type)
        default = given or _shown(field.default)
        rows.append(
            f"| `{PREFIX}{field.name.upper()}` | {_kind(field.type)} | {default} | {meanings} |"
        )
    rows += [
        f"| `{variable}` | {' or '.join(f.choices) or 'text'} | {_gateway_default(f, gateway)} |"
        f" {gateway.provider}: {f.about}{' Needed.' if f.is_required else ''} |"
        for variable, f, gateway in described()
    ]
    return _page(
        "Settings",
        "Environment variables. All are optional in development; `EISHRO_ENV=production` refuses "
        "what would hurt.",
        "| Variable | Takes | Default | Meaning |",
        rows,
    )


def _gateway_default(field: Field, gateway: Gateway) -> str:
    by_mode = gateway.live.get(field.name, "")
    default = by_mode or field.default
    return f"`{default}`" if default and not field.is_secret else ""


def routes_page() -> str:
    """Every route with its permission and limits."""
    rows = [
        f"| {route.method} | `{route.path}` | `{route.needs.name}` | {route.rate} | "
        f"{'yes' if route.idempotent else ''} | {route.summary} |"
        for route in ROUTES
    ]
    return _page(
        "Routes",
        "The route table (`src/eishro/web/api.py`). Bodies and answers: `/docs` on a running "
        "server, or `eishro openapi`.",
        "| Method | Path | Permission | Rate class | Idempotency-Key | What |",
        rows,
    )


def permissions_page() -> str:
    """Every permission of a store, and which roles and keys may have it."""
    rows = []
    for name, meaning in PERMISSIONS.items():
        marks = ["yes" if name in PERMISSIONS_OF[role] else "" for role in STORE_ROLES]
        marks.append("yes" if name in SCOPES else "")
        rows.append(f"| `{name}` | {meaning} | {' | '.join(marks)} |")
    return _page(
        "Permissions",
        "What the people and the API keys of a store may do "
        "(`src/eishro/domain/accounts/permissions.py`). Platform admins may do everything; "
        "routes name the permission they need ([routes](routes.md)).",
        f"| Permission | Lets people | {' | '.join(STORE_ROLES)} | API keys |\n"
        f"|---|---|{'---|' * (len(STORE_ROLES) + 1)}",
        rows,
    )


def errors_page() -> str:
    """Every refusal with its status and its two sentences."""
    _import_everything()
    rows = []
    for kind in sorted(set(_below(ShopError)), key=lambda k: (_status(k), k.code, k.__name__)):
        words = kind.words
        rows.append(
            f"| {_status(kind)} | `{kind.code}` | `{kind.__module__}.{kind.__name__}` | "
            f"{words.en} | {words.ar} |"
        )
    rows.append(
        "| 500 | `INTERNAL_ERROR` | a fault of ours | Shows nothing but the request id. | "
        "لا يظهر سوى رقم الطلب. |"
    )
    return _page(
        "Errors",
        "Codes never change; sentences follow `Accept-Language`.",
        "| Status | Code | Where | English | Arabic |",
        rows,
    )


def events_page() -> str:
    """Every topic of the outbox, who publishes it and what follows."""
    published: dict[str, set[str]] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for topic in _topics(ast.parse(path.read_text(encoding="utf-8"))):
            published.setdefault(topic, set()).add(path.relative_to(ROOT / "src").as_posix())
    rows = [
        f"| `{topic}` | {', '.join(f'`{place}`' for place in sorted(places))} | "
        f"{', '.join(f'`{h.__name__}`' for h in HANDLERS.get(topic, ())) or 'kept for a week'} |"
        for topic, places in sorted(published.items())
    ]
    return _page(
        "Events",
        "Written to the outbox in the batch that makes them true, handled at least once. "
        "`order.{to}` stands for the status an order moved to.",
        "| Topic | Published by | Handled by |",
        rows,
    )


def orders_page() -> str:
    """The moves of an order, drawn, and what holds in each status."""
    moves = [f"    {seen} --> {to}" for seen, tos in MOVES.items() for to in tos]
    ends = [f"    {status} --> [*]" for status, tos in MOVES.items() if not tos]
    drawn = ["```mermaid", "stateDiagram-v2", "    [*] --> pending", *moves, *ends, "```"]
    rows = [
        f"| `{status}` | {', '.join(f'`{to}`' for to in MOVES[status]) or 'nothing: it ends here'} "
        f"| `{order.fulfilment_status}` | {'held' if order.holds_stock else _SHELF[status]} "
        f"| {'yes' if order.is_payable else 'no'} |"
        for status, order in _orders_in_each_status().items()
    ]
    return _page(
        "Statuses of an order",
        "An order has three states beside each other: `status` (where it is on its way), "
        "`paymentStatus` (what happened to its money) and `fulfilmentStatus` (what left the "
        "house). These are the moves of `status`; anything else is 409 `INVALID_TRANSITION`. "
        "Money moves it once: a pending order that is paid becomes confirmed by itself.\n\n"
        + "\n".join(drawn),
        "| Status | Next | Fulfilment by then | Its pieces | Takes money while unpaid |",
        rows,
    )


def gateways_page() -> str:
    """What each way to pay can carry, and which settings narrow it."""
    narrowing = {
        gateway.provider: [
            f"`EISHRO_{gateway.prefix}_{field.name.upper()}`"
            for field in gateway.fields
            if field.bounds_amounts
        ]
        for gateway in GATEWAYS
    }
    rows = [
        f"| `{method.method}` | {method.name_en} | {method.provider or 'none'} | {method.kind} | "
        f"{method.currency} | {_dinars(method.least_dirhams)} | {_dinars(method.most_dirhams)} | "
        f"{_dinars(method.step_dirhams)} | "
        f"{', '.join(narrowing.get(method.provider or '', ())) or _NARROWED.get(method.method, '')}"
        " |"
        for method in METHODS
    ]
    return _page(
        "What payment gateways carry",
        "Orders are in dinars to the dirham (three decimals). Least, most and step are dinars: an "
        "amount outside them, or between two steps, is refused with 422 before anything is sent, "
        "when the order is placed and when its payment begins; it is never rounded. A step of "
        "0.010 is a gateway that takes two decimals. Of several rows of one name the first that "
        "can be used counts. What is settled in dollars is sent in cents, rounded up at the rate "
        "of `EISHRO_USD_RATE`; the payment keeps the dinars, the cents, the rate and its source. "
        "Where an account of the gateway's is held to less than its methods (last column), the "
        "adapter refuses such an amount, before sending as well: 422 `PAYMENT_REFUSED`.\n\n"
        "`least`, `most` and `step` of `GET /api/stores/:storeId/payment-methods` are these. "
        "Proven for every row by `tests/adapters/payments/test_precision.py`.",
        "| Method | Name | Gateway | Kind | Settled in | Least | Most | Step | Narrowed by |",
        rows,
    )


_NARROWED = {"cod": "the store's setting `codMax`"}


def _dinars(dirhams: int) -> str:
    return f"{decimal_from_dirhams(dirhams):,}"


_SHELF = {
    "shipped": "gone",
    "delivered": "gone",
    "cancelled": "given back",
    "returned": "back on the shelf",
}


def _orders_in_each_status() -> dict[Status, Order]:
    """An unpaid order moved to every status, by the shortest way."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    values: dict[str, Any] = dict.fromkeys(Order.__struct_fields__)
    values |= {"status": "pending", "payment_status": "pending", "updated_at": at}
    found: dict[Status, Order] = {"pending": Order(**values | {"fulfilment_status": "unfulfilled"})}
    waiting = list(found.values())
    while waiting:
        order = waiting.pop(0)
        for to in MOVES[order.status]:
            if to not in found:
                found[to] = order.move(to, at)
                waiting.append(found[to])
    return found


def _page(title: str, opening: str, header: str, rows: list[str]) -> str:
    rule = "|" + "---|" * (header.count("|") - 1)
    lines = [
        f"# {title}",
        "",
        "<!-- made by tools/reference.py; do not edit -->",
        "",
        opening,
        "",
        header,
        rule,
        *rows,
        "",
    ]
    return "\n".join(lines)


def _metas(kind: Any) -> tuple[str, str]:
    """Meaning and stated default of a setting."""
    meaning = default = ""
    for meta in typing.get_args(kind)[1:] if typing.get_origin(kind) is Annotated else ():
        meaning = meta.description or meaning
        default = (meta.extra or {}).get("default", "") or default
    return meaning, default


def _kind(kind: Any) -> str:
    bare = typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind
    metas = typing.get_args(kind)[1:]
    if bare is bool:
        return "`on`, `off`"
    if bare is int:
        limits = [(meta.ge, meta.le) for meta in metas if meta.ge is not None]
        return f"{limits[0][0]} to {limits[0][1]}" if limits else "number"
    if typing.get_origin(bare) is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(bare))
    if bare == (Rate | None):
        return "rate or `off`"
    return "list" if typing.get_origin(bare) is tuple else "text"


def _shown(default: Any) -> str:
    if default is None or default in ("", ()):
        return ""
    if isinstance(default, bool):
        return "`on`" if default else "`off`"
    if isinstance(default, Rate):
        return f"`{default.requests}/hour`"
    return f"`{default}`"


def _import_everything() -> None:
    for module in pkgutil.walk_packages(eishro.__path__, "eishro."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)


def _below(kind: type[ShopError]) -> Iterator[type[ShopError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _below(child)


def _status(kind: type[ShopError]) -> int:
    return status_of(kind.__new__(kind))


def _topics(tree: ast.AST) -> Iterator[str]:
    """First arguments of `outbox.publish(…)`, literal or assembled."""
    names: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target, value in _pairs(node):
                names.setdefault(target, set()).update(_texts(value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "outbox.publish":
            first = node.args[0]
            if isinstance(first, ast.Name):
                yield from sorted(t for t in names.get(first.id, set()) if "." in t)
            else:
                yield from _texts(first)


def _pairs(node: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    """Names and values of an assignment, `a, b = (x, y) if c else (z, w)` included."""
    target = node.targets[0]
    if isinstance(target, ast.Name):
        yield target.id, node.value
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.IfExp):
        for branch in (node.value.body, node.value.orelse):
            if isinstance(branch, ast.Tuple):
                for name, value in zip(target.elts, branch.elts, strict=True):
                    if isinstance(name, ast.Name):
                        yield name.id, value


def _texts(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.JoinedStr):
        return {ast.unparse(node)[2:-1]}
    return set()


if __name__ == "__main__":
    sys.exit(main())
