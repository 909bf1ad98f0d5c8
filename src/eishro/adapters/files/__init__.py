"""Adapters of the files port (`domain/files/port.py`): a folder, or S3-compatible storage."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from eishro.domain.files.port import Files


def open_files(url: str) -> Files:
    """The storage that `EISHRO_BLOB_URL` names; a missing folder is made.

    Args:
        url: `file:///path`, or `s3://[key:secret@]bucket?endpoint=https://…&region=…`.

    Raises:
        ValueError: another scheme, or an address that cannot be read.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "file":
            if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
                raise ValueError("EISHRO_BLOB_URL: expected file:///absolute/path")
            from eishro.adapters.files.folder import FolderFiles

            return FolderFiles(Path(unquote(parts.path)))
        case "s3":
            # Imported here: the client is a large library that the embedded profile never needs.
            from eishro.adapters.files.s3 import S3Files

            return S3Files(url)
        case scheme:
            raise ValueError(f"EISHRO_BLOB_URL: expected file:///… or s3://…, not {scheme!r}")
