"""Heads of requests: which are refused before an application sees them, and ASGI's scope of the
others. The parser has refused what is not HTTP/1 by its grammar.
"""

from typing import Any
from urllib.parse import unquote

import httptools

from eishro.server.exchange import WHOLE_ANSWER

Headers = list[tuple[bytes, bytes]]

_ASGI = {"version": "3.0", "spec_version": "2.4"}
_EXTENSIONS: dict[str, dict[str, object]] = {WHOLE_ANSWER: {}}
BAD, UNKNOWN_CODING, OTHER_VERSION = 400, 501, 505


class Refused(Exception):
    """Raised within the parser to stop it; the request is answered `status`."""

    def __init__(self, status: int) -> None:
        self.status = status


def size_of(url: bytes, headers: Headers) -> int:
    """Bytes of the address and the headers."""
    return len(url) + sum(len(name) + len(value) for name, value in headers)


def check_headers(headers: Headers, version: str) -> bool:
    """Whether the client waits to be told to send its body.

    Raises:
        Refused: RFC 9112, 3.2 and 6.1. Two hosts, or a body in an unknown coding, are a request
            that somebody on the way may have understood otherwise.
    """
    hosts, waits = 0, False
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"expect":
            waits = value.lower() == b"100-continue" and version == "1.1"
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            raise Refused(UNKNOWN_CODING)
    if hosts != 1 and (hosts or version == "1.1"):
        raise Refused(BAD)
    return waits


def scope_of(
    parser: httptools.HttpRequestParser,
    url: bytes,
    headers: Headers,
    client: tuple[str, int] | None,
    version: str,
) -> dict[str, Any]:
    """ASGI's scope of the request whose head the parser has just read.

    Raises:
        Refused: of another version, or asking for what is not an address of ours.
    """
    if version not in ("1.1", "1.0"):
        raise Refused(OTHER_VERSION)
    if not url.startswith(b"/"):
        url, headers = _within(url, headers)
    raw_path, _, query = url.partition(b"#")[0].partition(b"?")
    path = raw_path.decode("ascii")  # the parser lets nothing else pass
    return {
        "type": "http",
        "asgi": _ASGI,
        "extensions": _EXTENSIONS,
        "http_version": version,
        "method": parser.get_method().decode("ascii"),
        "scheme": "http",
        "path": unquote(path) if "%" in path else path,
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": client,
        "server": None,
    }


def _within(url: bytes, headers: Headers) -> tuple[bytes, Headers]:
    """The path and query of `http://host/path?query`, as clients of proxies send it; its host
    stands above the header's (RFC 9112, 3.2.2). `*` stays what it is.
    """
    if url == b"*":
        return url, headers
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        raise Refused(BAD) from None
    if parsed.schema is None:
        raise Refused(BAD)
    authority = url.partition(b"//")[2]
    for end in (b"/", b"?", b"#"):
        authority = authority.partition(end)[0]
    host = (b"host", authority.rpartition(b"@")[2])
    others = [header for header in headers if header[0] != b"host"]
    query = b"?" + parsed.query if parsed.query else b""
    return (parsed.path or b"/") + query, [host, *others]


def without_upgrade(parser: httptools.HttpRequestParser, url: bytes, headers: Headers) -> bytes:
    """The head that the parser has just read, as it is when it asks for no other protocol."""
    version = parser.get_http_version().encode()
    lines = [b"%b %b HTTP/%b\r\n" % (parser.get_method(), url, version)]
    lines += [b"%b: %b\r\n" % header for header in headers if header[0] != b"upgrade"]
    return b"".join(lines) + b"\r\n"
