"""A store's settings as they are sent and shown."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.payments.banks import find_bank
from eishro.domain.stores.model import SHIPPING_RATE_DIRHAMS, StoreSettings, TransferAccount
from eishro.web.bank_wire import Iban
from eishro.web.business import BusinessSettings, BusinessView, business_view
from eishro.web.wire import (
    VISIBLE,
    CodRounding,
    Dinars,
    Email,
    Name,
    Phone,
    ShortText,
    WebAddress,
    dinars,
    in_words,
    optional_dinars,
)


class PickupSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whether buyers may collect their orders, and where."""

    enabled: bool = False
    address: ShortText | None = None


class ShippingSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The store's price of delivery to every city (where it has no zones), and what holds for all
    deliveries.
    """

    default_rate: Dinars | UnsetType = UNSET
    free_above: Dinars | None = None
    cod_rounding: CodRounding | UnsetType = UNSET
    pickup: PickupSettings = PickupSettings()


class ContactSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How buyers reach the store."""

    phone: Phone | None = None
    email: Email | None = None
    address: ShortText | None = None


_Latin = in_words("must be Latin letters, digits and signs", "يجب أن يكون بأحرف لاتينية وأرقام")
LatinText = Annotated[
    str, Meta(min_length=1, max_length=25, pattern=r"^[ -~]*[!-~][ -~]*$", extra=_Latin)
]
AccountText = Annotated[str, Meta(min_length=1, max_length=40, pattern=VISIBLE)]
AliasText = Annotated[
    str, Meta(min_length=1, max_length=60, pattern=r"^[ -~]*[!-~][ -~]*$", extra=_Latin)
]


class AccountSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where buyers transfer money to. `bank` is an id or name of `GET /api/banks`, or another
    name; an account without an IBAN has a number that nobody can check.
    """

    beneficiary: Name
    bank: Name
    iban: Iban | None = None
    account_number: AccountText | None = None
    lypay_alias: AliasText | None = None
    latin_name: LatinText | None = None
    institution: AliasText | None = None

    def value(self) -> TransferAccount:
        """As the store keeps it."""
        bank = find_bank(self.bank)
        return TransferAccount(
            beneficiary=self.beneficiary.strip(),
            bank=bank.id if bank else self.bank.strip(),
            iban=self.iban.iban if self.iban else None,
            account_number=self.account_number,
            lypay_alias=self.lypay_alias,
            latin_name=self.latin_name,
            institution=self.institution,
        )


class SettingsBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A store's settings as sent; what is left out gets its default."""

    shipping: ShippingSettings = ShippingSettings()
    payment_methods: Annotated[list[ShortText], Meta(max_length=30)] = []
    contact: ContactSettings = ContactSettings()
    business: BusinessSettings = BusinessSettings()
    return_url: WebAddress | None = None
    cod_max: Dinars | None = None
    transfer_account: AccountSettings | None = None

    def value(self) -> StoreSettings:
        """As the store keeps them."""
        shipping, contact = self.shipping, self.contact
        above, rounding = shipping.free_above, shipping.cod_rounding
        return StoreSettings(
            shipping_rate_dirhams=(
                rate.dirhams if (rate := shipping.default_rate) else SHIPPING_RATE_DIRHAMS
            ),
            free_shipping_above_dirhams=above.dirhams if above else None,
            payment_methods=tuple(self.payment_methods),
            contact_phone=contact.phone.number if contact.phone else None,
            contact_email=contact.email.address if contact.email else None,
            contact_address=contact.address,
            return_url=self.return_url.url if self.return_url else None,
            business=self.business.value(),
            cod_rounding_dirhams=rounding.dirhams if rounding else 0,
            pickup_enabled=shipping.pickup.enabled,
            pickup_address=shipping.pickup.address,
            cod_most_dirhams=self.cod_max.dirhams if self.cod_max else None,
            transfer_account=self.transfer_account.value() if self.transfer_account else None,
        )


class PickupView(msgspec.Struct, frozen=True, rename="camel"):
    """Collecting in an answer."""

    enabled: bool
    address: str | None


class ShippingView(msgspec.Struct, frozen=True, rename="camel"):
    """Delivery in an answer; zones are listed by a route of their own."""

    default_rate: Decimal
    free_above: Decimal | None
    cod_rounding: Decimal
    pickup: PickupView


class ContactView(msgspec.Struct, frozen=True, rename="camel"):
    """Contact in an answer."""

    phone: str | None
    email: str | None
    address: str | None


class AccountView(msgspec.Struct, frozen=True, rename="camel"):
    """Where buyers transfer money to, in an answer."""

    beneficiary: str
    bank: str
    iban: str | None
    account_number: str | None
    lypay_alias: str | None
    latin_name: str | None
    institution: str | None


class SettingsView(msgspec.Struct, frozen=True, rename="camel"):
    """Settings in an answer; they can be sent back as they are."""

    shipping: ShippingView
    payment_methods: list[str]
    contact: ContactView
    business: BusinessView
    return_url: str | None
    cod_max: Decimal | None
    transfer_account: AccountView | None


def settings_view(settings: StoreSettings) -> SettingsView:
    """The settings as the API shows them."""
    return SettingsView(
        shipping=ShippingView(
            default_rate=dinars(settings.shipping_rate_dirhams),
            free_above=optional_dinars(settings.free_shipping_above_dirhams),
            cod_rounding=dinars(settings.cod_rounding_dirhams),
            pickup=PickupView(settings.pickup_enabled, settings.pickup_address),
        ),
        payment_methods=list(settings.payment_methods),
        contact=ContactView(
            phone=settings.contact_phone,
            email=settings.contact_email,
            address=settings.contact_address,
        ),
        business=business_view(settings.business),
        return_url=settings.return_url,
        cod_max=optional_dinars(settings.cod_most_dirhams),
        transfer_account=_account_view(settings.transfer_account),
    )


def _account_view(account: TransferAccount | None) -> AccountView | None:
    return None if account is None else AccountView(**msgspec.structs.asdict(account))
