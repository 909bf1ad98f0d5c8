"""What invoices say of a merchant, on the wire; a part of a store's settings."""

import msgspec

from eishro.domain.stores.model import Business
from eishro.web.wire import Phone, ShortText


class BusinessSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What invoices say of the merchant; everybody can read it."""

    legal_name: ShortText | None = None
    register_number: ShortText | None = None
    licence_number: ShortText | None = None
    tax_number: ShortText | None = None
    address: ShortText | None = None
    phone: Phone | None = None
    shows_tax: bool = False

    def value(self) -> Business:
        """As the store keeps it."""
        values = msgspec.structs.asdict(self)
        values["phone"] = self.phone.number if self.phone else None
        return Business(**values)


class BusinessView(msgspec.Struct, frozen=True, rename="camel"):
    """The merchant's business in an answer."""

    legal_name: str | None
    register_number: str | None
    licence_number: str | None
    tax_number: str | None
    address: str | None
    phone: str | None
    shows_tax: bool


def business_view(business: Business) -> BusinessView:
    """The business as the API shows it."""
    return BusinessView(**msgspec.structs.asdict(business))
