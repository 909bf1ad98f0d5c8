"""Files in a real S3 server (SeaweedFS): the contract, refusals, sudden death, silence."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from eishro.adapters.files import open_files
from eishro.adapters.files.s3 import S3Files
from eishro.domain.files.port import Files, FilesUnavailable
from eishro.ids import readable_code
from tests.contracts.files import FilesContract
from tests.servers.seaweedfs import SeaweedFS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def files(seaweedfs: SeaweedFS) -> AsyncIterator[Files]:
    files = open_files(seaweedfs.url)
    yield files
    await files.aclose()


@pytest.fixture
def prefix() -> str:
    return readable_code(12).lower() + "/"


class TestS3Files(FilesContract):
    pass


async def test_a_wrong_secret_is_refused(seaweedfs: SeaweedFS, files: Files, prefix: str) -> None:
    await files.put(prefix + "a", b"1", "text/plain")
    forged = S3Files(seaweedfs.url_with(seaweedfs.access_key, "not-the-secret"))
    for call in (
        forged.put(prefix + "a", b"2", "text/plain"),
        forged.find(prefix + "a"),
        forged.delete(prefix + "a"),
        forged.list_keys(prefix),
    ):
        with pytest.raises(FilesUnavailable) as refusal:
            await call
        assert "not-the-secret" not in str(refusal.value)
    stored = await files.find(prefix + "a")
    assert stored is not None
    assert stored.content == b"1"


async def test_an_unknown_key_pair_is_refused(seaweedfs: SeaweedFS, prefix: str) -> None:
    stranger = S3Files(seaweedfs.url_with("nobody", seaweedfs.secret_key))
    with pytest.raises(FilesUnavailable):
        await stranger.find(prefix + "a")


async def test_a_missing_bucket_is_not_taken_for_a_missing_file(seaweedfs: SeaweedFS) -> None:
    files = S3Files(seaweedfs.url.replace(f"@{seaweedfs.bucket}", "@no-such-bucket"))
    with pytest.raises(FilesUnavailable, match="no-such-bucket"):
        await files.find("a")


async def test_the_key_pair_may_come_from_the_environment(
    seaweedfs: SeaweedFS, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"s3://{seaweedfs.bucket}?endpoint={seaweedfs.endpoint}"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(ValueError, match="AWS_ACCESS_KEY_ID"):
        S3Files(url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")  # ours wins
    await S3Files(url).put(prefix + "a", b"1", "text/plain")


async def test_a_dead_server_is_reported_and_found_again(
    seaweedfs: SeaweedFS, files: Files, prefix: str
) -> None:
    await files.put(prefix + "a", b"1", "text/plain")
    seaweedfs.kill()
    try:
        for call in (
            files.put(prefix + "b", b"1", "text/plain"),
            files.find(prefix + "a"),
            files.delete(prefix + "a"),
            files.list_keys(prefix),
        ):
            with pytest.raises(FilesUnavailable):
                await call
    finally:
        seaweedfs.start()
    stored = await files.find(prefix + "a")
    assert stored is not None
    assert (stored.content, stored.content_type) == (b"1", "text/plain")


async def test_a_silent_server_is_reported_in_time(seaweedfs: SeaweedFS, prefix: str) -> None:
    files = S3Files(seaweedfs.url, request_seconds_max=0.2)
    seaweedfs.process.freeze()
    try:
        async with asyncio.timeout(5):
            with pytest.raises(FilesUnavailable):
                await files.put(prefix + "a", b"1", "text/plain")
            with pytest.raises(FilesUnavailable):
                await files.find(prefix + "a")
    finally:
        seaweedfs.process.thaw()


async def test_a_wrong_address_names_the_setting() -> None:
    for url in (
        "s3://",
        "s3://key:secret@bucket/folder",
        "s3://key:secret@bucket?endpoint=storage.example.com",
        "s3://key:secret@bucket?acl=public",
    ):
        with pytest.raises(ValueError, match="EISHRO_BLOB_URL") as refusal:
            open_files(url)
        assert "secret@" not in str(refusal.value)
