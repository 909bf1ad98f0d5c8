"""Profiles and confirmed addresses."""

import asyncio

import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.audit import audit_records
from eishro.db.statements import Batch, Query
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import User
from eishro.errors import Invalid, NotFound
from eishro.flows.edit_account import update_profile, verification_token, verify_email
from eishro.keyring import Keyring
from tests.shops import SECRET, TESTER, World, changed

pytestmark = pytest.mark.anyio

_VERIFIED = Query(
    sa.select(sa.func.count()).where(audit_records.c.action == "user.email_verified"),
    int,
    across_stores=True,
)


async def _user(world: World) -> User:
    return (await world.customer()).user


async def test_a_right_token_confirms_once_however_often_it_is_opened(world: World) -> None:
    user = await _user(world)
    token = verification_token(world.shop, user)
    await asyncio.gather(*(verify_email(world.shop, token, TESTER) for _ in range(5)))
    after = await accounts.get_user(world.db, user.id)
    assert after.email_verified_at == world.clock.now()
    assert after.version == user.version + 1
    assert await world.db.one(_VERIFIED) == 1


async def test_a_token_is_for_one_user_and_one_address(world: World) -> None:
    user, other = await _user(world), await _user(world)
    token = verification_token(world.shop, user)
    signature = token.partition(".")[2]
    moved = msgspec.structs.replace(user, email="moved@example.ly")
    await world.db.commit(Batch(accounts.save_user(moved, seen=user)))
    for wrong in (token, f"{other.id}.{signature}", f"999999.{signature}"):
        with pytest.raises(Invalid):
            await verify_email(world.shop, wrong, TESTER)
    for person in (user, other):
        assert (await accounts.get_user(world.db, person.id)).email_verified_at is None


@pytest.mark.parametrize(
    "token", ["", ".", "1", "1.", ".x", "١.x", "-1.x", "1e3.x", " 1.x", "9" * 400 + ".x"]
)
async def test_junk_confirms_nothing(world: World, token: str) -> None:
    await _user(world)
    with pytest.raises(Invalid):
        await verify_email(world.shop, token, TESTER)


async def test_a_mail_sent_before_a_key_was_rotated_still_confirms(world: World) -> None:
    user = await _user(world)
    token = verification_token(world.shop, user)
    new, old = "a new secret of the tests, long enough!!", SECRET
    with pytest.raises(Invalid):
        await verify_email(changed(world.shop, keyring=Keyring([new])), token, TESTER)
    both = changed(world.shop, keyring=Keyring([new, old]))
    assert (await verify_email(both, token, TESTER)).email_verified_at is not None


async def test_changes_of_different_members_at_once_all_stay(world: World) -> None:
    user = await _user(world)
    changes = ({"first_name": "ليلى"}, {"last_name": "علي"}, {"phone": "+218912345678"})
    await asyncio.gather(*(update_profile(world.shop, user.id, c, TESTER) for c in changes))
    after = await accounts.get_user(world.db, user.id)
    assert (after.first_name, after.last_name, after.phone) == ("ليلى", "علي", "+218912345678")
    assert after.email == user.email


async def test_what_is_answered_is_what_is_read(world: World) -> None:
    user = await _user(world)
    after = await update_profile(world.shop, user.id, {"first_name": "ليلى"}, TESTER)
    assert await accounts.get_user(world.db, user.id) == after


async def test_nobody_cannot_be_changed(world: World) -> None:
    with pytest.raises(NotFound):
        await update_profile(world.shop, 999_999, {"first_name": "x"}, TESTER)
