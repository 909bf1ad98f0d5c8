"""What simulators with pages for payers have in common, beside their stage: fields and pages."""

import functools
import html
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl

import falcon
import falcon.asgi
import msgspec

from eishro.errors import Words
from eishro.money import decimal_from_dirhams
from eishro.sandbox.stage import BODY_BYTES_MAX, HTML, Language

_STATIC = {
    "payer.css": "text/css; charset=utf-8",
    "payer.js": "text/javascript; charset=utf-8",
}


async def read_fields(request: falcon.asgi.Request) -> dict[str, Any]:
    """A form or a JSON object; anything else is an empty one."""
    body = await request.stream.read(BODY_BYTES_MAX)
    if (request.content_type or "").startswith("application/x-www-form-urlencoded"):
        try:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
        except ValueError:
            return {}
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def bearer_of(request: falcon.asgi.Request) -> str:
    """The token that came with the call."""
    kind, _, token = (request.get_header("Authorization") or "").partition(" ")
    return token if kind == "Bearer" else ""


def send_page(
    response: falcon.asgi.Response,
    prefix: str,
    language: Language,
    title: Words,
    parts: Sequence[str],
    *,
    posts_to: Sequence[str] = (),
) -> None:
    """A page of the simulator; `parts` are HTML, `posts_to` other origins its forms may reach."""
    response.content_type = HTML
    forms = " ".join(("'self'", *posts_to))
    response.set_header(
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'self'; script-src 'self'; form-action {forms}; "
        "base-uri 'none'; frame-ancestors 'none'",
    )
    response.set_header("Cache-Control", "no-store")
    response.set_header("Referrer-Policy", "no-referrer")
    direction = "ltr" if language == "en" else "rtl"
    heading = html.escape(title.in_(language))
    response.data = (
        f'<!doctype html><html lang="{language}" dir="{direction}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{heading}</title><link rel="stylesheet" href="{prefix}/static/payer.css">'
        f"</head><body><main><h1>{heading}</h1>{''.join(parts)}</main>"
        f'<script src="{prefix}/static/payer.js"></script></body></html>'
    ).encode()


def listing(head: Sequence[Words], rows: Sequence[Sequence[str]], language: Language) -> str:
    """A table of text."""
    titles = "".join(f'<th scope="col">{html.escape(h.in_(language))}</th>' for h in head)
    lines = "".join(
        "<tr>" + "".join(f"<td><bdi>{html.escape(cell)}</bdi></td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"


@functools.cache
def _static_file(name: str) -> bytes:
    folder = resources.files(__package__)
    own = (folder / "gateway_static" / name).read_bytes()
    # The look of the first simulator's form, and what only these pages have.
    base = (folder / "moamalat_static" / "form.css").read_bytes() if name == "payer.css" else b""
    return base + own


class Static:
    """The pages' style and script."""

    async def on_get(
        self, _: falcon.asgi.Request, response: falcon.asgi.Response, name: str
    ) -> None:
        if name not in _STATIC:
            raise falcon.HTTPNotFound
        response.content_type = _STATIC[name]
        response.data = _static_file(name)


def dinars(dirhams: int) -> str:
    """An amount for people."""
    return str(decimal_from_dirhams(dirhams))


def dirhams_of(text: object) -> int | None:
    """A gateway's own reading of dinars with at most two decimals; None for anything else."""
    whole, _, rest = str(text).partition(".")
    is_number = (whole + rest).isascii() and (whole + rest).isdigit() and len(whole) <= 9
    if not is_number or len(rest) > 2:
        return None
    return (int(whole) * 100 + int(rest.ljust(2, "0"))) * 10 or None


def shown_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Members as text, nulls left out."""
    return {str(k): str(v) for k, v in fields.items() if v is not None}
