"""A store's own credentials for payment gateways; secrets go in and never come out."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from eishro.domain.payments import credentials
from eishro.domain.payments.credentials import Credentials, Mode
from eishro.domain.payments.exchanges import list_exchanges
from eishro.domain.payments.gateways import Gateway
from eishro.flows import edit_gateways
from eishro.web.routes import Call, Page, Reply
from eishro.web.stores import PageQuery

FieldText = Annotated[str, Meta(max_length=4000)]
FieldName = Annotated[str, Meta(max_length=60)]


class GatewayBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The credentials as the gateway gave them; a secret left out stays what it was."""

    mode: Mode
    fields: Annotated[dict[FieldName, FieldText | None], Meta(max_length=40)]


class GatewayFieldView(msgspec.Struct, frozen=True, rename="camel"):
    """One field; `value` is shown where it is no secret, else `isSet` alone tells."""

    name: str
    about: str
    is_secret: bool
    is_required: bool
    is_set: bool
    value: str | None
    default: str
    choices: tuple[str, ...]


class GatewayView(msgspec.Struct, frozen=True, rename="camel"):
    """A gateway as it stands for this store; `source` says whose credentials count."""

    provider: str
    methods: tuple[str, ...]
    source: Literal["store", "platform", "none"]
    mode: Mode | None
    fields: tuple[GatewayFieldView, ...]


class ConnectionView(msgspec.Struct, frozen=True, rename="camel"):
    """What trying the credentials gave; `works` is null where the gateway has no such call."""

    works: bool | None
    detail: str


async def list_gateways(call: Call) -> Reply:
    """Every gateway with whose credentials count."""
    own = {
        one.provider: one for one in await credentials.list_credentials(call.shop.db, call.store)
    }
    return Reply(
        [
            _view(call, gateway, own.get(name))
            for name, gateway in call.shop.gateways.catalog.items()
        ]
    )


async def put_gateway(call: Call, body: GatewayBody) -> Reply:
    """These credentials count from now on."""
    provider = call.params["provider"]
    made = await edit_gateways.put_credentials(
        call.shop, call.store, provider, body.mode, body.fields, call.actor
    )
    return Reply(_view(call, call.shop.gateways.catalog[provider], made))


async def drop_gateway(call: Call) -> Reply:
    """The platform's credentials count again, where it has any."""
    provider = call.params["provider"]
    await edit_gateways.drop_credentials(call.shop, call.store, provider, call.actor)
    return Reply(_view(call, call.shop.gateways.catalog[provider], None))


async def check_gateway(call: Call) -> Reply:
    """Try the store's credentials; no money moves."""
    found = await edit_gateways.check_credentials(call.shop, call.store, call.params["provider"])
    return Reply(ConnectionView(found.works, found.detail[:200]))


def _view(call: Call, gateway: Gateway, own: Credentials | None) -> GatewayView:
    shown = edit_gateways.shown_fields(call.shop, gateway, own)
    is_platforms = gateway.provider in call.shop.providers
    return GatewayView(
        provider=gateway.provider,
        methods=tuple(method.method for method in gateway.methods),
        source="store" if own is not None else "platform" if is_platforms else "none",
        mode=None if own is None else own.mode,
        fields=tuple(
            GatewayFieldView(
                name=field.name,
                about=field.about,
                is_secret=field.is_secret,
                is_required=field.is_required,
                is_set=bool(shown[field.name]),
                value=None if field.is_secret else str(shown[field.name]),
                default=field.default,
                choices=field.choices,
            )
            for field in gateway.fields
        ),
    )


class LogQuery(PageQuery, frozen=True, rename="camel", kw_only=True):
    """Of which order."""

    order: Annotated[str, Meta(min_length=1, max_length=60)]


class ExchangeView(msgspec.Struct, frozen=True, rename="camel"):
    """One call to a gateway, masked; `status` is null where no usable answer came."""

    id: str
    payment_id: str
    provider: str
    call: str
    request: str
    status: int | None
    reply: str
    error: str | None
    milliseconds: int
    request_id: str | None
    at: datetime


async def list_log(call: Call, query: LogQuery) -> Reply:
    """What was said to gateways about an order's payments, newest first."""
    found, total = await list_exchanges(
        call.shop.db, call.store, query.order, query.limit, (query.page - 1) * query.limit
    )
    views = [
        ExchangeView(
            id=one.id,
            payment_id=one.payment_id,
            provider=one.provider,
            call=one.call,
            request=one.request,
            status=one.status,
            reply=one.reply,
            error=one.error,
            milliseconds=one.milliseconds,
            request_id=one.request_id,
            at=one.at,
        )
        for one in found
    ]
    return Reply(views, page=Page(query.page, query.limit, total))
