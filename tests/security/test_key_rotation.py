"""A new secret key, and the old one gone: who has a second factor gets in all the way."""

from datetime import timedelta

import pyotp
import pytest

from eishro.db import audit_seals
from eishro.domain.accounts.tokens import AccessTokens
from eishro.flows.two_factor import count_old_seals, renew_seals
from eishro.jobs.seal_audit import seal_audit
from eishro.keyring import Keyring
from tests.shops import PASSWORD, SECRET, World, bearer, changed

pytestmark = pytest.mark.anyio

NEW = "a newer secret of the tests, long enough"


def turned(world: World, *keys: str) -> World:
    """The same installation after a restart with these keys."""
    shop = changed(world.shop, keyring=Keyring(keys))
    after = World(shop, world.clock, world.provider)
    after.tokens = AccessTokens(shop.keyring)
    return after


async def with_second_factor(world: World) -> tuple[str, pyotp.TOTP]:
    """Somebody's address, and their app."""
    person = await world.customer()
    client, headers = world.client(), bearer(person)
    made = (await client.post("/api/auth/2fa/setup", json={}, headers=headers)).json()["data"]
    app = pyotp.TOTP(made["secret"])
    code = app.at(world.clock.now())
    reply = await client.post("/api/auth/2fa/enable", json={"otp": code}, headers=headers)
    assert reply.status_code == 200, reply.text
    return person.user.email, app


async def sign_in(world: World, email: str, app: pyotp.TOTP) -> int:
    """The status of a login with a fresh code."""
    world.clock.turn(timedelta(minutes=2))
    body = {"email": email, "password": PASSWORD, "otp": app.at(world.clock.now())}
    return (await world.client().post("/api/auth/login", json=body)).status_code


async def test_second_factors_outlive_the_key_that_sealed_them(world: World) -> None:
    email, app = await with_second_factor(world)
    both = turned(world, NEW, SECRET)
    assert await sign_in(both, email, app) == 200
    assert await count_old_seals(both.shop) == (1, 0)
    assert await renew_seals(both.shop) == (1, 0)
    assert await renew_seals(both.shop) == (0, 0)
    alone = turned(world, NEW)
    assert await count_old_seals(alone.shop) == (0, 0)
    assert await sign_in(alone, email, app) == 200


async def test_a_key_that_went_too_early_is_the_operator_s_fault_and_mends(world: World) -> None:
    email, app = await with_second_factor(world)
    alone = turned(world, NEW)
    assert await sign_in(alone, email, app) == 503
    assert await renew_seals(alone.shop) == (0, 1)
    assert await sign_in(turned(world, NEW, SECRET), email, app) == 200


async def test_the_audit_trail_says_when_a_key_is_missing(world: World) -> None:
    await world.merchant()
    world.clock.turn(timedelta(minutes=1))
    await seal_audit(world.shop)
    both, alone = turned(world, NEW, SECRET), turned(world, NEW)
    assert await audit_seals.find_breaks(world.db, both.shop.keyring, 10) == []
    breaks = await audit_seals.find_breaks(world.db, alone.shop.keyring, 10)
    assert breaks
    assert all("sealed with a key that EISHRO_SECRET_KEYS lacks" in one for one in breaks)
