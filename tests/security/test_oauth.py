"""Signing in with an account elsewhere, against a real OpenID provider; no way around anything."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
import sqlalchemy as sa

from eishro.adapters.http import HttpxHttp
from eishro.adapters.identity.oidc import Config, Oidc
from eishro.db.rows import columns_of
from eishro.db.statements import Query
from eishro.domain.accounts.identities import Identity, identities
from eishro.domain.accounts.model import User
from eishro.domain.accounts.sql import users
from eishro.web.oauth import COOKIE
from eishro.web.routes import WebRules
from tests.servers.openid import OpenIdProvider
from tests.servers.ports import free_port
from tests.shops import PASSWORD, World, bearer, changed

pytestmark = pytest.mark.anyio

START = "/api/auth/oauth/house"
CALLBACK = f"{START}/callback"
COMPLETE = "/api/auth/oauth/complete"
STOREFRONT = "https://shop.example.ly"
RULES = WebRules(
    authenticated=None,
    anonymous=None,
    payments=None,
    cors_origins=(STOREFRONT, "*"),
    staleness_seconds=0,
)
PEOPLE: dict[str, dict[str, Any]] = {
    "aisha": {
        "email": "Aisha@Example.ly",
        "email_verified": True,
        "given_name": "عائشة",
        "family_name": "علي",
    },
    "omar": {"email": "omar@example.ly", "email_verified": True, "name": "عمر"},
    "stranger": {"email": "aisha@example.ly", "email_verified": False},
    "nameless": {"name": "no address"},
}

_LINKS = Query(sa.select(*columns_of(identities, Identity)), Identity)
_PEOPLE = Query(sa.select(*columns_of(users, User)), User)


@pytest.fixture(scope="module", params=["userinfo", "ID token"])
def provider(request: pytest.FixtureRequest) -> Iterator[OpenIdProvider]:
    """Addresses come from userinfo, as the specification asks for, or in the ID token."""
    server = OpenIdProvider(
        f"http://shop.test{CALLBACK}", PEOPLE, in_token=request.param == "ID token"
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
async def house(world: World, provider: OpenIdProvider) -> AsyncIterator[World]:
    """A shop that knows the provider as `house`, and an unreachable one as `ruin`."""
    world.clock.turn(datetime.now(UTC) - world.clock.now())  # the provider has the real time
    http = HttpxHttp()
    configs = [
        Config(
            name=name,
            issuer=issuer,
            client_id=provider.client_id,
            client_secret=provider.client_secret,
        )
        for name, issuer in (
            ("house", provider.issuer),
            ("ruin", f"http://127.0.0.1:{free_port()}"),
        )
    ]
    found = {config.name: Oidc(config, http, world.clock) for config in configs}
    world.shop = changed(world.shop, identity_providers=found)
    yield world
    await http.aclose()


def _browser(world: World) -> httpx.AsyncClient:
    return world.client(RULES)


async def _go(
    browser: httpx.AsyncClient, provider: OpenIdProvider, person: str, return_url: str | None = None
) -> str:
    """Set out and sign in at the provider; the address it sends the browser back to."""
    params = {} if return_url is None else {"returnUrl": return_url}
    reply = await browser.get(START, params=params)
    assert reply.status_code == 302, reply.text
    return await provider.sign_in(reply.headers["Location"], person)


async def _sign_in(world: World, provider: OpenIdProvider, person: str) -> httpx.Response:
    browser = _browser(world)
    return await browser.get(await _go(browser, provider, person))


def _refusal(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


async def _people(world: World) -> int:
    return len(await world.db.all(_PEOPLE))


async def _links(world: World) -> list[tuple[str, str, int]]:
    rows = await world.db.all(_LINKS)
    return [(row.provider, row.subject, row.user_id) for row in rows]


async def _register(world: World, email: str) -> dict[str, Any]:
    """An account by password; its address is not verified."""
    body = {"email": email, "password": PASSWORD, "accountType": "customer"}
    reply = await world.client().post("/api/auth/register", json=body)
    assert reply.status_code == 201, reply.text
    data: dict[str, Any] = reply.json()["data"]
    return data


async def _verify(world: World, email: str) -> None:
    token = await world.token(email, "verify-email")
    reply = await world.client().post("/api/auth/verify-email", json={"token": token})
    assert reply.status_code == 200, reply.text


async def _second_factor(world: World, headers: dict[str, str]) -> str:
    setup = await world.client().post("/api/auth/2fa/setup", headers=headers)
    secret: str = setup.json()["data"]["secret"]
    code = pyotp.TOTP(secret).at(world.clock.now())
    reply = await world.client().post("/api/auth/2fa/enable", json={"otp": code}, headers=headers)
    assert reply.status_code == 200, reply.text
    return secret


def _token(data: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {data['accessToken']}"}


async def test_who_is_new_gets_an_account_and_finds_it_again(
    house: World, provider: OpenIdProvider
) -> None:
    first = await _sign_in(house, provider, "aisha")
    assert first.status_code == 200, first.text
    user = first.json()["data"]["user"]
    assert (user["email"], user["role"], user["emailVerified"]) == (
        "aisha@example.ly",
        "customer",
        True,
    )
    assert (user["firstName"], user["lastName"]) == ("عائشة", "علي")
    again = await _sign_in(house, provider, "aisha")
    assert again.json()["data"]["user"]["id"] == user["id"]
    assert await _links(house) == [("house", "aisha", user["id"])]
    profile = await house.client().get("/api/auth/profile", headers=_token(again.json()["data"]))
    assert profile.json()["data"]["id"] == user["id"]
    assert await house.letters("aisha@example.ly") == []  # nothing is left to be confirmed


async def test_an_account_without_a_password_opens_by_none(
    house: World, provider: OpenIdProvider
) -> None:
    await _sign_in(house, provider, "omar")
    for password in ("", PASSWORD):
        body = {"email": "omar@example.ly", "password": password}
        reply = await house.client().post("/api/auth/login", json=body)
        assert _refusal(reply) == (401, "INVALID_CREDENTIALS")


async def test_it_may_choose_a_password_while_the_login_is_young(
    house: World, provider: OpenIdProvider
) -> None:
    headers = _token((await _sign_in(house, provider, "omar")).json()["data"])
    reply = await house.client().put(
        "/api/auth/password", json={"password": PASSWORD}, headers=headers
    )
    assert reply.status_code == 200, reply.text
    body = {"email": "omar@example.ly", "password": PASSWORD}
    assert (await house.client().post("/api/auth/login", json=body)).status_code == 200


async def test_a_verified_account_of_the_address_is_linked_and_keeps_its_password(
    house: World, provider: OpenIdProvider
) -> None:
    own = await _register(house, "aisha@example.ly")
    await _verify(house, "aisha@example.ly")
    reply = await _sign_in(house, provider, "aisha")
    assert reply.json()["data"]["user"]["id"] == own["user"]["id"]
    assert await _people(house) == 1
    body = {"email": "aisha@example.ly", "password": PASSWORD}
    assert (await house.client().post("/api/auth/login", json=body)).status_code == 200
    assert (await house.client().get("/api/auth/profile", headers=_token(own))).status_code == 200


async def test_an_account_that_nobody_verified_is_taken_from_who_registered_it(
    house: World, provider: OpenIdProvider
) -> None:
    """Somebody registers another's address, sets everything up, and waits for its owner."""
    squatter = await _register(house, "aisha@example.ly")
    headers = _token(squatter)
    await house.client().put("/api/auth/email", json={"email": "evil@example.ly"}, headers=headers)
    change = await house.token("evil@example.ly", "verify-email")
    await _second_factor(house, headers)
    reply = await _sign_in(house, provider, "aisha")
    assert reply.status_code == 200, reply.text
    user = reply.json()["data"]["user"]
    assert (user["id"], user["emailVerified"]) == (squatter["user"]["id"], True)
    client = house.client()
    login = {"email": "aisha@example.ly", "password": PASSWORD}
    assert _refusal(await client.post("/api/auth/login", json=login))[0] == 401
    assert (await client.get("/api/auth/profile", headers=headers)).status_code == 401
    refresh = {"refreshToken": squatter["refreshToken"]}
    assert (await client.post("/api/auth/refresh", json=refresh)).status_code == 401
    # A link to another address, sent before, moves the account nowhere.
    moved = await client.post("/api/auth/verify-email", json={"token": change})
    assert _refusal(moved) == (422, "VALIDATION_ERROR")
    assert (await _sign_in(house, provider, "aisha")).json()["data"]["user"]["id"] == user["id"]


