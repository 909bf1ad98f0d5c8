"""Sessions and their tokens: seen, ended, and not to be made by anybody else."""

import base64
import hmac
import json
import warnings
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from eishro.domain.accounts.tokens import AUDIENCE, TYPE
from tests.shops import PASSWORD, World, bearer

pytestmark = pytest.mark.anyio


async def test_a_person_sees_and_ends_their_own_sessions_alone(world: World) -> None:
    client = world.client()
    person, other = await world.customer(), await world.customer()
    login = {"email": person.user.email, "password": PASSWORD}
    phone = await client.post("/api/auth/login", json=login, headers={"User-Agent": "Phone <b>"})
    headers = {"Authorization": f"Bearer {phone.json()['data']['accessToken']}"}
    listed = (await client.get("/api/auth/sessions", headers=bearer(person))).json()["data"]
    assert sorted(one["isCurrent"] for one in listed) == [False, True]
    (there,) = [one for one in listed if not one["isCurrent"]]
    assert there["userAgent"] == "Phone <b>"
    path = f"/api/auth/sessions/{there['id']}"
    assert (await client.delete(path, headers=bearer(other))).status_code == 404
    assert (await client.get("/api/auth/profile", headers=headers)).status_code == 200
    assert (await client.delete(path, headers=bearer(person))).status_code == 200
    assert (await client.get("/api/auth/profile", headers=headers)).status_code == 401
    assert (await client.delete(path, headers=bearer(person))).status_code == 404


