"""Cloudflare R2: the `Files` port on an R2 binding.

Facts: Cloudflare's "R2 Workers API reference" (read in 2026): strongly consistent, whole objects
at a time, listing in byte order a thousand keys at a time.
"""

from typing import Any

from eishro.adapters.files.keys import check_key, check_prefix
from eishro.domain.files.port import FilesUnavailable, StoredFile
from eishro.edge import runtime

_PAGE = 1000  # the most R2 lists at once
_DEFAULT_TYPE = "application/octet-stream"


class R2Files:
    """Whole files by key in one bucket; `name` is the binding's, for messages."""

    def __init__(self, binding: Any, name: str = "FILES") -> None:
        self._binding = binding
        self._name = name

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store or replace; R2 applies it as a whole."""
        check_key(key)
        options = runtime.to_js({"httpMetadata": {"contentType": content_type}})
        try:
            await self._binding.put(key, runtime.bytes_to_js(content), options)
        except runtime.js_error() as fault:
            raise self._unavailable(fault) from fault

    async def find(self, key: str) -> StoredFile | None:
        """The file, or None if there is none."""
        check_key(key)
        try:
            found = await self._binding.get(key)
            if runtime.is_nothing(found):
                return None
            content = runtime.bytes_from_js(await found.arrayBuffer())
        except runtime.js_error() as fault:
            raise self._unavailable(fault) from fault
        content_type = getattr(found.httpMetadata, "contentType", None)
        return StoredFile(content, content_type or _DEFAULT_TYPE, str(found.etag))

    async def delete(self, key: str) -> None:
        """Remove; removing what is not there is a success."""
        check_key(key)
        try:
            await self._binding.delete(key)
        except runtime.js_error() as fault:
            raise self._unavailable(fault) from fault

    async def list_keys(self, prefix: str, limit: int = 1000) -> list[str]:
        """At most `limit` keys that begin with `prefix`, in byte order."""
        check_prefix(prefix)
        keys: list[str] = []
        options: dict[str, object] = {"prefix": prefix}
        while len(keys) < limit:
            options["limit"] = min(_PAGE, limit - len(keys))
            try:
                page = await self._binding.list(runtime.to_js(options))
            except runtime.js_error() as fault:
                raise self._unavailable(fault) from fault
            keys += [str(found.key) for found in page.objects]
            if not page.truncated:
                break
            options["cursor"] = str(page.cursor)
        return keys

    async def aclose(self) -> None:
        """A binding needs no closing."""

    def _unavailable(self, fault: BaseException) -> FilesUnavailable:
        return FilesUnavailable(f"R2 binding {self._name}: {fault}")
