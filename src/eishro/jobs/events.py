"""What follows from events of the outbox: mails, and search text. Topics without a handler are
kept in the outbox for a week for whoever wants to look.

A topic with several handlers becomes an event for each (`order.placed/mail_buyer`), so that one
that fails is tried again alone. A handler may run twice for one event (a worker died between
doing and noting), so a mail may arrive twice; nothing here moves money or stock.
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
from eishro.flows.refile_products import refile_products
from eishro.flows.shop import Shop
from eishro.money import decimal_from_dirhams

Handler = Callable[[Shop, Event], Awaitable[None]]


async def mail_verification(shop: Shop, event: Event) -> None:
    """Ask a new user to confirm the address."""
    user = await accounts.get_user(shop.db, int(event.subject_id))
    link = f"{shop.rules.public_url}/verify-email?token={verification_token(shop, user)}"
    await _send(shop, mails.verification(user.email, link))


async def mail_buyer(shop: Shop, event: Event) -> None:
    """Tell the buyer that the order, or its money, has arrived."""
    order, store = await _order_and_store(shop, event)
    if order.customer_email is None:
        return
    total = str(decimal_from_dirhams(order.total_dirhams))
    words = mails.order_paid if _is_paid(event) else mails.order_placed
    await _send(shop, words(order.customer_email, store.name, order.number, total))


async def mail_merchant(shop: Shop, event: Event) -> None:
    """Tell the merchant about a new or paid order."""
    order, store = await _order_and_store(shop, event)
    address = store.settings_value().contact_email
    if address is None and store.owner_id is not None:
        address = (await accounts.get_user(shop.db, store.owner_id)).email
    if address is None:
        return
    total = str(decimal_from_dirhams(order.total_dirhams))
    paid = _is_paid(event)
    await _send(shop, mails.order_received(address, store.name, order.number, total, paid=paid))


async def refile_shelf(shop: Shop, event: Event) -> None:
    """Let search find the products of a renamed category by its new name."""
    await refile_products(shop, int(event.subject_id))


def _is_paid(event: Event) -> bool:
    return event.topic.startswith("order.paid")


async def _order_and_store(shop: Shop, event: Event) -> tuple[Order, Store]:
    order = await orders.get_order(shop.db, event.subject_id)
    return order, await stores.get_store(shop.db, order.store_id)


async def _send(shop: Shop, message: Message) -> None:
    """Send, or raise where a later try can help."""
    try:
        await shop.mail.send(message)
    except MailNotSent as error:
        if error.again:
            raise


HANDLERS: Mapping[str, tuple[Handler, ...]] = {
    "user.registered": (mail_verification,),
    "order.placed": (mail_buyer, mail_merchant),
    "order.paid": (mail_buyer, mail_merchant),
    "category.renamed": (refile_shelf,),
}


def handlers_of(topic: str) -> tuple[Handler, ...]:
    """Who handles the topic; `topic/name` is for one of its handlers alone."""
    base, _, name = topic.partition("/")
    return tuple(h for h in HANDLERS.get(base, ()) if name in ("", h.__name__))