async def test_an_address_that_the_provider_did_not_verify_opens_nothing(
    house: World, provider: OpenIdProvider
) -> None:
    await _register(house, "aisha@example.ly")
    await _verify(house, "aisha@example.ly")
    for person in ("stranger", "nameless"):
        reply = await _sign_in(house, provider, person)
        assert _refusal(reply) == (401, "EMAIL_NOT_VERIFIED")
    assert await _links(house) == []
    assert await _people(house) == 1


async def test_a_locked_account_stays_locked(house: World, provider: OpenIdProvider) -> None:
    user = (await _sign_in(house, provider, "omar")).json()["data"]["user"]
    admin = bearer(await house.admin())
    await house.client().put(
        f"/api/admin/users/{user['id']}", json={"isActive": False}, headers=admin
    )
    assert _refusal(await _sign_in(house, provider, "omar")) == (401, "UNAUTHORIZED")
    squatted = await _register(house, "aisha@example.ly")
    path = f"/api/admin/users/{squatted['user']['id']}"
    await house.client().put(path, json={"isActive": False}, headers=admin)
    assert _refusal(await _sign_in(house, provider, "aisha")) == (401, "UNAUTHORIZED")


async def test_the_second_factor_is_still_asked_for(house: World, provider: OpenIdProvider) -> None:
    own = await _register(house, "aisha@example.ly")
    await _verify(house, "aisha@example.ly")
    secret = await _second_factor(house, _token(own))
    house.clock.turn(timedelta(seconds=30))
    waiting = await _sign_in(house, provider, "aisha")
    assert _refusal(waiting) == (401, "TWO_FACTOR_REQUIRED")
    assert await _links(house) == []  # not before the code
    ticket = waiting.json()["error"]["details"]["ticket"]
    client, code = house.client(), pyotp.TOTP(secret).at(house.clock.now())
    wrong = await client.post(COMPLETE, json={"ticket": ticket, "otp": "000000"})
    assert _refusal(wrong) == (401, "INVALID_CREDENTIALS")
    forged = await client.post(COMPLETE, json={"ticket": ticket[:-9] + "AAAAAAAA=", "otp": code})
    assert _refusal(forged) == (401, "LOGIN_EXPIRED")
    right = await client.post(COMPLETE, json={"ticket": ticket, "otp": code})
    assert right.status_code == 200, right.text
    assert right.json()["data"]["user"]["id"] == own["user"]["id"]
    repeated = await client.post(COMPLETE, json={"ticket": ticket, "otp": code})
    assert repeated.status_code == 401
    assert _refusal(await _sign_in(house, provider, "aisha")) == (401, "TWO_FACTOR_REQUIRED")


