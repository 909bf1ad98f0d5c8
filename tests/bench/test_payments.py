"""The page of the payments part, and the news that it sends."""

import json
from datetime import UTC, datetime

import pytest

from bench.gateway import MERCHANT, Desk
from bench.machine import Machine
from bench.payments import Comparing, Flood, Numbers, Plan, Starting, Taking
from bench.payments_page import page
from bench.payments_stock import PLUTU_KEY, PROVIDERS, Due, news_of
from eishro.adapters.payments.moamalat_reading import read_page
from eishro.adapters.payments.plutu_callbacks import Callbacks

DUE = Due("pay_1", "REF-1", 35_500, "700000001")


def _numbers(flood_p99: float, seconds: float) -> Numbers:
    flood = Flood("plutu", 900, 1_000, 2_000, 1_500, flood_p99, 9_000, 10, 12, 10, 3.5, 0.04)
    return Numbers(
        at=datetime(2026, 11, 28, tzinfo=UTC),
        commit="abc",
        machine=Machine("cpu", 2, "6", "ext4", 100, 0.1),
        takings=[Taking("plutu", True, 900.0, 1_000, 2_000, 250.0)],
        startings=[Starting("sadad", 20.0, 3.0, 9.0)],
        floods=[flood],
        comparings=[Comparing("moamalat: the gateway's own list", 10_000, seconds)],
        faults=["plutu: 1 of 9 are lost"],
    )


def test_what_misses_its_goal_is_not_hidden_and_faults_stand_on_the_page() -> None:
    plan = Plan(3, 3, 500, 2_500)
    missed, reached = page(_numbers(5_000, 61.0), plan), page(_numbers(3_000, 59.0), plan)
    assert "**2.50**" in missed and "**61.00**" in missed
    assert "| 1.50 |" in reached and "| 59.00 |" in reached
    assert "**Fault**: plutu: 1 of 9 are lost" in reached
    for table in ("| Gateway | News", "| Method |", "| Gateway | reads", "| Way |"):
        lines = reached[reached.index(table) :].split("\n")
        assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")


def test_there_is_news_enough_for_every_round() -> None:
    plan = Plan(3, 3, 500, 2_500)
    assert plan.payments >= plan.closed + plan.rounds * (plan.seconds + 1) * 500


def test_true_news_is_signed_as_the_shop_reads_it_and_forged_news_is_not() -> None:
    path, body, _ = news_of("plutu", DUE)
    assert path == "/api/webhooks/payments/plutu"
    assert isinstance(body, bytes)
    claim = Callbacks(PLUTU_KEY).of_tlync(body)
    assert (claim.authentic, claim.reference, claim.amount_dirhams) == ("yes", "REF-1", 35_500)
    for provider in PROVIDERS:
        _, forged, _ = news_of(provider, DUE, is_forged=True)
        assert isinstance(forged, bytes)
        assert json.loads(forged) != json.loads(news_of(provider, DUE)[1])  # type: ignore[arg-type]
    _, forged, _ = news_of("plutu", DUE, is_forged=True)
    assert isinstance(forged, bytes)
    assert Callbacks(PLUTU_KEY).of_tlync(forged).authentic == "no"


@pytest.mark.anyio
async def test_the_gateways_side_lists_what_it_was_told_of_once() -> None:
    desk = Desk()
    sales = json.dumps([["REF-1", "700000001", 35_500], ["REF-2", "700000002", 10_000]]).encode()
    for _ in range(2):
        await desk.answer("/sales", sales)
    asked = {"DisplayStart": "0", "DisplayLength": "1", "DateFrom": "20261128"}
    found = await read_page(
        await desk.answer("/x/FilterTransactions", json.dumps(asked).encode()),
        MERCHANT.terminal_id,
    )
    assert (found.count, found.total) == (1, 2)  # type: ignore[union-attr]
    named = json.dumps({**asked, "MerchantReference": "REF-2"}).encode()
    found = await read_page(await desk.answer("/x/FilterTransactions", named), MERCHANT.terminal_id)
    assert [row.amount_dirhams for row in found.rows] == [10_000]  # type: ignore[union-attr]
