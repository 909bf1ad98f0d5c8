"""What follows from events of the outbox: mails, and search text. Topics without a handler are
kept in the outbox for a week for whoever wants to look.

A topic with several handlers becomes an event for each (`order.placed/mail_buyer`), so that one
that fails is tried again alone. A handler may run twice for one event (a worker died between
doing and noting), so a mail may arrive twice. Whatever concerns money guards itself.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from eishro.db.outbox import Event
from eishro.domain.accounts import invitations
from eishro.domain.accounts import sql as accounts
from eishro.domain.invoices.model import NotInvoiced
from eishro.domain.messages import mails
from eishro.domain.messages.port import MailNotSent, Message
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.shipping import shipments_sql as shipments
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.flows.claim_orders import claim_guest_orders
from eishro.flows.edit_account import verification_token
from eishro.flows.edit_staff import invitation_token
from eishro.flows.issue_invoice import issue_invoice
from eishro.flows.pay_on_delivery import settle_cash_attempts
from eishro.flows.prove_phone import send_code
from eishro.flows.recover_account import reset_token
from eishro.flows.refile_products import refile_products
from eishro.flows.refund_order import open_due_refund
from eishro.flows.refund_return import credit_refund, refund_return
from eishro.flows.secure_account import email_change_token, is_still_asked_for
from eishro.flows.shop import Shop
from eishro.money import decimal_from_dirhams

Handler = Callable[[Shop, Event], Awaitable[None]]


async def mail_verification(shop: Shop, event: Event) -> None:
    """Ask a new user to confirm the address, unless an identity provider has done so."""
    user = await accounts.get_user(shop.db, int(event.subject_id))
    if user.email_verified_at is not None:
        return
    link = f"{shop.rules.public_url}/verify-email?token={verification_token(shop, user)}"
    await _send(shop, mails.verification(user.email, link))


async def mail_verification_again(shop: Shop, event: Event) -> None:
    """The same, for whoever asks; nothing for an address without an account or confirmed."""
    user = await accounts.find_user_by_email(shop.db, _payload(event)["email"])
    if user is not None and user.is_active and user.email_verified_at is None:
        link = f"{shop.rules.public_url}/verify-email?token={verification_token(shop, user)}"
        await _send(shop, mails.verification(user.email, link))


async def mail_reset(shop: Shop, event: Event) -> None:
    """A link for a new password; nothing for an address without an account."""
    user = await accounts.find_user_by_email(shop.db, _payload(event)["email"])
    if user is not None and user.is_active:
        link = f"{shop.rules.public_url}/reset-password?token={reset_token(shop, user)}"
        await _send(shop, mails.password_reset(user.email, link))


async def mail_password_changed(shop: Shop, event: Event) -> None:
    """Tell that the password was changed, so that a thief cannot do it quietly."""
    user = await accounts.get_user(shop.db, int(event.subject_id))
    await _send(shop, mails.password_changed(user.email))


async def mail_email_change(shop: Shop, event: Event) -> None:
    """A link to the new address that makes it the account's."""
    user = await accounts.get_user(shop.db, int(event.subject_id))
    payload = _payload(event)
    email = payload["email"]
    if not is_still_asked_for(shop, user, payload.get("asked", "")):
        return
    if await accounts.find_user_by_email(shop.db, email) is None:
        token = email_change_token(shop, user, email, event.created_at)
        link = f"{shop.rules.public_url}/verify-email?token={token}"
        await _send(shop, mails.verification(email, link))


async def mail_email_changed(shop: Shop, event: Event) -> None:
    """Tell the old address that the account has another one now."""
    await _send(shop, mails.email_changed(_payload(event)["before"]))


async def mail_acted_for(shop: Shop, event: Event) -> None:
    """Tell that an admin acts in somebody's name, and why."""
    user = await accounts.get_user(shop.db, int(event.subject_id))
    await _send(shop, mails.acted_for(user.email, _payload(event)["reason"]))


async def mail_invitation(shop: Shop, event: Event) -> None:
    """The link by which somebody becomes a member of a store."""
    found = await invitations.find_invitation(shop.db, event.subject_id)
    if found is not None and found.closed_at is None:
        store = await stores.get_store(shop.db, found.store_id)
        link = f"{shop.rules.public_url}/invitation?token={invitation_token(shop, found)}"
        await _send(shop, mails.invitation(found.email, store.name, link))


async def mail_standing(shop: Shop, event: Event) -> None:
    """Tell the store's owners what the platform decided."""
    store = await stores.get_store(shop.db, int(event.subject_id))
    for member in await accounts.list_members(shop.db, store.id):
        if member.role == "owner":
            reason = store.standing_reason or ""
            await _send(
                shop, mails.store_standing(member.email, store.name, store.standing, reason)
            )


async def mail_bank_account(shop: Shop, event: Event) -> None:
    """Tell the store's owners that its money goes elsewhere from now on."""
    store = await stores.get_store(shop.db, int(event.subject_id))
    for member in await accounts.list_members(shop.db, store.id):
        if member.role == "owner":
            await _send(shop, mails.bank_account_changed(member.email, store.name))


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


async def mail_refund(shop: Shop, event: Event) -> None:
    """Tell the buyer that money has gone back."""
    order, store = await _order_and_store(shop, event)
    if order.customer_email is not None:
        amount = _payload(event)["amount"]
        await _send(
            shop, mails.order_refunded(order.customer_email, store.name, order.number, amount)
        )


