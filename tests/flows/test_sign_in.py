"""Sessions: who gets one, how it lives on, and what ends it."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.audit import audit_records
from eishro.db.statements import Batch, Query
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import EmailTaken, TokenExpired, User, WrongCredentials
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import SlugTaken
from eishro.errors import ShopError, Unauthenticated
from eishro.flows.open_store import NewStore
from eishro.flows.shop import NotOnce
from eishro.flows.sign_in import Device, Registration, SignedIn, login, logout, refresh, register
from eishro.keyring import Keyring
from tests.shops import PASSWORD, World, changed

pytestmark = pytest.mark.anyio

HERE = Device("a browser", "192.0.2.1")
_USERS = Query(sa.select(sa.func.count()).select_from(accounts.users), int)
_REUSED = Query(
    sa.select(sa.func.count()).where(audit_records.c.action == "session.reuse_detected"),
    int,
    across_stores=True,
)


def _registration(email: str, slug: str | None = None) -> Registration:
    return Registration(
        email=email,
        password=PASSWORD,
        first_name="",
        last_name="",
        phone=None,
        role="merchant" if slug else "customer",
        store=NewStore(name="متجر", slug=slug) if slug else None,
    )


async def _session_of(world: World, signed_in: SignedIn) -> str:
    return world.tokens.read(signed_in.access_token, world.clock.now()).session_id


async def _is_live(world: World, signed_in: SignedIn) -> bool:
    session_id = await _session_of(world, signed_in)
    return await accounts.find_caller(world.db, session_id, world.clock.now()) is not None


async def _deactivate(world: World, user: User) -> None:
    seen = await accounts.get_user(world.db, user.id)
    after = msgspec.structs.replace(seen, is_active=False)
    await world.db.commit(Batch(accounts.save_user(after, seen=seen)))


async def test_a_registration_whose_slug_is_taken_makes_no_account(world: World) -> None:
    taken = _registration("first@example.ly", "the-shop")
    await register(world.shop, world.tokens, taken, HERE, NotOnce())
    with pytest.raises(SlugTaken):
        again = _registration("second@example.ly", "the-shop")
        await register(world.shop, world.tokens, again, HERE, NotOnce())
    assert await world.db.one(_USERS) == 1
    # The address is free for another try.
    other = _registration("second@example.ly", "another-shop")
    await register(world.shop, world.tokens, other, HERE, NotOnce())


async def test_a_registration_whose_address_is_taken_opens_no_store(world: World) -> None:
    customer = await world.customer()
    with pytest.raises(EmailTaken):
        taken = _registration(customer.user.email, "the-shop")
        await register(world.shop, world.tokens, taken, HERE, NotOnce())
    assert await stores.find_store_id(world.db, "the-shop") is None


async def test_every_sign_in_is_a_session_of_its_own(world: World) -> None:
    first = await world.merchant()
    second = await login(world.shop, world.tokens, first.user.email, PASSWORD, HERE)
    assert second.store == first.store
    assert await _session_of(world, first) != await _session_of(world, second)
    await logout(world.shop, await _session_of(world, first), None)
    assert [await _is_live(world, s) for s in (first, second)] == [False, True]


async def test_a_session_notes_where_it_came_from(world: World) -> None:
    customer = await world.customer()
    there = Device("x" * 5_000, "192.0.2.1")
    signed_in = await login(world.shop, world.tokens, customer.user.email, PASSWORD, there)
    session = await accounts.find_session(world.db, await _session_of(world, signed_in))
    assert session is not None
    assert (session.user_agent, session.address) == ("x" * 200, "192.0.2.1")
    assert signed_in.refresh_token not in repr(session), "only its hash is stored"


async def test_whoever_is_deactivated_is_out_at_once_and_stays_out(world: World) -> None:
    merchant = await world.merchant()
    await _deactivate(world, merchant.user)
    assert not await _is_live(world, merchant)
    with pytest.raises(Unauthenticated):
        await refresh(world.shop, world.tokens, merchant.refresh_token, HERE)
    with pytest.raises(WrongCredentials):
        await login(world.shop, world.tokens, merchant.user.email, PASSWORD, HERE)


async def test_a_session_ends_when_it_is_not_used_for_long_and_lives_while_it_is(
    world: World,
) -> None:
    used, idle = await world.customer(), await world.customer()
    for _ in range(3):
        world.clock.turn(world.shop.rules.refresh_token - timedelta(seconds=1))
        used = await refresh(world.shop, world.tokens, used.refresh_token, HERE)
    with pytest.raises(Unauthenticated):
        await refresh(world.shop, world.tokens, idle.refresh_token, HERE)
    assert await _is_live(world, used)
    world.clock.turn(world.shop.rules.refresh_token)
    with pytest.raises(Unauthenticated):
        await refresh(world.shop, world.tokens, used.refresh_token, HERE)


async def test_the_access_token_of_a_refreshed_session_still_runs_out(world: World) -> None:
    customer = await world.customer()
    world.clock.turn(timedelta(minutes=10))
    later = await refresh(world.shop, world.tokens, customer.refresh_token, HERE)
    world.clock.turn(timedelta(minutes=5))
    with pytest.raises(TokenExpired):
        world.tokens.read(customer.access_token, world.clock.now())
    assert await _is_live(world, later)


@pytest.mark.parametrize("seconds", [0, 29, 30])
async def test_a_lost_reply_is_repeated_within_the_grace(world: World, seconds: int) -> None:
    customer = await world.customer()
    second = await refresh(world.shop, world.tokens, customer.refresh_token, HERE)
    world.clock.turn(timedelta(seconds=seconds))
    again = await refresh(world.shop, world.tokens, customer.refresh_token, HERE)
    assert again.refresh_token == second.refresh_token
    assert await world.db.one(_REUSED) == 0
    third = await refresh(world.shop, world.tokens, again.refresh_token, HERE)
    assert third.refresh_token != second.refresh_token


@pytest.mark.parametrize("pause", [timedelta(seconds=30, microseconds=1), timedelta(days=20)])
async def test_a_token_of_long_ago_ends_the_session_for_thief_and_owner(
    world: World, pause: timedelta
) -> None:
    owner = await world.customer()
    second = await refresh(world.shop, world.tokens, owner.refresh_token, HERE)
    world.clock.turn(pause)
    with pytest.raises(Unauthenticated):
        await refresh(world.shop, world.tokens, owner.refresh_token, HERE)
    with pytest.raises(Unauthenticated):
        await refresh(world.shop, world.tokens, second.refresh_token, HERE)
    assert await world.db.one(_REUSED) == 1


async def test_a_token_before_the_last_has_no_grace(world: World) -> None:
    owner = await world.customer()
    second = await refresh(world.shop, world.tokens, owner.refresh_token, HERE)
    third = await refresh(world.shop, world.tokens, second.refresh_token, HERE)
    with pytest.raises(Unauthenticated):
        await refresh(world.shop, world.tokens, owner.refresh_token, HERE)
    assert not await _is_live(world, third)


async def test_a_session_lives_through_a_change_of_keys(world: World) -> None:
    owner = await world.customer()
    second = await refresh(world.shop, world.tokens, owner.refresh_token, HERE)
    rotated = changed(world.shop, keyring=Keyring(["a new secret of the tests, long enough!!"]))
    assert (await refresh(rotated, world.tokens, second.refresh_token, HERE)).user == owner.user


@pytest.mark.parametrize("token", ["", ".", "ses_1", "ses_1.x", "x" * 2_000])
async def test_an_unknown_token_is_nobody_s(world: World, token: str) -> None:
    customer = await world.customer()
    with pytest.raises(Unauthenticated):
        await refresh(world.shop, world.tokens, token, HERE)
    await logout(world.shop, None, token)
    assert await _is_live(world, customer)


async def test_signing_out_takes_a_right_token(world: World) -> None:
    customer = await world.customer()
    session_id = await _session_of(world, customer)
    await logout(world.shop, None, f"{session_id}.guessed")
    assert await _is_live(world, customer)
    for _ in range(2):  # again is a success
        await logout(world.shop, None, customer.refresh_token)
        assert not await _is_live(world, customer)


async def test_signing_out_with_the_token_before_the_last_ends_the_session(world: World) -> None:
    customer = await world.customer()
    second = await refresh(world.shop, world.tokens, customer.refresh_token, HERE)
    await logout(world.shop, None, customer.refresh_token)
    assert not await _is_live(world, second)


async def test_refreshing_against_signing_out_never_leaves_a_live_session(world: World) -> None:
    for _ in range(5):
        customer = await world.customer()
        session_id = await _session_of(world, customer)
        outcomes = await asyncio.gather(
            *(refresh(world.shop, world.tokens, customer.refresh_token, HERE) for _ in range(3)),
            logout(world.shop, session_id, None),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, ShopError):
                raise outcome
        assert not await _is_live(world, customer)
