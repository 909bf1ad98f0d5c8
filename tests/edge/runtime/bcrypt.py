"""bcrypt (`$2b$`) in pure Python, for this test alone: the runtime's own package is native.

Slow and without protection against timing: never for real passwords. Source: Provos and Mazières,
"A Future-Adaptable Password Scheme" (1999); Blowfish's tables are the digits of pi.
"""

import secrets

_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_MASK = 0xFFFFFFFF
_WORDS = 18 + 4 * 256


def _pi_words() -> list[int]:
    """The first bits of pi's fraction as 32-bit words (Machin's formula)."""
    bits = _WORDS * 32 + 64
    one = 1 << bits

    def arctan_of_one_over(x: int) -> int:
        power = total = one // x
        n, sign = 3, -1
        while power:
            power //= x * x
            total += sign * (power // n)
            n, sign = n + 2, -sign
        return total

    pi = 4 * (4 * arctan_of_one_over(5) - arctan_of_one_over(239))
    fraction = (pi - 3 * one) >> 64
    return [(fraction >> (32 * (_WORDS - 1 - n))) & _MASK for n in range(_WORDS)]


_PI = _pi_words()


def _encipher(p: list[int], s: list[int], left: int, right: int) -> tuple[int, int]:
    for i in range(0, 16, 2):
        left ^= p[i]
        right ^= (
            ((s[left >> 24] + s[256 + (left >> 16 & 255)] & _MASK) ^ s[512 + (left >> 8 & 255)])
            + s[768 + (left & 255)]
        ) & _MASK
        right ^= p[i + 1]
        left ^= (
            ((s[right >> 24] + s[256 + (right >> 16 & 255)] & _MASK) ^ s[512 + (right >> 8 & 255)])
            + s[768 + (right & 255)]
        ) & _MASK
    return right ^ p[17], left ^ p[16]


def _cycled(key: bytes, count: int) -> list[int]:
    stream = (key * (count * 4 // len(key) + 1))[: count * 4]
    return [int.from_bytes(stream[i : i + 4]) for i in range(0, count * 4, 4)]


def _expand(p: list[int], s: list[int], key: list[int], salt: list[int]) -> None:
    for i in range(18):
        p[i] ^= key[i]
    left = right = turn = 0
    for table in (p, s):
        for i in range(0, len(table), 2):
            left, right = _encipher(p, s, left ^ salt[turn], right ^ salt[turn + 1])
            table[i], table[i + 1] = left, right
            turn = (turn + 2) % 4


def _raw(password: bytes, salt: bytes, cost: int) -> bytes:
    p, s = _PI[:18], _PI[18:]
    key, salt_words = _cycled(password[:72] + b"\0", 18), _cycled(salt, 18)
    _expand(p, s, key, salt_words[:4])
    nothing = [0, 0, 0, 0]
    for _ in range(1 << cost):
        _expand(p, s, key, nothing)
        _expand(p, s, salt_words, nothing)
    words = _cycled(b"OrpheanBeholderScryDoubt", 6)
    for _ in range(64):
        for i in (0, 2, 4):
            words[i], words[i + 1] = _encipher(p, s, words[i], words[i + 1])
    return b"".join(word.to_bytes(4) for word in words)[:23]


def _encode(content: bytes) -> str:
    bits = int.from_bytes(content) << (-len(content) * 8 % 6)
    length = -(-len(content) * 8 // 6)
    return "".join(_ALPHABET[bits >> 6 * (length - 1 - i) & 63] for i in range(length))


def _decode(text: str, length: int) -> bytes:
    bits = 0
    for character in text:
        bits = bits << 6 | _ALPHABET.index(character)
    return (bits >> (len(text) * 6 - length * 8)).to_bytes(length)


def gensalt(cost: int) -> bytes:
    return f"$2b${cost:02}${_encode(secrets.token_bytes(16))}".encode()


def hashpw(password: bytes, salt: bytes) -> bytes:
    _, _, cost, rest = salt.decode().split("$")
    raw = _raw(password, _decode(rest[:22], 16), int(cost))
    return f"$2b${cost}${rest[:22]}{_encode(raw)}".encode()


def checkpw(password: bytes, hashed: bytes) -> bool:
    return secrets.compare_digest(hashpw(password, hashed), hashed)
