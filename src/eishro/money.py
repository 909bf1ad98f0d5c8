"""Money: integer minor units, and the table of exponents.

1 LYD = 1000 dirhams (ISO 4217 numeric 434, exponent 3). Amounts inside the system are `int`
dirhams in variables that end in `_dirhams`. Decimals exist only at the doors.
"""

from collections.abc import Sequence
from decimal import Decimal

EXPONENTS = {"LYD": 3, "USD": 2}
LYD_NUMERIC = "434"

# The largest amount the system accepts anywhere: a billion dinars stays far below 2**53 dirhams,
# so that every engine and every JSON reader holds it exactly, sums included.
DIRHAMS_MAX = 1_000_000_000_000


def dirhams_from_decimal(amount: Decimal) -> int:
    """Dinars as an exact decimal to dirhams.

    Raises:
        ValueError: more than 3 decimals, not finite, or beyond `DIRHAMS_MAX`.
    """
    # `copy_abs` and comparing are exact; most other operations round to 28 digits.
    if not amount.is_finite() or amount.copy_abs() > DIRHAMS_MAX // 1000:
        raise ValueError("amount out of range")
    sign, digits, exponent = amount.as_tuple()
    shift = int(exponent) + EXPONENTS["LYD"]
    if shift < 0:
        if any(digits[shift:]):
            raise ValueError("more than 3 decimals")
        digits, shift = digits[:shift], 0
    whole = int("".join(map(str, digits)) or "0") * (10**shift if any(digits) else 0)
    return -whole if sign else whole


def decimal_from_dirhams(dirhams: int) -> Decimal:
    """Dirhams to dinars with exactly three decimals (25500 -> 25.500)."""
    return Decimal(dirhams).scaleb(-EXPONENTS["LYD"])


def allocate(total_dirhams: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights without losing a dirham.

    Args:
        total_dirhams: any amount, may be negative (refunds).
        weights: at least one, each >= 0, not all zero; shape (lines,).
    Returns: one amount per weight, sum equal to `total_dirhams`; leftovers go to the largest
        remainders, first line first.

    Raises:
        ValueError: if the weights are empty, negative or all zero.
    Source: largest remainder method (Hamilton).
    """
    whole = sum(weights)
    if not weights or whole <= 0 or min(weights) < 0:
        raise ValueError("weights must be >= 0 and not all zero")
    sign = -1 if total_dirhams < 0 else 1
    magnitude = abs(total_dirhams)
    shares = [magnitude * weight // whole for weight in weights]
    rest = magnitude - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(magnitude * weights[i] % whole), i))
    for i in by_remainder[:rest]:
        shares[i] += 1
    return [sign * share for share in shares]
