"""Whose account buyers of a store transfer to: its own, else the platform's."""

from eishro.domain.payments.port import PaymentMethod
from eishro.domain.payments.transfers import Beneficiary
from eishro.domain.stores.model import StoreSettings
from eishro.flows.shop import Shop


def beneficiary_of(shop: Shop, settings: StoreSettings) -> Beneficiary | None:
    """The account, None where there is none."""
    own = settings.transfer_account
    if own is None:
        return shop.rules.transfer_account
    return Beneficiary(
        name=own.beneficiary,
        bank=own.bank,
        iban=own.iban,
        account_number=own.account_number,
        alias=own.lypay_alias,
        latin_name=own.latin_name,
        institution=own.institution,
    )


def can_pay_into(shop: Shop, settings: StoreSettings, method: PaymentMethod) -> bool:
    """False where the method needs an account that the store has not."""
    if not method.pays_into:
        return True
    account = beneficiary_of(shop, settings)
    return account is not None and (method.pays_into == "account" or account.takes_scans)
