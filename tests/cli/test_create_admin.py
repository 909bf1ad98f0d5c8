"""`eishro create-admin`: who may be made an admin, with what password."""

import asyncio
import io
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from eishro.app import open_shop
from eishro.cli.commands import add_admin, create_admin, migrate_database
from eishro.db.audit import audit_records
from eishro.db.migrate import NotMigrated
from eishro.db.statements import Query
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import EmailTaken, User, WrongCredentials
from eishro.flows.sign_in import Device, login
from eishro.settings import Settings, load
from tests.shops import PASSWORD, World, bearer

_AUDIT = Query(
    sa.select(audit_records.c.action, audit_records.c.actor),
    lambda *row: row,
    across_stores=True,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    loaded = load({"EISHRO_DATA_DIR": str(tmp_path), "EISHRO_BCRYPT_COST": "4"})
    asyncio.run(migrate_database(loaded))
    return loaded


def _create(settings: Settings, email: str, typed: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return asyncio.run(create_admin(settings, email))


def _found(settings: Settings, email: str) -> User | None:
    async def find() -> User | None:
        async with open_shop(settings) as shop:
            return await accounts.find_user_by_email(shop.db, email)

    return asyncio.run(find())


def test_an_admin_is_made_under_the_address_in_lower_case(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _create(settings, " Boss@Example.LY ", f"{PASSWORD}\n", monkeypatch) == 0
    admin = _found(settings, "boss@example.ly")
    assert admin is not None
    assert (admin.role, admin.is_active) == ("admin", True)
    assert PASSWORD not in admin.password_hash


@pytest.mark.parametrize("typed", ["", "\n", "short\n", "123456789\n", f"\n{PASSWORD}\n"])
def test_a_short_or_missing_password_makes_nobody(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
) -> None:
    assert _create(settings, "boss@example.ly", typed, monkeypatch) == 1
    assert "at least 10 characters" in capsys.readouterr().err
    assert _found(settings, "boss@example.ly") is None


@pytest.mark.parametrize("email", ["", "boss", "boss@", "@example.ly", "a b@example.ly", "a@b"])
def test_what_is_no_address_makes_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        _create(settings, email, f"{PASSWORD}\n", monkeypatch)
    assert _found(settings, email) is None


def test_a_database_without_a_schema_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = load({"EISHRO_DATA_DIR": str(tmp_path / "empty")})
    with pytest.raises(NotMigrated, match="eishro migrate"):
        _create(empty, "boss@example.ly", f"{PASSWORD}\n", monkeypatch)


@pytest.mark.anyio
async def test_an_admin_signs_in_works_everywhere_and_is_in_the_trail(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    await add_admin(world.shop, "boss@example.ly", PASSWORD)
    admin = await login(world.shop, world.tokens, "boss@example.ly", PASSWORD, Device("", ""))
    assert admin.store is None
    path = f"/api/stores/{merchant.store.id}"
    reply = await world.client(**bearer(admin)).put(path, json={"name": "اسم آخر"})
    assert reply.status_code == 200
    assert ("user.registered", "command") in await world.db.all(_AUDIT)


@pytest.mark.anyio
async def test_two_commands_at_once_make_one_admin_with_one_password(world: World) -> None:
    passwords = [f"{PASSWORD} {number}" for number in range(4)]
    outcomes = await asyncio.gather(
        *(add_admin(world.shop, "boss@example.ly", password) for password in passwords),
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 3
    right = passwords[outcomes.index(None)]
    for password in passwords:
        if password == right:
            await login(world.shop, world.tokens, "boss@example.ly", password, Device("", ""))
        else:
            with pytest.raises(WrongCredentials):
                await login(world.shop, world.tokens, "boss@example.ly", password, Device("", ""))


@pytest.mark.anyio
async def test_a_customer_s_address_does_not_become_an_admin(world: World) -> None:
    customer = await world.customer()
    with pytest.raises(EmailTaken):
        await add_admin(world.shop, customer.user.email, "another long password")
    kept = await accounts.get_user(world.db, customer.user.id)
    assert (kept.role, kept.password_hash) == ("customer", customer.user.password_hash)
