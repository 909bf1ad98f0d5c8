"""A store's own credentials for payment gateways: put in, tried, taken out.

Sealed before they are written, shown to nobody again. Replaced sets stay, so that payments begun
with them are still asked about. Moving the store's version refuses orders that were placed with
the methods as they were.
"""

from collections.abc import Mapping

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.payments import credentials
from eishro.domain.payments.credentials import Credentials, Mode, NoCredentials
from eishro.domain.payments.gateways import Gateway
from eishro.domain.payments.port import Connection
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.errors import Invalid, NotFound, Words
from eishro.flows.gateways import CREDENTIALS, open_fields, speak_for
from eishro.flows.shop import Shop, again_if_stale
from eishro.ids import text_id
from eishro.keyring import BadSeal


@again_if_stale
async def put_credentials(
    shop: Shop,
    store_id: int,
    provider: str,
    mode: Mode,
    given: Mapping[str, str | None],
    actor: Actor,
) -> Credentials:
    """These are the store's credentials from now on. A secret that is not given stays what it was.

    Raises:
        NotFound: no such gateway. StoreNotFound.
        Invalid: fields that are unknown, missing, malformed or published test values.
    """
    gateway = _gateway(shop, provider)
    store = await stores.get_store(shop.db, store_id)
    before = await credentials.find_credentials(shop.db, store_id, provider)
    fields = _complete(gateway, given, {} if before is None else _opened(shop, before))
    _check(shop, gateway, mode, fields)
    at = shop.clock.now()
    made = Credentials(
        id=text_id("gwc", at),
        store_id=store_id,
        provider=provider,
        mode=mode,
        sealed=shop.keyring.seal(CREDENTIALS, msgspec.json.encode(fields)),
        is_current=True,
        created_by=actor.name,
        created_at=at,
    )
    batch = Batch()
    if before is not None:
        batch.add(credentials.end_credentials(before, at))
    names = sorted({provider, *_named(store)})
    await shop.db.commit(
        batch.add(
            credentials.insert_credentials(made),
            *_with_gateways(store, names),
            audit.record(
                actor,
                "gateway.changed",
                made.id,
                at,
                store_id=store_id,
                provider=provider,
                mode=mode,
                fields=sorted(name for name, value in fields.items() if value),
            ),
        )
    )
    return made


@again_if_stale
async def drop_credentials(shop: Shop, store_id: int, provider: str, actor: Actor) -> None:
    """From now on the platform's count again, where it has any.

    Raises:
        NotFound: no such gateway. NoCredentials, StoreNotFound.
    """
    _gateway(shop, provider)
    store = await stores.get_store(shop.db, store_id)
    before = await credentials.find_credentials(shop.db, store_id, provider)
    if before is None:
        raise NoCredentials()
    at = shop.clock.now()
    await shop.db.commit(
        Batch(
            credentials.end_credentials(before, at),
            *_with_gateways(store, [name for name in _named(store) if name != provider]),
            audit.record(
                actor, "gateway.removed", before.id, at, store_id=store_id, provider=provider
            ),
        )
    )


async def check_credentials(shop: Shop, store_id: int, provider: str) -> Connection:
    """Try the store's credentials at the gateway; no money moves.

    Raises:
        NotFound: no such gateway. NoCredentials, ProviderBusy.
    """
    _gateway(shop, provider)
    own = await credentials.find_credentials(shop.db, store_id, provider)
    if own is None:
        raise NoCredentials()
    return await speak_for(shop, own).check_connection()


def shown_fields(shop: Shop, gateway: Gateway, own: Credentials | None) -> dict[str, object]:
    """What may be seen of them: values that are no secrets, and whether a secret is there."""
    given = {} if own is None else _opened(shop, own)
    return {
        field.name: bool(given.get(field.name)) if field.is_secret else given.get(field.name, "")
        for field in gateway.fields
    }


def _gateway(shop: Shop, provider: str) -> Gateway:
    gateway = shop.gateways.catalog.get(provider)
    if gateway is None:
        raise NotFound()
    return gateway


def _opened(shop: Shop, own: Credentials) -> dict[str, str]:
    try:
        return open_fields(shop, own)
    except BadSeal:  # nobody can read them any more: they have to be given anew
        return {}


def _complete(
    gateway: Gateway, given: Mapping[str, str | None], before: Mapping[str, str]
) -> dict[str, str]:
    """Every field that has a value; a secret that is left out keeps the one it had."""
    known = {field.name: field for field in gateway.fields}
    unknown = {
        f"fields.{name}": Words("is not a field of this gateway", "ليس حقلا لهذه البوابة")
        for name in given
        if name not in known
    }
    if unknown:
        raise Invalid(unknown)
    found = {}
    for name, field in known.items():
        value = given.get(name)
        if value is None and field.is_secret:
            value = before.get(name)
        if value and value.strip():
            found[name] = value.strip()
    return found


def _check(shop: Shop, gateway: Gateway, mode: Mode, fields: Mapping[str, str]) -> None:
    """Everything that is wrong with them, or that the adapter cannot be built of them."""
    defaults = {field.name: field.default for field in gateway.fields}
    faults = {
        f"fields.{name}": Words("is needed", "مطلوب")
        for name in gateway.missing({**defaults, **fields})
    }
    for field in gateway.fields:
        value = fields.get(field.name, "")
        if field.choices and value and value not in field.choices:
            listed = ", ".join(field.choices)
            faults[f"fields.{field.name}"] = Words(
                f"must be one of {listed}", f"يجب أن يكون من {listed}"
            )
        elif len(value) > field.longest:
            faults[f"fields.{field.name}"] = Words("is too long", "طويل جدا")
    for name in gateway.url_fields:
        if fields.get(name) and not shop.gateways.may_call(gateway, fields[name]):
            faults[f"fields.{name}"] = Words(
                "is not an address of this gateway that the platform knows",
                "ليس عنوانا معروفا لهذه البوابة لدى المنصة",
            )
    if shop.gateways.is_production:
        for name in gateway.published(fields):
            faults[f"fields.{name}"] = Words(
                "is a published test value", "قيمة اختبار منشورة للجميع"
            )
    if faults:
        raise Invalid(faults)
    try:
        shop.gateways.try_fields(gateway.provider, mode, fields)
    except (ValueError, KeyError) as error:
        raise Invalid(
            {"fields": Words(f"cannot be used: {error}", "لا يمكن استخدام هذه البيانات")}
        ) from error


def _named(store: Store) -> list[str]:
    return msgspec.json.decode(store.own_gateways, type=list[str])


def _with_gateways(store: Store, names: list[str]) -> tuple[Statement, ...]:
    after = msgspec.structs.replace(store, own_gateways=msgspec.Raw(msgspec.json.encode(names)))
    return stores.save_store(after, seen=store), stores.move_version(store.id)
