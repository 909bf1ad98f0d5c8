"""Guessing: the wait grows, races do not help, and nobody is locked out by a stranger."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from eishro.addresses import network_of
from eishro.domain.accounts.model import WrongCredentials
from eishro.errors import Limited
from eishro.flows.login_limits import PAIR, STRANGERS
from eishro.flows.sign_in import Device, login
from eishro.web.routes import WebRules
from tests.shops import PASSWORD, World

pytestmark = pytest.mark.anyio

WRONG = "not the password"  # noqa: S105 - it opens nothing


async def _try(world: World, email: str, password: str, address: str) -> str:
    try:
        await login(world.shop, world.tokens, email, password, Device("", address))
    except WrongCredentials:
        return "wrong"
    except Limited:
        return "limited"
    return "in"


async def test_the_wait_grows_with_the_guesses(world: World) -> None:
    person = await world.customer()
    email = person.user.email
    outcomes = [await _try(world, email, WRONG, "203.0.113.1") for _ in range(7)]
    assert outcomes == ["wrong"] * 5 + ["limited"] * 2
    world.clock.turn(timedelta(seconds=61))
    # The next window opens, the longer one is full sooner.
    outcomes = [await _try(world, email, WRONG, "203.0.113.1") for _ in range(5)]
    assert outcomes[0] == "wrong"
    assert outcomes[-1] == "limited"
    world.clock.turn(timedelta(seconds=61))
    assert await _try(world, email, PASSWORD, "203.0.113.1") == "limited"
    world.clock.turn(timedelta(seconds=PAIR[1].seconds))
    assert await _try(world, email, PASSWORD, "203.0.113.1") == "in"


async def test_the_answer_says_how_long_to_wait(world: World) -> None:
    client = world.client()
    person = await world.customer()
    body = {"email": person.user.email, "password": WRONG}
    replies = [await client.post("/api/auth/login", json=body) for _ in range(6)]
    assert replies[-1].status_code == 429
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 60


async def test_logins_that_race_for_the_last_try_do_not_all_get_it(world: World) -> None:
    person = await world.customer()
    outcomes = await asyncio.gather(
        *(_try(world, person.user.email, WRONG, "203.0.113.1") for _ in range(40))
    )
    assert sorted(outcomes) == ["limited"] * 35 + ["wrong"] * 5


async def test_strangers_do_not_lock_anybody_out(world: World) -> None:
    person = await world.customer()
    email = person.user.email
    assert await _try(world, email, PASSWORD, "198.51.100.7") == "in"
    # A hundred networks guess, as often as they may.
    outcomes = [
        await _try(world, email, WRONG, f"203.0.{n // 200}.{n % 200}")
        for n in range(STRANGERS[0].tries + 20)
    ]
    assert outcomes[-1] == "limited"
    assert await _try(world, email, PASSWORD, "192.0.2.99") == "limited"
    assert await _try(world, email, PASSWORD, "198.51.100.7") == "in"


async def test_right_passwords_are_never_counted(world: World) -> None:
    person = await world.customer()
    outcomes = {await _try(world, person.user.email, PASSWORD, "203.0.113.1") for _ in range(30)}
    assert outcomes == {"in"}


async def test_many_people_behind_one_address_sign_in(world: World) -> None:
    people = [await world.customer() for _ in range(30)]
    for person in people:
        assert await _try(world, person.user.email, WRONG, "203.0.113.1") == "wrong"
        assert await _try(world, person.user.email, PASSWORD, "203.0.113.1") == "in"


async def test_one_network_does_not_try_one_password_on_everybody(world: World) -> None:
    outcomes = [await _try(world, f"person{n}@example.ly", WRONG, "203.0.113.1") for n in range(65)]
    assert outcomes[-1] == "limited"


def test_an_ipv6_subscriber_is_one_network() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")
    assert network_of("unknown") == "unknown"


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP"]
)
async def test_headers_do_not_make_somebody_else_of_a_guesser(world: World, header: str) -> None:
    client = world.client(WebRules())
    person = await world.customer()
    body = {"email": person.user.email, "password": WRONG}
    codes = [
        (
            await client.post("/api/auth/login", json=body, headers={header: f"198.51.100.{n}"})
        ).status_code
        for n in range(7)
    ]
    assert codes == [401] * 5 + [429] * 2


async def test_letter_case_and_spaces_do_not_make_another_account(world: World) -> None:
    client = world.client()
    person = await world.customer()
    email = person.user.email
    shapes = [email, email.upper(), f" {email}", email.title(), f"{email} ", email]
    codes = [await _code(client, shape) for shape in shapes]
    assert codes == [401] * 5 + [429]


async def _code(client: httpx.AsyncClient, email: str) -> int:
    return (
        await client.post("/api/auth/login", json={"email": email, "password": WRONG})
    ).status_code
