"""Files: public media and private documents, by key, in a folder or in S3-compatible storage."""

from typing import Protocol

import msgspec

KEY_PATTERN = r"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$"
KEY_LENGTH_MAX = 200


class StoredFile(msgspec.Struct, frozen=True):
    """A file's bytes and what they are; `etag` changes when the bytes do."""

    content: bytes
    content_type: str
    etag: str


class BadKey(ValueError):
    """A key outside `KEY_PATTERN` or longer than `KEY_LENGTH_MAX`: a fault of the caller."""


class FilesUnavailable(Exception):
    """The storage does not answer or refuses us; trying again can help."""


class Files(Protocol):
    """Whole files by key. Keys are lower-case paths (`KEY_PATTERN`); no `..`, no leading `/`."""

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store or replace; a reader sees the old bytes or the new, never a mixture."""
        ...

    async def find(self, key: str) -> StoredFile | None:
        """The file, or None if there is none."""
        ...

    async def delete(self, key: str) -> None:
        """Remove; removing what is not there is a success."""
        ...

    async def list_keys(self, prefix: str, limit: int = 1000) -> list[str]:
        """At most `limit` keys that begin with `prefix`, in byte order."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
