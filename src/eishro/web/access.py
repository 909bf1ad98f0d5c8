"""Who may come in: the permissions that rows of the route table name.

A check finds the store (or order) a route is about, decides, and leaves what it found in the
call. What the caller may not know of answers 404.
"""

from collections.abc import Awaitable, Callable

from eishro.domain.accounts.permissions import covers
from eishro.domain.catalog import listing
from eishro.domain.catalog import sql as catalog
from eishro.domain.catalog.model import ProductNotFound
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order, OrderNotFound
from eishro.domain.returns import sql as returns
from eishro.domain.returns.model import ReturnNotFound
from eishro.domain.shipping import shipments_sql as shipments
from eishro.domain.shipping.shipments import ShipmentNotFound
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import StoreNotFound
from eishro.errors import Forbidden, NotFound, Unauthenticated
from eishro.web.routes import Call, Check, Needs

_ORDER_TOKEN = "order-token"  # noqa: S105 - the name of a purpose, not a secret
SLUG_LENGTH_MAX = 60

Find = Callable[[Call], Awaitable[Order]]
ID_DIGITS_MAX = 15


def order_token(call: Call, order_id: str) -> str:
    """The guest's token of an order: a signature of its id, so it can be repeated in mails."""
    return call.shop.keyring.sign(_ORDER_TOKEN, order_id)


async def find_store_in_path(call: Call) -> None:
    """Resolve `:storeId`, id or slug, and leave the store in `call.store_id`."""
    key = _store_key(call)
    if isinstance(key, str):
        key = await stores.find_store_id(call.shop.db, key)
    if key is None:
        raise StoreNotFound()
    call.store_id = key


def _store_key(call: Call) -> int | str | None:
    """`:storeId` as an id or a slug; None if it can be neither."""
    text = call.params["store_id"]
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= ID_DIGITS_MAX else None
    return text if len(text) <= SLUG_LENGTH_MAX else None


async def find_store_of_product(call: Call) -> None:
    """Resolve `:productId` to its store."""
    call.store_id = await catalog.find_store_of_product(call.shop.db, product_id_in_path(call))
    if call.store_id is None:
        raise ProductNotFound()


def product_id_in_path(call: Call) -> int:
    """`:productId` as a number, or `ProductNotFound`."""
    return integer_in_path(call, "product_id", ProductNotFound())


def integer_in_path(call: Call, name: str, otherwise: Exception) -> int:
    """An integer id of the path; anything else is `otherwise`."""
    text = call.params[name]
    if not (text.isascii() and text.isdigit()) or len(text) > ID_DIGITS_MAX:
        raise otherwise
    return int(text)


def may(call: Call, permission: str) -> bool:
    """True if the caller has the permission in the call's store."""
    return call.caller is not None and call.caller.may(permission, call.store_id)


def _knows(call: Call) -> bool:
    """True if the caller works in the call's store, so that what is there is no secret."""
    return call.caller is not None and call.caller.works_in(call.store_id)


def is_admin(call: Call) -> bool:
    """True if the caller works for the platform."""
    return call.caller is not None and call.caller.role == "admin"


async def _anybody(_: Call) -> None:
    """Public."""


async def _store_visible(call: Call) -> None:
    """Anybody, in an active store; its own people also in an inactive one."""
    key = _store_key(call)
    front = None if key is None else await stores.find_front(call.shop.db, key)
    if front is None:
        raise StoreNotFound()
    call.store_id = front.store_id
    if not front.is_active and not may(call, "store:read"):
        raise StoreNotFound()
    call.found["front"] = front
    call.version = front.version


async def _store_named(call: Call) -> None:
    """Anybody; whether the store is there and active is seen by what the handler does."""
    key = _store_key(call)
    if isinstance(key, str):
        front = await stores.find_front(call.shop.db, key)
        key = None if front is None else front.store_id
    if key is None:
        raise StoreNotFound()
    call.store_id = key


async def _signed_in(call: Call) -> None:
    if call.caller is None:
        raise Unauthenticated()
    if call.caller.user_id is None:
        raise Forbidden()  # an API key is nobody's account


async def _own_account(call: Call) -> None:
    """Not for an admin who acts as somebody: what opens an account is its person's alone."""
    await _signed_in(call)
    if call.caller is None or call.caller.admin_id is not None:
        raise Forbidden()


async def _merchant(call: Call) -> None:
    await _signed_in(call)
    if call.caller is None or call.caller.role not in ("merchant", "admin"):
        raise Forbidden()


async def _admin(call: Call) -> None:
    await _signed_in(call)
    if not is_admin(call):
        raise Forbidden()


async def _admin_store(call: Call) -> None:
    await _admin(call)
    await find_store_in_path(call)


