"""Who may come in: the permissions that rows of the route table name.

A check finds the store (or order) a route is about, decides, and leaves what it found in the
call. What the caller may not know of answers 404.
"""

from eishro.domain.catalog import listing
from eishro.domain.catalog import sql as catalog
from eishro.domain.catalog.model import ProductNotFound
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order, OrderNotFound
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import StoreNotFound
from eishro.errors import Forbidden, Unauthenticated
from eishro.web.routes import Call, Check, Needs

_ORDER_TOKEN = "order-token"  # noqa: S105 - the name of a purpose, not a secret
SLUG_LENGTH_MAX = 60
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


def is_member(call: Call) -> bool:
    """True if the caller works in the call's store or for the platform."""
    caller = call.caller
    return caller is not None and (caller.role == "admin" or caller.store_id == call.store_id)


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
    if not front.is_active and not is_member(call):
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


async def _merchant(call: Call) -> None:
    await _signed_in(call)
    if call.caller is None or call.caller.role not in ("merchant", "admin"):
        raise Forbidden()


def member(
    permission: str, find_store: Check = find_store_in_path, see: Check = _store_visible
) -> Needs:
    """A member of the route's store (or a platform admin) with this permission.

    Others are forbidden what they can see, and may not know of anything else: `see` raises
    `NotFound` for what is hidden from the public.
    """

    async def check(call: Call) -> None:
        if call.caller is None:
            raise Unauthenticated()
        await find_store(call)
        if not is_member(call):
            await see(call)
            raise Forbidden()

    return Needs(permission, check)


async def product_visible(call: Call) -> None:
    """A product that is on sale in an active store."""
    rows = await listing.find_card(call.shop.db, product_id_in_path(call))
    if not any(row.status == "active" and row.is_active for row in rows):
        raise ProductNotFound()


async def _order_party(call: Call) -> None:
    """The order's store, its customer, or whoever shows the order's token."""
    order_id = call.params["order_id"]
    shown = call.request.get_header("X-Order-Token") or ""
    if call.caller is None and not shown:
        raise Unauthenticated()
    order = await orders.get_order(call.shop.db, order_id)
    call.store_id = order.store_id
    if not (is_member(call) or _is_customer(call, order) or _has_token(call, order, shown)):
        raise OrderNotFound()
    call.found["order"] = order


async def _order_member(call: Call) -> None:
    """A member of the store the order belongs to; others may not know of it."""
    if call.caller is None:
        raise Unauthenticated()
    order = await orders.get_order(call.shop.db, call.params["order_id"])
    call.store_id = order.store_id
    if not is_member(call):
        if _is_customer(call, order):
            raise Forbidden()
        raise OrderNotFound()
    call.found["order"] = order


def _is_customer(call: Call, order: Order) -> bool:
    return (
        call.caller is not None
        and order.customer_user_id is not None
        and order.customer_user_id == call.caller.user_id
    )


def _has_token(call: Call, order: Order, shown: str) -> bool:
    return bool(shown) and call.shop.keyring.verify(_ORDER_TOKEN, order.id, shown)


PUBLIC = Needs("public", _anybody, ignores_identity=True)
STORE_VISIBLE = Needs("public:store", _store_visible)
STORE_OPEN = Needs("public:store", _store_named, _store_visible)
SIGNED_IN = Needs("signed_in", _signed_in)
MERCHANT = Needs("merchant", _merchant)
ORDER_PARTY = Needs("order_party", _order_party, takes_order_token=True)
ORDER_MEMBER = Needs("orders:write", _order_member)
