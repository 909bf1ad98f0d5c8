"""Where an order goes: written out, or an address of the signed-in customer's book."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.domain.customers import sql as customers
from eishro.domain.customers.model import Address, AddressNotFound
from eishro.domain.shipping.zones import Method
from eishro.errors import Invalid, Words
from eishro.web.customers import PlaceText
from eishro.web.faults import MISSING
from eishro.web.routes import Call
from eishro.web.wire import CityName, Note, ShortText

AddressId = Annotated[str, Meta(pattern=r"^adr_[0-9a-z]{26}$")]

_OF_PLACE = ("city", "area", "address")  # what an address of the book says already
_BOTH = Words(
    "give either addressId or city and address, not both",
    "أرسل addressId أو المدينة والعنوان، وليس كليهما",
)
_NOT_IN_BOOK = Words("is not in your address book", "غير موجود في دفتر عناوينك")
_NO_BOOK = Words(
    "is for signed-in customers; give city and address",
    "لمن سجل الدخول فقط؛ أرسل المدينة والعنوان",
)


class ShippingBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where it goes: there is no postal code in Libya."""

    city: CityName
    address: PlaceText
    area: ShortText | None = None
    notes: Note | None = None
    method: Method = "standard"


class DeliveryBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where it goes: `city` and `address`, or the `addressId` of an address in the book of the
    customer who is signed in. There is no postal code in Libya.
    """

    city: CityName | None = None
    address: PlaceText | None = None
    area: ShortText | None = None
    notes: Note | None = None
    method: Method = "standard"
    address_id: AddressId | None = None

    def __post_init__(self) -> None:
        sent = {field: getattr(self, field) for field in _OF_PLACE}
        faults = self.faults_between({**sent, "addressId": self.address_id})
        if faults:
            raise ValueError(", ".join(faults))

    @classmethod
    def faults_between(cls, sent: Mapping[str, object]) -> dict[str, Words]:
        """What is wrong with the members together; None is not sent."""
        if sent.get("addressId") is None:
            return {name: MISSING for name in ("city", "address") if sent.get(name) is None}
        return {"addressId": _BOTH} if any(sent.get(n) is not None for n in _OF_PLACE) else {}


class Destination(msgspec.Struct, frozen=True):
    """Where an order goes, as the flows take it; the city is a code."""

    city_code: str
    area: str | None
    address: str
    notes: str | None
    method: str


async def destination(call: Call, body: DeliveryBody) -> Destination:
    """The place that the body means. An order carries its own copy of an address, as the book says
    it now; a change of the book a moment later changes no order.

    Raises:
        Invalid: the address is in no book of the caller's.
    """
    if body.address_id is not None:
        address = await _of_book(call, body.address_id)
        return Destination(
            city_code=address.city_code,
            area=address.area,
            address=_with_landmark(address),
            notes=address.notes if body.notes is None else body.notes,
            method=body.method,
        )
    if body.city is None or body.address is None:  # never: the body has refused it
        raise Invalid({"shipping.address": MISSING})
    return Destination(body.city.code, body.area, body.address, body.notes, body.method)


async def _of_book(call: Call, address_id: str) -> Address:
    user_id = call.caller.user_id if call.caller else None
    if user_id is None:
        raise Invalid({"shipping.addressId": _NO_BOOK})
    try:
        return await customers.get_address(call.shop.db, user_id, address_id)
    except AddressNotFound:
        raise Invalid({"shipping.addressId": _NOT_IN_BOOK}) from None


def _with_landmark(address: Address) -> str:
    """In Libya a courier finds the place by what stands beside it."""
    return f"{address.address}، {address.landmark}" if address.landmark else address.address
