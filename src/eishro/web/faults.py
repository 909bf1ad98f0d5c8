"""The second, slower pass over a refused body: every fault, by path, in two languages.

msgspec reports the first fault only; this walk asks it about each member alone. The message of
a fault says what is expected there, made from the member's type.
"""

import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Union

import msgspec
from msgspec import inspect

from eishro.errors import Words
from eishro.web.wire import WireType, read_hook

FAULTS_MAX = 100  # reported for one body

MISSING = Words("is required", "مطلوب")
UNKNOWN = Words("is not a known member", "عنصر غير معروف")
OBJECT = Words("must be an object", "يجب أن يكون كائنا")
LIST = Words("must be a list", "يجب أن يكون قائمة")


def find_faults(kind: Any, value: object, *, strict: bool = True) -> dict[str, Words]:
    """Every fault of `value` as a `kind`; empty if there is none."""
    faults: dict[str, Words] = {}
    _walk(kind, value, "", faults, strict=strict)
    return dict(list(faults.items())[:FAULTS_MAX])


def _walk(kind: Any, value: object, path: str, faults: dict[str, Words], *, strict: bool) -> None:
    if len(faults) >= FAULTS_MAX:
        return
    bare, is_nullable = _unwrap(kind)
    if value is None and is_nullable:
        return
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        _walk_struct(bare, value, path, faults, strict=strict)
    elif typing.get_origin(bare) in (list, tuple, Sequence):
        _walk_list(kind, bare, value, path, faults, strict=strict)
    elif not _fits(kind, value, strict=strict):
        faults[path or "body"] = expected(kind)


def _walk_struct(
    kind: type[msgspec.Struct], value: object, path: str, faults: dict[str, Words], *, strict: bool
) -> None:
    if not isinstance(value, dict):
        faults[path or "body"] = OBJECT
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    prefix = f"{path}." if path else ""
    for name in value:
        if name not in fields:
            faults[prefix + _shown(name)] = UNKNOWN
    before = len(faults)
    between = getattr(kind, "faults_between", None)
    if between is not None:  # rules over several members that name each of them
        faults.update({prefix + name: words for name, words in between(value).items()})
    for name, field in fields.items():
        if name in value:
            _walk(field.type, value[name], prefix + name, faults, strict=strict)
        elif field.required:
            faults[prefix + name] = MISSING
    if len(faults) == before and not any(name not in fields for name in value):
        _check_whole(kind, value, path, faults, strict=strict)


def _check_whole(
    kind: type, value: object, path: str, faults: dict[str, Words], *, strict: bool
) -> None:
    """A rule over several members (`__post_init__`) speaks for itself."""
    try:
        msgspec.convert(value, kind, strict=strict, dec_hook=read_hook)
    except msgspec.ValidationError as error:
        faults[path or "body"] = Words(str(error)[:200], str(error)[:200])


def _walk_list(
    kind: Any, bare: Any, value: object, path: str, faults: dict[str, Words], *, strict: bool
) -> None:
    if not isinstance(value, list):
        faults[path or "body"] = LIST
        return
    item = typing.get_args(bare)[0]
    before = len(faults)
    for position, element in enumerate(value):
        _walk(item, element, f"{path}[{position}]", faults, strict=strict)
        if len(faults) >= FAULTS_MAX:
            return
    if len(faults) == before and not _fits(kind, value, strict=strict):
        faults[path or "body"] = expected(kind)


def _fits(kind: Any, value: object, *, strict: bool) -> bool:
    try:
        msgspec.convert(value, kind, strict=strict, dec_hook=read_hook)
    except (msgspec.ValidationError, ValueError, ArithmeticError):
        return False
    return True


def _unwrap(kind: Any) -> tuple[Any, bool]:
    """The type without Annotated, None and Unset, and whether None is welcome."""
    if typing.get_origin(kind) is Annotated:
        return _unwrap(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (Union, types.UnionType):
        arguments = typing.get_args(kind)
        rest = [a for a in arguments if a not in (type(None), msgspec.UnsetType)]
        nullable = type(None) in arguments
        if len(rest) == 1:
            return _unwrap(rest[0])[0], nullable
        return Union[tuple(rest)], nullable  # noqa: UP007 - made at run time
    return kind, False


def is_text(kind: Any) -> bool:
    """True for a member that takes any text, the word "null" included."""
    return _unwrap(kind)[0] is str


def expected(kind: Any) -> Words:
    """What a member of this type must be, as a sentence."""
    return _describe(inspect.type_info(kind))


def _describe(info: Any) -> Words:  # noqa: C901, PLR0911 - one sentence for each kind of type
    if isinstance(info, inspect.Metadata):
        words = (info.extra or {}).get("words")
        return words if isinstance(words, Words) else _describe(info.type)
    if isinstance(info, inspect.UnionType):
        rest = [t for t in info.types if not isinstance(t, inspect.NoneType)]
        parts = [_describe(t) for t in rest]
        return Words(
            " or ".join(dict.fromkeys(p.en for p in parts)),
            " أو ".join(dict.fromkeys(p.ar for p in parts)),
        )
    if isinstance(info, inspect.CustomType) and issubclass(info.cls, WireType):
        return info.cls.expected
    if isinstance(info, inspect.BoolType):
        return Words("must be true or false", "يجب أن يكون true أو false")
    if isinstance(info, inspect.IntType):
        return _in_range(info)
    if isinstance(info, inspect.StrType):
        return _of_length(info)
    if isinstance(info, inspect.LiteralType):
        values = ", ".join(str(v) for v in info.values)
        return Words(f"must be one of: {values}", f"يجب أن يكون واحدا من: {values}")
    if isinstance(info, inspect.ListType | inspect.VarTupleType):
        most = info.max_length
        if most is None:
            return LIST
        return Words(
            f"must be a list of {info.min_length or 0} to {most} items",
            f"يجب أن تكون قائمة من {info.min_length or 0} إلى {most} عنصرا",
        )
    if isinstance(info, inspect.DictType | inspect.StructType):
        return OBJECT
    return Words("is not valid", "غير صحيح")


def _in_range(info: inspect.IntType) -> Words:
    if info.ge is not None and info.le is not None:
        return Words(
            f"must be a whole number from {info.ge} to {info.le}",
            f"يجب أن يكون عددا صحيحا من {info.ge} إلى {info.le}",
        )
    return Words("must be a whole number", "يجب أن يكون عددا صحيحا")


def _of_length(info: inspect.StrType) -> Words:
    least, most = info.min_length or 0, info.max_length
    if most is None:
        return Words("must be text", "يجب أن يكون نصا")
    return Words(
        f"must be plain text of {least} to {most} characters",
        f"يجب أن يكون نصا من {least} إلى {most} حرفا",
    )


def _shown(name: object) -> str:
    """A client's member name, bounded, as part of a path."""
    return str(name)[:100]
