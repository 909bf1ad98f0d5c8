"""OpenID Connect with keys of the test: what is believed, and what is not."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eishro.adapters.identity.oidc import Config, Oidc
from eishro.clock import ManualClock
from eishro.domain.accounts.port import (
    Attempt,
    IdentityProviderUnavailable,
    LoginRefused,
    Person,
)
from eishro.outward import HttpReply, NoReply

pytestmark = pytest.mark.anyio

ISSUER = "https://accounts.example.com"
CLIENT = "eishro"
RETURN = "https://api.example.ly/api/auth/oauth/house/callback"
ATTEMPT = Attempt("house", "state", "nonce", "a verifier of the test")
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
SHORT_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def _jwk(key: Any, kid: str, algorithm: str, **more: str) -> dict[str, Any]:
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, "kid": kid, "use": "sig", **more}


JWKS = [
    _jwk(RSA_KEY, "rsa", "RS256"),
    _jwk(EC_KEY, "ec", "ES256"),
    _jwk(ED_KEY, "ed", "EdDSA"),
    _jwk(RSA_KEY, "pinned", "RS256", alg="RS256"),
    _jwk(SHORT_KEY, "short", "RS256"),
    {"kty": "RSA", "kid": "broken", "n": "?", "e": "AQAB"},
    {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
]


class House:
    """A `WebHttp` behind which a provider with the test's keys lives."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.document: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth?tenant=1",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "userinfo_endpoint": f"{ISSUER}/me",
        }
        self.keys = JWKS
        self.token = ""
        self.userinfo: dict[str, Any] = {}
        self.token_reply: HttpReply | None = None
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.headers: list[Mapping[str, str]] = []

    async def send(self, *_: Any, **__: Any) -> HttpReply:
        raise NoReply("nothing is sent as it is", sent=False)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock.now().timestamp())
        usual = {
            "iss": ISSUER,
            "aud": CLIENT,
            "sub": "42",
            "iat": now,
            "exp": now + 300,
            "nonce": ATTEMPT.nonce,
            "email": "aisha@example.ly",
            "email_verified": True,
        }
        return {name: value for name, value in {**usual, **changes}.items() if value is not ...}

    def sign(
        self, key: Any = RSA_KEY, kid: str | None = "rsa", algorithm: str = "RS256", **claims: Any
    ) -> None:
        headers = {} if kid is None else {"kid": kid}
        self.token = jwt.encode(self.claims(**claims), key, algorithm, headers=headers)

    async def get(self, url: str, **more: Any) -> HttpReply:
        path = urlsplit(url).path
        self.asked.append(path)
        self.headers.append(more["headers"])
        found: Any = {
            "/.well-known/openid-configuration": self.document,
            "/keys": {"keys": self.keys},
            "/me": self.userinfo,
        }[path]
        return HttpReply(200, msgspec.json.encode(found))

    async def post_form(self, url: str, form: Mapping[str, str], **more: Any) -> HttpReply:
        self.asked.append(urlsplit(url).path)
        self.forms.append(dict(form))
        self.headers.append(more["headers"])
        tokens = {"id_token": self.token, "access_token": "at", "token_type": "Bearer"}
        return self.token_reply or HttpReply(200, msgspec.json.encode(tokens))

    async def post_json(self, url: str, body: Mapping[str, object], **_: Any) -> HttpReply:
        raise AssertionError((url, body))


@pytest.fixture
def house() -> House:
    return House(ManualClock())


@pytest.fixture
def oidc(house: House) -> Oidc:
    config = Config(name="house", issuer=ISSUER, client_id=CLIENT, client_secret="a secret/+")  # noqa: S106
    return Oidc(config, house, house.clock)


async def _identify(oidc: Oidc) -> Person:
    return await oidc.identify("code", ATTEMPT, RETURN)


async def test_the_address_has_state_nonce_and_a_hashed_verifier(oidc: Oidc) -> None:
    address = urlsplit(await oidc.address(ATTEMPT, RETURN))
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    digest = hashlib.sha256(ATTEMPT.verifier.encode()).digest()
    assert address.path == "/auth"
    assert query == {
        "tenant": "1",
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": RETURN,
        "scope": "openid email profile",
        "state": "state",
        "nonce": "nonce",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }


