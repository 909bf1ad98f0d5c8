"""The own address book, and proving a telephone."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.customers import sql as customers
from eishro.domain.customers.model import LATITUDES, LONGITUDES, Address, ProvenPhone
from eishro.errors import Words
from eishro.flows import claim_orders, edit_addresses, prove_phone
from eishro.text import fold_digits
from eishro.web.accounts import own_id
from eishro.web.order_views import CityView, city_view
from eishro.web.routes import Call, Reply
from eishro.web.stores import refuse_stale
from eishro.web.wire import CityName, Name, Note, Phone, ShortText, in_words

PlaceText = Annotated[
    str, Meta(min_length=1, max_length=300, pattern=r"^[^\u0000]*[^\s\u0000][^\u0000]*$")
]
OneTimeCode = Annotated[
    str,
    Meta(
        min_length=6,
        max_length=6,
        pattern=r"^[0-9\u0660-\u0669]{6}$",
        extra=in_words("must be the 6 digits of the message", "يجب أن يكون أرقام الرسالة الستة"),
    ),
]


class PinBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A place on the map in millionths of a degree, in or around Libya: 32.887209 north is
    32887209.
    """

    latitude_microdegrees: Annotated[int, Meta(ge=LATITUDES[0], le=LATITUDES[1])]
    longitude_microdegrees: Annotated[int, Meta(ge=LONGITUDES[0], le=LONGITUDES[1])]


class AddressBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A new address; there is no postal code in Libya. The first one is the default if nothing
    else is said.
    """

    name: Name
    phone: Phone
    city: CityName
    address: PlaceText
    label: ShortText = ""
    area: ShortText | None = None
    landmark: ShortText | None = None
    pin: PinBody | None = None
    notes: Note | None = None
    is_default: bool | UnsetType = UNSET


class AddressChangeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members to change; the others stay."""

    name: Name | UnsetType = UNSET
    phone: Phone | UnsetType = UNSET
    city: CityName | UnsetType = UNSET
    address: PlaceText | UnsetType = UNSET
    label: ShortText | UnsetType = UNSET
    area: ShortText | None | UnsetType = UNSET
    landmark: ShortText | None | UnsetType = UNSET
    pin: PinBody | None | UnsetType = UNSET
    notes: Note | None | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET


class PhoneBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The telephone to prove."""

    phone: Phone


class PhoneCodeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The code of the message."""

    code: OneTimeCode


class PinView(msgspec.Struct, frozen=True, rename="camel"):
    """A place on the map in millionths of a degree."""

    latitude_microdegrees: int
    longitude_microdegrees: int


class BookAddressView(msgspec.Struct, frozen=True, rename="camel"):
    """An address of the book."""

    id: str
    label: str
    name: str
    phone: str
    city: CityView
    area: str | None
    landmark: str | None
    address: str
    pin: PinView | None
    notes: str | None
    is_default: bool
    created_at: datetime
    updated_at: datetime


class CodeSentView(msgspec.Struct, frozen=True, rename="camel"):
    """Until when a code is good."""

    expires_at: datetime


class ProvenPhoneView(msgspec.Struct, frozen=True, rename="camel"):
    """A telephone that is proven to be the account's."""

    phone: str
    proven_at: datetime


class JoinedView(msgspec.Struct, frozen=True, rename="camel"):
    """How many orders joined the account."""

    joined: int


async def list_addresses(call: Call) -> Reply:
    """The own address book, oldest first."""
    book = await customers.list_addresses(call.shop.db, own_id(call))
    return Reply([address_view(address) for address in book])


async def create_address(call: Call, body: AddressBody) -> Reply:
    """A new address in the book."""

    def view(address: Address) -> Reply:
        return Reply(address_view(address), status=201)

    once = call.once(view)
    return once.reply(
        await edit_addresses.create_address(
            call.shop, own_id(call), _members(body), call.actor, once
        )
    )


async def update_address(call: Call, body: AddressChangeBody) -> Reply:
    """Change members of an address."""

    def check(seen: Address) -> None:
        refuse_stale(call, address_view(seen))

    address = await edit_addresses.update_address(
        call.shop, own_id(call), call.params["address_id"], _members(body), call.actor, check
    )
    return Reply(address_view(address))


async def delete_address(call: Call) -> Reply:
    """Take an address out of the book."""
    address = await edit_addresses.delete_address(
        call.shop, own_id(call), call.params["address_id"], call.actor
    )
    return Reply(address_view(address))


async def start_phone(call: Call, body: PhoneBody) -> Reply:
    """Text a one-time code to a telephone."""
    expires_at = await prove_phone.start(
        call.shop, own_id(call), body.phone.number, call.address, call.actor
    )
    message = Words("A code is on its way.", "الرمز في الطريق إليك.")
    return Reply(CodeSentView(expires_at), message=message)


async def confirm_phone(call: Call, body: PhoneCodeBody) -> Reply:
    """Prove the telephone with the code; guest orders with it join the account."""
    proven = await prove_phone.confirm(call.shop, own_id(call), fold_digits(body.code), call.actor)
    message = Words("Your phone is confirmed.", "تم تأكيد رقم هاتفك.")
    return Reply(proven_view(proven), message=message)


async def claim(call: Call) -> Reply:
    """Join guest orders with the account's proven telephones and e-mail."""
    return Reply(
        JoinedView(await claim_orders.claim_guest_orders(call.shop, own_id(call), call.actor))
    )


def proven_view(proven: ProvenPhone) -> ProvenPhoneView:
    """The proof as the API shows it."""
    return ProvenPhoneView(proven.phone, proven.proven_at)


def address_view(address: Address) -> BookAddressView:
    """The address as the API shows it."""
    pin = None
    if address.latitude_microdegrees is not None and address.longitude_microdegrees is not None:
        pin = PinView(address.latitude_microdegrees, address.longitude_microdegrees)
    return BookAddressView(
        id=address.id,
        label=address.label,
        name=address.name,
        phone=address.phone,
        city=city_view(address.city_code),
        area=address.area,
        landmark=address.landmark,
        address=address.address,
        pin=pin,
        notes=address.notes,
        is_default=address.is_default,
        created_at=address.created_at,
        updated_at=address.updated_at,
    )


def _members(body: AddressBody | AddressChangeBody) -> dict[str, object]:
    """The members that were sent, as the address calls them."""
    found: dict[str, object] = {}
    for field in body.__struct_fields__:
        value = getattr(body, field)
        if value is UNSET:
            continue
        if isinstance(value, Phone):
            found["phone"] = value.number
        elif isinstance(value, CityName):
            found["city_code"] = value.code
        elif field == "pin":
            found["latitude_microdegrees"] = value.latitude_microdegrees if value else None
            found["longitude_microdegrees"] = value.longitude_microdegrees if value else None
        else:
            found[field] = value.strip() if field == "name" else value
    return found
