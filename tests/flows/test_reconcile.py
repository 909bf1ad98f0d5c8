"""A gateway's own list beside the books: every kind of difference, and what mends itself."""

import asyncio
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.clock import TRIPOLI
from eishro.domain.payments import reconciling_sql
from eishro.domain.payments.model import Payment
from eishro.domain.payments.port import GatewayTransaction, Intent, ProviderBusy
from eishro.domain.payments.reconciling import Report
from eishro.domain.payments.statement_file import read_statement
from eishro.errors import Invalid
from eishro.flows.reconcile import reconcile_day, reconcile_listed
from eishro.flows.send_refund import send_refund
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.jobs.reconcile_daily import reconcile_daily
from eishro.sheets import read_sheet
from tests.dummy_provider import DummyProvider
from tests.flows.refunding import order_now, paid_order, refund
from tests.shops import TESTER, World, bearer, changed

pytestmark = pytest.mark.anyio


class Lister(DummyProvider):
    """Lists what the test wrote down."""

    can_list = True

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[GatewayTransaction] = []

    async def list_transactions(self, first: date, last: date) -> list[GatewayTransaction]:
        return [one for one in self.listed if first <= one.at.astimezone(TRIPOLI).date() <= last]


def _told(world: World, **members: Any) -> GatewayTransaction:
    usual = GatewayTransaction(
        provider_reference="1",
        terminal="T1",
        reference=None,
        kind="sale",
        status="approved",
        amount_dirhams=35_500,
        currency="LYD",
        at=world.clock.now(),
    )
    return msgspec.structs.replace(usual, **members)


def _lister(world: World) -> Lister:
    lister = Lister()
    world.provider = lister
    world.shop = changed(world.shop, providers={"moamalat": lister})
    return lister


def _today(world: World) -> date:
    return world.clock.now().astimezone(TRIPOLI).date()


async def _report(world: World, lister: Lister) -> Report:
    (report,) = await reconcile_day(world.shop, "moamalat", lister, _today(world))
    return report


async def test_what_agrees_is_counted(world: World) -> None:
    lister = _lister(world)
    paid = await paid_order(world)
    lister.listed = [_told(world, provider_reference=f"tx-{paid.payment.reference}")]
    report = await _report(world, lister)
    assert (report.matched, report.differences) == (1, ())
    (kept,) = await reconciling_sql.list_reports(world.db)
    assert (kept.terminal, kept.matched, kept.differing) == ("T1", 1, 0)


async def test_money_we_did_not_hear_of_is_asked_about_at_once(world: World) -> None:
    lister = _lister(world)
    merchant = await world.merchant()
    assert merchant.store is not None
    placed = await world.order(await world.product(merchant.store.id))
    payment = await start_payment(world.shop, placed.order.id, "moamalat", None, TESTER, NotOnce())
    lister.pay(payment.reference, payment.amount_dirhams, "9")
    lister.listed = [
        _told(world, provider_reference="9", reference=payment.reference),
        _told(world, provider_reference="404", reference="NOBODY"),
    ]
    report = await _report(world, lister)
    assert (await order_now(world, placed.order.id)).payment_status == "paid"
    assert report.matched == 1
    (missing,) = report.differences
    assert (missing.kind, missing.provider_reference, missing.ours_dirhams) == (
        "missing",
        "404",
        None,
    )
    assert await find_faults(world.db) == []


async def test_every_kind_of_difference_is_named(world: World) -> None:
    lister = _lister(world)
    one, two, three = [await paid_order(world) for _ in range(3)]
    opened = await refund(world, three.order.id, amount_dirhams=500)
    await send_refund(world.shop, opened.id)
    names = [f"tx-{paid.payment.reference}" for paid in (one, two, three)]
    lister.listed = [
        _told(world, provider_reference=names[0], amount_dirhams=35_499),
        _told(world, provider_reference=names[1], status="declined"),
        _told(world, provider_reference="r9", kind="refund", amount_dirhams=100),
        _told(world, provider_reference="d1", status="declined"),
        _told(world, provider_reference="o1", kind="other"),
    ]
    report = await _report(world, lister)
    found = {(d.kind, d.provider_reference) for d in report.differences}
    assert found == {
        ("amount", names[0]),
        ("status", names[1]),
        ("extra", names[2]),
        ("refund_missing", "r9"),
        ("refund_extra", "r0"),
    }
    assert report.matched == 0
    assert all(difference.proposal for difference in report.differences)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("paid", "says it is paid"),
        ("declined", "was declined"),
        ("absent", "does not know it"),
        ("unknown", "ask the gateway about it"),
    ],
)
async def test_of_what_the_gateway_does_not_list_it_is_asked_by_its_number(
    world: World, monkeypatch: pytest.MonkeyPatch, said: str, words: str
) -> None:
    lister = _lister(world)
    paid = await paid_order(world)
    lister.listed = [_told(world, provider_reference="d1", status="declined")]
    asked: list[str] = []

    async def status_of(reference: str) -> str:
        asked.append(reference)
        return said

    monkeypatch.setattr(lister, "status_of", status_of)
    (difference,) = (await _report(world, lister)).differences
    assert asked == [f"tx-{paid.payment.reference}"]
    assert difference.kind == "extra"
    assert words in difference.proposal
    assert await find_faults(world.db) == []


