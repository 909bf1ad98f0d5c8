"""Several D1 databases behind one Worker: each store, with all that is its own, lives in one.

A *place* is a database with the whole schema; `EDGE_PLACES` names the bindings in an order that
never changes, the first is home. A request works on one place, so its batches stay atomic. Which
one is found from what the request carries anyway:

1. the header `X-Place` (a storefront that knows its store's place spares the look-up),
2. integer ids in the path: place number n gives ids from n * 2**40 + 1 on,
3. texts that a place knows: a store's slug, an order, a payment or its reference, the session of
   an access token, the e-mail of a user who signs in; remembered by the isolate.

What carries none of these works at home. `docs/design/sharding.md` has the numbers.
"""

import asyncio
import base64
import contextlib
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from eishro.adapters.payments import METHODS
from eishro.db.database import CommitUnknown, DatabaseBusy
from eishro.db.id_blocks import IntegerIds
from eishro.db.statements import Batch, Query
from eishro.domain.stores.model import SlugTaken
from eishro.edge.d1 import D1Database
from eishro.edge.d1_plan import json_text, table_of
from eishro.edge.invocation import InvocationIds, current
from eishro.errors import NotFound, Words

T = TypeVar("T")

IDS_OF_A_PLACE = 2**40  # 8,192 places below 2**53
REMEMBERED_MAX = 10_000
CLUES_MAX = 100  # texts of one request that are looked up
_CLUE = re.compile(r"[A-Za-z0-9._%+@-]{3,254}")
_NUMBER = re.compile(r"[0-9]{1,16}")

_KNOWS = """SELECT clue.value FROM json_each(?1) AS clue WHERE
    EXISTS (SELECT 1 FROM stores WHERE slug = clue.value)
    OR EXISTS (SELECT 1 FROM orders WHERE id = clue.value)
    OR EXISTS (SELECT 1 FROM payments WHERE id = clue.value)
    OR EXISTS (
        SELECT 1 FROM json_each(?2) AS provider JOIN payments
        ON payments.provider = provider.value AND payments.reference = clue.value
    )
    OR EXISTS (SELECT 1 FROM sessions WHERE id = clue.value)
    OR EXISTS (SELECT 1 FROM users WHERE email = clue.value)"""
_PROVIDERS = json_text(sorted({m.provider for m in METHODS if m.provider is not None}))
_CLAIM = (
    "INSERT INTO edge_slugs (slug, store_id, place) VALUES (?1, ?2, ?3) "
    "ON CONFLICT DO NOTHING RETURNING store_id"
)
_HOLDER = "SELECT store_id FROM edge_slugs WHERE slug = ?1"
_LET_GO = "DELETE FROM edge_slugs WHERE slug = ?1 AND store_id = ?2"
_LET_GO_OTHERS = "DELETE FROM edge_slugs WHERE slug <> ?1 AND store_id = ?2"


class UnknownPlace(NotFound):
    """`X-Place` names no database of this installation."""

    code = "UNKNOWN_PLACE"
    words = Words("There is no such place.", "لا يوجد موقع بهذا الاسم.")


