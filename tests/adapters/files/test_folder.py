"""Files in a folder: the contract, restarts, and a disk that goes away."""

import os
from pathlib import Path

import pytest

from eishro.adapters.files import open_files
from eishro.adapters.files.folder import FolderFiles
from eishro.domain.files.port import BadKey, FilesUnavailable
from tests.contracts.files import FilesContract

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def files(root: Path) -> FolderFiles:
    return FolderFiles(root)


class TestFolderFiles(FilesContract):
    @pytest.fixture
    def prefix(self) -> str:
        return "t/"


async def test_bytes_type_and_etag_survive_a_restart(files: FolderFiles, root: Path) -> None:
    await files.put("media/a.webp", b"1", "image/webp")
    before = await files.find("media/a.webp")
    assert await FolderFiles(root).find("media/a.webp") == before


async def test_a_file_laid_in_by_hand_has_the_type_of_its_name(
    files: FolderFiles, root: Path
) -> None:
    (root / "logo.png").write_bytes(b"picture")
    (root / "odd.unknown-ending").write_bytes(b"\x00EISHRO\x01")
    logo, odd = await files.find("logo.png"), await files.find("odd.unknown-ending")
    assert logo is not None and odd is not None
    assert (logo.content, logo.content_type) == (b"picture", "image/png")
    assert (odd.content, odd.content_type) == (b"\x00EISHRO\x01", "application/octet-stream")


async def test_content_that_ends_like_a_stored_file_comes_back_whole(
    files: FolderFiles, root: Path
) -> None:
    await files.put("a", b"1", "text/plain")
    stored = (root / "a").read_bytes()
    await files.put("b", stored, "text/plain")
    found = await files.find("b")
    assert found is not None
    assert found.content == stored


async def test_a_key_cannot_be_the_folder_of_another(files: FolderFiles) -> None:
    await files.put("a/b", b"1", "text/plain")
    await files.put("c", b"1", "text/plain")
    for key in ("a", "c/d", "c/d/e"):
        with pytest.raises(BadKey):
            await files.put(key, b"1", "text/plain")
        assert await files.find(key) is None
        await files.delete(key)
    assert await files.list_keys("") == ["a/b", "c"]


async def test_a_half_written_file_is_never_seen_and_cleaned_up_later(
    files: FolderFiles, root: Path
) -> None:
    old, new = root / ".incoming" / "old", root / ".incoming" / "new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert await FolderFiles(root).list_keys("") == []
    assert not old.exists()
    assert new.exists()


async def test_a_disk_that_is_gone_is_reported_and_found_again(
    files: FolderFiles, root: Path
) -> None:
    await files.put("a", b"1", "text/plain")
    root.rename(root.with_name("unplugged"))
    root.mkdir()
    for call in (
        files.put("a", b"2", "text/plain"),
        files.find("a"),
        files.delete("a"),
        files.list_keys(""),
    ):
        with pytest.raises(FilesUnavailable):
            await call
    root.rmdir()
    root.with_name("unplugged").rename(root)
    found = await files.find("a")
    assert found is not None
    assert found.content == b"1"


async def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FilesUnavailable):
        FolderFiles(tmp_path / "file" / "below")


async def test_an_address_opens_its_folder(tmp_path: Path) -> None:
    files = open_files(f"file://{tmp_path}/with%20space")
    await files.put("a", b"1", "text/plain")
    await files.aclose()
    assert (tmp_path / "with space" / "a").exists()


async def test_a_wrong_address_names_the_setting() -> None:
    for url in ("", "/tmp/files", "file:relative", "file://host/path", "ftp://host/path"):
        with pytest.raises(ValueError, match="EISHRO_BLOB_URL"):
            open_files(url)
