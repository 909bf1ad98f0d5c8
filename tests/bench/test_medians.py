import pytest

from bench.medians import medians_of
from tests.bench import made_up


def test_the_middle_round_counts_and_the_spread_is_kept() -> None:
    runs = [made_up.run("product", "eishro", rate) for rate in (900, 100, 200)]

    (median,) = medians_of([("reads", run) for run in runs])

    assert (median.per_second, median.rounds) == (200.0, 3)
    assert (median.per_second_least, median.per_second_most) == (100.0, 900.0)
    assert (median.p50_milliseconds, median.p99_milliseconds) == (1.0, 3.0)


def test_parts_placements_and_servers_stay_apart() -> None:
    one = made_up.run("product", "eishro", 100)
    free = made_up.run("product", "eishro", 200, pinned=False)
    other = made_up.run("product", "bare", 300)

    medians = medians_of([("reads", one), ("reads", free), ("reads", other), ("cache", one)])

    assert [m.per_second for m in medians] == [100.0, 200.0, 300.0, 100.0]
    assert [m.part for m in medians] == ["reads", "reads", "reads", "cache"]


def test_refused_answers_are_failures_and_no_throughput() -> None:
    (median,) = medians_of([("orders", made_up.run("order", "eishro", 100, refused=7))])

    assert (median.per_second, median.failures) == (100.0, 7)


@pytest.mark.parametrize(("bytes_each", "failures"), [(400, 0), (2_000, 50)])
def test_a_whole_answer_is_no_revalidation(bytes_each: int, failures: int) -> None:
    run = made_up.run("revalidate", "eishro-cache", 50, bytes_each=bytes_each)

    assert run.failures == failures