async def test_a_ticket_is_good_for_five_minutes_and_for_the_account_as_it_was(
    house: World, provider: OpenIdProvider
) -> None:
    data = (await _sign_in(house, provider, "omar")).json()["data"]
    secret = await _second_factor(house, _token(data))
    client = house.client()
    first, second = [
        (await _sign_in(house, provider, "omar")).json()["error"]["details"]["ticket"]
        for _ in range(2)
    ]
    house.clock.turn(timedelta(minutes=2))
    await client.put("/api/auth/password", json={"password": PASSWORD}, headers=_token(data))
    code = pyotp.TOTP(secret).at(house.clock.now())
    changed_since = await client.post(COMPLETE, json={"ticket": first, "otp": code})
    assert _refusal(changed_since) == (401, "LOGIN_EXPIRED")
    house.clock.turn(timedelta(minutes=3))
    code = pyotp.TOTP(secret).at(house.clock.now())
    late = await client.post(COMPLETE, json={"ticket": second, "otp": code})
    assert _refusal(late) == (401, "LOGIN_EXPIRED")


async def test_the_way_back_belongs_to_the_browser_that_set_out(
    house: World, provider: OpenIdProvider
) -> None:
    browser, other = _browser(house), _browser(house)
    address = await _go(browser, provider, "aisha")
    without = await other.get(address)
    assert _refusal(without) == (401, "LOGIN_EXPIRED")
    await _go(other, provider, "omar")
    assert _refusal(await other.get(address)) == (401, "LOGIN_EXPIRED")  # with its own cookie
    wrong = str(httpx.URL(address).copy_set_param("state", "x"))
    assert _refusal(await browser.get(wrong)) == (401, "LOGIN_EXPIRED")
    assert await _links(house) == []


