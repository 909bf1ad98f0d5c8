"""Files in S3-compatible storage (AWS, Cloudflare R2, SeaweedFS, …), through obstore.

Facts: Amazon S3 API reference (PutObject, GetObject, DeleteObjects, ListObjectsV2, error codes)
and obstore 0.12. Requests are path-style, since few servers but Amazon's resolve bucket names.
"""

import heapq
import os
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError as StorageError
from obstore.store import S3Store

from eishro.adapters.files.keys import check_key, check_prefix
from eishro.domain.files.port import FilesUnavailable, StoredFile

CONNECT_SECONDS_MAX = 5.0
REQUEST_SECONDS_MAX = 30.0
# Safe requests are repeated this often, and no more once so much time has gone by.
RETRIES_MAX = 2
RETRY_SECONDS_MAX = 10.0

if TYPE_CHECKING:
    from obstore.store import S3Config

_OPTIONS = {"endpoint", "region"}


class S3Files:
    """Whole files by key in one bucket.

    Args:
        url: `s3://[key:secret@]bucket?endpoint=https://host&region=auto`; without the key pair,
            AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; without the endpoint, Amazon's.
        request_seconds_max: the longest one request may take.

    Raises:
        ValueError: no bucket, no key pair, or an unknown option.
    """

    def __init__(self, url: str, *, request_seconds_max: float = REQUEST_SECONDS_MAX) -> None:
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if not parts.hostname or parts.path not in ("", "/") or options.keys() - _OPTIONS:
            raise ValueError("EISHRO_BLOB_URL: expected s3://bucket?endpoint=https://…&region=…")
        endpoint = options.get("endpoint")
        if endpoint is not None and not endpoint.startswith(("https://", "http://")):
            raise ValueError("EISHRO_BLOB_URL: the endpoint begins with https:// or http://")
        access_key, secret_key = _key_pair(parts.username, parts.password)
        config: S3Config = {
            "access_key_id": access_key,
            "secret_access_key": secret_key,
            "region": options.get("region", "auto"),
            "virtual_hosted_style_request": False,
        }
        if endpoint is not None:
            config["endpoint"] = endpoint
            # The library would let an AWS_ENDPOINT_URL_S3 in the environment win.
            config["aws_endpoint_url_s3"] = endpoint
        self._store = S3Store(
            parts.hostname,
            config=config,
            client_options={
                "allow_http": endpoint is not None and endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS_MAX),
                "timeout": timedelta(seconds=request_seconds_max),
            },
            retry_config={
                "max_retries": RETRIES_MAX,
                "retry_timeout": timedelta(seconds=RETRY_SECONDS_MAX),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=1),
                    "base": 2,
                },
            },
        )

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store or replace, in one request, which S3 applies as a whole or not at all."""
        check_key(key)
        attributes = {"Content-Type": content_type}
        try:
            await obstore.put_async(
                self._store, key, content, attributes=attributes, use_multipart=False
            )
        except (StorageError, OSError) as fault:
            _raise(fault)

    async def find(self, key: str) -> StoredFile | None:
        """The file, or None if there is none."""
        check_key(key)
        try:
            found = await obstore.get_async(self._store, key)
            content = await found.bytes_async()
        except FileNotFoundError as fault:
            if "<Code>NoSuchBucket</Code>" in str(fault):
                _raise(fault)
            return None
        except (StorageError, OSError) as fault:
            _raise(fault)
        content_type = found.attributes.get("Content-Type", "application/octet-stream")
        return StoredFile(bytes(content), content_type, (found.meta["e_tag"] or "").strip('"'))

    async def delete(self, key: str) -> None:
        """Remove; removing what is not there is a success."""
        check_key(key)
        try:
            await obstore.delete_async(self._store, key)
        except (StorageError, OSError) as fault:
            _raise(fault)

    async def list_keys(self, prefix: str, limit: int = 1000) -> list[str]:
        """At most `limit` keys that begin with `prefix`, in byte order.

        Some servers list folders before files, so every key in the prefix's folder is read and
        the first ones are kept; name a folder with few files, not the bucket.
        """
        check_prefix(prefix)
        folder = prefix.rpartition("/")[0] or None
        kept: list[str] = []
        try:
            async for entries in obstore.list(self._store, folder):
                found = [entry["path"] for entry in entries]
                kept = heapq.nsmallest(
                    limit, kept + [key for key in found if key.startswith(prefix)]
                )
        except (StorageError, OSError) as fault:
            _raise(fault)
        return kept

    async def aclose(self) -> None:
        """Connections close by themselves when they idle."""


def _key_pair(access_key: str | None, secret_key: str | None) -> tuple[str, str]:
    # Without a pair the library would ask the metadata service of a cloud that may not be there.
    if access_key and secret_key:
        return unquote(access_key), unquote(secret_key)
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    secret_key = os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        raise ValueError(
            "EISHRO_BLOB_URL: an s3:// address needs key:secret@ before the bucket, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
        )
    return access_key, secret_key


def _raise(fault: Exception) -> NoReturn:
    # The first line says what happened; the rest is the library's own structure.
    raise FilesUnavailable(str(fault).partition("\n")[0]) from fault
