"""Structs and rows: a row struct has the columns' names, in the order of its fields."""

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa


def columns_of(table: sa.Table, kind: type[msgspec.Struct]) -> tuple[sa.Column[Any], ...]:
    """The table's columns for a query `into=kind`."""
    return tuple(table.c[name] for name in kind.__struct_fields__)


def values_of(struct: msgspec.Struct, *without: str) -> dict[str, object]:
    """The struct's fields as values for a write."""
    values = msgspec.structs.asdict(struct)
    for name in without:
        del values[name]
    return values


def save_by_version(
    table: sa.Table, kind: type[msgspec.Struct], key: Iterable[str] = ("id",)
) -> sa.sql.dml.UpdateBase:
    """`UPDATE` of all fields but the key, where the version is still the one seen.

    The statement's values are `key_<column>` for each key column, `seen` and every other field.
    """
    names = tuple(key)
    update = sa.update(table).where(table.c.version == sa.bindparam("seen"))
    for name in names:
        update = update.where(table.c[name] == sa.bindparam(f"key_{name}"))
    changed = [name for name in kind.__struct_fields__ if name not in names]
    return update.values({name: sa.bindparam(name) for name in changed})


def saving(struct: Any, seen: Any, key: Iterable[str] = ("id",)) -> dict[str, object]:
    """The values for a `save_by_version` statement; the new version is one above `seen`'s."""
    names = tuple(key)
    values = values_of(struct, *names)
    values["version"] = seen.version + 1
    values["seen"] = seen.version
    values.update({f"key_{name}": getattr(struct, name) for name in names})
    return values
