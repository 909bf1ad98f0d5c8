"""Stores and categories as values."""

from datetime import datetime
from typing import Literal

import msgspec

from eishro.errors import Conflict, NotFound, Words

NAME_LENGTH_MAX = 120
CATEGORIES_MAX = 500  # in one store
Standing = Literal["approved", "pending", "rejected", "suspended"]
NONE_OWN = msgspec.Raw(b"[]")
SHIPPING_RATE_DIRHAMS = 10_000  # where a store says nothing: 10 dinars to every city


class Business(msgspec.Struct, frozen=True, omit_defaults=True):
    """What invoices say of the merchant; the public sees it too. `shows_tax` prints a line for tax
    although there is none.
    """

    legal_name: str | None = None
    register_number: str | None = None
    licence_number: str | None = None
    tax_number: str | None = None
    address: str | None = None
    phone: str | None = None
    shows_tax: bool = False


class TransferAccount(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where buyers transfer money to: an IBAN, or an older number that nobody can check. `bank` is
    an id of the list of banks or a name, `latin_name` and `institution` stand in codes to scan.
    """

    beneficiary: str
    bank: str
    iban: str | None = None
    account_number: str | None = None
    lypay_alias: str | None = None
    latin_name: str | None = None
    institution: str | None = None


class StoreSettings(msgspec.Struct, frozen=True):
    """What a merchant decides; kept as JSON in the store's row, amounts in dirhams.

    `payment_methods` empty means every method the platform offers. The rate and its threshold are
    those of every city while the store has no active zones (domain/shipping). The total of an
    order that is paid in cash is rounded up to `cod_rounding_dirhams` (0: it is not), and may be
    `cod_most_dirhams` at most (None: any). Where cash is taken at all is said by the zones.
    """

    shipping_rate_dirhams: int = SHIPPING_RATE_DIRHAMS
    free_shipping_above_dirhams: int | None = None
    payment_methods: tuple[str, ...] = ()
    contact_phone: str | None = None
    contact_email: str | None = None
    contact_address: str | None = None
    return_url: str | None = None
    cod_rounding_dirhams: int = 0
    pickup_enabled: bool = False
    pickup_address: str | None = None
    business: Business = Business()
    cod_most_dirhams: int | None = None
    transfer_account: TransferAccount | None = None


class Store(msgspec.Struct, frozen=True):
    """A merchant's store. The owner is a membership (`owner_id` is read from it).

    `is_active` is what the public sees; `standing` is the platform's word, and a store whose
    standing is not `approved` cannot be opened by its owner. `commission_bp` is the platform's
    share in basis points where it is not everybody's, `own_gateways` names the payment gateways
    (JSON) that it has credentials of its own for.
    """

    id: int
    slug: str
    name: str
    name_en: str | None
    description: str | None
    logo: str | None
    settings: msgspec.Raw
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int
    standing: Standing = "approved"
    standing_reason: str | None = None
    commission_bp: int | None = None
    own_gateways: msgspec.Raw = NONE_OWN
    owner_id: int | None = None

    def settings_value(self) -> StoreSettings:
        """The settings, decoded."""
        return msgspec.json.decode(self.settings, type=StoreSettings)


class Category(msgspec.Struct, frozen=True):
    """A shelf of a store; `parent_id` None is the top. `slug` is unique in the store."""

    id: int
    store_id: int
    parent_id: int | None
    slug: str
    name: str
    name_en: str | None
    position: int
    created_at: datetime
    version: int


class SlugTaken(Conflict):
    """Another store (or category of the store) has this slug."""

    words = Words("This short name is taken.", "هذا الاسم المختصر مستخدم.")


class HasStore(Conflict):
    """A merchant has one store."""

    words = Words("You have a store already.", "لديك متجر بالفعل.")


class CategoryInUse(Conflict):
    """The category still has categories below it."""

    words = Words(
        "Move or delete the categories below it first.", "انقل الأقسام الفرعية أو احذفها أولا."
    )


class StoreNotApproved(Conflict):
    """The platform has not approved the store, or has suspended it."""

    words = Words(
        "The platform has to approve this store first.", "يجب أن توافق المنصة على هذا المتجر أولا."
    )


class StoreNotFound(NotFound):
    """No store of this id or slug that the caller may see."""

    words = Words("There is no such store.", "لا يوجد متجر بهذا العنوان.")


class CategoryNotFound(NotFound):
    """No such category in this store."""

    words = Words("There is no such category.", "لا يوجد قسم بهذا الاسم.")
