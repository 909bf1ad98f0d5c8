"""What happens to orders after they are placed and paid: parcels, cash, refunds, returns, books."""

import sqlalchemy as sa

from eishro.db.rows import columns_of
from eishro.db.statements import Query, in_list
from eishro.domain.orders import sql as orders
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments.refund_amounts import RefundWanted, WantedLine
from eishro.domain.payments.refunds import Refund
from eishro.domain.returns.model import Asked, Outcome
from eishro.domain.shipping import shipments_sql as shipments
from eishro.domain.shipping.shipments import Status
from eishro.domain.suspense import sql as suspense
from eishro.flows import parcels
from eishro.flows.collect_cash import Cash, record_collection
from eishro.flows.edit_order import NewQuantity, edit_items
from eishro.flows.move_shipment import ShipmentChange, change_shipment
from eishro.flows.parcels import Parcel
from eishro.flows.refund_order import complete_refund, open_refund, retry_refund
from eishro.flows.return_goods import AskReturn, approve_return, receive_return, request_return
from eishro.flows.settle_suspense import apply_to_order, give_back
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from eishro.jobs.settle_books import settle_books
from tests.shops import TESTER
from tests.simulation.choice import Nothing, at_once, fitting_order
from tests.simulation.universe import Universe

STRANDED_MAX = 20  # that somebody looks at

_WAITING_REFUNDS = Query(
    sa.select(*columns_of(refunds.refunds, Refund))
    .where(in_list(refunds.refunds.c.status, "by_hand"))
    .order_by(refunds.refunds.c.id),
    Refund,
    across_stores=True,
)
_FITTING = Query(
    sa.select(orders.orders.c.id)
    .where(
        orders.orders.c.store_id == sa.bindparam("store_id"),
        orders.orders.c.total_dirhams == sa.bindparam("dirhams"),
        orders.orders.c.status == "pending",
        in_list(orders.orders.c.payment_status, "unpaid"),
    )
    .order_by(orders.orders.c.id),
    str,
)


async def ship(universe: Universe) -> None:
    """A parcel of all that is left or of a part, maybe packed by two people at once."""
    order_id = await fitting_order(universe, lambda o: o.status in ("confirmed", "processing"))
    lines = await orders.list_lines(universe.shop.db, [order_id])
    pieces = None
    if universe.rng.random() < 0.5:
        line = universe.rng.choice(lines)
        pieces = {line.variant_id: universe.rng.randint(1, line.quantity)}
    await at_once(
        *(
            ship_order(universe.shop, order_id, Parcel(pieces=pieces), TESTER, NotOnce())
            for _ in range(universe.rng.choice([1, 1, 2]))
        )
    )


async def travel(universe: Universe) -> None:
    """A parcel goes on, comes back, or is lost."""
    found = await shipments.list_of_order(
        universe.shop.db,
        await fitting_order(universe, lambda o: o.fulfilment_status in ("partial", "fulfilled")),
    )
    if not found:
        raise Nothing
    ways: list[Status] = [
        "picked_up",
        "delivered",
        "delivered",
        "returning",
        "returned",
        "cancelled",
    ]
    status = universe.rng.choice(ways)
    change = ShipmentChange(status=status)
    await change_shipment(universe.shop, universe.rng.choice(found).id, change, TESTER)


async def collect(universe: Universe) -> None:
    """A courier tells what it took: what was due, told twice, or something else."""
    order_id = await fitting_order(
        universe,
        lambda o: o.payment_method == "cod" and o.fulfilment_status == "fulfilled" and o.is_payable,
    )
    order = await orders.get_order(universe.shop.db, order_id)
    load = await parcels.read_load(universe.shop, order)
    amount = load.due_dirhams
    if universe.rng.random() < 0.15:
        amount += universe.rng.choice([-1, 1, 1_000])
    if amount <= 0:
        raise Nothing
    cash = Cash(amount_dirhams=amount)
    await at_once(
        *(
            record_collection(universe.shop, order.id, cash, TESTER, NotOnce())
            for _ in range(universe.rng.choice([1, 1, 2]))
        )
    )


async def refund(universe: Universe) -> None:
    """Everything, a part or a piece goes back; several people may want it at once."""
    order_id = await fitting_order(
        universe, lambda o: o.is_captured and o.refunds_opened_dirhams < o.total_dirhams
    )
    lines = await orders.list_lines(universe.shop.db, [order_id])
    line = universe.rng.choice(lines)
    wanted = universe.rng.choice(
        [
            RefundWanted(reason="x"),
            RefundWanted(reason="x", amount_dirhams=universe.rng.randint(1, 20_000)),
            RefundWanted(reason="x", lines=(WantedLine(1, position=line.position),)),
        ]
    )
    await at_once(
        *(
            open_refund(universe.shop, order_id, wanted, TESTER, NotOnce())
            for _ in range(universe.rng.choice([1, 1, 3]))
        )
    )