class Places:
    """The databases by name, and the way from a request to one of them."""

    def __init__(self, databases: Sequence[D1Database]) -> None:
        self.home = databases[0]
        self._by_name = {db.name: db for db in databases}
        self._names = [db.name for db in databases]
        self._remembered: OrderedDict[str, str] = OrderedDict()

    @property
    def names(self) -> Sequence[str]:
        """All places, home first."""
        return self._names

    def database(self, name: str | None) -> D1Database:
        """The place of this name; None is home.

        Raises:
            UnknownPlace.
        """
        if name is None:
            return self.home
        if name not in self._by_name:
            raise UnknownPlace()
        return self._by_name[name]

    def number(self, name: str) -> int:
        """The position in `EDGE_PLACES`; home is 0."""
        return self._names.index(name)

    def of_number(self, number: int) -> str | None:
        """The place that gave this id, if it is one of ours."""
        place = number // IDS_OF_A_PLACE
        return self._names[place] if place < len(self._names) else None

    async def find(self, wish: str | None, path: str, token: str | None, body: str) -> str | None:
        """The place of a request, or None where nothing tells.

        Args:
            wish: the header `X-Place`.
            token: the bearer token; only read for where its session is, never trusted.
            body: the body's text, or nothing; looked through for what a place may know.
        """
        if wish is not None:
            return self.database(wish).name
        if len(self._names) == 1:
            return None
        parts = [part for part in path.split("/") if part]
        for part in parts:
            if _NUMBER.fullmatch(part):
                return self.of_number(int(part))
        session = _session_of(token)
        for clues in (parts, [session] if session else [], _CLUE.findall(body)):
            found = await self._place_of(list(dict.fromkeys(clues))[:CLUES_MAX])
            if found is not None:
                return found
        return None

    async def _place_of(self, clues: list[str]) -> str | None:
        for clue in clues:
            if clue in self._remembered:
                return self._remembered[clue]
        if not clues:
            return None
        asked = [json_text(clues), _PROVIDERS]
        answers = await asyncio.gather(
            *(db.rows(_KNOWS, list(asked)) for db in self._by_name.values())
        )
        for name, rows in zip(self._names, answers, strict=True):
            for (clue,) in rows:
                self._remembered[str(clue)] = name
                while len(self._remembered) > REMEMBERED_MAX:
                    self._remembered.popitem(last=False)
                return name
        return None


class PlacedDatabase:
    """The `Database` port on the place of the current invocation."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.engine = places.home.engine

    def here(self) -> D1Database:
        """The database that the current invocation works on."""
        invocation = current()
        return self._places.database(invocation.place if invocation else None)

    async def one(self, query: Query[T], **values: object) -> T | None:
        return await self.here().one(query, **values)

    async def all(self, query: Query[T], **values: object) -> list[T]:
        return await self.here().all(query, **values)

    async def commit(self, batch: Batch) -> None:
        """As D1's; a store's new slug is first taken at home, where all places look.

        Raises:
            SlugTaken: a store of another place has it; nothing was applied.
        """
        slugs = _slugs_of(batch) if len(self._places.names) > 1 else []
        taken = [(slug, store_id) for slug, store_id in slugs if await self._take(slug, store_id)]
        try:
            await self.here().commit(batch)
        except CommitUnknown:
            raise  # the batch may have been applied, so the slug stays taken
        except Exception:
            for slug, store_id in taken:
                with contextlib.suppress(DatabaseBusy):
                    await self._places.home.rows(_LET_GO, [slug, store_id])
            raise
        for slug, store_id in taken:
            await self._places.home.rows(_LET_GO_OTHERS, [slug, store_id])

    async def run_script(self, script: str) -> None:
        await self.here().run_script(script)

    async def aclose(self) -> None:
        """Bindings need no closing."""

    async def _take(self, slug: str, store_id: int) -> bool:
        """Take the slug for the store; False if the store has it already."""
        home = self._places.home
        if await home.rows(_CLAIM, [slug, store_id, self.here().name]):
            return True
        if await home.rows(_HOLDER, [slug]) != [[store_id]]:
            raise SlugTaken()
        return False


class PlacedIds(InvocationIds):
    """Integer ids that tell the place they come from."""

    def __init__(self, db: PlacedDatabase, places: Places) -> None:
        super().__init__(db)
        self._placed = db
        self._places = places

    async def next(self, name: str) -> int:
        """One fresh id of the current place."""
        here = self._placed.here()
        invocation = current()
        ids = invocation.ids_of(here) if invocation is not None else IntegerIds(here)
        return self._places.number(here.name) * IDS_OF_A_PLACE + await ids.next(name)


def _session_of(token: str | None) -> str | None:
    """The session an access token names; its signature is checked later, as always."""
    parts = (token or "").split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(
            base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        )
    except (ValueError, msgspec.DecodeError):
        return None
    session = claims.get("sid") if isinstance(claims, Mapping) else None
    return session if isinstance(session, str) else None


def _slugs_of(batch: Batch) -> list[tuple[str, int]]:
    """Slugs that the batch gives to stores, with the stores' ids."""
    found = []
    for statement in batch:
        for values in statement.values if table_of(statement) == "stores" else ():
            slug, store_id = values.get("slug"), values.get("id", values.get("key_id"))
            if isinstance(slug, str) and isinstance(store_id, int):
                found.append((slug, store_id))
    return found