async def mail_changed(shop: Shop, event: Event) -> None:
    """Tell who has paid for an order what it costs now."""
    order, store = await _order_and_store(shop, event)
    if order.customer_email is None or not order.paid_dirhams:
        return
    due = str(decimal_from_dirhams(order.due_dirhams)) if order.due_dirhams else None
    total = str(decimal_from_dirhams(order.total_dirhams))
    words = mails.order_changed(order.customer_email, store.name, order.number, total, due)
    await _send(shop, words)


async def credit_refunded(shop: Shop, event: Event) -> None:
    """Write the credit note of a refund that has left."""
    await credit_refund(shop, _payload(event)["refund"])


async def refund_returned(shop: Shop, event: Event) -> None:
    """Give back what was paid for goods that came back."""
    await refund_return(shop, event.subject_id)


async def refund_cancelled(shop: Shop, event: Event) -> None:
    """Open the refund of a paid order that was cancelled; once, since nothing is left then."""
    await open_due_refund(shop, event.subject_id)


async def mail_shipped(shop: Shop, event: Event) -> None:
    """Tell the buyer what is on its way, with the tracking numbers that are known by now."""
    order, store = await _order_and_store(shop, event)
    if order.customer_email is None:
        return
    parcels = [
        f"{shipment.shown_carrier} {shipment.tracking_number}"
        for shipment in await shipments.list_of_order(shop.db, order.id)
        if shipment.status != "cancelled" and shipment.tracking_number is not None
    ]
    whole = event.topic.startswith("order.shipped")
    words = mails.order_shipped(
        order.customer_email, store.name, order.number, parcels, whole=whole
    )
    await _send(shop, words)


async def mail_delivered(shop: Shop, event: Event) -> None:
    """Tell the buyer that everything is there."""
    order, store = await _order_and_store(shop, event)
    if order.customer_email is not None:
        await _send(shop, mails.order_delivered(order.customer_email, store.name, order.number))


async def issue_paid_invoice(shop: Shop, event: Event) -> None:
    """Give a paid order its invoice; one that was cancelled since gets none here."""
    with contextlib.suppress(NotInvoiced):
        await issue_invoice(shop, event.subject_id)


async def issue_changed_invoice(shop: Shop, event: Event) -> None:
    """Give a paid order that was changed an invoice in place of the one that is void now."""
    order = await orders.get_order(shop.db, event.subject_id)
    if order.is_captured and order.revision:
        await issue_paid_invoice(shop, event)


async def refile_shelf(shop: Shop, event: Event) -> None:
    """Let search find the products of a renamed category by its new name."""
    await refile_products(shop, int(event.subject_id))


def _payload(event: Event) -> dict[str, str]:
    return msgspec.json.decode(event.payload, type=dict[str, str])


async def settle_cash(shop: Shop, event: Event) -> None:
    """Cash that came pays the attempt that stood for it."""
    await settle_cash_attempts(shop, event.subject_id)


async def delete_proof(shop: Shop, event: Event) -> None:
    """The picture that somebody showed of a transfer goes with the person."""
    await shop.files.delete(event.subject_id)


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


async def join_guest_orders(shop: Shop, event: Event) -> None:
    """Orders placed as a guest with what the account has proven now are the account's."""
    await claim_guest_orders(shop, int(event.subject_id))


async def text_phone_code(shop: Shop, event: Event) -> None:
    """The code that proves a telephone."""
    await send_code(shop, event)


async def mail_erased(shop: Shop, event: Event) -> None:
    """Tell that the account is gone, so that nobody does it quietly."""
    await _send(shop, mails.account_erased(_payload(event)["email"]))


HANDLERS: Mapping[str, tuple[Handler, ...]] = {
    "user.registered": (mail_verification, join_guest_orders),
    "user.verification_wanted": (mail_verification_again,),
    "user.password_forgotten": (mail_reset,),
    "user.password_changed": (mail_password_changed,),
    "user.email_change_started": (mail_email_change,),
    "user.email_changed": (mail_email_changed, join_guest_orders),
    "user.email_verified": (join_guest_orders,),
    "user.phone_code_wanted": (text_phone_code,),
    "user.phone_proven": (join_guest_orders,),
    "user.erased": (mail_erased,),
    "user.acted_for": (mail_acted_for,),
    "staff.invited": (mail_invitation,),
    "store.standing_changed": (mail_standing,),
    "bank_account.changed": (mail_bank_account,),
    "order.placed": (mail_buyer, mail_merchant),
    "order.paid": (mail_buyer, mail_merchant, issue_paid_invoice, settle_cash),
    "proof.forgotten": (delete_proof,),
    "order.refunded": (mail_refund, credit_refunded),
    "order.edited": (mail_changed, issue_changed_invoice),
    "order.exchanged": (credit_refunded,),
    "return.received": (refund_returned,),
    "refund.due": (refund_cancelled,),
    "order.partially_shipped": (mail_shipped,),
    "order.shipped": (mail_shipped,),
    "order.delivered": (mail_delivered,),
    "category.renamed": (refile_shelf,),
}


def handlers_of(topic: str) -> tuple[Handler, ...]:
    """Who handles the topic; `topic/name` is for one of its handlers alone."""
    base, _, name = topic.partition("/")
    return tuple(h for h in HANDLERS.get(base, ()) if name in ("", h.__name__))
