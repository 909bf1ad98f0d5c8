"""The port Files: what media, invoices and backups rely on."""

import asyncio

import pytest

from eishro.domain.files.port import KEY_LENGTH_MAX, BadKey, Files, StoredFile

BAD_KEYS = [
    "",
    "/etc/passwd",
    "..",
    "../secret",
    "media/../../secret",
    "media/..",
    "media//a.png",
    "media/",
    "./a",
    "a/.hidden",
    ".incoming/a",
    "C:\\secret",
    "media\\a.png",
    "Media/A.png",
    "a.png\n",
    "a\x00.png",
    "a b",
    "%2e%2e/secret",
    "صورة.png",
    "a" * (KEY_LENGTH_MAX + 1),
]


@pytest.mark.anyio
class FilesContract:
    """Subclass it and provide the fixtures `files` and `prefix` (a fresh one, such as `t1/`)."""

    async def test_an_unknown_key_is_none(self, files: Files, prefix: str) -> None:
        assert await files.find(prefix + "nothing.png") is None

    async def test_bytes_and_type_come_back_as_they_were_put(
        self, files: Files, prefix: str
    ) -> None:
        await files.put(prefix + "a.webp", b"\x00\xff picture", "image/webp")
        stored = await files.find(prefix + "a.webp")
        assert stored is not None
        assert (stored.content, stored.content_type) == (b"\x00\xff picture", "image/webp")

    async def test_the_type_is_kept_whatever_the_name_says(self, files: Files, prefix: str) -> None:
        await files.put(prefix + "a.png", b"1", "text/plain; charset=utf-8")
        stored = await files.find(prefix + "a.png")
        assert stored is not None
        assert stored.content_type == "text/plain; charset=utf-8"

    async def test_an_empty_file_is_a_file(self, files: Files, prefix: str) -> None:
        await files.put(prefix + "empty", b"", "text/plain")
        stored = await files.find(prefix + "empty")
        assert stored is not None
        assert stored.content == b""

    async def test_a_big_file_comes_back_whole(self, files: Files, prefix: str) -> None:
        content = bytes(range(256)) * 80_000  # 20 MB
        await files.put(prefix + "big.bin", content, "application/octet-stream")
        stored = await files.find(prefix + "big.bin")
        assert stored is not None
        assert stored.content == content

    async def test_the_etag_changes_with_the_bytes_and_only_then(
        self, files: Files, prefix: str
    ) -> None:
        etags = []
        for content in (b"one", b"two", b"one"):
            await files.put(prefix + "a", content, "text/plain")
            stored = await files.find(prefix + "a")
            assert stored is not None
            etags.append(stored.etag)
        assert etags[0] == etags[2] != etags[1]
        assert '"' not in etags[0] != ""

    async def test_a_reader_sees_one_version_or_the_other(self, files: Files, prefix: str) -> None:
        versions = [(b"a" * 300_000, "text/a"), (b"b" * 200_000, "text/b")]
        await files.put(prefix + "a", *versions[0])

        async def read() -> list[StoredFile | None]:
            return [await files.find(prefix + "a") for _ in range(10)]

        async def write() -> None:
            for number in range(10):
                await files.put(prefix + "a", *versions[number % 2])

        seen, _, _ = await asyncio.gather(read(), write(), write())
        for stored in seen:
            assert stored is not None
            assert (stored.content, stored.content_type) in versions

    async def test_a_deleted_file_is_gone_and_may_be_deleted_again(
        self, files: Files, prefix: str
    ) -> None:
        await files.put(prefix + "a", b"1", "text/plain")
        await files.delete(prefix + "a")
        await files.delete(prefix + "a")
        assert await files.find(prefix + "a") is None

    async def test_keys_are_listed_by_prefix_in_byte_order(self, files: Files, prefix: str) -> None:
        names = ["a-b", "a.b", "a/b", "a/c/d", "a0", "a_b", "ab", "b/a-b"]
        for name in reversed(names):
            await files.put(prefix + name, b"1", "text/plain")
        assert await files.list_keys(prefix) == [prefix + name for name in names]
        assert await files.list_keys(prefix, limit=3) == [prefix + name for name in names[:3]]
        assert await files.list_keys(prefix + "a/") == [prefix + "a/b", prefix + "a/c/d"]
        assert await files.list_keys(prefix + "a/c") == [prefix + "a/c/d"]
        assert await files.list_keys(prefix + "ab") == [prefix + "ab"]
        assert await files.list_keys(prefix + "nothing/") == []

    async def test_more_keys_than_a_page_are_listed(self, files: Files, prefix: str) -> None:
        keys = [f"{prefix}{number:04}" for number in range(1_100)]
        for start in range(0, len(keys), 100):
            puts = (files.put(key, b"", "text/plain") for key in keys[start : start + 100])
            await asyncio.gather(*puts)
        assert await files.list_keys(prefix, limit=2_000) == keys
        assert await files.list_keys(prefix) == keys[:1000]

    @pytest.mark.parametrize("key", BAD_KEYS)
    async def test_a_key_that_is_no_plain_path_is_refused(self, files: Files, key: str) -> None:
        with pytest.raises(BadKey):
            await files.put(key, b"1", "text/plain")
        with pytest.raises(BadKey):
            await files.find(key)
        with pytest.raises(BadKey):
            await files.delete(key)

    async def test_a_prefix_cannot_climb_out(self, files: Files) -> None:
        for prefix in ("../", "/", "a/../", "a//"):
            with pytest.raises(BadKey):
                await files.list_keys(prefix)

    async def test_fifty_files_are_put_at_once(self, files: Files, prefix: str) -> None:
        await asyncio.gather(
            *(files.put(f"{prefix}{n}/a", str(n).encode(), "text/plain") for n in range(50))
        )
        found = await asyncio.gather(*(files.find(f"{prefix}{n}/a") for n in range(50)))
        assert [stored.content for stored in found if stored] == [
            str(n).encode() for n in range(50)
        ]
