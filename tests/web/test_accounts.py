"""Registering, signing in, refreshing and signing out."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import httpx
import jwt
import pytest

from eishro.adapters.bcrypt_hasher import BcryptHasher
from eishro.adapters.mail.outbox import OutboxMail
from eishro.jobs.schedule import run_once
from tests.shops import PASSWORD, World, bearer

pytestmark = pytest.mark.anyio


async def _register(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    body = {"email": "Mariam@Example.ly", "password": PASSWORD, "accountType": "customer"}
    return await client.post("/api/auth/register", json={**body, **members})


async def _tokens(world: World) -> tuple[httpx.AsyncClient, dict[str, Any]]:
    client = world.client()
    return client, (await _register(client)).json()["data"]


async def test_a_new_account_is_signed_in_at_once(world: World) -> None:
    client = world.client()
    reply = await _register(client, accountType="merchant", store={"name": "متجر الياسمين"})
    data = reply.json()["data"]
    assert reply.status_code == 201
    assert data["user"]["email"] == "mariam@example.ly"
    assert data["user"]["role"] == "merchant"
    assert data["store"]["ownerId"] == data["user"]["id"]
    assert "password" not in reply.text.lower()
    profile = await client.get(
        "/api/auth/profile", headers={"Authorization": f"Bearer {data['accessToken']}"}
    )
    assert profile.json()["data"]["id"] == data["user"]["id"]


async def test_an_address_has_one_account_even_when_two_come_at_once(world: World) -> None:
    client = world.client()
    replies = await asyncio.gather(*(_register(client) for _ in range(5)))
    assert sorted(r.status_code for r in replies) == [201, 409, 409, 409, 409]


async def test_a_merchant_has_one_store(world: World) -> None:
    merchant = await world.merchant()
    reply = await world.client().post("/api/stores", json={"name": "x"}, headers=bearer(merchant))
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")


async def test_sign_in_takes_the_right_password_only(world: World) -> None:
    client, data = await _tokens(world)
    login = {"email": "MARIAM@example.ly", "password": PASSWORD}
    assert (await client.post("/api/auth/login", json=login)).status_code == 200
    for wrong in ({**login, "password": "wrong"}, {**login, "email": "nobody@example.ly"}):
        reply = await client.post("/api/auth/login", json=wrong)
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    assert data["expiresIn"] == 900


async def test_a_refresh_token_changes_at_every_use(world: World) -> None:
    client, data = await _tokens(world)
    first = {"refreshToken": data["refreshToken"]}
    second = (await client.post("/api/auth/refresh", json=first)).json()["data"]
    assert second["refreshToken"] != data["refreshToken"]
    # The reply was lost on a weak network: the same successor comes again.
    world.clock.turn(timedelta(seconds=20))
    again = (await client.post("/api/auth/refresh", json=first)).json()["data"]
    assert again["refreshToken"] == second["refreshToken"]


async def test_an_old_refresh_token_ends_the_whole_session(world: World) -> None:
    client, data = await _tokens(world)
    first = {"refreshToken": data["refreshToken"]}
    second = (await client.post("/api/auth/refresh", json=first)).json()["data"]
    world.clock.turn(timedelta(seconds=31))
    assert (await client.post("/api/auth/refresh", json=first)).status_code == 401
    live = {"refreshToken": second["refreshToken"]}
    assert (await client.post("/api/auth/refresh", json=live)).status_code == 401
    headers = {"Authorization": f"Bearer {second['accessToken']}"}
    assert (await client.get("/api/auth/profile", headers=headers)).status_code == 401


async def test_two_refreshes_at_once_get_one_successor(world: World) -> None:
    client, data = await _tokens(world)
    body = {"refreshToken": data["refreshToken"]}
    replies = await asyncio.gather(
        *(client.post("/api/auth/refresh", json=body) for _ in range(10))
    )
    assert {r.status_code for r in replies} == {200}
    assert len({r.json()["data"]["refreshToken"] for r in replies}) == 1


async def test_signing_out_ends_the_access_token_too(world: World) -> None:
    client, data = await _tokens(world)
    headers = {"Authorization": f"Bearer {data['accessToken']}"}
    assert (await client.post("/api/auth/logout", headers=headers)).status_code == 200
    assert (await client.get("/api/auth/profile", headers=headers)).status_code == 401
    body = {"refreshToken": data["refreshToken"]}
    assert (await client.post("/api/auth/refresh", json=body)).status_code == 401


async def test_an_access_token_times_out(world: World) -> None:
    client, data = await _tokens(world)
    headers = {"Authorization": f"Bearer {data['accessToken']}"}
    world.clock.turn(timedelta(minutes=15))
    reply = await client.get("/api/auth/profile", headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "TOKEN_EXPIRED")


async def test_a_made_up_token_is_nobody(world: World) -> None:
    client, data = await _tokens(world)
    genuine = data["accessToken"]
    claims = jwt.decode(genuine, options={"verify_signature": False})
    key = world.shop.keyring.derive("access-token")
    forged = [
        jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"typ": "at+jwt"}),
        jwt.encode(claims, "", algorithm="none", headers={"typ": "at+jwt"}),
        jwt.encode(claims, key * 2, algorithm="HS512", headers={"typ": "at+jwt"}),
        jwt.encode({**claims, "aud": "other"}, key, algorithm="HS256", headers={"typ": "at+jwt"}),
        jwt.encode(claims, key, algorithm="HS256"),
        genuine[:-2],
        data["refreshToken"],
        "",
        "a.b.c",
    ]
    for token in forged:
        reply = await client.get("/api/auth/profile", headers={"Authorization": f"Bearer {token}"})
        assert reply.status_code == 401, token


async def test_the_verification_mail_confirms_the_address(world: World) -> None:
    client, data = await _tokens(world)
    await run_once(world.shop)
    mail = world.shop.mail
    assert isinstance(mail, OutboxMail)
    (message,) = mail.newest()
    assert message["to"] == "mariam@example.ly"
    (link,) = cast("list[str]", message["links"])
    token = link.partition("token=")[2]
    wrong = await client.post("/api/auth/verify-email", json={"token": token[:-1] + "_"})
    assert wrong.status_code == 422
    for _ in range(2):
        right = await client.post("/api/auth/verify-email", json={"token": token})
        assert right.status_code == 200
    headers = {"Authorization": f"Bearer {data['accessToken']}"}
    profile = await client.get("/api/auth/profile", headers=headers)
    assert profile.json()["data"]["emailVerified"] is True


async def test_the_profile_changes_only_what_is_sent(world: World) -> None:
    customer = await world.customer()
    client = world.client()
    reply = await client.put(
        "/api/auth/profile", json={"phone": "٠٩١٢٣٤٥٦٧٨"}, headers=bearer(customer)
    )
    assert reply.json()["data"]["phone"] == "+218912345678"
    assert reply.json()["data"]["firstName"] == "مريم"
    refused = await client.put(
        "/api/auth/profile", json={"role": "admin"}, headers=bearer(customer)
    )
    assert refused.status_code == 422


async def test_what_follows_byte_72_of_a_password_counts() -> None:
    hasher = BcryptHasher(4)
    stored = await hasher.hash("x" * 72 + "a")
    assert await hasher.verify("x" * 72 + "a", stored)
    assert not await hasher.verify("x" * 72 + "b", stored)
    assert not await hasher.verify("anything", None)
    await hasher.aclose()
