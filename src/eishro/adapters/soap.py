"""SOAP 1.1: one call written, one answer read. Pure.

The reader is expat with everything switched off that an answer has no business with: a document
type (and with it entities, external or growing without end) and processing instructions end the
reading, depth and length are bounded. That is what `defusedxml` would do as well; it is no part
of the runtime, and these are a few lines.
"""

import html
from collections.abc import Mapping
from typing import Any, NamedTuple

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
DEPTH_MAX = 20
TEXT_LENGTH_MAX = 2_000
BYTES_MAX = 64_000


class SoapAnswer(NamedTuple):
    """What the answer says: the result's text as it stands there, or the fault's."""

    result: str | None
    fault: str | None


class _Refused(Exception):
    """Not an answer to the question that was asked."""


def soap_call(namespace: str, method: str, values: Mapping[str, str]) -> bytes:
    """The envelope of a call, UTF-8; every value is escaped.

    Raises:
        ValueError: a character that no XML document may hold.
    """
    for name, value in values.items():
        if not all(_is_allowed(character) for character in value):
            raise ValueError(f"{name} has a character that cannot be sent")
    inner = "".join(f"<{name}>{html.escape(value)}</{name}>" for name, value in values.items())
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<soap:Envelope xmlns:soap="{ENVELOPE}"><soap:Body>'
        f'<{method} xmlns="{html.escape(namespace)}">{inner}</{method}>'
        "</soap:Body></soap:Envelope>"
    ).encode()


def soap_headers(namespace: str, method: str) -> dict[str, str]:
    """What SOAP 1.1 wants beside the envelope; the action is quoted."""
    return {
        "Content-Type": "text/xml; charset=utf-8",
        "Accept": "text/xml",
        "SOAPAction": f'"{namespace}{method}"',
    }


def read_answer(body: bytes, namespace: str, method: str) -> SoapAnswer | None:
    """The answer to a call of `method`; None if it is anything else than exactly one.

    An empty result is "".
    """
    if len(body) > BYTES_MAX:
        return None
    # Where there is no such thing as SOAP, nothing need be loaded for it.
    import pyexpat

    reader = _Reader(namespace, method)
    parser = pyexpat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ProcessingInstructionHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
    except (pyexpat.ExpatError, _Refused, ValueError, LookupError):
        return None
    return reader.answer


def _refuse(*_: Any) -> None:
    raise _Refused


def _is_allowed(character: str) -> bool:
    return (character >= " " or character in "\t\n\r") and not (
        "\ud800" <= character <= "\udfff" or character in "\ufffe\uffff"
    )


class _Reader:
    """Keeps the text of the two places that matter, each at most once."""

    def __init__(self, namespace: str, method: str) -> None:
        body = (f"{ENVELOPE} Envelope", f"{ENVELOPE} Body")
        response, result = f"{namespace} {method}Response", f"{namespace} {method}Result"
        self._places: dict[tuple[str, ...], str] = {
            (*body, response, result): "result",
            (*body, f"{ENVELOPE} Fault", "faultstring"): "fault",
        }
        self._path: list[str] = []
        self._found: dict[str, str] = {}

    @property
    def answer(self) -> SoapAnswer | None:
        """None if neither stood there, or both."""
        if len(self._found) != 1:
            return None
        return SoapAnswer(self._found.get("result"), self._found.get("fault"))

    def start(self, name: str, _: Any) -> None:
        self._path.append(name)
        if len(self._path) > DEPTH_MAX:
            raise _Refused
        place = self._place()
        if place in self._found:
            raise _Refused
        if place is not None:
            self._found[place] = ""
        elif tuple(self._path[:-1]) in self._places:
            raise _Refused  # a result is text

    def end(self, _: str) -> None:
        self._path.pop()

    def text(self, more: str) -> None:
        place = self._place()
        if place is not None:
            self._found[place] += more
            if len(self._found[place]) > TEXT_LENGTH_MAX:
                raise _Refused

    def _place(self) -> str | None:
        return self._places.get(tuple(self._path))