def _forged(world: World, **changes: Any) -> str:
    now = int(world.clock.now().timestamp())
    header = {"typ": TYPE, **changes.pop("header", {})}
    key = changes.pop("key", world.shop.keyring.derive("access-token"))
    algorithm = changes.pop("algorithm", "HS256")
    claims = {"sub": "1", "sid": "ses_x", "aud": AUDIENCE, "iat": now, "exp": now + 900, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # our key is short for HS512
        return jwt.encode(claims, key, algorithm=algorithm, headers=header)


def _by_hand(header: dict[str, str], payload: str, key: bytes) -> str:
    """What libraries refuse to make: any header, signed by HMAC with whatever text."""
    first = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    mac = hmac.digest(key, f"{first}.{payload}".encode(), "sha256")
    return f"{first}.{payload}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


async def test_access_tokens_that_we_did_not_make_open_nothing(world: World) -> None:
    person = await world.customer()
    session = person.refresh_token.partition(".")[0]
    client = world.client()
    right = {"sub": str(person.user.id), "sid": session}
    parts = person.access_token.split(".")
    rsa_key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    public = rsa_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    nothing = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": TYPE}).encode()).decode()
    forged = {
        "alg none": f"{nothing.rstrip('=')}.{parts[1]}.",
        "no signature": f"{parts[0]}.{parts[1]}.",
        "alg None": _by_hand({"alg": "None", "typ": TYPE}, parts[1], b""),
        "RS256 with the forger's key": _forged(world, **right, key=rsa_key, algorithm="RS256"),
        "HMAC with a public key": _by_hand({"alg": "HS256", "typ": TYPE}, parts[1], public),
        "HMAC with a public key, as RS256": _by_hand(
            {"alg": "RS256", "typ": TYPE}, parts[1], public
        ),
        "our HMAC, as RS256": _by_hand(
            {"alg": "RS256", "typ": TYPE}, parts[1], world.shop.keyring.derive("access-token")
        ),
        "a key that it brings along": _forged(
            world, **right, key=rsa_key, algorithm="RS256", header={"jwk": {"kty": "RSA"}}
        ),
        "another key": _forged(world, **right, key=b"k" * 32),
        "another purpose's key": _forged(
            world, **right, key=world.shop.keyring.derive("refresh-successor")
        ),
        "HS512": _forged(world, **right, algorithm="HS512"),
        "another audience": _forged(world, **right, aud="somebody-else"),
        "no audience": _forged(world, **right, aud=None),
        "another type": _forged(world, **right, header={"typ": "JWT"}),
        "no session": _forged(world, **right | {"sid": None}),
        "a session that never was": _forged(world, **right | {"sid": "ses_nothing"}),
        "no end": _forged(world, **right, exp=None),
        "key by reference": _forged(
            world, **right, key=b"k" * 32, header={"jku": "http://evil.test/k", "kid": "../x"}
        ),
        "a refresh token": person.refresh_token,
        "an order token's look": "abc.def.ghi",
        "nothing": "",
    }
    for name, token in forged.items():
        headers = {"Authorization": f"Bearer {token}"}
        reply = await client.get("/api/auth/profile", headers=headers)
        assert reply.status_code == 401, name
    fine = {"Authorization": f"Bearer {_forged(world, **right)}"}
    assert (await client.get("/api/auth/profile", headers=fine)).status_code == 200


async def test_a_token_of_another_person_s_session_is_theirs_not_its_bearer_s(
    world: World,
) -> None:
    """`sub` decides nothing: who it is follows from the session alone."""
    person, other = await world.customer(), await world.customer()
    session = other.refresh_token.partition(".")[0]
    token = _forged(world, sub=str(person.user.id), sid=session)
    reply = await world.client().get(
        "/api/auth/profile", headers={"Authorization": f"Bearer {token}"}
    )
    assert reply.json()["data"]["id"] == other.user.id


async def test_an_access_token_runs_out_and_is_no_refresh_token(world: World) -> None:
    person = await world.customer()
    client = world.client()
    reply = await client.post("/api/auth/refresh", json={"refreshToken": person.access_token})
    assert reply.status_code == 401
    world.clock.turn(timedelta(minutes=15))
    late = await client.get("/api/auth/profile", headers=bearer(person))
    assert (late.status_code, late.json()["error"]["code"]) == (401, "TOKEN_EXPIRED")


async def test_a_reused_refresh_token_ends_the_family_and_is_on_record(world: World) -> None:
    client, person, admin = world.client(), await world.customer(), await world.admin()
    old = {"refreshToken": person.refresh_token}
    new = (await client.post("/api/auth/refresh", json=old)).json()["data"]
    world.clock.turn(timedelta(seconds=31))
    assert (await client.post("/api/auth/refresh", json=old)).status_code == 401
    theirs = {"refreshToken": new["refreshToken"]}
    assert (await client.post("/api/auth/refresh", json=theirs)).status_code == 401
    headers = {"Authorization": f"Bearer {new['accessToken']}"}
    assert (await client.get("/api/auth/profile", headers=headers)).status_code == 401
    trail = await client.get("/api/admin/audit", headers=bearer(admin))
    lines = [line["action"] for line in trail.json()["data"]]
    assert sorted(lines[:2]) == ["access.refused", "session.reuse_detected"]


async def test_a_made_up_refresh_token_signs_nobody_out(world: World) -> None:
    """A session's id is no secret: lists, access tokens and the trail show it."""
    client, person, other = world.client(), await world.customer(), await world.customer()
    session, secret, signature = person.refresh_token.split(".")
    theirs = other.refresh_token.split(".")
    for forged in (
        session, f"{session}.", f"{session}.x", f"{session}.{'A' * 43}", f"{session}.x.{signature}",
        f"{session}.{secret}", f"{session}.{secret}.", f"{session}.{secret}.{signature[:-1]}",
        f"{session}.{theirs[1]}.{theirs[2]}", f"{session}.{secret}.{theirs[2]}",
        f"{session}.{secret}.{world.shop.keyring.sign('invitation', f'{session}.{secret}')}",
    ):  # fmt: skip
        reply = await client.post("/api/auth/refresh", json={"refreshToken": forged})
        assert reply.status_code == 401, forged
        await client.post("/api/auth/logout", json={"refreshToken": forged})
        assert (await client.get("/api/auth/profile", headers=bearer(person))).status_code == 200
    right = {"refreshToken": person.refresh_token}
    assert (await client.post("/api/auth/refresh", json=right)).status_code == 200


async def test_refused_logins_are_on_record_and_change_nothing_else(world: World) -> None:
    client, person, admin = world.client(), await world.customer(), await world.admin()
    world.clock.turn(timedelta(seconds=1))
    for email in (person.user.email, "nobody@example.ly"):
        body = {"email": email, "password": "wrong password"}
        assert (await client.post("/api/auth/login", json=body)).status_code == 401
    lines = (await client.get("/api/admin/audit", headers=bearer(admin))).json()["data"][:2]
    assert [line["action"] for line in lines] == ["login.refused"] * 2
    assert {line["subjectId"] for line in lines} == {str(person.user.id), "unknown"}
    assert "nobody@example.ly" not in str(lines)
    listed = await client.get("/api/auth/sessions", headers=bearer(person))
    assert len(listed.json()["data"]) == 1
