"""Taking a step, and looking at what became of the neighbour."""

import io
from typing import Any

import msgspec
import pypdf
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import METADATA
from eishro.db.statements import Query
from tests.security.street.step import MARK, Step, Street, Trespass
from tests.shops import World


async def walk(world: World, street: Street, step: Step) -> None:
    """Take the step.

    Raises:
        Trespass: it did not come off, or shows what is the neighbour's.
    """
    world.clock.turn(step.later)
    if step.job is not None:
        try:
            await step.job(world.shop, street)
        except Exception as error:  # as a request would answer
            raise Trespass(f"{step.name}: {error!r}") from error
    else:
        await _request(world, street, step)
    await world.settle()


async def _request(world: World, street: Street, step: Step) -> None:
    names = {"ours": street.ours, "theirs": street.theirs}
    body = _filled(step.body, names)
    reply = await world.client().request(
        step.method,
        step.path.format(**names),
        headers=street.callers[step.who],
        **(_form(_named(step.file, names), body) if step.file else {"json": body}),
    )
    if reply.status_code != step.status:
        raise Trespass(f"{step.name}: {reply.status_code} {reply.text}")
    if MARK in reply.text:
        raise Trespass(f"{step.name}: the answer shows what is the neighbour's")
    if reply.headers["Content-Type"] == "application/pdf":
        if MARK in pypdf.PdfReader(io.BytesIO(reply.content)).pages[0].extract_text():
            raise Trespass(f"{step.name}: the document shows what is the neighbour's")
        return
    body = reply.json()
    page = body.get("pagination") or {}
    total, shown = page.get("total"), len(body["data"]) if page else 0
    while total is not None and shown < total and page.get("nextCursor"):
        path = f"{step.path.format(**names)}&cursor={page['nextCursor']}"
        more = await world.client().get(path, headers=street.callers[step.who])
        if MARK in more.text:
            raise Trespass(f"{step.name}: the answer shows what is the neighbour's")
        shown, page = shown + len(more.json()["data"]), more.json()["pagination"]
    if total is not None and total != shown:
        raise Trespass(f"{step.name}: counts {total}, shows {shown}")


def _named(file: str, names: dict[str, Any]) -> str:
    return file.format(**names) if "{theirs[" in file else file


def _form(file: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"files": {"file": ("a.csv", file.encode())}, "data": fields}


def _filled(body: Any, names: dict[str, Any]) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, names) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, names) for value in body]
    if isinstance(body, str) and body.startswith("{"):
        text = body.format(**names)
        return int(text) if text.isdigit() else text
    return body


async def rows_of(db: Database, store_id: int) -> dict[str, list[str]]:
    """Every row of the store, by table."""
    found = {}
    for table, query in _ROWS.items():
        rows = await db.all(query, store_id=store_id)
        found[table] = sorted(msgspec.json.encode(row).decode() for row in rows)
    return found


def _row(*values: object) -> tuple[object, ...]:
    return values


_ROWS: dict[str, Query[tuple[object, ...]]] = {
    table.name: Query(
        sa.select(table).where(
            table.c.id == sa.bindparam("store_id")
            if table.name == "stores"
            else table.c.store_id == sa.bindparam("store_id")
        ),
        _row,
    )
    for table in METADATA.tables.values()
    if table.name == "stores" or "store_id" in table.c
}
