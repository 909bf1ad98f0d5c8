"""Pay again, or another way, for who holds the address of an attempt that is over.

The order waits for its money still, and nothing else may be charged (`domain/payments/again.py`);
before another attempt begins the gateway is asked once more about the one that is over.
"""

import msgspec

from eishro.db.audit import Actor
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.again import OVER, going_on
from eishro.domain.payments.model import Payment
from eishro.domain.payments.port import Payer, PaymentMethod, Unknown
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.flows.pay_order import ask_gateway, record_answer
from eishro.flows.place_order import carries, methods_of
from eishro.flows.shop import Once, Shop
from eishro.flows.start_payment import Language, start_payment


class Choice(msgspec.Struct, frozen=True):
    """What the payer may choose from. `first` is the attempt to go on with instead, and `methods`
    are empty then, or where the order waits for no money.
    """

    order: Order
    store: Store
    first: Payment | None
    methods: tuple[PaymentMethod, ...] = ()

    @property
    def is_offered(self) -> bool:
        """True where the payer has somewhere to go from here."""
        return bool(self.first or self.methods)


async def choice_of(shop: Shop, payment: Payment) -> Choice:
    """What its payer may do next; nothing is asked outside."""
    order = await orders.get_order(shop.db, payment.order_id)
    store = await stores.get_store(shop.db, payment.store_id)
    if not order.is_payable:
        return Choice(order, store, None)
    attempts = await payments.list_payments_of_order(shop.db, order.store_id, order.id)
    first = going_on(payment.id, attempts)
    if first is not None:
        return Choice(order, store, first)
    settings = store.settings_value()
    offered = (m for m in methods_of(shop, store) if carries(m, settings, order.due_dirhams))
    return Choice(order, store, None, tuple(offered))


async def ask_once_more(shop: Shop, payment_id: str) -> bool:
    """Whether it is clear that nothing was charged by this attempt, as far as its gateway knows;
    money that came after all is recorded. What was refused is clear without an answer.
    """
    payment = await payments.get_payment(shop.db, payment_id)
    if payment.status not in OVER:
        return True  # decided by its state alone
    answer = await ask_gateway(shop, payment)
    after = await record_answer(shop, payment.id, answer)
    is_silent = isinstance(answer, Unknown) and answer.is_unreachable
    return after.status == "failed" or not is_silent


async def pay_again(
    shop: Shop,
    payment_id: str,
    method: str,
    actor: Actor,
    once: Once,
    payer: Payer,
    language: Language,
) -> Payment:
    """The new attempt at the order of this one, which leads back to the same page of the shop.

    Raises:
        PaymentNotFound, NotPayable, MayBeCharged, AttemptOpen, and all of `start_payment`.
    """
    before = await payments.get_payment(shop.db, payment_id)
    return await start_payment(
        shop,
        before.order_id,
        method,
        before.return_url,
        actor,
        once,
        payer,
        language,
        instead_of=before.id,
    )