async def test_a_code_of_another_attempt_is_refused(house: World, provider: OpenIdProvider) -> None:
    """An attacker's code under one's own state: the provider asks for the verifier (PKCE)."""
    victim, attacker = _browser(house), _browser(house)
    address = await _go(victim, provider, "omar")
    stolen = httpx.URL(await _go(attacker, provider, "aisha")).params["code"]
    reply = await victim.get(str(httpx.URL(address).copy_set_param("code", stolen)))
    assert _refusal(reply) == (401, "LOGIN_REFUSED")
    assert await _links(house) == []


async def test_another_nonce_is_refused(house: World, provider: OpenIdProvider) -> None:
    """The nonce is changed on the way there: the ID token is genuine, but not of this attempt."""
    browser = _browser(house)
    address = (await browser.get(START)).headers["Location"]
    changed_on_the_way = str(httpx.URL(address).copy_set_param("nonce", "x"))
    reply = await browser.get(await provider.sign_in(changed_on_the_way, "aisha"))
    assert _refusal(reply) == (401, "LOGIN_REFUSED")


async def test_an_answer_is_good_once_and_for_ten_minutes(
    house: World, provider: OpenIdProvider
) -> None:
    browser = _browser(house)
    address = await _go(browser, provider, "aisha")
    cookie = browser.cookies[COOKIE]
    assert (await browser.get(address)).status_code == 200
    assert COOKIE not in browser.cookies
    assert _refusal(await browser.get(address)) == (401, "LOGIN_EXPIRED")
    kept = await _browser(house).get(address, headers={"Cookie": f"{COOKIE}={cookie}"})
    assert _refusal(kept) == (401, "LOGIN_REFUSED")  # the provider knows the code as spent
    address = await _go(browser, provider, "aisha")
    house.clock.turn(timedelta(minutes=10))
    assert _refusal(await browser.get(address)) == (401, "LOGIN_EXPIRED")


async def test_an_answer_of_another_issuer_is_refused(
    house: World, provider: OpenIdProvider
) -> None:
    browser = _browser(house)
    address = await _go(browser, provider, "aisha")
    assert parse_qs(urlsplit(address).query)["iss"] == [provider.issuer]
    mixed_up = str(httpx.URL(address).copy_set_param("iss", "https://evil.example.com"))
    assert _refusal(await browser.get(mixed_up)) == (401, "LOGIN_REFUSED")


async def test_who_presses_cancel_is_told_so_and_the_cookie_goes(
    house: World, provider: OpenIdProvider
) -> None:
    browser = _browser(house)
    address = (await browser.get(START)).headers["Location"]
    reply = await browser.get(await provider.refuse(address))
    assert _refusal(reply) == (401, "LOGIN_REFUSED")
    assert reply.json()["error"]["details"] == {"error": "access_denied"}
    assert COOKIE not in browser.cookies


