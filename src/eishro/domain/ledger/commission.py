"""The platform's share of an order, in whole dirhams. Pure; rates are basis points (1 % is 100).

The share is rounded down to the dirham: what cannot be divided stays with the store, so nobody is
ever charged more than the rate that was agreed, and a share never exceeds the amount.
"""

WHOLE = 10_000  # basis points of the whole


def commission_of(amount_dirhams: int, basis_points: int) -> int:
    """The platform's share of an amount that was received, rounded down.

    Raises:
        ValueError: a negative amount, or a rate beyond the whole.
    """
    if amount_dirhams < 0 or not 0 <= basis_points <= WHOLE:
        raise ValueError(f"no share of {amount_dirhams} at {basis_points}")
    return amount_dirhams * basis_points // WHOLE


def commission_back(
    total_dirhams: int, basis_points: int, refunded_before: int, refunded_now: int
) -> int:
    """What the platform gives back of its share when part of an order is refunded.

    After every refund the platform has kept exactly its share of what is left, so the pieces
    add up to the whole share however an order is refunded, and none is negative.

    Args:
        total_dirhams: what was received and charged.
        refunded_before: dirhams refunded before this refund.
        refunded_now: dirhams of this one; both together at most `total_dirhams`.

    Raises:
        ValueError: more refunded than received, or a negative amount.
    """
    left = total_dirhams - refunded_before
    if refunded_before < 0 or refunded_now < 0 or refunded_now > left:
        raise ValueError(f"{refunded_now} of {left} cannot be refunded")
    kept = commission_of(left, basis_points)
    return kept - commission_of(left - refunded_now, basis_points)


def commission_added(basis_points: int, before: int, now: int) -> dict[str, int]:
    """The entries of the share, to post with the money: an expense of the store, owed to the
    platform. Where money comes piece by piece they are together the share of the whole, to the
    dirham.

    Args:
        before: dirhams that came earlier.
        now: dirhams that come with this posting.
    """
    share = commission_of(before + now, basis_points) - commission_of(before, basis_points)
    return {"commission": share, "platform_fees": -share}


def commission_returned(
    total_dirhams: int, basis_points: int, refunded_before: int, refunded_now: int
) -> dict[str, int]:
    """The entries that give the share of a refund back; as `commission_back` counts it."""
    share = commission_back(total_dirhams, basis_points, refunded_before, refunded_now)
    return {"commission": -share, "platform_fees": share}
