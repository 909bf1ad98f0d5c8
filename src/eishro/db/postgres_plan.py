"""Whole batches as one SQL statement: one round trip, one implicit transaction.

Every write of a family of batches becomes one part of a chain of data-modifying CTEs, and reads
its rows from arrays, one for each parameter. So the text depends neither on how many lines an
order has nor on how many batches go together. The final SELECT counts the rows of each guarded
part in the order of the batch, and calls `eishro_refuse` (migration 0003) with the first part
that touched another number of rows than it must, which undoes everything.

All parts see the database as it was before the statement, and a row that two of them touch is
changed by one alone. So a batch has a plan only if that cannot matter:

* a table is only inserted into, or only changed by parts that name one row each by the same
  unique key (`Plan.bind` makes sure that no row is named twice);
* no part reads what an earlier one writes. A trigger's writes are its statement's.

Anything else is applied statement by statement. Batches share a statement only if they change
different rows and read nothing that they write.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable

from eishro.db.postgres_part import Part, part_of
from eishro.db.statements import Batch, Statement, Write
from eishro.db.tenancy import EVERY_STORE, named

FAMILIES_MAX = 400  # plans kept; the least recently used go first
ROWS_MAX = 2_000  # of one batch; more are written statement by statement

Row = list[object]
Family = tuple[tuple[Write, int | None], ...]


class Bound:
    """A batch with its values as the driver takes them, by part, and the rows it changes."""

    __slots__ = ("batch", "keys", "plan", "rows", "size", "stores")

    def __init__(
        self,
        plan: "Plan",
        batch: Batch,
        rows: list[list[Row]],
        keys: frozenset[Hashable],
        stores: frozenset[object],
    ) -> None:
        self.plan = plan
        self.batch = batch
        self.rows = rows
        self.keys = keys
        self.stores = stores
        self.size = sum(map(len, rows))


class Plan:
    """The statement of one family of batches: the same writes in the same order."""

    __slots__ = ("_at", "_family", "_is_across", "_is_of_stores", "_parts", "is_shared", "text")

    def __init__(self, family: Family, parts: list[Part], *, is_shared: bool) -> None:
        self._family = family
        self._at = {member: position for position, member in enumerate(family)}
        self._parts = parts
        self.is_shared = is_shared  # several batches may go together
        of_stores = [part for part in parts if part.of_stores]
        self._is_of_stores = bool(of_stores)
        self._is_across = any(part.store is None for part in of_stores)
        self.text = _text(family, parts, is_of_stores=self._is_of_stores)

    def bind(self, batch: Batch) -> Bound | None:
        """The batch's rows, or None if two of its parts would change one row."""
        rows: list[list[Row]] = [[] for _ in self._parts]
        stores: set[object] = set()
        for statement in batch.statements:
            if not statement.values:
                continue
            position = self._at[statement.write, statement.rows]
            part = self._parts[position]
            bind = part.compiled.bind
            rows[position] += [bind(values) for values in statement.values]
            if part.store is not None:
                stores.update([values[part.store] for values in statement.values])
        keys: set[Hashable] = set()
        changed = 0
        for part, found in zip(self._parts, rows, strict=True):
            if part.key is not None:
                changed += len(found)
                keys.update((part.table, part.key(row)) for row in found)
            elif not part.is_insert and len(found) > 1:
                return None
        if len(keys) != changed:
            return None
        bound = Bound(self, batch, rows, frozenset(keys), frozenset(stores))
        return bound if bound.size <= ROWS_MAX else None

    def parameters(self, together: Iterable[Bound]) -> list[object]:
        """The arrays for batches that go together, and their stores."""
        together = list(together)
        arrays: list[object] = []
        for position, part in enumerate(self._parts):
            rows = [row for bound in together for row in bound.rows[position]]
            if part.key is not None and len(rows) > 1:
                # Rows are locked in the order of their keys, whoever changes them.
                rows.sort(key=part.key)
            arrays += zip(*rows, strict=True)
        if self._is_of_stores:
            stores = frozenset[object]().union(*(bound.stores for bound in together))
            arrays.append(EVERY_STORE if self._is_across else named(stores))
        return arrays

    def refused(self, batch: Batch, part: int) -> Statement | None:
        """The statement that part number `part` is, unless several are merged in it."""
        found = [s for s in batch.statements if (s.write, s.rows) == self._family[part]]
        return found[0] if len(found) == 1 else None


class Plans:
    """Plans by family; None is kept for families that have none."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Family, Plan | None] = OrderedDict()

    def bind(self, batch: Batch) -> Bound | None:
        """The batch for the plan of its family, if it can be one statement."""
        family = tuple(dict.fromkeys((s.write, s.rows) for s in batch.statements if s.values))
        try:
            plan = self._kept[family]
        except KeyError:
            plan = self._kept[family] = _plan(family)
            if len(self._kept) > FAMILIES_MAX:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(family)
        return None if plan is None else plan.bind(batch)


def _plan(family: Family) -> Plan | None:
    parts = [part_of(write) for write, _ in family]
    if not parts or not all(part.source for part in parts):
        return None
    if any(rows not in (None, 1) for _, rows in family):
        return None
    written: set[str] = set()
    for part in parts:
        if part.reads & written:
            return None
        written |= part.written
    if not all(_is_touched_once(table, parts) for table in written):
        return None
    is_shared = all(
        not part.reads & written and (part.is_insert or part.key is not None) for part in parts
    )
    return Plan(family, parts, is_shared=is_shared)


def _is_touched_once(table: str, parts: list[Part]) -> bool:
    users = [part for part in parts if table in part.written]
    direct = [part for part in users if part.table == table]
    if not direct:
        return True  # triggers alone: each is a statement of its own, later than all of these
    if len(direct) != len(users):
        return False
    columns = {part.key_columns for part in direct}
    is_keyed = len(columns) == 1 and None not in columns
    # Two kinds of inserts might meet in one row, and their order would decide what comes of it.
    return len(direct) == 1 or is_keyed


def _text(family: Family, parts: list[Part], *, is_of_stores: bool) -> str:
    """Parts run when the CASE comes to their count; those that are not counted run at the end."""
    guarded = [position for position, (_, rows) in enumerate(family) if rows is not None]
    chain, checks = [], []
    before = 0
    for position, part in enumerate(parts):
        sql = part.text(before)
        if position <= max(guarded, default=-1):
            sql += " RETURNING 1"
            # Whoever has no guard still runs in its turn, so that the first to fail is told.
            is_wrong = f"<> cardinality(${before + 1})" if position in guarded else "< 0"
            # Names and numbers of ours alone; values stay parameters.
            checks.append(
                f"WHEN (SELECT count(*) FROM w{position}) {is_wrong} "  # noqa: S608
                f"THEN eishro_refuse({position})"
            )
        chain.append(f"w{position} AS ({sql})")
        before += len(part.compiled.names)
    if is_of_stores:
        # Counted first, so that the policies see it whatever runs after.
        chain.insert(
            0, f"t AS MATERIALIZED (SELECT set_config('eishro.stores', ${before + 1}, true))"
        )
        checks.insert(0, "WHEN (SELECT count(*) FROM t) <> 1 THEN eishro_refuse(-1)")
    answer = f"CASE {' '.join(checks)} END" if checks else "NULL"
    return f"WITH {', '.join(chain)} SELECT {answer}"