@pytest.mark.parametrize(
    ("key", "kid", "algorithm"),
    [
        (RSA_KEY, "rsa", "RS256"),
        (RSA_KEY, "rsa", "PS256"),
        (RSA_KEY, "pinned", "RS256"),
        (EC_KEY, "ec", "ES256"),
        (ED_KEY, "ed", "EdDSA"),
        (EC_KEY, None, "ES256"),  # the only key that fits
    ],
)
async def test_a_genuine_token_is_believed(
    house: House, oidc: Oidc, key: Any, kid: str | None, algorithm: str
) -> None:
    house.sign(key, kid, algorithm, given_name=" عائشة\n", family_name="x" * 300)
    person = await _identify(oidc)
    assert person == Person("42", "aisha@example.ly", True, "عائشة", "x" * 200)  # noqa: FBT003
    assert "/me" not in house.asked


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.com"},
        {"iss": f"{ISSUER}/"},
        {"iss": ...},
        {"aud": "another client"},
        {"aud": []},
        {"aud": ...},
        {"aud": [CLIENT, "another client"]},  # for several, and it says not for whom
        {"aud": [CLIENT, "another client"], "azp": "another client"},
        {"azp": "another client"},
        {"nonce": "another nonce"},
        {"nonce": ...},
        {"nonce": 1},
        {"sub": ...},
        {"sub": ""},
        {"sub": 42},
        {"sub": "x" * 256},
        {"exp": ...},
        {"exp": "never"},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"iat": ...},
    ],
    ids=str,
)
async def test_a_claim_that_is_not_right_is_refused(
    house: House, oidc: Oidc, claims: dict[str, Any]
) -> None:
    house.sign(EC_KEY, "ec", "ES256")
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"rsa"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(house.claims(**claims)).encode()).rstrip(b"=")
    signed = head + b"." + body
    signature = jwt.get_algorithm_by_name("RS256").sign(signed, RSA_KEY)
    house.token = (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()
    with pytest.raises(LoginRefused):
        await _identify(oidc)


async def test_two_audiences_and_a_right_party_are_believed(house: House, oidc: Oidc) -> None:
    house.sign(aud=[CLIENT, "another client"], azp=CLIENT)
    assert (await _identify(oidc)).subject == "42"


@pytest.mark.parametrize(
    ("seconds", "is_good"), [(-62, False), (-58, True), (0, True), (358, True), (362, False)]
)
async def test_the_clocks_may_be_a_minute_apart(
    house: House, oidc: Oidc, seconds: int, *, is_good: bool
) -> None:
    now = int(house.clock.now().timestamp())
    house.sign(iat=now - seconds, exp=now - seconds + 300)
    if is_good:
        assert (await _identify(oidc)).subject == "42"
        return
    with pytest.raises(LoginRefused):
        await _identify(oidc)


def _forged(house: House, header: dict[str, Any], secret: bytes | None) -> str:
    parts = [json.dumps(part).encode() for part in (header, house.claims())]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = b"" if secret is None else hmac.digest(secret, signed, hashlib.sha256)
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


async def test_a_signature_that_anybody_could_make_is_refused(house: House, oidc: Oidc) -> None:
    public = RSA_KEY.public_key()
    texts = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        JWKS[0]["n"].encode(),
        b"secret",  # of the shared key that the provider should not have published
        b"",
    ]
    forged = [_forged(house, {"alg": alg, "kid": "rsa"}, None) for alg in ("none", "None", "")]
    for kid in ("rsa", "pinned", "shared"):
        forged += [_forged(house, {"alg": "HS256", "kid": kid}, text) for text in texts]
    own = _jwk(OTHER_KEY, "rsa", "RS256")
    house.sign(OTHER_KEY)
    forged += [house.token, "", "a.b.c", "x" * 5_000]
    house.token = jwt.encode(house.claims(), OTHER_KEY, "RS256", headers={"kid": "rsa", "jwk": own})
    forged.append(house.token)
    for token in forged:
        house.token = token
        with pytest.raises(LoginRefused):
            await _identify(oidc)


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits")  # which is the point
@pytest.mark.parametrize(
    ("key", "kid", "algorithm"),
    [
        (RSA_KEY, "pinned", "PS256"),  # the key says RS256
        (RSA_KEY, "rsa", "RS512"),
        (RSA_KEY, "ec", "RS256"),
        (RSA_KEY, None, "RS256"),  # several fit
        (SHORT_KEY, "short", "RS256"),
        (RSA_KEY, "broken", "RS256"),
        (RSA_KEY, "unknown", "RS256"),
    ],
)
async def test_the_key_decides_how_it_is_used(
    house: House, oidc: Oidc, key: Any, kid: str | None, algorithm: str
) -> None:
    house.sign(key, kid, algorithm)
    with pytest.raises(LoginRefused):
        await _identify(oidc)


async def test_keys_are_fetched_again_once_for_one_that_is_new(house: House, oidc: Oidc) -> None:
    house.sign()
    await _identify(oidc)
    await _identify(oidc)
    assert house.asked.count("/keys") == 1
    house.keys = [*JWKS, _jwk(OTHER_KEY, "rotated", "RS256")]
    house.sign(OTHER_KEY, "rotated")
    await _identify(oidc)
    assert house.asked.count("/keys") == 2
    house.sign(OTHER_KEY, "unknown")
    with pytest.raises(LoginRefused):
        await _identify(oidc)
    assert house.asked.count("/keys") == 3


