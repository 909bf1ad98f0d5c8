"""What follows from events of the outbox: mails, for now. Topics without a handler are kept in
the outbox for a week for whoever wants to look.

A handler may run twice for one event (a worker died between doing and noting), so a mail may
arrive twice; nothing here moves money or stock.
"""

from collections.abc import Awaitable, Callable, Mapping

from eishro.db.outbox import Event
from eishro.domain.accounts import sql as accounts
from eishro.domain.messages import mails
from eishro.domain.messages.port import MailNotSent, Message
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.flows.edit_account import verification_token
from eishro.flows.shop import Shop
from eishro.money import decimal_from_dirhams

Handler = Callable[[Shop, Event], Awaitable[None]]


async def mail_verification(shop: Shop, event: Event) -> None:
    """Ask a new user to confirm the address."""
    user = await accounts.get_user(shop.db, int(event.subject_id))
    link = f"{shop.rules.public_url}/verify-email?token={verification_token(shop, user)}"
    await _send(shop, mails.verification(user.email, link))


async def mail_order_placed(shop: Shop, event: Event) -> None:
    """Tell buyer and merchant about a new order."""
    order, store = await _order_and_store(shop, event)
    total = str(decimal_from_dirhams(order.total_dirhams))
    if order.customer_email:
        await _send(
            shop, mails.order_placed(order.customer_email, store.name, order.number, total, None)
        )
    await _tell_merchant(shop, store, order, total, paid=False)


async def mail_order_paid(shop: Shop, event: Event) -> None:
    """Tell buyer and merchant that the money is there."""
    order, store = await _order_and_store(shop, event)
    total = str(decimal_from_dirhams(order.total_dirhams))
    if order.customer_email:
        await _send(shop, mails.order_paid(order.customer_email, store.name, order.number, total))
    await _tell_merchant(shop, store, order, total, paid=True)


async def _order_and_store(shop: Shop, event: Event) -> tuple[Order, Store]:
    order = await orders.get_order(shop.db, event.subject_id)
    return order, await stores.get_store(shop.db, order.store_id)


async def _tell_merchant(shop: Shop, store: Store, order: Order, total: str, *, paid: bool) -> None:
    address = store.settings_value().contact_email
    if address is None and store.owner_id is not None:
        address = (await accounts.get_user(shop.db, store.owner_id)).email
    if address is not None:
        await _send(shop, mails.order_received(address, store.name, order.number, total, paid=paid))


async def _send(shop: Shop, message: Message) -> None:
    """Send, or raise where a later try can help."""
    try:
        await shop.mail.send(message)
    except MailNotSent as error:
        if error.again:
            raise


HANDLERS: Mapping[str, tuple[Handler, ...]] = {
    "user.registered": (mail_verification,),
    "order.placed": (mail_order_placed,),
    "order.paid": (mail_order_paid,),
}
