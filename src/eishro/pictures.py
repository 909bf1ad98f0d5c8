"""What a picture sent by a stranger is, from its first bytes; nothing is decoded.

Only kinds that browsers show and that cannot run anything: JPEG, PNG and WebP.
"""

import struct

import msgspec

SIDE_MAX = 12_000  # pixels
PIXELS_MAX = 40_000_000
SIDE_MIN = 16
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Start of frame: the markers that carry a JPEG's size.
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


class Picture(msgspec.Struct, frozen=True):
    """Its MIME type, the usual ending of such files, and its size in pixels."""

    type: str
    ending: str
    width: int
    height: int

    @property
    def is_sane(self) -> bool:
        """False for a size that no camera and no screen makes."""
        sides = (self.width, self.height)
        is_small_enough = max(sides) <= SIDE_MAX and self.width * self.height <= PIXELS_MAX
        return min(sides) >= SIDE_MIN and is_small_enough


def look_at(content: bytes) -> Picture | None:
    """The picture, None if it is none of the three kinds or damaged at its beginning."""
    try:
        if content.startswith(_PNG):
            return _png(content)
        if content.startswith(_JPEG):
            return _jpeg(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp(content)
    except (struct.error, IndexError):
        return None
    return None


def _png(content: bytes) -> Picture | None:
    if content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", content[16:24])
    return Picture("image/png", "png", width, height)


def _jpeg(content: bytes) -> Picture | None:
    place = 2
    while place < len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:  # filling
            place += 1
            continue
        (length,) = struct.unpack(">H", content[place + 2 : place + 4])
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return Picture("image/jpeg", "jpg", width, height)
        if length < 2:
            return None
        place += 2 + length
    return None


def _webp(content: bytes) -> Picture | None:
    kind = content[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        height = int.from_bytes(content[27:30], "little") + 1
    elif kind == b"VP8L" and content[20] == 0x2F:
        bits = int.from_bytes(content[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", content[26:30]))
    else:
        return None
    return Picture("image/webp", "webp", width, height)
