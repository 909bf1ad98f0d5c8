"""`eishro doctor`: every fault it promises to find is planted and named; a sound shop has none."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from eishro.cli.doctor import examine
from eishro.db import migrate
from eishro.db.opening import open_database
from eishro.domain.accounts.model import Caller
from eishro.domain.orders.model import Status
from eishro.domain.payments.refund_amounts import RefundWanted
from eishro.flows import pay_out
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.collect_cash import Cash, record_collection
from eishro.flows.edit_order import NewQuantity, edit_items
from eishro.flows.edit_product import ProductDraft, update_product
from eishro.flows.parcels import Parcel
from eishro.flows.pay_order import check_payment
from eishro.flows.pay_out import BankDetails
from eishro.flows.place_order import place_order
from eishro.flows.product_card import ProductState
from eishro.flows.refund_order import open_refund
from eishro.flows.secure_account import Proof
from eishro.flows.send_refund import send_refund
from eishro.flows.set_commission import set_commission
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.jobs.schedule import run_once
from eishro.jobs.settle_books import settle_books
from eishro.settings import load
from tests.servers.ports import free_port
from tests.shops import SECRET, TESTER, World, open_world

SOUND = "The books balance, the stock adds up, everything answers.\n"


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a shop in which everything has happened once."""
    folder = tmp_path_factory.mktemp("lived-in")
    asyncio.run(_live(folder))
    return folder / "eishro.db"


async def _live(folder: Path) -> None:
    url = f"sqlite:///{folder / 'eishro.db'}"
    db = await open_database(url)
    await migrate.migrate(db)
    await db.aclose()
    async with open_world(url, folder) as world:
        await _trade(world)