async def test_a_callback_without_a_code_is_a_bad_request(
    house: World, provider: OpenIdProvider
) -> None:
    browser = _browser(house)
    address = httpx.URL(await _go(browser, provider, "aisha"))
    state = address.params["state"]
    assert _refusal(await browser.get(CALLBACK, params={"state": state})) == (400, "BAD_REQUEST")


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    house: World, provider: OpenIdProvider
) -> None:
    reply = await _browser(house).get(START)
    name, *attributes = reply.headers["Set-Cookie"].split("; ")
    assert name.startswith(f"{COOKIE}=")
    assert set(attributes) == {
        "Path=/api/auth/oauth",
        "Max-Age=600",
        "HttpOnly",
        "SameSite=Lax",
    }
    assert reply.headers["Cache-Control"] == "no-store"
    secure = await house.client(WebRules(is_secure=True)).get(START)
    assert "; Secure" in secure.headers["Set-Cookie"]
    query = parse_qs(urlsplit(reply.headers["Location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(query)
    assert query["redirect_uri"] == [f"http://shop.test{CALLBACK}"]


async def test_a_storefront_gets_the_refresh_token_in_the_fragment(
    house: World, provider: OpenIdProvider
) -> None:
    browser = _browser(house)
    for return_url in (f"{STOREFRONT}/account?tab=1", "http://shop.test/"):
        reply = await browser.get(await _go(browser, provider, "omar", return_url))
        assert reply.status_code == 302, reply.text
        place, _, fragment = reply.headers["Location"].partition("#")
        assert place == return_url
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert COOKIE not in browser.cookies
        (token,) = parse_qs(fragment)["refreshToken"]
        refreshed = await house.client().post("/api/auth/refresh", json={"refreshToken": token})
        assert refreshed.json()["data"]["user"]["email"] == "omar@example.ly"


async def test_a_storefront_gets_the_ticket_in_the_fragment(
    house: World, provider: OpenIdProvider
) -> None:
    data = (await _sign_in(house, provider, "omar")).json()["data"]
    secret = await _second_factor(house, _token(data))
    house.clock.turn(timedelta(seconds=30))
    browser = _browser(house)
    reply = await browser.get(await _go(browser, provider, "omar", f"{STOREFRONT}/"))
    assert reply.status_code == 302
    fragment = parse_qs(urlsplit(reply.headers["Location"]).fragment)
    assert set(fragment) == {"ticket"}
    body = {"ticket": fragment["ticket"][0], "otp": pyotp.TOTP(secret).at(house.clock.now())}
    assert (await house.client().post(COMPLETE, json=body)).status_code == 200


@pytest.mark.parametrize(
    "return_url",
    [
        "https://evil.example.com/",
        "https://shop.example.ly.evil.example.com/",
        "https://shop.example.ly@evil.example.com/",
        "https://shop.example.ly:8443/",
        "https://evil.example.com\\@shop.example.ly/",
        "https://shop.example.ly\\.evil.example.com/",
        "http://shop.example.ly/",
        "//evil.example.com/",
        "/account",
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://shop.example.ly/#refreshToken=x",
        "https://shop.example.ly/\r\nSet-Cookie: x=y",
        "https://shop.example.ly/\t",
        " https://shop.example.ly/",
        "*",
    ],
)
async def test_a_foreign_return_address_is_refused(house: World, return_url: str) -> None:
    reply = await _browser(house).get(START, params={"returnUrl": return_url})
    assert _refusal(reply) == (422, "VALIDATION_ERROR")
    assert "returnUrl" in reply.json()["error"]["details"]
    assert "Set-Cookie" not in reply.headers


async def test_a_provider_that_is_down_or_unknown(house: World) -> None:
    browser = _browser(house)
    assert _refusal(await browser.get("/api/auth/oauth/ruin")) == (502, "PROVIDER_ERROR")
    for path in ("/api/auth/oauth/nobody", "/api/auth/oauth/nobody/callback?code=x&state=y"):
        assert _refusal(await browser.get(path)) == (404, "NOT_FOUND")


async def test_a_provider_that_does_not_take_our_secret_is_at_fault_not_the_person(
    house: World, provider: OpenIdProvider
) -> None:
    browser = _browser(house)
    address = await _go(browser, provider, "aisha")
    http = HttpxHttp()
    config = Config(
        name="house",
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret="another secret",  # noqa: S106 - a wrong one
    )
    known = {"house": Oidc(config, http, house.clock)}
    house.shop = changed(house.shop, identity_providers=known)
    other = house.client(RULES)
    other.cookies.update(browser.cookies)
    assert _refusal(await other.get(address)) == (502, "PROVIDER_ERROR")
    await http.aclose()


async def test_two_callbacks_at_once_make_one_account(
    house: World, provider: OpenIdProvider
) -> None:
    browsers = [_browser(house) for _ in range(4)]
    addresses = [await _go(browser, provider, "aisha") for browser in browsers]
    replies = await asyncio.gather(
        *(browser.get(address) for browser, address in zip(browsers, addresses, strict=True))
    )
    assert [reply.status_code for reply in replies] == [200] * 4
    assert len({reply.json()["data"]["user"]["id"] for reply in replies}) == 1
    assert await _people(house) == 1
    assert len(await _links(house)) == 1


async def test_taking_over_at_once_ends_no_session_of_the_owner(
    house: World, provider: OpenIdProvider
) -> None:
    await _register(house, "aisha@example.ly")
    browsers = [_browser(house) for _ in range(3)]
    addresses = [await _go(browser, provider, "aisha") for browser in browsers]
    replies = await asyncio.gather(
        *(browser.get(address) for browser, address in zip(browsers, addresses, strict=True))
    )
    for reply in replies:
        headers = _token(reply.json()["data"])
        assert (await house.client().get("/api/auth/profile", headers=headers)).status_code == 200


async def test_the_trail_names_what_was_linked(house: World, provider: OpenIdProvider) -> None:
    await _sign_in(house, provider, "omar")
    admin = bearer(await house.admin())
    lines = (await house.client().get("/api/admin/audit", headers=admin)).json()["data"]
    made = [line for line in lines if line["action"] == "user.registered"]
    assert any("house" in str(line) for line in made)
