"""What to measure: parts, rounds, seconds, contenders."""

from typing import Literal, get_args

import msgspec

from bench.contenders import Contender
from bench.data import Goods

Part = Literal[
    "reads", "cache", "orders", "mixed", "postgres", "open", "tail", "growth", "memory", "start"
]
PARTS: tuple[Part, ...] = get_args(Part)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement as the arguments ask for it.

    `only` names the contenders to measure, empty is all; `open_parts` are those that are run
    again on a schedule; `sizes` are the products of the growth part, `order_sizes` its orders;
    `loaded_products` is the size memory is judged at. `again_seconds` is the time for all rounds
    together that are made again because they were disturbed.
    """

    goods: Goods
    rounds: int
    seconds: int
    warm_up_seconds: int
    parts: tuple[Part, ...]
    only: tuple[str, ...]
    placements: tuple[bool, ...]  # pinned or not
    open_parts: tuple[Part, ...]
    sizes: tuple[int, ...]
    order_sizes: tuple[int, ...]
    loaded_products: int
    starts: int
    again_seconds: float

    def takes(self, *contenders: Contender) -> tuple[Contender, ...]:
        """Those of the contenders that are to be measured."""
        return tuple(c for c in contenders if not self.only or c.name in self.only)


def whole(goods: Goods, rounds: int, seconds: int) -> Plan:
    """Everything, as `make bench` runs it."""
    return Plan(
        goods=goods,
        rounds=rounds,
        seconds=seconds,
        warm_up_seconds=4,
        parts=PARTS,
        only=(),
        placements=(True, False),
        open_parts=("reads", "cache", "orders", "mixed", "postgres"),
        sizes=(10_000, 100_000, 1_000_000),
        order_sizes=(10_000, 1_000_000),
        loaded_products=100_000,
        starts=5,
        again_seconds=240.0,
    )


def quick(goods: Goods) -> Plan:
    """A smoke run: every part works, no number means anything."""
    return msgspec.structs.replace(
        whole(goods, 1, 1),
        placements=(True,),
        warm_up_seconds=0,
        open_parts=("orders",),
        sizes=(1_000, 10_000),
        order_sizes=(10_000,),
        loaded_products=1_000,
        starts=1,
        again_seconds=0.0,
    )
