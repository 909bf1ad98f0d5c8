"""Change an account's address book.

The first address is the default one; another takes over when it is made so. Being the default and
the book's size are held by unique keys, so that two requests at once cannot break them.
"""

from collections.abc import Callable, Mapping

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.customers import sql as customers
from eishro.domain.customers.model import Address, free_slot
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import text_id


@again_if_stale
async def create_address(
    shop: Shop, user_id: int, members: Mapping[str, object], actor: Actor, once: Once
) -> Address:
    """A new address with these fields; `is_default` may be left out.

    Raises:
        TooManyAddresses, idempotency.AlreadyClaimed.
    """
    at = shop.clock.now()
    book = await customers.list_addresses(shop.db, user_id)
    blank = Address(
        id=text_id("adr", at),
        user_id=user_id,
        slot=free_slot([one.slot for one in book]),
        label="",
        name="",
        phone="",
        city_code="",
        area=None,
        landmark=None,
        address="",
        latitude_microdegrees=None,
        longitude_microdegrees=None,
        notes=None,
        is_default=not book,
        created_at=at,
        updated_at=at,
        version=1,
    )
    address = msgspec.structs.replace(blank, **members)
    await shop.db.commit(
        Batch(*once.claim(address)).add(
            *customers.insert_address(address),
            audit.record(actor, "address.created", address.id, at, user=user_id),
        )
    )
    return address


@again_if_stale
async def update_address(
    shop: Shop,
    user_id: int,
    address_id: str,
    members: Mapping[str, object],
    actor: Actor,
    check: Callable[[Address], None],
) -> Address:
    """Change these fields; `check` is called with the address as read.

    Raises:
        AddressNotFound, and what `check` raises.
    """
    at = shop.clock.now()
    seen = await customers.get_address(shop.db, user_id, address_id)
    check(seen)
    after = msgspec.structs.replace(seen, updated_at=at, **members)
    # The trail is sealed for good: it says which fields, never what is in them.
    await shop.db.commit(
        Batch(
            *customers.save_address(after, seen=seen),
            audit.record(actor, "address.changed", seen.id, at, fields=sorted(members)),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


@again_if_stale
async def delete_address(shop: Shop, user_id: int, address_id: str, actor: Actor) -> Address:
    """Take the address out of the book; orders keep where they went.

    Raises:
        AddressNotFound
    """
    at = shop.clock.now()
    seen = await customers.get_address(shop.db, user_id, address_id)
    await shop.db.commit(
        Batch(
            customers.delete_address(seen),
            audit.record(actor, "address.deleted", seen.id, at),
        )
    )
    return seen
