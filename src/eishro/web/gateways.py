"""A store's own credentials for payment gateways; secrets go in and never come out."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from eishro.domain.payments import credentials
from eishro.domain.payments.credentials import Credentials, Mode
from eishro.domain.payments.gateways import Gateway
from eishro.flows import edit_gateways
from eishro.web.routes import Call, Reply

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
