"""What the simulators' HTTP sides have in common: pages, faults by PUT, trouble on the way.

Each simulator stays its own gateway; this is the stage it stands on.
"""

import asyncio
import functools
import html
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any, Literal

import falcon
import falcon.asgi
import msgspec

from eishro.errors import Words

BODY_BYTES_MAX = 64_000
HUGE_BYTES = 6_000_000  # more than any client should read
HTML = "text/html; charset=utf-8"
# No script at all; whoever is sent on by a form may go where the merchant wants.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)

Language = Literal["ar", "en"]


class Trouble(msgspec.Struct, forbid_unknown_fields=True):
    """What may go wrong with any answer on its way; everything off by default.

    `is_down` answers 503 and does nothing. The others do their work first: `delay_seconds` before
    answering, `status`, `body` and `is_huge` instead of the answer.
    """

    is_down: bool = False
    delay_seconds: float = 0.0
    status: int = 200
    body: str | None = None
    is_huge: bool = False


def refuse_all(response: falcon.asgi.Response) -> None:
    """The service is down, and says so in a page of a proxy."""
    response.status = 503
    response.content_type = HTML
    response.data = b"<html><body>The service is unavailable.</body></html>"


async def hinder(trouble: Trouble, response: falcon.asgi.Response) -> None:
    """What happens to a finished answer."""
    if trouble.delay_seconds > 0:
        await asyncio.sleep(trouble.delay_seconds)
    if trouble.is_huge:
        response.media = None
        response.data = b"x" * HUGE_BYTES
    elif trouble.body is not None:
        response.media = None
        response.data = trouble.body.encode()
    if trouble.status != 200:
        response.status = trouble.status


async def read_json(request: falcon.asgi.Request) -> dict[str, Any]:
    """The body as an object; anything else is an empty one."""
    try:
        body = msgspec.json.decode(await request.stream.read(BODY_BYTES_MAX))
    except (msgspec.DecodeError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


class Switch:
    """GET shows a struct of the simulator, PUT sets all of it (what is left out is off)."""

    def __init__(self, simulator: Any, name: str, then: Callable[[], None] | None = None) -> None:
        self._simulator = simulator
        self._name = name
        self._then = then

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.media = msgspec.to_builtins(getattr(self._simulator, self._name))

    async def on_put(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        kind = type(getattr(self._simulator, self._name))
        try:
            value = msgspec.convert(await read_json(request), kind)
        except msgspec.ValidationError as error:
            response.status = 422
            response.media = {"message": str(error)}
            return
        setattr(self._simulator, self._name, value)
        if self._then is not None:
            self._then()
        response.media = msgspec.to_builtins(value)


class Shown:
    """GET shows what the gateway has recorded, newest first."""

    def __init__(self, rows: Callable[[], Iterable[dict[str, Any]]]) -> None:
        self._rows = rows

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.media = list(self._rows())


class Stylesheet:
    """The pages' look."""

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.content_type = "text/css; charset=utf-8"
        response.data = _file("desk.css")


@functools.cache
def _file(name: str) -> bytes:
    return (resources.files(__package__) / "stage_static" / name).read_bytes()


class PhoneDesk:
    """A simulator's first page where codes go to a phone: messages that came, and who can pay.

    Args:
        style: the stylesheet's path.
        messages: phone and text, oldest first.
        payers: numbers that can be tried, with what happens.
    """

    def __init__(
        self,
        style: str,
        title: Words,
        code: str,
        messages: Sequence[tuple[str, str]] | deque[tuple[str, str]],
        payers: Mapping[str, Words],
    ) -> None:
        self._style = style
        self._title = title
        self._code = Words(f"The code is always {code}.", f"رمز التحقق دائما {code}.")
        self._messages = messages
        self._payers = payers

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        language = language_of(request)
        payers = [(number, words.in_(language)) for number, words in self._payers.items()]
        show_page(
            response,
            language,
            self._style,
            self._title,
            paragraph(language, HINT),
            paragraph(language, self._code),
            table(language, SMS_TITLE, SMS_HEADS, reversed(self._messages)),
            table(language, TEST_TITLE, TEST_HEADS, payers),
        )


def language_of(request: falcon.asgi.Request) -> Language:
    """Arabic, unless the address asks for English."""
    return "en" if request.params.get("lang") == "en" else "ar"


def show_page(
    response: falcon.asgi.Response, language: Language, style: str, title: Words, *content: str
) -> None:
    """Answer with a page; `content` is HTML already, `style` the stylesheet's path."""
    response.content_type = HTML
    response.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.set_header("Cache-Control", "no-store")
    response.set_header("Referrer-Policy", "no-referrer")
    response.set_header("X-Content-Type-Options", "nosniff")
    page = Template(_file("desk.html").decode())
    response.data = page.substitute(
        language=language,
        direction="rtl" if language == "ar" else "ltr",
        title=html.escape(title.in_(language)),
        style=html.escape(style),
        content="\n".join(content),
    ).encode()


def paragraph(language: Language, words: Words, kind: str = "") -> str:
    """A sentence as HTML."""
    return f'<p class="{kind}">{html.escape(words.in_(language))}</p>'


def table(
    language: Language, title: Words, heads: Sequence[Words], rows: Iterable[Sequence[str]]
) -> str:
    """A table as HTML; the first cell names its row and reads from left to right."""
    head = "".join(f'<th scope="col">{html.escape(h.in_(language))}</th>' for h in heads)
    body = "".join(
        f'<tr><th scope="row" dir="ltr">{html.escape(first)}</th>'
        + "".join(f'<td dir="auto">{html.escape(cell)}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        f"<h2>{html.escape(title.in_(language))}</h2>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


HINT = Words(
    "This is a simulator of `eishro dev`. No money moves here and no message is sent.",
    "هذا محاكي لبيئة التطوير. لا تتحرك أي أموال هنا ولا تُرسل أي رسالة.",
)
SMS_TITLE = Words("Messages on the payer's phone", "الرسائل على هاتف الدافع")
SMS_HEADS = (Words("Phone", "الهاتف"), Words("Message", "الرسالة"))
TEST_TITLE = Words("Test data", "بيانات الاختبار")
TEST_HEADS = (Words("Number", "الرقم"), Words("What happens", "ما الذي يحدث"))
