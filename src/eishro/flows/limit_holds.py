"""Limit what one buyer may hold back from all others: open orders and pieces, over all stores.

Only storefronts' orders are limited, and only where the limits are on; without them nothing is read
or written here. What the store's own people place by hand counts, but is not refused.
"""

from collections.abc import Sequence

from eishro.db.statements import Statement
from eishro.domain.orders import holding
from eishro.domain.orders.holding import TooManyOpenOrders
from eishro.flows.price_order import PlaceOrder
from eishro.flows.shop import Shop


async def guard_holds(shop: Shop, commands: Sequence[PlaceOrder]) -> list[Statement]:
    """Statements for the batch that places all of these, which are one buyer's.

    Raises:
        TooManyOpenOrders
    """
    limits = shop.rules.holds
    if limits is None or not commands:
        return []
    phone, user_id = commands[0].customer_phone, commands[0].customer_user_id
    pieces = sum(item.quantity for command in commands for item in command.items)
    by_phone = (limits.orders_per_phone, limits.pieces_per_phone)
    by_customer = None if user_id is None else limits.orders_per_customer
    seen: dict[str, int] = {}
    if by_phone != (None, None):
        guard = holding.guard_of(f"phone:{phone}")
        held = await holding.held_by_phone(shop.db, phone, guard)
        _refuse("phone", "orders", held.orders + len(commands), limits.orders_per_phone)
        _refuse("phone", "pieces", held.pieces + pieces, limits.pieces_per_phone)
        seen[guard] = held.version
    if user_id is not None and by_customer is not None:
        guard = holding.guard_of(f"user:{user_id}")
        held = await holding.held_by_customer(shop.db, user_id, guard)
        _refuse("customer", "orders", held.orders + len(commands), by_customer)
        seen.setdefault(guard, held.version)  # where both share one, it guards from the first count
    return [holding.move_guards(seen)] if seen else []


def _refuse(of: str, what: str, wanted: int, limit: int | None) -> None:
    if limit is not None and wanted > limit:
        raise TooManyOpenOrders(details={"of": of, "what": what, "limit": limit})
