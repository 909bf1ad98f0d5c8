"""Which adapter speaks for a payment, and what it is told."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from eishro.domain.payments import credentials
from eishro.domain.payments.credentials import Credentials
from eishro.domain.payments.health import account_name
from eishro.domain.payments.model import Payment
from eishro.domain.payments.port import Intent, PaymentProvider, ProviderBusy
from eishro.flows.shop import Shop
from eishro.keyring import BadSeal

SESSION = "payment-session"  # what sessions are sealed for
CREDENTIALS = "gateway-credentials"


async def present_provider(
    shop: Shop, store_id: int, name: str
) -> tuple[PaymentProvider, str | None] | None:
    """Who speaks for a new payment of this store, and the id of the store's own credentials
    (None: the platform's); None where there are no credentials.
    """
    own = await credentials.find_credentials(shop.db, store_id, name)
    if own is not None:
        return speak_for(shop, own), own.id
    platforms = shop.providers.get(name)
    return None if platforms is None else (platforms, None)


async def provider_of(shop: Shop, payment: Payment) -> PaymentProvider | None:
    """Who speaks for this payment: with the credentials that it was begun with."""
    if payment.credentials_id is None:
        return shop.providers.get(payment.provider)
    own = await credentials.get_credentials(shop.db, payment.store_id, payment.credentials_id)
    return speak_for(shop, own)


def speak_for(shop: Shop, own: Credentials) -> PaymentProvider:
    """The adapter of a store's own credentials.

    Raises:
        ProviderBusy: they cannot be opened or used any more; nothing was charged.
    """
    try:
        return shop.gateways.speak(own.id, own.provider, own.mode, open_fields(shop, own))
    except (BadSeal, ValueError, KeyError) as error:
        raise ProviderBusy() from error


@asynccontextmanager
async def beginning(shop: Shop, payment: Payment) -> AsyncIterator[None]:
    """Around asking a gateway to begin a payment: held back where it has not answered lately.

    Raises:
        GatewayResting: it was not asked, nothing was charged.
    """
    account = account_name(payment.provider, payment.credentials_id)
    await shop.gateways.health.begin(account)
    try:
        yield
    except Exception:  # what the payer gave does not do: another may find out how the gateway is
        await shop.gateways.health.untried(account)
        raise


def open_fields(shop: Shop, own: Credentials) -> dict[str, str]:
    """The fields of a store's own credentials.

    Raises:
        BadSeal: the key that sealed them is gone.
    """
    return msgspec.json.decode(shop.keyring.open(CREDENTIALS, own.sealed), type=dict[str, str])


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