async def _trade(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    shirt = await world.product(merchant.store.id, stock=50)
    await world.product(merchant.store.id, sizes=["S", "M"])
    # Paid once, paid twice, paid in part, paid and cancelled, and paid too late.
    for divisor, receipts in ((1, ("t1",)), (1, ("t2", "t3")), (2, ("t4",))):
        await _pay(world, (await world.order(shirt)).order.id, divisor, *receipts)
    cancelled = (await world.order(shirt)).order.id
    await _pay(world, cancelled, 1, "t5")
    await cancel_order(world.shop, cancelled, TESTER, only_pending=False)
    partly = (await world.order(shirt)).order.id
    await _pay(world, partly, 1, "t7")
    world.provider.refunds.mood = "manual"
    part = RefundWanted(reason="a test", amount_dirhams=1_000)
    manual = await open_refund(world.shop, partly, part, TESTER, NotOnce())
    await send_refund(world.shop, manual.id)
    world.provider.refunds.mood = "done"
    # Changed after it was paid: for less, for more, and paid again.
    for number, pieces in enumerate((1, 3, 4)):
        edited = (await world.order(shirt, quantity=2)).order.id
        await _pay(world, edited, 1, f"e{number}")
        wanted = [NewQuantity(shirt.variants[0].id, pieces)]
        await edit_items(world.shop, edited, wanted, None, TESTER)
    await _pay(world, edited, 1, "e3")
    late = (await world.order(shirt, quantity=3)).order.id
    payment = await start_payment(world.shop, late, "moamalat", None, TESTER, NotOnce())
    world.clock.turn(timedelta(minutes=61))
    await run_once(world.shop)
    world.provider.pay(payment.reference, payment.amount_dirhams, "t6")
    await check_payment(world.shop, payment.id)
    await _pay_out(world, shirt.product.store_id)
    # Waiting, on its way, confirmed and returned; and the merchant counts the shelf.
    ways: tuple[tuple[Status, ...], ...] = (
        (),
        ("confirmed", "processing", "shipped"),
        ("confirmed",),
        ("confirmed", "processing", "shipped", "returned"),
    )
    for way in ways:
        order = (await world.order(shirt, quantity=2, method="cod")).order
        for to in way:
            await change_status(world.shop, order.id, to, TESTER)
    await _deliver(world, shirt)
    await _discount(world, shirt)
    for stock in (70, None, 12):
        draft = ProductDraft(stock=stock)
        await update_product(world.shop, shirt.product.id, draft, TESTER, lambda _: None)


async def _deliver(world: World, shirt: ProductState) -> None:
    """Parcels in part, cash collected and handed over, cash in dispute."""
    for collected in (True, False):
        placed = await world.order(shirt, 2, "cod")
        await change_status(world.shop, placed.order.id, "confirmed", TESTER)
        for _ in range(2):
            parcel = Parcel(carrier="amyal", pieces={shirt.variants[0].id: 1})
            shipped = await ship_order(world.shop, placed.order.id, parcel, TESTER, NotOnce())
            cash = Cash(
                amount_dirhams=shipped.shipment.cod_dirhams - (not collected),
                shipment_id=shipped.shipment.id,
            )
            await record_collection(world.shop, placed.order.id, cash, TESTER, NotOnce())


async def _discount(world: World, shirt: ProductState) -> None:
    """A coupon is used, given back and used again; a promotion without a limit counts nothing."""
    await world.coupon(shirt.product.store_id, "EID", usage_limit=5)
    await world.promotion(shirt.product.store_id, minimum_dirhams=100_000)
    command = msgspec.structs.replace(world.command(shirt, 4, "cod"), coupon_code="eid")
    for is_wanted in (True, False, True):
        order = (await place_order(world.shop, command, TESTER, NotOnce())).order
        if not is_wanted:
            await cancel_order(world.shop, order.id, TESTER, only_pending=True)


async def _pay(world: World, order_id: str, divisor: int, *receipts: str) -> None:
    payment = await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())
    world.provider.pay(payment.reference, payment.amount_dirhams // divisor, *receipts)
    await check_payment(world.shop, payment.id)


async def _pay_out(world: World, store_id: int) -> None:
    """Commission is charged on one more order, and what is owed is paid out."""
    await set_commission(world.shop, store_id, 250, "a contract", TESTER)
    await world.earn(await world.product(store_id))
    world.clock.turn(timedelta(minutes=5))
    await settle_books(world.shop)
    people = [(await world.admin()).user for _ in range(3)]
    caller = Caller(name="x", user_id=people[0].id, role="admin", login_at=world.clock.now())
    details = BankDetails("x", "y", "LY83002048000020100120361")
    proof = Proof(caller=caller, session_id="", actor=TESTER)
    await pay_out.change_bank_account(world.shop, store_id, details, proof, TESTER)
    payout = await pay_out.request_payout(
        world.shop, store_id, 7_000, people[0].id, TESTER, NotOnce()
    )
    world.clock.turn(timedelta(hours=24))
    await pay_out.approve_payout(world.shop, payout.id, people[1].id, TESTER)
    await pay_out.pay_payout(world.shop, payout.id, people[2].id, "FT1", TESTER)


@pytest.fixture
def database(lived_in: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    path = tmp_path / "eishro.db"
    shutil.copyfile(lived_in, path)
    return path


@pytest.fixture
def spoil(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that no constraint stops."""
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("PRAGMA ignore_check_constraints = ON")
    for verb in ("update", "delete"):
        db.execute(f"DROP TRIGGER ledger_entries_no_{verb}")
    yield db
    db.close()


def _doctor(folder: Path, capsys: pytest.CaptureFixture[str], **settings: str) -> tuple[int, str]:
    environ = {"EISHRO_DATA_DIR": str(folder), "EISHRO_SECRET_KEYS": SECRET, **settings}
    code = asyncio.run(examine(load(environ)))
    shown = capsys.readouterr()
    assert shown.err == ""
    return code, shown.out


def _findings(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("finding: ")]


def test_a_sound_shop_has_no_finding(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = _doctor(database.parent, capsys)
    assert (code, _findings(out)) == (0, [])
    assert out.endswith(SOUND)


def test_a_line_of_the_trail_that_was_changed_is_found(
    database: Path, spoil: sqlite3.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil.execute(
        "UPDATE audit_records SET actor = 'user:666' WHERE id = "
        "(SELECT record_id FROM audit_seals ORDER BY number DESC LIMIT 1)"
    )
    code, out = _doctor(database.parent, capsys)
    (finding,) = _findings(out)
    assert (code, "was changed or moved" in finding) == (1, True)


def test_examining_changes_nothing(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def rows() -> list[str]:
        db = sqlite3.connect(database)
        dump = list(db.iterdump())
        db.close()
        return dump

    before = rows()
    _doctor(database.parent, capsys)
    assert rows() == before


_ORDER = "(SELECT id FROM orders WHERE payment_status = 'paid' AND status = 'confirmed' LIMIT 1)"
_UNBALANCED = "ledger transactions that do not sum to zero"
_MISCOUNTED = "variants whose pieces differ from what came and went"
_ADRIFT = "variants whose stock differs from its movements"
_NEGATIVE = "variants with negative stock"
_USES = "coupons and promotions whose uses are counted wrongly: EID (prm_"
_WITHOUT_MONEY = "paid orders without their money in the books"


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE ledger_entries SET dirhams = dirhams + 1 WHERE account = 'sales'", _UNBALANCED),
        ("DELETE FROM ledger_entries WHERE account = 'delivery'", _UNBALANCED),
        ("UPDATE ledger_entries SET dirhams = -dirhams WHERE account = 'receivable'", _UNBALANCED),
        ("UPDATE stock SET held = held + 1 WHERE variant_id = 1", f"{_ADRIFT}: 1"),
        ("UPDATE stock SET sold = sold - 1 WHERE variant_id = 1", f"{_ADRIFT}: 1"),
        ("UPDATE stock SET held = 7 WHERE variant_id = 2", f"{_ADRIFT}: 2"),
        ("DELETE FROM stock_movements WHERE kind = 'consume'", f"{_ADRIFT}: 1"),
        ("DELETE FROM stock_movements WHERE kind = 'hold'", f"{_ADRIFT}: 1"),
        ("UPDATE stock_movements SET quantity = 9 WHERE kind = 'release'", f"{_ADRIFT}: 1"),
        ("UPDATE stock SET available = -1 WHERE variant_id = 1", f"{_NEGATIVE}: 1"),
        ("UPDATE stock SET held = -1 WHERE variant_id = 3", f"{_NEGATIVE}: 3"),
        ("UPDATE stock SET sold = -1 WHERE variant_id = 2", f"{_NEGATIVE}: 2"),
        ("UPDATE orders SET payment_status = 'paid' WHERE status = 'pending'", _WITHOUT_MONEY),
        (f"DELETE FROM ledger_entries WHERE reason = 'payment.received' AND order_id = {_ORDER}",
         _WITHOUT_MONEY),
        (f"UPDATE orders SET total_dirhams = total_dirhams - 1 WHERE id = {_ORDER}",
         _WITHOUT_MONEY),
        ("DELETE FROM payment_receipts WHERE provider_reference = 't3'", "gateways received"),
        ("UPDATE payment_receipts SET amount_dirhams = amount_dirhams - 1", "gateways received"),
        ("UPDATE ledger_entries SET account = 'cash' WHERE account = 'clearing:moamalat'",
         "gateways received"),
        ("UPDATE ledger_balances SET dirhams = dirhams + 1 WHERE account = 'sales'",
         "kept balances that differ from their entries: 1 sales"),
        ("DELETE FROM ledger_balances WHERE account = 'delivery'",
         "kept balances that differ from their entries: 1 delivery"),
        ("UPDATE suspense_items SET status = 'resolved' WHERE reason = 'paid_already'",
         "items in suspense differ from the account: 1"),
        ("UPDATE payouts SET amount_dirhams = amount_dirhams + 1",
         "paid payouts differ from the bank account: 1"),
        ("UPDATE payouts SET status = 'approved'",
         "paid payouts differ from the payouts account: 1"),
        ("UPDATE ledger_entries SET account = 'sales' WHERE account = 'platform_fees'",
         "commission differs from the platform's fees: 1"),
        ("UPDATE refunds SET amount_dirhams = amount_dirhams + 1 WHERE status = 'done'",
         "gateways received"),
        ("UPDATE refunds SET through = 'cash' WHERE status = 'done'", "gateways received"),
        ("UPDATE refunds SET amount_dirhams = 99999999", "more goes back than came"),
        ("UPDATE refunds SET status = 'sending'", "refunds are counted wrongly"),
        ("UPDATE orders SET refunded_dirhams = 1", "refunds are counted wrongly"),
        ("UPDATE orders SET refunds_opened_dirhams = 0", "refunds are counted wrongly"),
        ("DELETE FROM refunds WHERE status = 'manual'", "are owed back to buyers"),
        ("UPDATE cod_collections SET amount_dirhams = 1", "courier:amyal of store 1 holds 2 dirhams"),
        ("UPDATE cod_collections SET state = 'remitted'", "courier:amyal of store 1 holds 0 dirhams"),
        ("UPDATE ledger_entries SET account = 'cash' WHERE account = 'courier:amyal'",
         "courier:amyal of store 1"),
        ("DELETE FROM ledger_entries WHERE reason = 'cod.collected'", _WITHOUT_MONEY),
        ("UPDATE shipment_lines SET quantity = 9", "more was shipped than ordered"),
        ("UPDATE orders SET total_dirhams = 1 WHERE payment_status = 'paid'",
         "more was settled than they cost"),
        ("UPDATE orders SET due_dirhams = due_dirhams + 1", "else is due than the books say"),
        ("UPDATE orders SET paid_dirhams = 1 WHERE status = 'confirmed'",
         "other money came than the books say"),
        ("UPDATE refunds SET kind = 'refund' WHERE kind = 'excess'",
         "refunds are counted wrongly"),
        ("UPDATE store_versions SET active_products = 7", "count of products on sale is wrong: 1"),
        ("UPDATE promotions SET used = used + 1 WHERE code = 'EID'", "of store 1 says 3, its orders 2"),
        ("UPDATE promotions SET used = 1 WHERE code IS NULL", "of store 1 says 1, its orders 0"),
        ("UPDATE order_promotions SET is_given_back = 1", _USES),
        ("UPDATE order_promotions SET is_given_back = 0", _USES),
        ("UPDATE order_promotions SET is_counted = 0", _USES),
        ("UPDATE order_promotions SET is_counted = 1", "says 0, its orders 2"),
        ("DELETE FROM order_promotions", _USES),
        ("UPDATE outbox SET is_dead = 1 WHERE topic = 'order.paid'", "events nobody could work off"),
    ],
)  # fmt: skip
def test_a_fault_is_named_and_ends_with_one(
    spoil: sqlite3.Connection,
    database: Path,
    capsys: pytest.CaptureFixture[str],
    sql: str,
    named: str,
) -> None:
    assert spoil.execute(sql).rowcount > 0, "the fault is planted"
    code, out = _doctor(database.parent, capsys)
    assert code == 1
    assert any(named in line for line in _findings(out)), out
    assert SOUND not in out


def test_money_taken_twice_from_one_order_is_found(
    spoil: sqlite3.Connection, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The books balance and so do the receipts: only the order was paid twice."""
    ((transaction, payment, order),) = spoil.execute(
        "SELECT transaction_id, payment_id, order_id FROM ledger_entries"
        " WHERE reason = 'payment.received' AND account = 'receivable' LIMIT 1"
    )
    spoil.execute(
        "CREATE TEMP TABLE twice AS SELECT * FROM ledger_entries WHERE transaction_id = ?",
        [transaction],
    )
    spoil.execute("UPDATE twice SET transaction_id = 'trn_twice'")
    spoil.execute("INSERT INTO ledger_entries SELECT * FROM twice")
    spoil.execute(
        "CREATE TEMP TABLE receipt AS SELECT * FROM payment_receipts WHERE payment_id = ? LIMIT 1",
        [payment],
    )
    spoil.execute("UPDATE receipt SET provider_reference = 'twice'")
    spoil.execute("INSERT INTO payment_receipts SELECT * FROM receipt")
    code, out = _doctor(database.parent, capsys)
    assert code == 1
    assert f"finding: orders paid twice from one receivable: {order}" in _findings(out)


def test_every_fault_is_named_and_a_long_list_is_cut(
    spoil: sqlite3.Connection, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil.execute("UPDATE stock SET held = held + 1, available = -1")
    spoil.execute("UPDATE outbox SET is_dead = 1")
    ((dead,),) = spoil.execute("SELECT COUNT(*) FROM outbox")
    code, out = _doctor(database.parent, capsys)
    assert code == 1
    kinds = [line.partition(": ")[2].partition(":")[0] for line in _findings(out)]
    assert kinds == [_ADRIFT, _MISCOUNTED, _NEGATIVE, "events nobody could work off"]
    assert dead > 20
    assert _findings(out)[3].count("evt_") == 20


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "9999"),
        ("UPDATE alembic_version SET version_num = '0000'", "migrate"),
        ("DROP TABLE alembic_version", "migrate"),
    ],
)
def test_another_schema_is_a_finding(
    spoil: sqlite3.Connection,
    database: Path,
    capsys: pytest.CaptureFixture[str],
    sql: str,
    named: str,
) -> None:
    spoil.execute(sql)
    code, out = _doctor(database.parent, capsys)
    assert code == 1
    (finding,) = _findings(out)
    assert named in finding


def test_a_database_server_that_does_not_answer_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    code, out = _doctor(tmp_path, capsys, EISHRO_DATABASE_URL=url)
    assert code == 1
    assert len(_findings(out)) == 1


@pytest.mark.parametrize("variable", ["EISHRO_DATABASE_URL", "EISHRO_KV_URL", "EISHRO_BLOB_URL"])
def test_an_address_of_an_unknown_kind_is_a_finding(
    database: Path, capsys: pytest.CaptureFixture[str], variable: str
) -> None:
    code, out = _doctor(database.parent, capsys, **{variable: "carrier-pigeon://x"})
    assert code == 1
    (finding,) = _findings(out)
    assert variable in finding


def test_what_may_be_meant_so_is_a_warning(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = {f"EISHRO_RATE_LIMIT_{who}": "off" for who in ("AUTHENTICATED", "ANONYMOUS", "PAYMENTS")}
    code, out = _doctor(database.parent, capsys, **off)
    assert code == 0
    warnings = [line for line in out.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 6
    assert "not sealed yet" in warnings[0]
    assert "3 amounts in suspense are past their deadline" in warnings[1]
    assert "test merchant" in warnings[2]
    assert all("limit is off" in line for line in warnings[3:])


def test_a_shop_without_a_gateway_is_a_warning(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    production = {
        "EISHRO_ENV": "production",
        "EISHRO_SECRET_KEYS": SECRET,
        "EISHRO_PUBLIC_URL": "https://shop.example.ly",
    }
    code, out = _doctor(database.parent, capsys, **production)
    assert code == 0
    assert "warning: no payment gateway is configured" in out


def test_a_mail_server_that_does_not_answer_is_a_finding(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"smtp://127.0.0.1:{free_port()}"
    code, out = _doctor(database.parent, capsys, EISHRO_SMTP_URL=url)
    assert code == 1
    (finding,) = _findings(out)
    assert finding.startswith("finding: mail cannot be sent")
