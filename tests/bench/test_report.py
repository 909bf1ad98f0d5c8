import msgspec

from bench import report
from bench.data import Goods
from bench.openloop import Proof, Timing
from bench.plan import quick, whole
from bench.results import Summary
from bench.tails import Waiting
from tests.bench import made_up


def test_goals_come_first_and_a_miss_is_not_hidden() -> None:
    page = report.to_markdown(
        made_up.summary(
            ("reads", made_up.run("list", "eishro", 100)),
            ("reads", made_up.run("list", "hono-node", 100)),
        )
    )

    row = "| list of 20 with total, cache off | hono-node | 1.00× |  | ≥ 1.8× | **no** |"
    assert row in page
    assert "0 of 1 reached." in page
    assert page.index("## Goals") < page.index("## Reads, nothing cached")


def test_every_table_has_as_many_cells_as_its_head() -> None:
    timing = Timing("product", 1, 0, 0, 1.0, 1, 1, 1, 1, 1)
    summary = msgspec.structs.replace(
        made_up.summary(
            ("reads", made_up.run("product", "eishro", 100)),
            ("postgres", made_up.run("order", "eishro-postgres", 100)),
        ),
        growth=[made_up.point("product", 10_000, 100)],
        generator=Proof(1.0, timing, timing),
        waiting=[Waiting("reads", "product", "eishro", 1.0, 1, 1, 1, 1, 1, 0.0)],
    )

    lines = report.to_markdown(summary).splitlines()

    for above, below in zip(lines, lines[1:], strict=False):
        if above.startswith("|") and below.startswith("|"):
            assert above.count("|") == below.count("|"), below


def test_faults_are_listed() -> None:
    summary = msgspec.structs.replace(made_up.summary(), faults=["an order is missing"])

    assert "- an order is missing" in report.to_markdown(summary)
    assert "None." in report.to_markdown(made_up.summary())


def test_what_is_stored_can_be_read_again() -> None:
    summary = made_up.summary(("reads", made_up.run("product", "eishro", 100)))

    stored = report.to_json(summary)

    assert msgspec.json.decode(stored, type=Summary) == summary


def test_a_smoke_run_is_no_whole_measurement() -> None:
    goods = Goods()

    assert quick(goods) != whole(goods, 1, 1)