async def change(universe: Universe) -> None:
    """The merchant changes what is in an order, paid or not; maybe two of them at once."""
    order_id = await fitting_order(
        universe, lambda o: o.holds_stock and o.fulfilment_status == "unfulfilled"
    )
    lines = await orders.list_lines(universe.shop.db, [order_id])

    def wanted() -> list[NewQuantity]:
        return [NewQuantity(line.variant_id, universe.rng.randint(1, 4)) for line in lines]

    await at_once(
        *(
            edit_items(universe.shop, order_id, wanted(), None, TESTER)
            for _ in range(universe.rng.choice([1, 1, 2]))
        )
    )


async def see_to_refunds(universe: Universe) -> None:
    """People complete what no gateway can do, or try again what was refused; two of them maybe."""
    waiting = await waiting_refunds(universe)
    if not waiting:
        raise Nothing
    one, rng = universe.rng.choice(waiting), universe.rng
    if one.status == "failed" and one.id not in universe.by_hand and rng.random() < 0.5:
        await retry_refund(universe.shop, one.order_id, one.id, TESTER)
        return
    is_in_portal = one.receipt_reference is not None and rng.random() < 0.5
    await at_once(
        *(
            give_by_hand(universe, one, is_in_portal=is_in_portal)
            for _ in range(rng.choice([1, 1, 2]))
        )
    )


async def waiting_refunds(universe: Universe) -> list[Refund]:
    """Refunds that go on only by somebody's hand."""
    return await universe.shop.db.all(_WAITING_REFUNDS, by_hand=["manual", "failed"])


async def give_by_hand(universe: Universe, refund: Refund, *, is_in_portal: bool) -> None:
    """Somebody gives the money, in cash or in the gateway's portal, and says so. What was given
    before and not said (a crash) is only said.
    """
    if is_in_portal and refund.id not in universe.by_hand:
        number = universe.gateway.give(str(refund.receipt_reference), refund.amount_dirhams)
        universe.by_hand[refund.id] = number
    number_or_none = universe.by_hand.get(refund.id)
    await complete_refund(
        universe.shop,
        refund.order_id,
        refund.id,
        note="x",
        reference=number_or_none,
        through="cash" if number_or_none is None else "gateway",
        actor=TESTER,
    )


async def place_stranded(universe: Universe) -> None:
    """Money that no order waits for pays another one, or goes back; two people may decide."""
    rng, shop = universe.rng, universe.shop
    items, _ = await suspense.list_waiting(shop.db, STRANDED_MAX, 0)
    if not items:
        raise Nothing
    item = rng.choice(items)
    fitting = await shop.db.all(
        _FITTING, store_id=item.store_id, dirhams=item.amount_dirhams, unpaid=["pending", "failed"]
    )
    if fitting and rng.random() < 0.8:
        order_id = rng.choice(fitting)
        await apply_to_order(shop, item.store_id, item.id, order_id, TESTER)
        return
    await at_once(
        *(
            give_back(shop, item.store_id, item.id, "x", TESTER)
            for _ in range(rng.choice([1, 1, 2]))
        )
    )


async def bring_back(universe: Universe) -> None:
    """A buyer brings pieces back; the merchant agrees and looks at them."""
    shop = universe.shop
    order_id = await fitting_order(universe, lambda o: o.status in ("shipped", "delivered"))
    line = universe.rng.choice(await orders.list_lines(shop.db, [order_id]))
    asked = (Asked(line.variant_id, universe.rng.randint(1, line.quantity), None),)
    command = AskReturn(order_id=order_id, lines=asked, reason=None, replacement=(), is_buyer=False)
    made = (await request_return(shop, command, TESTER, NotOnce())).made
    await approve_return(shop, made.id, TESTER, None)
    outcomes: list[Outcome] = ["restocked", "restocked", "written_off"]
    outcome = universe.rng.choice(outcomes)
    await at_once(
        *(
            receive_return(shop, made.id, {line.variant_id: outcome}, TESTER)
            for _ in range(universe.rng.choice([1, 2]))
        )
    )


async def keep_balances(universe: Universe) -> None:
    """The background brings the kept balances up to date."""
    await settle_books(universe.shop)
