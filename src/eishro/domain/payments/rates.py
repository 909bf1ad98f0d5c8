"""Dinars in dollars, for gateways that are settled in them. Pure.

The rate is written with the payment: dirhams asked for, rate, its source, cents sent.
"""

from decimal import Decimal

import msgspec

_MICRO = 1_000_000
_CENTS_OF_DOLLAR = 100
_DIRHAMS_OF_DINAR = 1_000


class UsdRate(msgspec.Struct, frozen=True):
    """`micro_dinars` for one dollar (4.85 is 4,850,000), and where that comes from."""

    micro_dinars: int
    source: str

    def cents(self, dirhams: int) -> int:
        """What the amount is in cents, rounded up: the shop is never paid less than it asked."""
        scaled = dirhams * _CENTS_OF_DOLLAR * _MICRO
        return -(-scaled // (self.micro_dinars * _DIRHAMS_OF_DINAR))


def rate_of(text: str, source: str) -> UsdRate:
    """The rate as settings write it (`4.8500`).

    Raises:
        ValueError: not above zero.
    """
    micro = int(Decimal(text) * _MICRO)
    if micro <= 0:
        raise ValueError("a rate is above zero")
    return UsdRate(micro, source)


def worth_of(minor: int, asked_minor: int, asked_dirhams: int) -> int:
    """What money in another currency is worth in dirhams, at the rate of the payment it came for;
    exactly what was asked for where it is exactly that.
    """
    return minor * asked_dirhams // asked_minor
