"""The second factor: codes are good once, and no way in goes around it."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
import sqlalchemy as sa

from eishro.db.statements import Query
from eishro.domain.accounts.two_factor import second_factors
from eishro.flows.sign_in import SignedIn
from tests.shops import PASSWORD, World, bearer

pytestmark = pytest.mark.anyio


def _code(world: World, secret: str) -> str:
    return pyotp.TOTP(secret).at(world.clock.now())


async def _switch_on(world: World, person: SignedIn) -> tuple[str, list[str]]:
    """The secret and the recovery codes."""
    client = world.client()
    setup = await client.post("/api/auth/2fa/setup", headers=bearer(person))
    assert setup.status_code == 200, setup.text
    secret = setup.json()["data"]["secret"]
    enabled = await client.post(
        "/api/auth/2fa/enable", json={"otp": _code(world, secret)}, headers=bearer(person)
    )
    assert enabled.status_code == 200, enabled.text
    world.clock.turn(timedelta(seconds=30))
    return secret, enabled.json()["data"]["recoveryCodes"]


async def _login(world: World, person: SignedIn, otp: str | None = None) -> httpx.Response:
    body: dict[str, Any] = {"email": person.user.email, "password": PASSWORD}
    return await world.client().post(
        "/api/auth/login", json=body if otp is None else {**body, "otp": otp}
    )


async def test_a_login_asks_for_a_code_once_it_is_on(world: World) -> None:
    person = await world.customer()
    secret, codes = await _switch_on(world, person)
    assert len(codes) == len(set(codes)) == 10
    without = await _login(world, person)
    assert (without.status_code, without.json()["error"]["code"]) == (401, "TWO_FACTOR_REQUIRED")
    wrong = await _login(world, person, "000000")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    assert (await _login(world, person, _code(world, secret))).status_code == 200


async def test_a_wrong_password_is_told_before_any_code(world: World) -> None:
    person = await world.customer()
    await _switch_on(world, person)
    reply = await world.client().post(
        "/api/auth/login", json={"email": person.user.email, "password": "x"}
    )
    assert reply.json()["error"]["code"] == "INVALID_CREDENTIALS"


async def test_a_secret_that_was_never_confirmed_asks_for_nothing(world: World) -> None:
    person = await world.customer()
    reply = await world.client().post("/api/auth/2fa/setup", headers=bearer(person))
    data = reply.json()["data"]
    url = urlsplit(data["otpauthUrl"])
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, query["issuer"]) == ("otpauth", "totp", ["EISHRO"])
    assert query["secret"] == [data["secret"]]
    assert data["qrCode"].startswith("data:image/svg+xml")
    assert (await _login(world, person)).status_code == 200


async def test_a_code_is_good_once(world: World) -> None:
    person = await world.customer()
    secret, _ = await _switch_on(world, person)
    code = _code(world, secret)
    assert (await _login(world, person, code)).status_code == 200
    assert (await _login(world, person, code)).status_code == 401


async def test_one_code_shown_many_times_at_once_opens_one_session(world: World) -> None:
    person = await world.customer()
    secret, _ = await _switch_on(world, person)
    code = _code(world, secret)
    replies = await asyncio.gather(*(_login(world, person, code) for _ in range(5)))
    assert sorted(r.status_code for r in replies) == [200, 401, 401, 401, 401]


async def test_a_code_that_switched_it_on_does_not_sign_in(world: World) -> None:
    person = await world.customer()
    client = world.client()
    setup = await client.post("/api/auth/2fa/setup", headers=bearer(person))
    code = _code(world, setup.json()["data"]["secret"])
    await client.post("/api/auth/2fa/enable", json={"otp": code}, headers=bearer(person))
    assert (await _login(world, person, code)).status_code == 401


async def test_codes_of_the_neighbouring_half_minutes_count_and_older_ones_do_not(
    world: World,
) -> None:
    person = await world.customer()
    secret, _ = await _switch_on(world, person)
    world.clock.turn(timedelta(minutes=10))
    old = pyotp.TOTP(secret).at(world.clock.now() - timedelta(seconds=60))
    late = pyotp.TOTP(secret).at(world.clock.now() - timedelta(seconds=30))
    assert (await _login(world, person, old)).status_code == 401
    assert (await _login(world, person, late)).status_code == 200


async def test_a_recovery_code_is_good_once_however_it_is_typed(world: World) -> None:
    person = await world.customer()
    _, codes = await _switch_on(world, person)
    typed = codes[0].replace("-", " ").upper()
    replies = await asyncio.gather(*(_login(world, person, typed) for _ in range(3)))
    assert sorted(r.status_code for r in replies) == [200, 401, 401]
    assert (await _login(world, person, codes[1])).status_code == 200


async def test_codes_are_not_guessed_even_by_who_knows_the_password(world: World) -> None:
    person = await world.customer()
    await _switch_on(world, person)
    codes = []
    for _ in range(12):
        codes += [(await _login(world, person, f"{n:06}")).status_code for n in range(4)]
        world.clock.turn(timedelta(seconds=61))
    assert 429 in codes
    assert codes.count(401) <= 20


async def test_a_reset_by_mail_does_not_go_around_it(world: World) -> None:
    person = await world.customer()
    client = world.client()
    verify = await world.token(person.user.email, "verify-email")
    await client.post("/api/auth/verify-email", json={"token": verify})
    secret, _ = await _switch_on(world, person)
    await client.post("/api/auth/forgot-password", json={"email": person.user.email})
    token = await world.token(person.user.email, "reset-password")
    body = {"token": token, "password": "another long password"}
    assert (await client.post("/api/auth/reset-password", json=body)).status_code == 200
    login = {"email": person.user.email, "password": "another long password"}
    reply = await client.post("/api/auth/login", json=login)
    assert reply.json()["error"]["code"] == "TWO_FACTOR_REQUIRED"
    code = _code(world, secret)
    assert (await client.post("/api/auth/login", json={**login, "otp": code})).status_code == 200


async def test_a_thief_of_an_unverified_address_loses_it_to_the_mailbox(world: World) -> None:
    """Somebody registers a victim's address and puts their own second factor on it."""
    thief = await world.customer()
    await _switch_on(world, thief)
    client = world.client()
    await client.post("/api/auth/forgot-password", json={"email": thief.user.email})
    token = await world.token(thief.user.email, "reset-password")
    body = {"token": token, "password": "the victim's password"}
    assert (await client.post("/api/auth/reset-password", json=body)).status_code == 200
    login = {"email": thief.user.email, "password": "the victim's password"}
    assert (await client.post("/api/auth/login", json=login)).status_code == 200


