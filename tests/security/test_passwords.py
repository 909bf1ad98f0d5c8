"""Passwords: what is refused, how they are changed and found back, and what that must not open."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from eishro.adapters.bcrypt_hasher import BcryptHasher
from tests.shops import PASSWORD, World, bearer

pytestmark = pytest.mark.anyio

NEW = "another long password"  # noqa: S105 - of users that exist in tests only


async def _login(
    client: httpx.AsyncClient, email: str, password: str, **members: str
) -> httpx.Response:
    body = {"email": email, "password": password, **members}
    return await client.post("/api/auth/login", json=body)


@pytest.mark.parametrize(
    "password",
    ["short", "1234567890", "password123", "Liverpool1!", "aaaaaaaaaaaa", "victim@example.ly"],
)
async def test_a_password_that_is_guessed_first_is_refused(world: World, password: str) -> None:
    body = {"email": "victim@example.ly", "password": password, "accountType": "customer"}
    reply = await world.client().post("/api/auth/register", json=body)
    assert reply.status_code == 422
    assert list(reply.json()["error"]["details"]) == ["password"]


async def test_changing_the_password_ends_other_sessions_alone(world: World) -> None:
    client = world.client()
    here = await world.customer()
    there = (await _login(client, here.user.email, PASSWORD)).json()["data"]
    reply = await client.put("/api/auth/password", json={"password": NEW}, headers=bearer(here))
    assert reply.status_code == 200, reply.text
    assert (await client.get("/api/auth/profile", headers=bearer(here))).status_code == 200
    other = {"Authorization": f"Bearer {there['accessToken']}"}
    assert (await client.get("/api/auth/profile", headers=other)).status_code == 401
    refreshed = await client.post("/api/auth/refresh", json={"refreshToken": there["refreshToken"]})
    assert refreshed.status_code == 401
    assert (await _login(client, here.user.email, PASSWORD)).status_code == 401
    assert (await _login(client, here.user.email, NEW)).status_code == 200
    assert sorted(map(bool, await world.letters(here.user.email))) == [False, True]


async def test_an_old_login_shows_the_password_again(world: World) -> None:
    client = world.client()
    person = await world.customer()
    headers = bearer(person)
    world.clock.turn(timedelta(minutes=6))
    for path, body in (("password", {"password": NEW}), ("email", {"email": "n@example.ly"})):
        reply = await client.put(f"/api/auth/{path}", json=body, headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (
            403,
            "REAUTHENTICATION_REQUIRED",
        )
        wrong = {**body, "currentPassword": "not this one, no"}
        reply = await client.put(f"/api/auth/{path}", json=wrong, headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    shown = await client.post(
        "/api/auth/reauthenticate", json={"password": PASSWORD}, headers=headers
    )
    assert shown.status_code == 200
    changed = await client.put("/api/auth/password", json={"newPassword": NEW}, headers=headers)
    assert changed.status_code == 200


async def test_a_reset_link_is_good_once_and_ends_all_sessions(world: World) -> None:
    client = world.client()
    person = await world.customer()
    email = person.user.email
    assert (await client.post("/api/auth/forgot-password", json={"email": email})).is_success
    token = await world.token(email, "reset-password")
    first = await client.post("/api/auth/reset-password", json={"token": token, "password": NEW})
    assert first.status_code == 200, first.text
    again = await client.post(
        "/api/auth/reset-password", json={"token": token, "password": "yet another password"}
    )
    assert (again.status_code, list(again.json()["error"]["details"])) == (422, ["token"])
    assert (await client.get("/api/auth/profile", headers=bearer(person))).status_code == 401
    assert (await _login(client, email, NEW)).status_code == 200


async def test_two_resets_at_once_with_one_link_are_one(world: World) -> None:
    client = world.client()
    person = await world.customer()
    await client.post("/api/auth/forgot-password", json={"email": person.user.email})
    token = await world.token(person.user.email, "reset-password")
    replies = await asyncio.gather(
        *(
            client.post(
                "/api/auth/reset-password",
                json={"token": token, "password": f"password number {number}"},
            )
            for number in range(5)
        )
    )
    assert sorted(reply.status_code for reply in replies) == [200, 422, 422, 422, 422]


async def test_a_reset_link_of_somebody_else_or_too_late_opens_nothing(world: World) -> None:
    client = world.client()
    person, other = await world.customer(), await world.customer()
    await client.post("/api/auth/forgot-password", json={"email": person.user.email})
    token = await world.token(person.user.email, "reset-password")
    _, expires, signature = token.split(".")
    later = str(int(expires) + 3600)
    for forged in (
        f"{other.user.id}.{expires}.{signature}",
        f"{person.user.id}.{later}.{signature}",
        f"{person.user.id}.{expires}.{signature[:-1]}",
        f"{person.user.id}.{expires}",
        "1.2.3.4",
        "٣.٤.x",
    ):
        reply = await client.post(
            "/api/auth/reset-password", json={"token": forged, "password": NEW}
        )
        assert reply.status_code == 422, forged
    world.clock.turn(timedelta(minutes=61))
    reply = await client.post("/api/auth/reset-password", json={"token": token, "password": NEW})
    assert reply.status_code == 422


async def test_a_verification_link_is_no_reset_link_and_the_reverse(world: World) -> None:
    client = world.client()
    person = await world.customer()
    verification = await world.token(person.user.email, "verify-email")
    reply = await client.post(
        "/api/auth/reset-password", json={"token": verification, "password": NEW}
    )
    assert reply.status_code == 422
    await client.post("/api/auth/forgot-password", json={"email": person.user.email})
    reset = await world.token(person.user.email, "reset-password")
    assert (await client.post("/api/auth/verify-email", json={"token": reset})).status_code == 422


@pytest.mark.parametrize("path", ["forgot-password", "resend-verification"])
async def test_nobody_learns_whether_an_address_has_an_account(world: World, path: str) -> None:
    client = world.client()
    person = await world.customer()
    replies = [
        await client.post(f"/api/auth/{path}", json={"email": email})
        for email in (person.user.email, "nobody@example.ly")
    ]
    bodies = [{**reply.json(), "timestamp": ""} for reply in replies]
    assert bodies[0] == bodies[1]
    assert replies[0].status_code == replies[1].status_code == 200
    assert await world.letters("nobody@example.ly") == []


async def test_one_mailbox_is_not_flooded_and_nobody_is_told(world: World) -> None:
    client = world.client()
    person = await world.customer()
    before = len(await world.letters(person.user.email))
    for _ in range(10):
        reply = await client.post("/api/auth/forgot-password", json={"email": person.user.email})
        assert reply.status_code == 200
    assert len(await world.letters(person.user.email)) - before == 3


async def test_an_unknown_address_takes_as_much_work_as_a_wrong_password(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    verify = BcryptHasher.verify

    async def watched(self: BcryptHasher, password: str, stored: str | None) -> bool:
        asked.append(stored is not None)
        return await verify(self, password, stored)

    monkeypatch.setattr(BcryptHasher, "verify", watched)
    client = world.client()
    person = await world.customer()
    for email in (person.user.email, "nobody@example.ly"):
        reply = await _login(client, email, "wrong password")
        assert reply.json()["error"]["code"] == "INVALID_CREDENTIALS"
    assert asked == [True, False]


async def test_a_new_address_counts_when_its_own_mail_is_answered(world: World) -> None:
    client = world.client()
    person = await world.customer()
    reply = await client.put(
        "/api/auth/email", json={"email": "New@example.ly"}, headers=bearer(person)
    )
    assert reply.json()["data"]["email"] == person.user.email
    token = await world.token("new@example.ly", "verify-email")
    other = await world.customer()
    parts = token.split(".")
    forged = ".".join((str(other.user.id), *parts[1:]))
    assert (await client.post("/api/auth/verify-email", json={"token": forged})).status_code == 422
    assert (await client.post("/api/auth/verify-email", json={"token": token})).status_code == 200
    assert (await client.post("/api/auth/verify-email", json={"token": token})).status_code == 422
    assert (await _login(client, "new@example.ly", PASSWORD)).status_code == 200
    assert (await _login(client, person.user.email, PASSWORD)).status_code == 401
    assert "" in await world.letters(person.user.email)  # the old address is told


async def test_an_address_that_was_taken_meanwhile_stays_with_whom_it_is(world: World) -> None:
    client = world.client()
    person = await world.customer()
    await client.put("/api/auth/email", json={"email": "both@example.ly"}, headers=bearer(person))
    token = await world.token("both@example.ly", "verify-email")
    body = {"email": "both@example.ly", "password": PASSWORD, "accountType": "customer"}
    assert (await client.post("/api/auth/register", json=body)).status_code == 201
    assert (await client.post("/api/auth/verify-email", json={"token": token})).status_code == 409


@pytest.mark.parametrize("is_mailed_before", [True, False])
async def test_a_link_to_another_address_dies_with_the_password(
    world: World, *, is_mailed_before: bool
) -> None:
    """Who finds back into an account does not lose it to a change that somebody else began."""
    client = world.client()
    person = await world.customer()
    await client.put("/api/auth/email", json={"email": "evil@example.ly"}, headers=bearer(person))
    links = await world.letters("evil@example.ly") if is_mailed_before else []
    await client.put("/api/auth/password", json={"password": NEW}, headers=bearer(person))
    assert len(await world.letters("evil@example.ly")) == is_mailed_before
    for link in links:
        body = {"token": link.partition("token=")[2]}
        assert (await client.post("/api/auth/verify-email", json=body)).status_code == 422
    assert (await _login(client, person.user.email, NEW)).status_code == 200


async def test_asking_for_a_used_address_looks_like_asking_for_a_free_one(world: World) -> None:
    client = world.client()
    person, other = await world.customer(), await world.customer()
    replies = [
        await client.put("/api/auth/email", json={"email": email}, headers=bearer(person))
        for email in (other.user.email, "free@example.ly")
    ]
    first, second = ({**reply.json(), "timestamp": ""} for reply in replies)
    assert first == second
    assert len(await world.letters(other.user.email)) == 1  # its own welcome


async def test_registering_a_used_address_again_and_again_is_limited(world: World) -> None:
    client = world.client()
    person = await world.customer()
    body = {"email": person.user.email, "password": PASSWORD, "accountType": "customer"}
    codes = [(await client.post("/api/auth/register", json=body)).status_code for _ in range(12)]
    assert codes == [409] * 10 + [429] * 2


async def test_who_registers_a_victim_s_address_gets_none_of_their_orders(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    placed = await world.order(state)  # a guest's, with buyer@example.ly
    client = world.client()
    body = {"email": "buyer@example.ly", "password": PASSWORD, "accountType": "customer"}
    data = (await client.post("/api/auth/register", json=body)).json()["data"]
    headers = {"Authorization": f"Bearer {data['accessToken']}"}
    assert (await client.get("/api/orders", headers=headers)).json()["data"] == []
    shown = await client.get(f"/api/orders/{placed.order.id}", headers=headers)
    assert shown.status_code == 404


async def test_the_reset_page_works_without_a_script(world: World) -> None:
    client = world.client()
    person = await world.customer()
    await client.post("/api/auth/forgot-password", json={"email": person.user.email})
    link = await world.link(person.user.email, "reset-password")
    page = await client.get(link, headers={"Accept-Language": "ar"})
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    token = link.partition("token=")[2]
    assert f'value="{token}"' in page.text
    weak = await client.post("/reset-password", data={"token": token, "password": "password123"})
    assert (weak.status_code, 'role="alert"' in weak.text) == (422, True)
    done = await client.post("/reset-password", data={"token": token, "password": NEW})
    assert done.status_code == 200
    assert (await _login(client, person.user.email, NEW)).status_code == 200
    again = await client.post("/reset-password", data={"token": token, "password": NEW + "2"})
    assert again.status_code == 422
    hostile = await client.get("/reset-password", params={"token": '"><script>alert(1)</script>'})
    assert "<script>" not in hostile.text
