"""Reading a long JSON object in pieces: others get their turn of the event loop in between.

A listing of a thousand transactions takes the standard reader five milliseconds at one go, in
which nobody else is answered; a thread would hold the interpreter as long.
"""

import asyncio
import json
import re
from collections.abc import Generator
from typing import Any

from eishro.adapters.payments.wire import once_each, strict_decoder

DEPTH = 4  # of what is read by hand: days of a listing, and the transactions of a day
VALUES_IN_A_TURN = 25  # read without a pause

_SPACE = re.compile(r"[ \t\n\r]*")
_Read = tuple[Any, int]  # what was read, and where the text goes on


async def read_long_object(body: bytes, *, bytes_max: int) -> dict[str, Any] | None:
    """What `wire.read_object` reads, and None where it reads nothing; with pauses."""
    if len(body) > bytes_max:
        return None
    try:
        text = body.decode("utf-8-sig")
        reading = _read(strict_decoder(str), text, _skip(text, 0), DEPTH)
        count = 0
        while True:
            try:
                next(reading)
            except StopIteration as end:
                found, at = end.value
                break
            count += 1
            if count % VALUES_IN_A_TURN == 0:
                await asyncio.sleep(0)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and _skip(text, at) == len(text) else None


def _read(
    decoder: json.JSONDecoder, text: str, at: int, depth: int
) -> Generator[None, None, _Read]:
    """The value that begins here; pauses after each that is read as a whole."""
    opening = text[at : at + 1]
    if not depth or opening not in ("{", "["):
        found: _Read = decoder.raw_decode(text, at)
        yield
        return found
    closing = "}" if opening == "{" else "]"
    names: list[str] = []
    values: list[Any] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != closing or values:  # after a comma a value must follow
        if opening == "{":
            name, at = _name(decoder, text, at)
            names.append(name)
        value, at = yield from _read(decoder, text, at, depth - 1)
        values.append(value)
        at = _skip(text, at)
        if text[at : at + 1] == closing:
            break
        at = _past(text, at, ",")
    whole = once_each(list(zip(names, values, strict=True))) if opening == "{" else values
    return whole, at + 1


def _name(decoder: json.JSONDecoder, text: str, at: int) -> tuple[str, int]:
    """A member's name, and where its value begins."""
    if text[at : at + 1] != '"':
        raise ValueError("a member has no name")
    name, at = decoder.raw_decode(text, at)
    return name, _past(text, _skip(text, at), ":")


def _past(text: str, at: int, mark: str) -> int:
    """Where the text goes on after this mark."""
    if text[at : at + 1] != mark:
        raise ValueError(f"{mark} is missing")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    """Where the text goes on after spaces."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
