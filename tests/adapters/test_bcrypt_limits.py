"""Password hashing: a queue with an end, one patient thread, and hashes that hold."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator

import bcrypt
import pytest
import sqlalchemy as sa

from eishro.adapters import bcrypt_hasher
from eishro.adapters.bcrypt_hasher import BcryptHasher
from eishro.db.statements import Query
from eishro.domain.accounts.port import HasherBusy
from eishro.domain.accounts.sql import users
from eishro.errors import Unavailable
from eishro.priority import NICENESS
from tests.shops import PASSWORD, World, changed

pytestmark = pytest.mark.anyio

PLACES = 3
_USERS = Query(sa.select(sa.func.count()).select_from(users), int)


@pytest.fixture
async def hasher(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BcryptHasher]:
    """A hasher with a few places in its queue."""
    monkeypatch.setattr(bcrypt_hasher, "WAITING_MAX", PLACES)
    made = BcryptHasher(4)
    yield made
    await made.aclose()


@pytest.fixture
def stuck(hasher: BcryptHasher) -> Iterator[threading.Event]:
    """The hashing thread stands still until this is set."""
    go_on = threading.Event()
    hasher._thread.submit(go_on.wait)
    yield go_on
    go_on.set()


async def _in_queue(hasher: BcryptHasher, count: int) -> "list[asyncio.Task[str]]":
    tasks = [asyncio.ensure_future(hasher.hash(f"password {n}")) for n in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_a_full_queue_refuses_at_once_and_says_come_back(
    hasher: BcryptHasher, stuck: threading.Event
) -> None:
    waiting = await _in_queue(hasher, PLACES)
    for _ in range(5):
        with pytest.raises(HasherBusy):
            await hasher.hash("one too many")
        with pytest.raises(HasherBusy):
            await hasher.verify("one too many", None)
    assert issubclass(HasherBusy, Unavailable)
    assert not any(task.done() for task in waiting)
    stuck.set()
    assert len(set(await asyncio.gather(*waiting))) == PLACES


async def test_places_are_free_again_after_their_turn(
    hasher: BcryptHasher, stuck: threading.Event
) -> None:
    waiting = await _in_queue(hasher, PLACES)
    stuck.set()
    await asyncio.gather(*waiting)
    for _ in range(3):
        await asyncio.gather(*(hasher.hash("x") for _ in range(PLACES)))


async def test_who_gives_up_waiting_makes_room(
    hasher: BcryptHasher, stuck: threading.Event
) -> None:
    waiting = await _in_queue(hasher, PLACES)
    for task in waiting:
        task.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    others = await _in_queue(hasher, PLACES)
    stuck.set()
    await asyncio.gather(*others)


async def test_a_stored_hash_that_is_none_costs_no_place(hasher: BcryptHasher) -> None:
    for _ in range(PLACES + 2):
        with pytest.raises(ValueError, match="salt"):
            await hasher.verify("x", "not a hash")
    assert await hasher.verify("x", await hasher.hash("x"))


async def test_the_loop_goes_on_while_passwords_wait(
    hasher: BcryptHasher, stuck: threading.Event
) -> None:
    (waiting,) = await _in_queue(hasher, 1)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    stuck.set()
    await waiting


async def test_hashing_gives_way_to_everything_else(hasher: BcryptHasher) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    here = niceness()
    assert await hasher._queued(niceness) == NICENESS
    assert niceness() == here, "the loop's own thread is as it was"


async def test_nobody_waits_for_ever_for_a_hasher_that_closes(
    hasher: BcryptHasher, stuck: threading.Event
) -> None:
    waiting = await _in_queue(hasher, PLACES)
    await hasher.aclose()
    stuck.set()
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert len(outcomes) == PLACES


async def test_a_hash_is_salted_and_carries_its_cost() -> None:
    cheap, dear = BcryptHasher(4), BcryptHasher(5)
    one, two, other = await cheap.hash("x"), await cheap.hash("x"), await dear.hash("x")
    assert one != two
    assert one.startswith("$2b$04$")
    assert other.startswith("$2b$05$")
    # The cost can be raised: what was stored before still lets its owner in.
    assert await dear.verify("x", one)
    assert await cheap.verify("x", other)
    for hasher in (cheap, dear):
        await hasher.aclose()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("x", "X"), ("x", "x "), ("", " "), ("كلمة سر طويلة", "كلمة سر طويله"),
        ("a\x00b", "a\x00c"), ("a\x00b", "a"), ("\x00", ""), ("p" * 10_000, "p" * 9_999),
        ("\U0001f511" * 30, "\U0001f511" * 29), ("é", "e\u0301"),
    ],
)  # fmt: skip
async def test_only_the_very_same_password_is_right(
    hasher: BcryptHasher, right: str, wrong: str
) -> None:
    stored = await hasher.hash(right)
    assert await hasher.verify(right, stored)
    assert not await hasher.verify(wrong, stored)


async def test_a_check_against_nobody_costs_as_much_as_one_against_somebody(
    monkeypatch: pytest.MonkeyPatch, hasher: BcryptHasher
) -> None:
    stored = await hasher.hash("x")
    compared: list[bytes] = []
    real = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        compared.append(hashed)
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    assert await hasher.verify("x", stored)
    for password in ("x", "nobody", ""):
        assert not await hasher.verify(password, None)
    assert len(compared) == 4
    assert {hashed[:7] for hashed in compared} == {b"$2b$04$"}


async def test_a_busy_hasher_is_a_503_and_writes_nothing(
    world: World, hasher: BcryptHasher, stuck: threading.Event
) -> None:
    waiting = await _in_queue(hasher, PLACES)
    world.shop = changed(world.shop, hasher=hasher)
    client = world.client()
    body = {"email": "a@example.ly", "password": PASSWORD}
    for path, members in (
        ("/api/auth/login", body),
        ("/api/auth/register", {**body, "accountType": "customer"}),
    ):
        reply = await client.post(path, json=members, headers={"Idempotency-Key": "k"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert await world.db.one(_USERS) == 0
    assert (await client.get("/api/products")).status_code == 200, "the shop goes on"
    stuck.set()
    await asyncio.gather(*waiting)
    later = await client.post(
        "/api/auth/register",
        json={**body, "accountType": "customer"},
        headers={"Idempotency-Key": "k"},
    )
    assert later.status_code == 201
