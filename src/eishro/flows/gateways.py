"""Which adapter speaks for a payment, and what it is told."""

from collections.abc import Mapping

import msgspec

from eishro.domain.payments.model import Payment
from eishro.domain.payments.port import Intent, PaymentProvider
from eishro.flows.shop import Shop
from eishro.keyring import BadSeal

SESSION = "payment-session"  # what sessions are sealed for


async def provider_of(shop: Shop, store_id: int, name: str) -> PaymentProvider | None:
    """The adapter with the credentials that count for this store, None where there are none."""
    del store_id
    return shop.providers.get(name)


def intent_of(shop: Shop, payment: Payment) -> Intent:
    """The payment as its adapter may know it, with the addresses where news of it is heard.

    The payer comes back to an address with the wire reference in it: the payment's own id lets
    its holder act on it and goes to no gateway.
    """
    url = shop.rules.public_url
    return msgspec.structs.replace(
        payment.intent,
        return_url=f"{url}/api/payments/{payment.reference}/return",
        notify_url=f"{url}/api/webhooks/payments/{payment.provider}",
        session=_open(shop, payment.session),
    )


def seal_session(shop: Shop, session: Mapping[str, str]) -> str | None:
    """What the adapter wants to be told again, as it is kept."""
    return shop.keyring.seal(SESSION, msgspec.json.encode(session)) if session else None


def _open(shop: Shop, sealed: str | None) -> dict[str, str]:
    if sealed is None:
        return {}
    try:
        return msgspec.json.decode(shop.keyring.open(SESSION, sealed), type=dict[str, str])
    except BadSeal:  # its key is gone: the payer begins again
        return {}
