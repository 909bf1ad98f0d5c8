"""People of a store: nobody gives away more than they have, and an owner stays."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from eishro.domain.accounts.permissions import STORE_ROLES
from eishro.flows.sign_in import SignedIn
from tests.shops import PASSWORD, World, bearer

pytestmark = pytest.mark.anyio


def _staff(owner: SignedIn) -> str:
    assert owner.store is not None
    return f"/api/stores/{owner.store.id}/staff"


async def _invite(
    world: World, owner: SignedIn, by: SignedIn, email: str, role: str
) -> httpx.Response:
    body = {"email": email, "role": role}
    return await world.client().post(_staff(owner), json=body, headers=bearer(by))


async def _accept(world: World, token: str, **members: Any) -> httpx.Response:
    headers = members.pop("headers", {})
    return await world.client().post(
        "/api/invitations/accept", json={"token": token, **members}, headers=headers
    )


async def test_an_invited_person_joins_with_a_new_account(world: World) -> None:
    owner = await world.merchant()
    made = await _invite(world, owner, owner, "new@example.ly", "orders")
    assert made.status_code == 201, made.text
    assert "token" not in made.text
    token = await world.token("new@example.ly", "invitation")
    joined = await _accept(world, token, password=PASSWORD, firstName="علي")
    assert (joined.status_code, joined.json()["data"]["role"]) == (200, "orders")
    login = {"email": "new@example.ly", "password": PASSWORD}
    data = (await world.client().post("/api/auth/login", json=login)).json()["data"]
    assert data["user"]["emailVerified"] is True
    people = (await world.client().get(_staff(owner), headers=bearer(owner))).json()["data"]
    assert [m["role"] for m in people["members"]] == ["owner", "orders"]
    assert people["invitations"] == []


async def test_an_invitation_is_good_once(world: World) -> None:
    owner = await world.merchant()
    await _invite(world, owner, owner, "new@example.ly", "viewer")
    token = await world.token("new@example.ly", "invitation")
    replies = await asyncio.gather(*(_accept(world, token, password=PASSWORD) for _ in range(4)))
    assert sum(r.status_code == 200 for r in replies) == 1
    again = await _accept(world, token, password=PASSWORD)
    assert again.status_code == 404


async def test_an_invitation_that_was_taken_back_or_ran_out_is_dead(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    made = (await _invite(world, owner, owner, "a@example.ly", "viewer")).json()["data"]
    token = await world.token("a@example.ly", "invitation")
    path = f"/api/stores/{owner.store.id}/invitations/{made['id']}"
    assert (await world.client().delete(path, headers=bearer(owner))).status_code == 200
    assert (await world.client().delete(path, headers=bearer(owner))).status_code == 404
    assert (await _accept(world, token, password=PASSWORD)).status_code == 404
    await _invite(world, owner, owner, "b@example.ly", "viewer")
    token = await world.token("b@example.ly", "invitation")
    world.clock.turn(timedelta(days=8))
    assert (await _accept(world, token, password=PASSWORD)).status_code == 404


async def test_a_forged_or_changed_token_invites_nobody(world: World) -> None:
    owner, other = await world.merchant(), await world.merchant()
    await _invite(world, owner, owner, "a@example.ly", "viewer")
    await _invite(world, other, other, "b@example.ly", "owner")
    first, second = (
        await world.token("a@example.ly", "invitation"),
        await world.token("b@example.ly", "invitation"),
    )
    name, _, signature = first.partition(".")
    for forged in (f"{second.partition('.')[0]}.{signature}", name, f"{name}.", f"x.{signature}"):
        reply = await _accept(world, forged, password=PASSWORD)
        assert reply.status_code in (404, 422), forged


async def test_an_invitation_belongs_to_its_address(world: World) -> None:
    owner, somebody = await world.merchant(), await world.customer()
    invited = await world.customer()
    await _invite(world, owner, owner, invited.user.email, "manager")
    token = await world.token(invited.user.email, "invitation")
    assert (await _accept(world, token)).status_code == 422  # has an account: sign in
    stolen = await _accept(world, token, headers=bearer(somebody))
    assert stolen.status_code == 403
    assert (await _accept(world, token, headers=bearer(invited))).status_code == 200


@pytest.mark.parametrize("inviter", ["manager", "catalog", "orders", "viewer"])
async def test_nobody_invites_above_their_own_rights(world: World, inviter: str) -> None:
    owner = await world.merchant()
    member = await world.join(owner, inviter)
    for number, role in enumerate(STORE_ROLES):
        reply = await _invite(world, owner, member, f"p{number}@example.ly", role)
        may = inviter == "manager" and role != "owner"
        assert reply.status_code == (201 if may else 403), role


async def test_an_invitation_dies_with_its_maker_s_rights(world: World) -> None:
    owner = await world.merchant()
    manager = await world.join(owner, "manager")
    await _invite(world, owner, manager, "p@example.ly", "manager")
    token = await world.token("p@example.ly", "invitation")
    path = f"{_staff(owner)}/{manager.user.id}"
    changed = await world.client().put(path, json={"role": "viewer"}, headers=bearer(owner))
    assert changed.status_code == 200
    assert (await _accept(world, token, password=PASSWORD)).status_code == 404


async def test_a_manager_neither_demotes_nor_removes_an_owner_nor_becomes_one(
    world: World,
) -> None:
    owner = await world.merchant()
    manager = await world.join(owner, "manager")
    client, headers = world.client(), bearer(manager)
    of_owner = f"{_staff(owner)}/{owner.user.id}"
    own = f"{_staff(owner)}/{manager.user.id}"
    assert (await client.put(of_owner, json={"role": "viewer"}, headers=headers)).status_code == 403
    assert (await client.delete(of_owner, headers=headers)).status_code == 403
    assert (await client.put(own, json={"role": "owner"}, headers=headers)).status_code == 403


async def test_the_last_owner_stays(world: World) -> None:
    owner = await world.merchant()
    client, path = world.client(), f"{_staff(owner)}/{owner.user.id}"
    assert (await client.delete(path, headers=bearer(owner))).status_code == 409
    changed = await client.put(path, json={"role": "manager"}, headers=bearer(owner))
    assert changed.status_code == 409


async def test_two_owners_who_remove_each_other_at_once_leave_one(world: World) -> None:
    first = await world.merchant()
    second = await world.join(first, "owner")
    client = world.client()
    replies = await asyncio.gather(
        client.delete(f"{_staff(first)}/{second.user.id}", headers=bearer(first)),
        client.delete(f"{_staff(first)}/{first.user.id}", headers=bearer(second)),
        client.delete(f"{_staff(first)}/{first.user.id}", headers=bearer(first)),
        client.put(
            f"{_staff(first)}/{second.user.id}", json={"role": "viewer"}, headers=bearer(first)
        ),
    )
    # Who was made a viewer may be removed after that, so two may come off; an owner stays.
    assert any(r.status_code == 200 for r in replies)
    admin = await world.admin()
    people = (await client.get(_staff(first), headers=bearer(admin))).json()["data"]["members"]
    assert sum(m["role"] == "owner" for m in people) == 1


async def test_a_removed_member_is_out_with_the_next_request(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    member = await world.join(owner, "orders")
    client = world.client()
    orders = f"/api/stores/{owner.store.id}/orders"
    assert (await client.get(orders, headers=bearer(member))).status_code == 200
    path = f"{_staff(owner)}/{member.user.id}"
    assert (await client.delete(path, headers=bearer(owner))).status_code == 200
    assert (await client.get(orders, headers=bearer(member))).status_code == 403


async def test_anybody_may_leave(world: World) -> None:
    owner = await world.merchant()
    member = await world.join(owner, "viewer")
    path = f"{_staff(owner)}/{member.user.id}"
    other = await world.join(owner, "viewer")
    assert (await world.client().delete(path, headers=bearer(other))).status_code == 403
    assert (await world.client().delete(path, headers=bearer(member))).status_code == 200


async def test_a_merchant_owns_one_store_and_may_work_in_several(world: World) -> None:
    first, second = await world.merchant(), await world.merchant()
    await _invite(world, first, first, second.user.email, "owner")
    token = await world.token(second.user.email, "invitation")
    assert (await _accept(world, token, headers=bearer(second))).status_code == 409
    assert first.store is not None
    waiting = (await world.client().get(_staff(first), headers=bearer(first))).json()["data"]
    path = f"/api/stores/{first.store.id}/invitations/{waiting['invitations'][0]['id']}"
    await world.client().delete(path, headers=bearer(first))
    await _invite(world, first, first, second.user.email, "orders")
    token = await world.token(second.user.email, "invitation")
    assert (await _accept(world, token, headers=bearer(second))).status_code == 200
    assert second.store is not None
    for store in (first.store, second.store):
        reply = await world.client().get(f"/api/stores/{store.id}/orders", headers=bearer(second))
        assert reply.status_code == 200


async def test_an_invitation_says_nothing_of_who_has_an_account(world: World) -> None:
    owner, known = await world.merchant(), await world.customer()
    replies = [
        await _invite(world, owner, owner, email, "viewer")
        for email in (known.user.email, "nobody@example.ly")
    ]
    assert [r.status_code for r in replies] == [201, 201]
    assert {frozenset(r.json()["data"]) for r in replies} == {
        frozenset({"id", "email", "role", "createdAt", "expiresAt"})
    }


async def test_the_invitation_page_makes_an_account_without_a_script(world: World) -> None:
    owner = await world.merchant()
    await _invite(world, owner, owner, "page@example.ly", "viewer")
    link = await world.link("page@example.ly", "invitation")
    client = world.client()
    page = await client.get(link)
    assert page.status_code == 200
    assert 'name="password"' in page.text
    token = link.partition("token=")[2]
    done = await client.post(
        "/invitation", data={"token": token, "password": PASSWORD, "firstName": "<b>علي"}
    )
    assert done.status_code == 200
    assert (await client.get(link)).status_code == 404