def member(
    permission: str, find_store: Check = find_store_in_path, see: Check = _store_visible
) -> Needs:
    """Who has this permission in the route's store: its people, its API keys, platform admins.

    Others are forbidden what they can see, and may not know of anything else: `see` raises
    `NotFound` for what is hidden from the public.
    """

    async def check(call: Call) -> None:
        if call.caller is None:
            raise Unauthenticated()
        await find_store(call)
        if may(call, permission):
            return
        if not _knows(call):
            call.is_refused = True
            await see(call)
        raise Forbidden()

    return Needs(permission, check)


async def product_visible(call: Call) -> None:
    """A product that is on sale in an active store."""
    rows = await listing.find_card(call.shop.db, product_id_in_path(call))
    if not any(row.status == "active" and row.is_active for row in rows):
        raise ProductNotFound()


def order_party(permission: str, find: Find | None = None) -> Needs:
    """Who has this permission in the order's store, its customer, or its token's holder.

    Args:
        find: how the route leads to the order, if not by `:orderId`.
    """

    async def check(call: Call) -> None:
        shown = call.request.get_header("X-Order-Token") or ""
        if call.caller is None and not shown:
            raise Unauthenticated()
        order = await (find or _find_order)(call)
        is_buyer = _is_customer(call, order) or _has_token(call, order, shown)
        if not (may(call, permission) or is_buyer):
            call.is_refused = True
            raise Forbidden() if _knows(call) else _unknown(call)

    return Needs(f"{permission}|party", check, takes_order_token=True)


def order_member(permission: str, find: Find | None = None) -> Needs:
    """Who has this permission in the order's store; others may not know of the order."""

    async def check(call: Call) -> None:
        if call.caller is None:
            raise Unauthenticated()
        order = await (find or _find_order)(call)
        if not may(call, permission):
            call.is_refused = True
            if _knows(call) or _is_customer(call, order):
                raise Forbidden()
            raise _unknown(call)

    return Needs(f"{permission}|order", check)


def return_member(permission: str) -> Needs:
    """Who has this permission in the store of the return; others may not know of it."""

    async def check(call: Call) -> None:
        if call.caller is None:
            raise Unauthenticated()
        found = await returns.get_return(call.shop.db, call.params["return_id"])
        call.store_id = found.store_id
        if may(call, permission):
            return
        order = await orders.get_order(call.shop.db, found.order_id)
        if _knows(call) or _is_customer(call, order):
            raise Forbidden()
        raise ReturnNotFound()

    return Needs(f"{permission}|return", check)


async def _find_order(call: Call) -> Order:
    """Resolve `:orderId` to its store; the order is left in the call."""
    order = await orders.get_order(call.shop.db, call.params["order_id"])
    call.store_id = order.store_id
    call.found["order"] = order
    return order


async def find_order_of_shipment(call: Call) -> Order:
    """Resolve `:shipmentId` to its order; both are left in the call."""
    shipment = await shipments.get_shipment(call.shop.db, call.params["shipment_id"])
    call.found["shipment"] = shipment
    order = await orders.get_order(call.shop.db, shipment.order_id)
    call.store_id = order.store_id
    call.found["order"] = order
    return order


def _unknown(call: Call) -> NotFound:
    return ShipmentNotFound() if "shipment" in call.found else OrderNotFound()


def _is_customer(call: Call, order: Order) -> bool:
    return (
        call.caller is not None
        and call.caller.user_id is not None
        and order.customer_user_id == call.caller.user_id
    )


def _has_token(call: Call, order: Order, shown: str) -> bool:
    return bool(shown) and call.shop.keyring.verify(_ORDER_TOKEN, order.id, shown)


PUBLIC = Needs("public", _anybody, ignores_identity=True)
ANYBODY = Needs("public", _anybody)
STORE_VISIBLE = Needs("public:store", _store_visible)
STORE_OPEN = Needs("public:store", _store_named, _store_visible)
SIGNED_IN = Needs("signed_in", _signed_in)
OWN_ACCOUNT = Needs("own_account", _own_account)
MERCHANT = Needs("merchant", _merchant)
ADMIN = Needs("admin", _admin)
ADMIN_STORE = Needs("admin", _admin_store)


async def _staff_or_self(call: Call) -> None:
    if call.caller is not None and str(call.caller.user_id) == call.params["user_id"]:
        await find_store_in_path(call)
        if call.caller.admin_id is None and call.caller.works_in(call.store_id):
            return
    await _STAFF.check(call)


_STAFF = member("staff:write")
STAFF_OR_SELF = Needs("staff:write|self", _staff_or_self)


def is_owner(call: Call) -> bool:
    """True for an owner of the store that the call is about, in person."""
    caller = call.caller
    held = caller.permissions.get(call.store, frozenset()) if caller else frozenset()
    return caller is not None and caller.admin_id is None and covers(held, "owner")


async def _owner_alone(call: Call) -> None:
    """Where the store's money goes is for its owners, not for an admin, also one who acts."""
    await _MONEY.check(call)
    if not is_owner(call):
        raise Forbidden()


_MONEY = member("money:write")
MONEY_OWNER = Needs("money:write|owner", _owner_alone)
