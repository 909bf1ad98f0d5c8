"""OpenID Connect: one class for every provider that publishes a discovery document.

After OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749 (OAuth), RFC 7636 (PKCE) and RFC 8725
(JWT best practice). The authorization code flow, and nothing else of them.

Left out: providers whose issuer is a template (Entra's `common`; name the tenant), encrypted ID
tokens, and userinfo as a JWT. It stores nothing and knows no account.
"""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import structlog

from eishro.adapters.identity.id_token import NoSuchKey, NotGenuine, read_id_token
from eishro.clock import Clock
from eishro.domain.accounts.port import (
    Attempt,
    IdentityProviderUnavailable,
    LoginRefused,
    Person,
)
from eishro.outward import HttpReply, NoReply, WebHttp

KEPT_FOR = timedelta(hours=1)  # the provider's own description, and its keys
TIMEOUT_SECONDS = 10.0
LIMIT_BYTES = 500_000
NAME_LENGTH_MAX = 200

T = TypeVar("T")

_LOG = structlog.get_logger("eishro.identity")


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One provider of the settings; `repr` shows no secret."""

    name: str
    issuer: str
    client_id: str
    client_secret: str
    scopes: str = "openid email profile"

    def __repr__(self) -> str:
        return f"Config(name={self.name!r}, issuer={self.issuer!r}, …)"


class _Endpoints(msgspec.Struct, frozen=True):
    """What is used of a discovery document; the defaults are the specification's."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class _Keys(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class Oidc:
    """One provider: builds requests, reads and verifies answers."""

    def __init__(self, config: Config, http: WebHttp, clock: Clock) -> None:
        self._config = config
        self._http = http
        self._clock = clock
        self._endpoints: tuple[_Endpoints, datetime] | None = None
        self._keys: tuple[list[dict[str, Any]], datetime] | None = None

    @property
    def name(self) -> str:
        """As the settings and the routes call it."""
        return self._config.name

    @property
    def issuer(self) -> str:
        """As its tokens name it."""
        return self._config.issuer

    async def address(self, attempt: Attempt, return_address: str) -> str:
        """The provider's authorization endpoint with everything it needs to know."""
        endpoint = (await self._discover()).authorization_endpoint
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": return_address,
            "scope": self._config.scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def identify(self, code: str, attempt: Attempt, return_address: str) -> Person:
        """Redeem the code and verify who it stands for."""
        endpoints = await self._discover()
        tokens = await self._redeem(endpoints, code, attempt, return_address)
        try:
            claims = await self._read(endpoints, tokens.id_token, attempt.nonce)
        except NotGenuine as reason:
            _LOG.warning("id_token_refused", provider=self.name, reason=str(reason))
            raise LoginRefused() from reason
        if not claims.get("email") and endpoints.userinfo_endpoint and tokens.access_token:
            more = await self._ask_userinfo(endpoints.userinfo_endpoint, tokens.access_token)
            if more.get("sub") != claims["sub"]:  # somebody else's: Core 5.3.2
                _LOG.warning("userinfo_refused", provider=self.name, reason="another subject")
                raise LoginRefused()
            # Whether an address is verified is said by who says the address.
            claims = {**claims, "email_verified": None, **more}
        return _person(claims)

    async def _read(self, endpoints: _Endpoints, token: str, nonce: str) -> dict[str, Any]:
        """The verified claims; keys are fetched anew once, for a key that we have not seen."""
        keys, are_fresh = await self._find_keys(endpoints)
        try:
            return self._verified(token, nonce, keys)
        except NoSuchKey:
            if are_fresh:
                raise
            self._keys = None
            keys, _ = await self._find_keys(endpoints)
            return self._verified(token, nonce, keys)

    def _verified(self, token: str, nonce: str, keys: list[dict[str, Any]]) -> dict[str, Any]:
        return read_id_token(
            token,
            keys,
            issuer=self.issuer,
            client_id=self._config.client_id,
            nonce=nonce,
            now=self._clock.now(),
        )

    async def _redeem(
        self, endpoints: _Endpoints, code: str, attempt: Attempt, return_address: str
    ) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": return_address,
            "code_verifier": attempt.verifier,
        }
        headers = {}
        methods = endpoints.token_endpoint_auth_methods_supported
        if "client_secret_basic" in methods:
            # RFC 6749 2.3.1: both are form-encoded before they are joined.
            pair = f"{quote(self._config.client_id, '')}:{quote(self._config.client_secret, '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif "client_secret_post" in methods:
            form["client_id"] = self._config.client_id
            form["client_secret"] = self._config.client_secret
        else:
            raise self._unavailable("it takes no client secret")
        reply = await self._post(endpoints.token_endpoint, form, headers)
        if reply.status == 400 and _error_of(reply) == "invalid_grant":
            raise LoginRefused()  # spent, foreign, too old, or of another attempt
        if reply.status != 200:
            raise self._unavailable(f"token endpoint: {reply.status} {_error_of(reply)}")
        return self._decoded(reply, _Tokens, "token endpoint")

    async def _ask_userinfo(self, url: str, access_token: str) -> dict[str, Any]:
        reply = await self._get(url, {"Authorization": f"Bearer {access_token}"})
        return self._decoded(reply, dict[str, Any], "userinfo")

    async def _discover(self) -> _Endpoints:
        """The provider's description of itself, at most an hour old.

        It must name the issuer that was asked: a document of another issuer would send people
        (and the client's secret) elsewhere.
        """
        now = self._clock.now()
        if self._endpoints is not None and now - self._endpoints[1] < KEPT_FOR:
            return self._endpoints[0]
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._decoded(await self._get(url, {}), _Endpoints, "discovery")
        if found.issuer != self.issuer:
            raise self._unavailable("discovery: it names another issuer")
        used = [found.authorization_endpoint, found.token_endpoint, found.jwks_uri]
        used += [found.userinfo_endpoint] if found.userinfo_endpoint else []
        # An issuer by http is allowed in development only; one by https stays with it.
        schemes = ("https://",) if self.issuer.startswith("https://") else ("https://", "http://")
        if not all(address.startswith(schemes) for address in used):
            raise self._unavailable("discovery: an endpoint without https")
        self._endpoints = (found, now)
        return found

    async def _find_keys(self, endpoints: _Endpoints) -> tuple[list[dict[str, Any]], bool]:
        """The provider's keys, and whether they were fetched just now."""
        now = self._clock.now()
        if self._keys is not None and now - self._keys[1] < KEPT_FOR:
            return self._keys[0], False
        found = self._decoded(await self._get(endpoints.jwks_uri, {}), _Keys, "keys").keys
        self._keys = (found, now)
        return found, True

    async def _get(self, url: str, headers: dict[str, str]) -> HttpReply:
        try:
            return await self._http.get(
                url, headers=headers, timeout_seconds=TIMEOUT_SECONDS, limit_bytes=LIMIT_BYTES
            )
        except NoReply as nothing:
            raise self._unavailable(str(nothing)) from nothing

    async def _post(self, url: str, form: dict[str, str], headers: dict[str, str]) -> HttpReply:
        try:
            return await self._http.post_form(
                url,
                form,
                headers=headers,
                timeout_seconds=TIMEOUT_SECONDS,
                limit_bytes=LIMIT_BYTES,
            )
        except NoReply as nothing:
            raise self._unavailable(str(nothing)) from nothing

    def _decoded(self, reply: HttpReply, kind: type[T], what: str) -> T:
        if reply.status != 200:
            raise self._unavailable(f"{what}: {reply.status}")
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except (msgspec.DecodeError, ValueError, RecursionError) as fault:
            raise self._unavailable(f"{what}: not what it should be") from fault

    def _unavailable(self, reason: str) -> IdentityProviderUnavailable:
        """The error for people; the reason is for the log alone."""
        _LOG.error("identity_provider_unavailable", provider=self.name, reason=reason[:500])
        return IdentityProviderUnavailable()


def _person(claims: dict[str, Any]) -> Person:
    email, verified = claims.get("email"), claims.get("email_verified")
    return Person(
        subject=claims["sub"],
        email=email if isinstance(email, str) else "",
        is_email_verified=verified is True or verified == "true",  # some write it as text
        first_name=_name(claims, "given_name") or _name(claims, "name"),
        last_name=_name(claims, "family_name"),
    )


def _name(claims: dict[str, Any], member: str) -> str:
    """A name as people wrote it elsewhere, in one line and not too long."""
    name = claims.get(member)
    if not isinstance(name, str):
        return ""
    return "".join(c for c in name if c.isprintable()).strip()[:NAME_LENGTH_MAX]


def _error_of(reply: HttpReply) -> str:
    try:
        return msgspec.json.decode(reply.body, type=_Refusal).error[:100]
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
