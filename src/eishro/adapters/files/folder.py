"""Files in a folder of this machine.

One file on disk holds the bytes and, behind them, a trailer with the content type and the etag:
both change in one rename, so a reader never sees the type of one version with the bytes of
another. Pictures and documents still open in any program, since their readers stop at their own
end. A file that somebody else laid into the folder has no trailer; its type follows its name.

Layout of the trailer: JSON, its length as 4 bytes (big-endian), 8 magic bytes.
"""

import asyncio
import contextlib
import hashlib
import mimetypes
import os
import secrets
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from eishro.adapters.files.keys import check_key, check_prefix
from eishro.domain.files.port import BadKey, FilesUnavailable, StoredFile

_MAGIC = b"\x00EISHRO\x01"
_LENGTH_BYTES = 4
_INCOMING = ".incoming"  # begins with a dot, as no key does
_LEFTOVER_SECONDS_MIN = 3_600.0


class _Trailer(msgspec.Struct, frozen=True):
    type: str
    etag: str


class FolderFiles:
    """Whole files by key below `path`; blocking calls run in threads.

    A key that is a folder of other keys (`a` beside `a/b`) is refused as `BadKey`. A full or
    failing disk raises `FilesUnavailable`.
    """

    def __init__(self, path: Path) -> None:
        self._root = path
        self._incoming = path / _INCOMING
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(self._incoming)
        except OSError as fault:
            raise FilesUnavailable(f"cannot write to {path}: {fault.strerror}") from fault

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store or replace; on return the bytes are on the disk, not only in its cache."""
        check_key(key)
        await asyncio.to_thread(self._put, key, content, content_type)

    async def find(self, key: str) -> StoredFile | None:
        """The file, or None if there is none."""
        check_key(key)
        return await asyncio.to_thread(self._find, key)

    async def delete(self, key: str) -> None:
        """Remove; removing what is not there is a success."""
        check_key(key)
        await asyncio.to_thread(self._delete, key)

    async def list_keys(self, prefix: str, limit: int = 1000) -> list[str]:
        """At most `limit` keys that begin with `prefix`, in byte order."""
        check_prefix(prefix)
        return await asyncio.to_thread(self._list_keys, prefix, limit)

    async def aclose(self) -> None:
        """Nothing stays open."""

    def _put(self, key: str, content: bytes, content_type: str) -> None:
        trailer = msgspec.json.encode(_Trailer(content_type, _etag(content)))
        target = self._root / key
        incoming = self._incoming / secrets.token_hex(16)
        try:
            with incoming.open("xb") as file:
                file.write(content)
                file.write(trailer)
                file.write(len(trailer).to_bytes(_LENGTH_BYTES) + _MAGIC)
                file.flush()
                os.fsync(file.fileno())
            self._make_folders(target.parent)
            incoming.replace(target)
            _sync_folder(target.parent)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as fault:
            incoming.unlink(missing_ok=True)
            raise BadKey(f"a key cannot be the folder of another: {key!r}") from fault
        except OSError as fault:
            with contextlib.suppress(OSError):
                incoming.unlink(missing_ok=True)
            raise FilesUnavailable(f"cannot write: {fault.strerror}") from fault

    def _make_folders(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folders(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)

    def _find(self, key: str) -> StoredFile | None:
        try:
            stored = (self._root / key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            self._check_mounted()
            return None
        except OSError as fault:
            raise FilesUnavailable(f"cannot read: {fault.strerror}") from fault
        return _with_trailer(stored) or _without_trailer(key, stored)

    def _delete(self, key: str) -> None:
        try:
            (self._root / key).unlink()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            self._check_mounted()
        except OSError as fault:
            raise FilesUnavailable(f"cannot delete: {fault.strerror}") from fault

    def _list_keys(self, prefix: str, limit: int) -> list[str]:
        self._check_mounted()
        inside = prefix.rpartition("/")[0]
        folder = self._root / inside if inside else self._root
        found = _keys_below(folder, f"{inside}/" if inside else "", prefix)
        try:
            return list(islice(found, limit))
        except OSError as fault:
            raise FilesUnavailable(f"cannot list: {fault.strerror}") from fault

    def _check_mounted(self) -> None:
        # A disk that is not mounted looks like a folder without files: ours has the folder that
        # the constructor made, and without it nothing can be said about any key.
        if not self._incoming.is_dir():
            raise FilesUnavailable(f"the folder is gone: {self._root}")


def _remove_leftovers(incoming: Path) -> None:
    """Remove what a crash left half-written; another process may be writing the newer ones."""
    for file in incoming.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > _LEFTOVER_SECONDS_MIN:
                file.unlink()


def _keys_below(folder: Path, path: str, prefix: str) -> Iterator[str]:
    """Keys in byte order: a folder sorts by its name with the slash, so `a-b` precedes `a/b`."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name + ("/" if entry.is_dir() else "")
                for entry in entries
                if not entry.name.startswith(".")
            )
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        key = path + name
        if not name.endswith("/"):
            if key.startswith(prefix):
                yield key
        elif key.startswith(prefix) or prefix.startswith(key):
            yield from _keys_below(folder / name, key, prefix)


def _with_trailer(stored: bytes) -> StoredFile | None:
    if not stored.endswith(_MAGIC):
        return None
    end = len(stored) - len(_MAGIC) - _LENGTH_BYTES
    start = end - int.from_bytes(stored[end : end + _LENGTH_BYTES])
    try:
        trailer = msgspec.json.decode(stored[max(start, 0) : end], type=_Trailer)
    except msgspec.DecodeError:
        return None
    return StoredFile(stored[:start], trailer.type, trailer.etag)


def _without_trailer(key: str, stored: bytes) -> StoredFile:
    content_type = mimetypes.guess_type(key)[0] or "application/octet-stream"
    return StoredFile(stored, content_type, _etag(stored))


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _sync_folder(folder: Path) -> None:
    """Make a rename or a new folder survive a power cut: the entry lives in its parent."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
