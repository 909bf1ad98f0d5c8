"""The style sheet and the scripts of the hosted pages, served under `/assets/`."""

import functools
import hashlib
from importlib import resources

ASSETS_PATH = "/assets"

Asset = tuple[bytes, str, str]

_TYPES = {
    "pay.css": "text/css; charset=utf-8",
    "pay-again.css": "text/css; charset=utf-8",
    "pay-again.js": "text/javascript; charset=utf-8",
    "pay.js": "text/javascript; charset=utf-8",
    "pay-lightbox.js": "text/javascript; charset=utf-8",
    "pay-offline.js": "text/javascript; charset=utf-8",
    "pay-otp.js": "text/javascript; charset=utf-8",
}


def read_asset(name: str) -> Asset | None:
    """Content, content type and strong ETag of an asset; None for any other name."""
    return _load(name) if name in _TYPES else None


def asset_address(name: str) -> str:
    """Where a page finds an asset; the address changes with the content.

    Raises:
        KeyError: there is no such asset.
    """
    _, _, etag = _load(name)
    return f"{ASSETS_PATH}/{name}?v={etag.strip(chr(34))[:12]}"


@functools.cache
def _load(name: str) -> Asset:
    content_type = _TYPES[name]
    return tagged((resources.files(__package__) / "static" / name).read_bytes(), content_type)


def tagged(content: bytes, content_type: str) -> Asset:
    """Content with its type and an ETag made from it."""
    return content, content_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
