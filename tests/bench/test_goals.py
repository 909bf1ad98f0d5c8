import msgspec

from bench.footprint import Memory, Start
from bench.goals import Verdict, judge
from bench.parts import BareLoop
from bench.results import Summary
from bench.tails import Tail, Waiting
from tests.bench import made_up


def verdicts_by_title(summary: Summary) -> dict[tuple[str, str], Verdict]:
    return {(verdict.work, verdict.against): verdict for verdict in judge(summary)}


def test_ratios_are_of_the_pinned_rounds_and_the_others_stand_beside() -> None:
    summary = made_up.summary(
        ("reads", made_up.run("product", "eishro", 1_700)),
        ("reads", made_up.run("product", "hono-node", 1_000)),
        ("reads", made_up.run("product", "eishro", 900, pinned=False)),
        ("reads", made_up.run("product", "hono-node", 1_000, pinned=False)),
    )

    (verdict,) = judge(summary)

    assert (verdict.measured, verdict.unpinned) == ("1.70×", "0.90×")
    assert (verdict.reached, verdict.stretched) == (True, False)


def test_a_stretch_is_told_and_a_miss_too() -> None:
    summary = made_up.summary(
        ("orders", made_up.run("order", "eishro", 800)),
        ("orders", made_up.run("order", "hono-node", 100)),
        ("orders", made_up.run("order", "hono-bun", 400)),
    )
    summary = msgspec.structs.replace(summary, bare_loops=[BareLoop("bare-loop", 2_000.0, 100.0)])

    found = verdicts_by_title(summary)

    assert found["durable order", "hono-node"].stretched
    assert not found["durable order", "hono-bun"].reached
    assert found["durable order", "bare-loop"].measured == "0.40×"
    assert not found["durable order", "bare-loop"].reached


def test_a_goal_just_missed_does_not_look_reached() -> None:
    summary = made_up.summary(
        ("reads", made_up.run("list", "eishro", 12_999)),
        ("reads", made_up.run("list", "hono-bun", 10_000)),
    )

    (verdict,) = judge(summary)

    assert (verdict.measured, verdict.reached) == ("1.29×", False)


def test_what_was_not_measured_is_not_judged() -> None:
    assert judge(made_up.summary(("reads", made_up.run("product", "eishro", 100)))) == []


def test_growth_compares_the_largest_with_the_smallest() -> None:
    summary = made_up.grown(
        made_up.point("product", 10_000, 3_000),
        made_up.point("product", 1_000_000, 1_000),
        made_up.point("product", 10_000, 2_000, orders=10_000),
        made_up.point("product", 10_000, 1_900, orders=1_000_000),
    )

    by_products, by_orders = judge(summary)

    assert (by_products.measured, by_products.reached) == ("3.00 × the time", False)
    assert (by_orders.measured, by_orders.reached) == ("1.06 × the time", True)


def test_limits_of_time_and_memory_are_of_eishro_alone() -> None:
    waiting = Waiting("orders", "order", "eishro", 500.0, 1_000, 30_000, 40_000, 50_000, 10, 0.0)
    theirs = msgspec.structs.replace(waiting, server="hono-node")
    tail = Tail("eishro", 100.0, 50.0, 1_000.0, 1_500.0, 2_500.0, 4.0)
    summary = msgspec.structs.replace(
        made_up.summary(),
        waiting=[waiting, theirs],
        tails=[tail],
        memory=[Memory("eishro-cache", 100_000, 101.0, 90.0, 199.0, 150.0)],
        starts=[
            Start("eishro-cache", 10_000, 1.2, 1.6, 5),
            Start("hono-node", 10_000, 9.0, 9.0, 5),
        ],
    )

    found = [(verdict.measured, verdict.reached) for verdict in judge(summary)]

    assert found == [
        ("30.00 ms", False),
        ("1.50 × quiet", True),
        ("2.50 × quiet", False),
        ("199 MB", True),
        ("101 MB", False),
        ("1.20 s", True),
    ]