async def test_what_a_provider_says_of_itself_is_kept_for_an_hour(house: House, oidc: Oidc) -> None:
    discovery = "/.well-known/openid-configuration"
    house.clock.turn(timedelta(minutes=1))
    for _ in range(2):
        await oidc.address(ATTEMPT, RETURN)
    house.clock.turn(timedelta(minutes=59, seconds=59))
    await oidc.address(ATTEMPT, RETURN)
    assert house.asked.count(discovery) == 1
    house.clock.turn(timedelta(seconds=1))
    await oidc.address(ATTEMPT, RETURN)
    assert house.asked.count(discovery) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example.com"},
        {"issuer": f"{ISSUER}/"},
        {"token_endpoint": "http://accounts.example.com/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "http://accounts.example.com/me"},
        {"jwks_uri": 1},
        {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
    ],
)
async def test_a_description_that_cannot_be_right_is_not_used(
    house: House, oidc: Oidc, changes: dict[str, Any]
) -> None:
    house.document.update(changes)
    house.sign()
    with pytest.raises(IdentityProviderUnavailable):
        await _identify(oidc)
    assert house.forms == []


async def test_the_secret_goes_in_the_header_or_in_the_form_never_in_both(
    house: House, oidc: Oidc
) -> None:
    house.sign()
    await _identify(oidc)
    encoded = base64.b64encode(b"eishro:a%20secret%2F%2B").decode()
    assert house.headers[1] == {"Authorization": f"Basic {encoded}"}
    assert house.forms[0] == {
        "grant_type": "authorization_code",
        "code": "code",
        "redirect_uri": RETURN,
        "code_verifier": ATTEMPT.verifier,
    }
    house.document["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    house.clock.turn(timedelta(hours=1))
    house.sign()
    house.headers.clear()
    await _identify(oidc)
    assert house.headers[1] == {}
    assert house.forms[1]["client_id"] == CLIENT
    assert house.forms[1]["client_secret"] == "a secret/+"  # noqa: S105


async def test_userinfo_is_asked_only_for_a_missing_address(house: House, oidc: Oidc) -> None:
    house.sign(email=...)
    house.userinfo = {"sub": "42", "email": "b@example.ly", "email_verified": "true", "name": "B"}
    assert await _identify(oidc) == Person("42", "b@example.ly", True, "B")  # noqa: FBT003
    assert house.headers[-1] == {"Authorization": "Bearer at"}


async def test_userinfo_of_somebody_else_is_refused(house: House, oidc: Oidc) -> None:
    house.sign(email=...)
    house.userinfo = {"sub": "43", "email": "b@example.ly", "email_verified": True}
    with pytest.raises(LoginRefused):
        await _identify(oidc)


@pytest.mark.parametrize("verified", [False, None, "false", "yes", 1, 0, [], ...])
async def test_only_true_verifies_an_address(house: House, oidc: Oidc, verified: object) -> None:
    house.sign(email_verified=verified)
    assert not (await _identify(oidc)).is_email_verified
    house.sign(email=..., email_verified=True)  # of no address
    house.userinfo = {"sub": "42", "email": "b@example.ly"}
    assert not (await _identify(oidc)).is_email_verified


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error":"invalid_grant"}', LoginRefused),
        (400, b'{"error":"invalid_request"}', IdentityProviderUnavailable),
        (401, b'{"error":"invalid_client"}', IdentityProviderUnavailable),
        (302, b"", IdentityProviderUnavailable),
        (503, b"<html>", IdentityProviderUnavailable),
        (200, b"<html>", IdentityProviderUnavailable),
        (200, b'{"access_token":"at"}', IdentityProviderUnavailable),
        (200, b"[" * 50_000, IdentityProviderUnavailable),
    ],
)
async def test_what_the_token_endpoint_may_say(
    house: House, oidc: Oidc, status: int, body: bytes, error: type[Exception]
) -> None:
    house.token_reply = HttpReply(status, body)
    with pytest.raises(error):
        await _identify(oidc)


async def test_no_answer_is_the_provider_s_fault(oidc: Oidc, house: House) -> None:
    async def silence(*_: object, **__: object) -> HttpReply:
        raise NoReply("timed out", sent=True)

    house.post_form = silence  # type: ignore[method-assign]
    with pytest.raises(IdentityProviderUnavailable):
        await _identify(oidc)


def test_no_secret_is_shown() -> None:
    config = Config(name="house", issuer=ISSUER, client_id=CLIENT, client_secret="hush")  # noqa: S106
    assert "hush" not in repr(config)
