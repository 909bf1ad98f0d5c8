"""The setting EISHRO_OIDC_PROVIDERS: who may vouch for people, as a list in JSON."""

import re

import msgspec

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ISSUER = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[^\s?#]*)?")
_RESERVED = {"complete"}  # a route of its own beside the providers'


class OidcProvider(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """One OpenID provider; `repr` shows no secret."""

    name: str
    issuer: str
    client_id: str
    client_secret: str
    scopes: str = "openid email profile"

    def __repr__(self) -> str:
        return f"OidcProvider(name={self.name!r}, issuer={self.issuer!r}, …)"


def parse_providers(text: str) -> tuple[OidcProvider, ...]:
    """The list as written.

    Raises:
        ValueError: not such a list; the message shows none of its values.
    """
    try:
        return msgspec.json.decode(text or "[]", type=tuple[OidcProvider, ...])
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as fault:
        raise ValueError(
            'use a list in JSON: [{"name", "issuer", "clientId", "clientSecret"}]'
        ) from fault


def refusals_of(providers: tuple[OidcProvider, ...], *, is_development: bool) -> list[str]:
    """What is wrong with the providers, each with the name of the setting."""
    found = []
    names = [provider.name for provider in providers]
    for provider in providers:
        name = provider.name
        if not _NAME.fullmatch(name) or name in _RESERVED:
            found.append(f"{name!r} is no name: small letters, digits and hyphens")
        if not _ISSUER.fullmatch(provider.issuer):
            found.append(f"{name}: the issuer is no address such as https://accounts.example.com")
        elif not is_development and not provider.issuer.startswith("https://"):
            found.append(f"{name}: the issuer must begin with https:// outside development")
        if not provider.client_id or not provider.client_secret:
            found.append(f"{name}: clientId and clientSecret come from the provider")
        if "openid" not in provider.scopes.split():
            found.append(f"{name}: scopes must name openid")
    if len(set(names)) < len(names):
        found.append("two providers have one name")
    return [f"EISHRO_OIDC_PROVIDERS: {fault}" for fault in found]
