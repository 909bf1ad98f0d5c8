"""What happens to orders after they are placed and paid: parcels, cash, refunds, returns, books."""

from eishro.domain.orders import sql as orders
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments.refund_amounts import RefundWanted, WantedLine
from eishro.domain.returns.model import Asked, Outcome
from eishro.domain.shipping import shipments_sql as shipments
from eishro.domain.shipping.shipments import Status
from eishro.flows import parcels
from eishro.flows.collect_cash import Cash, record_collection
from eishro.flows.edit_order import NewQuantity, edit_items
from eishro.flows.move_shipment import ShipmentChange, change_shipment
from eishro.flows.parcels import Parcel
from eishro.flows.refund_order import complete_refund, open_refund, retry_refund
from eishro.flows.return_goods import AskReturn, approve_return, receive_return, request_return
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from eishro.jobs.settle_books import settle_books
from tests.shops import TESTER
from tests.simulation.choice import Nothing, at_once, fitting_order
from tests.simulation.universe import Universe


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
        universe, lambda o: o.payment_method == "cod" and o.fulfilment_status == "fulfilled"
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
    order_id = await fitting_order(universe, lambda o: o.is_captured)
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


async def edit(universe: Universe) -> None:
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
    """People complete what no gateway can do, or try again what was refused."""
    order_id = await fitting_order(universe, lambda o: o.refunds_opened_dirhams > 0)
    order = await orders.get_order(universe.shop.db, order_id)
    found = await refunds.list_refunds_of_order(universe.shop.db, order.store_id, order.id)
    waiting = [one for one in found if one.status in ("manual", "failed")]
    if not waiting:
        raise Nothing
    one = universe.rng.choice(waiting)
    if one.status == "failed":
        await retry_refund(universe.shop, order.id, one.id, TESTER)
        return
    await complete_refund(
        universe.shop, order.id, one.id, note="x", reference=None, through="cash", actor=TESTER
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
