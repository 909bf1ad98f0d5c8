"""Notes adapters' calls, with everything masked that may not be kept."""

import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from eishro.clock import Clock
from eishro.domain.payments.exchanges import TEXT_MAX, Noted, present_reference
from eishro.outward import HttpReply, NoReply, WebHttp

REFERENCES_MAX = 1_000  # whose notes wait to be taken; the oldest are lost first
NOTES_MAX = 20  # of one reference
_HIDDEN = "•••"
# Names of members that are never kept, and of those of which the end is enough to recognise them;
# compared without case, underscores and hyphens.
_SECRET = {
    "accesstoken", "apikey", "apipassword", "authorization", "birthyear", "cardholdername", "code",
    "customeremail", "customername", "cvv", "cvv2", "dateexpiration", "email", "key", "otp",
    "password", "payername", "pin", "pw", "refreshtoken", "securehash", "sendername",
    "successindicator", "token", "value",
}  # fmt: skip
_PARTLY = {
    "card", "cardno", "cmobile", "customermobile", "customerphone", "identitycard", "mobile",
    "mobileno", "mobilenumber", "msisdn", "pan", "payeraccount", "phone",
}  # fmt: skip
_PAN = re.compile(r"(?<![0-9A-Za-z])[0-9]{15,19}(?![0-9A-Za-z])", re.ASCII)
_ELEMENT = re.compile(rb"<([A-Za-z0-9_:.-]{1,60})>([^<>]{0,500})</\1>")


class MemoryJournal:
    """The `Journal` of a process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._notes: OrderedDict[str, list[Noted]] = OrderedDict()

    def watch(self, http: WebHttp, provider: str) -> WebHttp:
        """The same calls, noted."""
        return _Watched(http, provider, self)

    def take(self, reference: str) -> list[Noted]:
        """What was noted of this wire reference since it was last taken."""
        return self._notes.pop(reference, [])

    def add(
        self,
        provider: str,
        call: str,
        request: str,
        reply: HttpReply | NoReply,
        started: float,
    ) -> None:
        """Note one call, if it is known what it is about."""
        reference = present_reference()
        if reference is None:
            return
        came = isinstance(reply, HttpReply)
        note = Noted(
            provider=provider,
            reference=reference,
            call=call,
            request=request[:TEXT_MAX],
            status=reply.status if isinstance(reply, HttpReply) else None,
            reply=masked_bytes(reply.body)[:TEXT_MAX] if isinstance(reply, HttpReply) else "",
            error=None if came else str(reply)[:200],
            milliseconds=round((time.monotonic() - started) * 1_000),
            at=self._clock.now(),
        )
        notes = self._notes.setdefault(reference, [])
        notes.append(note)
        del notes[:-NOTES_MAX]
        while len(self._notes) > REFERENCES_MAX:
            self._notes.popitem(last=False)


class _Watched:
    def __init__(self, http: WebHttp, provider: str, journal: MemoryJournal) -> None:
        self._http = http
        self._provider = provider
        self._journal = journal

    async def get(self, url: str, **more: Any) -> HttpReply:
        return await self._noted("GET", url, "", self._http.get(url, **more))

    async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
        shown = msgspec.json.encode(masked(body)).decode()
        return await self._noted("POST", url, shown, self._http.post_json(url, body, **more))

    async def post_form(self, url: str, form: Mapping[str, str], **more: Any) -> HttpReply:
        shown = msgspec.json.encode(masked(form)).decode()
        return await self._noted("POST", url, shown, self._http.post_form(url, form, **more))

    async def send(
        self, method: Literal["POST", "PUT"], url: str, content: bytes, **more: Any
    ) -> HttpReply:
        shown = masked_bytes(content)
        return await self._noted(method, url, shown, self._http.send(method, url, content, **more))

    async def _noted(self, method: str, url: str, request: str, asking: Any) -> HttpReply:
        started = time.monotonic()
        call = f"{method} {_place(url)}"
        try:
            reply: HttpReply = await asking
        except NoReply as error:
            self._journal.add(self._provider, call, request, error, started)
            raise
        self._journal.add(self._provider, call, request, reply, started)
        return reply


def masked(value: object, name: str = "") -> object:
    """The value without what may not be kept; names decide, and what looks like a card number."""
    key = re.sub(r"[_\-]", "", name).lower().rpartition(":")[2]
    if isinstance(value, Mapping):
        return {str(k): masked(v, str(k)) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(one, name) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if key in _SECRET and str(value):
        return _HIDDEN
    if key in _PARTLY:
        return _HIDDEN + str(value)[-3:]
    return _PAN.sub(_mask_card, value) if isinstance(value, str) else value


def masked_bytes(content: bytes) -> str:
    """A body as masked text: JSON and XML by their names, anything else by its look alone."""
    head = content[: TEXT_MAX * 4]
    try:
        return msgspec.json.encode(masked(msgspec.json.decode(content))).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        pass
    if head.lstrip()[:1] == b"<":
        head = _ELEMENT.sub(_mask_element, head)
    text = head.decode("utf-8", "replace")
    return _PAN.sub(_mask_card, "".join(c for c in text if c.isprintable()))


def _mask_element(found: re.Match[bytes]) -> bytes:
    name, text = found[1].decode(), found[2].decode("utf-8", "replace")
    return f"<{name}>{masked(text, name)}</{name}>".encode()


def _mask_card(found: re.Match[str]) -> str:
    digits = found[0]
    return (
        digits if not _is_luhn(digits) else f"{digits[:6]}{'X' * (len(digits) - 10)}{digits[-4:]}"
    )


def _is_luhn(digits: str) -> bool:
    """True for numbers with the check digit of cards; dates and references rarely have it."""
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)) % 10 == 0


def _place(url: str) -> str:
    """The address without what a query may hold."""
    parts = urlsplit(url)
    pairs = [(name, str(masked(text, name))) for name, text in parse_qsl(parts.query)]
    return parts.path + (f"?{urlencode(pairs)}" if pairs else "")