async def test_what_was_noticed_after_midnight_is_no_difference(world: World) -> None:
    lister = _lister(world)
    told = _told(world)
    world.clock.turn(timedelta(hours=20))
    paid = await paid_order(world)
    lister.listed = [
        msgspec.structs.replace(told, provider_reference=f"tx-{paid.payment.reference}")
    ]
    for day in (_today(world) - timedelta(days=1), _today(world)):
        (report,) = await reconcile_day(world.shop, "moamalat", lister, day)
        assert report.differences == ()


async def test_the_day_before_is_reconciled_by_itself_once(world: World) -> None:
    lister = _lister(world)
    paid = await paid_order(world)
    lister.listed = [_told(world, provider_reference=f"tx-{paid.payment.reference}")]
    world.clock.turn(timedelta(days=1))
    await reconcile_daily(world.shop)
    lister.listed = []
    await reconcile_daily(world.shop)
    (kept,) = await reconciling_sql.list_reports(world.db)
    assert kept.matched == 1
    admin = world.client(**bearer(await world.admin()))
    shown = (await admin.get("/api/admin/reconciliations")).json()["data"]
    assert [(one["provider"], one["matched"], one["differing"]) for one in shown] == [
        ("moamalat", 1, 0)
    ]


async def test_where_nothing_is_listed_each_payment_is_asked_about(world: World) -> None:
    paid = await paid_order(world)
    (report,) = await reconcile_day(world.shop, "moamalat", world.provider, _today(world))
    assert (report.matched, report.differences) == (1, ())
    world.provider.can_query = False
    with pytest.raises(ProviderBusy):
        await reconcile_day(world.shop, "moamalat", world.provider, _today(world))
    assert isinstance(paid.payment.intent, Intent)


async def test_many_payments_are_asked_about_together_but_not_all_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = world.provider
    rules = msgspec.structs.replace(world.shop.rules, checks_at_once=3)
    world.shop = changed(world.shop, rules=rules)
    begun = [await start_payment_of(world) for _ in range(7)]
    inside = most = 0
    together = asyncio.Event()
    query = provider.query

    async def counted(intent: Intent) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if inside == 3:
            together.set()
        await together.wait()
        inside -= 1
        return await query(intent)

    monkeypatch.setattr(provider, "query", counted)
    for payment in begun:
        provider.pay(payment.reference, payment.amount_dirhams)
    seen: list[tuple[int, int]] = []
    day = world.clock.now().astimezone(TRIPOLI).date()
    (report,) = await reconcile_day(
        world.shop, "moamalat", provider, day, lambda *done: seen.append(done)
    )
    assert (report.matched, report.differences) == (7, ())
    assert seen[:3] == [(3, 7), (6, 7), (7, 7)]
    assert most == 3
    assert await find_faults(world.db) == []


async def start_payment_of(world: World) -> Payment:
    """A payment of a new order that waits for its money."""
    merchant = await world.merchant()
    assert merchant.store is not None
    placed = await world.order(await world.product(merchant.store.id))
    return await start_payment(world.shop, placed.order.id, "moamalat", None, TESTER, NotOnce())


async def test_a_statement_is_read_as_people_download_it(world: World) -> None:
    paid = await paid_order(world)
    name = f"tx-{paid.payment.reference}"
    day = world.clock.now().astimezone(TRIPOLI).strftime("%d/%m/%Y %H:%M")
    text = (
        "كشف حساب\nرقم العملية;المبلغ;التاريخ;النوع;الحالة\n"
        f"{name};٣٥.٥٠٠;{day};بيع;ناجحة\n77;10.000;{day};استرداد;ناجحة\n"
    )
    listed = read_statement(read_sheet(text.encode(), 100), "T1")
    assert [(one.kind, one.amount_dirhams) for one in listed] == [
        ("sale", 35_500),
        ("refund", 10_000),
    ]
    (report,) = await reconcile_listed(world.shop, "moamalat", listed, _today(world))
    assert report.matched == 1
    assert [difference.kind for difference in report.differences] == ["refund_missing"]


@pytest.mark.parametrize(
    ("amount", "kind", "dirhams"),
    [
        ('"1,250.500"', "sale", 1_250_500),
        ("-10.000", "refund", 10_000),
        ("25.5 LYD", "sale", 25_500),
        ("٢٥٫٥٠٠ د.ل", "sale", 25_500),
    ],
)
def test_amounts_are_read_as_gateways_write_them(amount: str, kind: str, dirhams: int) -> None:
    text = f"transaction id,amount,date\n1,{amount},2026-01-15\n"
    (one,) = read_statement(read_sheet(text.encode(), 100), "T1")
    assert (one.kind, one.amount_dirhams) == (kind, dirhams)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("a,b\n1,2\n", {"statement"}),
        (
            "transaction id,amount,date\n,1,2026-01-15\n2,x,2026-01-15\n3,1,soon\n",
            {"rows[2].id", "rows[3].amount", "rows[4].date"},
        ),
        # 25,500 is no 25 dinars, wherever the comma cuts; nor, in quotes, one thing for certain.
        (
            "transaction id,amount,date\n1,25,500,2026-01-15\n2,25.500,2026-01-15\n",
            {"rows[2]"},
        ),
        ("transaction id,date,amount\n1,2026-01-15,25,500\n", {"rows[2]"}),
        ("transaction id,amount,date\n1,25,500\n", {"rows[2].date"}),
        ('transaction id,amount,date\n1,"25,500",2026-01-15\n', {"rows[2].amount"}),
    ],
)
def test_a_statement_that_cannot_be_read_says_where(text: str, faults: set[str]) -> None:
    with pytest.raises(Invalid) as refused:
        read_statement(read_sheet(text.encode(), 100), "T1")
    assert set(refused.value.faults) == faults