async def test_refreshing_needs_no_code_and_an_old_session_cannot_switch_it_off(
    world: World,
) -> None:
    person = await world.customer()
    await _switch_on(world, person)
    client = world.client()
    world.clock.turn(timedelta(minutes=10))
    for path in ("disable", "setup"):
        reply = await client.post(f"/api/auth/2fa/{path}", headers=bearer(person))
        assert reply.status_code == 403, path
        reply = await client.post(
            f"/api/auth/2fa/{path}",
            json={"currentPassword": PASSWORD},
            headers=bearer(person),
        )
        assert reply.json()["error"]["code"] == "TWO_FACTOR_REQUIRED", path
    refreshed = await client.post("/api/auth/refresh", json={"refreshToken": person.refresh_token})
    headers = {"Authorization": f"Bearer {refreshed.json()['data']['accessToken']}"}
    assert (await client.post("/api/auth/2fa/disable", headers=headers)).status_code == 403


async def test_it_is_switched_off_with_password_and_code(world: World) -> None:
    person = await world.customer()
    secret, codes = await _switch_on(world, person)
    world.clock.turn(timedelta(minutes=10))
    reply = await world.client().post(
        "/api/auth/2fa/disable",
        json={"currentPassword": PASSWORD, "otp": _code(world, secret)},
        headers=bearer(person),
    )
    assert reply.status_code == 200
    assert (await _login(world, person)).status_code == 200
    assert codes


async def test_it_is_not_set_up_anew_while_it_is_on(world: World) -> None:
    person = await world.customer()
    await _switch_on(world, person)
    reply = await world.client().post("/api/auth/2fa/setup", headers=bearer(person))
    assert reply.status_code == 409


async def test_secrets_and_codes_do_not_lie_open_in_the_database(world: World) -> None:
    person = await world.customer()
    secret, codes = await _switch_on(world, person)
    kept = await world.db.all(Query(sa.select(second_factors.c.secret_sealed), str))
    assert len(kept) == 1
    assert secret not in kept[0]
    assert codes[0] not in kept[0]
