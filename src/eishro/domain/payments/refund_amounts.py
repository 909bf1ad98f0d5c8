"""How much of an order's money may go back, and what a piece of a line is worth. Pure."""

from collections.abc import Sequence

import msgspec

from eishro.domain.payments.refunds import RefundedLine, RefundTooLarge
from eishro.errors import Invalid, Words
from eishro.money import allocate, decimal_from_dirhams


class WantedLine(msgspec.Struct, frozen=True):
    """Pieces of one of the order's lines, named by its position or by its variant."""

    quantity: int
    position: int | None = None
    variant_id: int | None = None


class RefundWanted(msgspec.Struct, frozen=True, kw_only=True):
    """How much is to go back: an amount, pieces of lines, the delivery, or all that is left.

    With lines or delivery, an amount is what is paid of their worth (a fee kept back).
    """

    reason: str
    amount_dirhams: int | None = None
    lines: tuple[WantedLine, ...] = ()
    delivery: bool = False


class RefundableLine(msgspec.Struct, frozen=True):
    """A line of the order: what was paid for it, and how many of its pieces were refunded."""

    position: int
    variant_id: int
    quantity: int
    net_dirhams: int
    refunded: int


class Standing(msgspec.Struct, frozen=True):
    """An order's money as refunds see it: what came, what refunds come to, and what is left of
    goods and of delivery.
    """

    captured_dirhams: int
    opened_dirhams: int
    goods_left_dirhams: int
    delivery_left_dirhams: int

    @property
    def remaining_dirhams(self) -> int:
        """What may still be refunded."""
        return max(0, self.captured_dirhams - self.opened_dirhams)


class Amounts(msgspec.Struct, frozen=True):
    """What a refund comes to."""

    amount_dirhams: int
    goods_dirhams: int
    delivery_dirhams: int
    lines: tuple[RefundedLine, ...]


def worth_of(line: RefundableLine, pieces: int) -> int:
    """What the next `pieces` of a line are worth: however it is cut, the parts sum to the whole.

    Args:
        pieces: at most those not refunded yet.
    """
    shares = allocate(line.net_dirhams, [1] * line.quantity)
    return sum(shares[line.refunded : line.refunded + pieces])


def measure(wanted: RefundWanted, standing: Standing, lines: Sequence[RefundableLine]) -> Amounts:
    """What the refund comes to.

    Raises:
        Invalid: a line that the order does not have, or named twice; an amount above the worth
            of what is named.
        RefundTooLarge: more than is left, of the money or of a line's pieces.
    """
    named = _match(wanted.lines, lines, standing)
    remaining = standing.remaining_dirhams
    worths = [worth_of(line, pieces) for line, pieces in named]
    delivery = standing.delivery_left_dirhams if wanted.delivery else 0
    if not named and not wanted.delivery:
        amount = remaining if wanted.amount_dirhams is None else wanted.amount_dirhams
    else:
        amount = _of_worth(wanted.amount_dirhams, sum(worths) + delivery)
    if named and amount == 0 < remaining:
        nothing = Words("Nothing was paid for this.", "لم يُدفع شيء مقابل هذا.")
        raise Invalid({"lines": nothing})
    if not 0 < amount <= remaining:
        raise RefundTooLarge(remaining)
    goods_worth = sum(worths) if named or wanted.delivery else standing.goods_left_dirhams
    delivery_worth = delivery if named or wanted.delivery else standing.delivery_left_dirhams
    delivery_part = min(max(0, amount - goods_worth), delivery_worth)
    goods = amount - delivery_part
    parts = allocate(goods, worths) if sum(worths) else [0] * len(named)
    return Amounts(
        amount_dirhams=amount,
        goods_dirhams=goods,
        delivery_dirhams=delivery_part,
        lines=tuple(
            RefundedLine(line.position, line.variant_id, pieces, part)
            for (line, pieces), part in zip(named, parts, strict=True)
        ),
    )


def divide(whole: Amounts, parts: Sequence[int]) -> list[Amounts]:
    """The refund in pieces of these amounts, goods before delivery; the first one names the lines.

    Args:
        parts: dirhams, together the whole amount.
    """
    pieces: list[Amounts] = []
    goods_left = whole.goods_dirhams
    for part in parts:
        goods = min(part, goods_left)
        goods_left -= goods
        lines = () if pieces else _worth_in_all(whole.lines, goods)
        pieces.append(Amounts(part, goods, part - goods, lines))
    return pieces


def _worth_in_all(lines: Sequence[RefundedLine], dirhams: int) -> tuple[RefundedLine, ...]:
    weights = [line.dirhams for line in lines]
    shares = allocate(dirhams, weights) if sum(weights) else weights
    return tuple(
        msgspec.structs.replace(line, dirhams=share)
        for line, share in zip(lines, shares, strict=True)
    )


def _of_worth(amount_dirhams: int | None, worth_dirhams: int) -> int:
    if amount_dirhams is None:
        return worth_dirhams
    if amount_dirhams > worth_dirhams:
        most = decimal_from_dirhams(worth_dirhams)
        raise Invalid(
            {
                "amount": Words(
                    f"is above the worth of what is named, {most}",
                    f"أكبر من قيمة ما ذُكر، وهي {most}",
                )
            }
        )
    return amount_dirhams


def _match(
    wanted: Sequence[WantedLine], lines: Sequence[RefundableLine], standing: Standing
) -> list[tuple[RefundableLine, int]]:
    faults: dict[str, Words] = {}
    named: dict[int, tuple[RefundableLine, int]] = {}
    short = []
    for number, one in enumerate(wanted):
        found = _line_of(one, lines)
        if found is None:
            field = "variantId" if one.position is None else "position"
            faults[f"lines[{number}].{field}"] = Words(
                "The order has no such line.", "لا يوجد هذا البند في الطلب."
            )
        elif found.position in named:
            faults[f"lines[{number}]"] = Words(
                "This line is named already.", "ذُكر هذا البند من قبل."
            )
        else:
            named[found.position] = found, one.quantity
            left = found.quantity - found.refunded
            if one.quantity > left:
                short.append({"position": found.position, "left": left})
    if faults:
        raise Invalid(faults)
    if short:
        raise RefundTooLarge(standing.remaining_dirhams, lines=short)
    return list(named.values())


def _line_of(wanted: WantedLine, lines: Sequence[RefundableLine]) -> RefundableLine | None:
    for line in lines:
        if wanted.position is not None:
            if line.position == wanted.position and wanted.variant_id in (None, line.variant_id):
                return line
        elif wanted.variant_id == line.variant_id:
            return line
    return None
