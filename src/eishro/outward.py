"""The port for calls that leave the house over HTTP.

Adapters of vendors use it; `adapters/http.py` fulfils it on a server, the edge profile with
`fetch`. No redirects are followed, TLS is verified, and an answer has a largest size.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol


class HttpReply(NamedTuple):
    """What came back: the status and at most `limit_bytes` of body."""

    status: int
    body: bytes


class NoReply(Exception):
    """Nothing usable came back: refused, timed out, cut off or too large.

    `sent` says whether the other side may have seen the request; only if it is False may a
    call with an effect be repeated without asking first. `is_silence` is False where the other
    side did answer, too much of it, or could not be asked because of ourselves.
    """

    def __init__(self, reason: str, *, sent: bool, is_silence: bool = True) -> None:
        super().__init__(reason)
        self.sent = sent
        self.is_silence = is_silence


class Http(Protocol):
    """One outward request, one bounded answer: what most vendors need."""

    async def post_json(
        self,
        url: str,
        body: Mapping[str, object],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """POST `body` as JSON.

        Raises:
            NoReply: no complete answer within the time and size given.
        """
        ...


class WebHttp(Http, Protocol):
    """The same for who also speaks as a browser does; times, sizes and errors as above."""

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """GET the address."""
        ...

    async def send(
        self,
        method: Literal["POST", "PUT"],
        url: str,
        content: bytes,
        *,
        headers: Mapping[str, str],
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """Send `content` as it is; `headers` name its type."""
        ...

    async def post_form(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """POST `form` as `application/x-www-form-urlencoded`."""
        ...
