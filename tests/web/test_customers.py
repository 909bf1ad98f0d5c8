"""The address book over HTTP: whose it is, how large, and that one address is the default."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.shops import World, bearer

pytestmark = pytest.mark.anyio

_BOOK = "/api/auth/addresses"


def _address(**members: Any) -> dict[str, Any]:
    return {
        "name": "فاطمة علي", "phone": "091 234 5678", "city": "طرابلس",
        "address": "شارع الجمهورية", **members,
    }  # fmt: skip


async def _added(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    reply = await client.post(_BOOK, json=_address(**members))
    assert reply.status_code == 201, reply.text
    added: dict[str, Any] = reply.json()["data"]
    return added


async def test_an_address_is_kept_as_it_was_given(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    pin = {"latitudeMicrodegrees": 32_887_209, "longitudeMicrodegrees": 13_191_338}
    members = {
        "label": "البيت", "area": "حي الأندلس", "landmark": "أمام المسجد", "notes": "x", "pin": pin
    }  # fmt: skip
    added = await _added(client, **members)
    (listed,) = (await client.get(_BOOK)).json()["data"]
    assert listed == added
    assert listed["phone"] == "+218912345678"
    assert listed["city"]["code"] == "tripoli"
    assert listed["isDefault"] is True
    assert {name: listed[name] for name in members} == members


async def test_the_first_address_is_the_default_and_another_takes_over(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    first, second = await _added(client), await _added(client)
    assert (first["isDefault"], second["isDefault"]) == (True, False)
    await client.put(f"{_BOOK}/{second['id']}", json={"isDefault": True})
    third = await _added(client, isDefault=True)
    book = (await client.get(_BOOK)).json()["data"]
    assert [one["id"] for one in book if one["isDefault"]] == [third["id"]]


async def test_defaults_chosen_at_once_leave_one(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    replies = await asyncio.gather(
        *(client.post(_BOOK, json=_address(isDefault=True)) for _ in range(8))
    )
    assert {reply.status_code for reply in replies} == {201}
    book = (await client.get(_BOOK)).json()["data"]
    assert (len(book), sum(one["isDefault"] for one in book)) == (8, 1)


async def test_a_book_takes_fifty_addresses_also_at_once(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    for _ in range(47):
        await _added(client)
    replies = await asyncio.gather(*(client.post(_BOOK, json=_address()) for _ in range(6)))
    assert sorted(reply.status_code for reply in replies) == [201] * 3 + [409] * 3
    book = (await client.get(_BOOK)).json()["data"]
    await client.delete(f"{_BOOK}/{book[0]['id']}")
    assert (await client.post(_BOOK, json=_address())).status_code == 201


async def test_an_address_book_is_its_persons_alone(world: World) -> None:
    added = await _added(world.client(**bearer(await world.customer())))
    other = world.client(**bearer(await world.customer()))
    path = f"{_BOOK}/{added['id']}"
    assert (await other.get(_BOOK)).json()["data"] == []
    assert (await other.put(path, json={"name": "x"})).status_code == 404
    assert (await other.delete(path)).status_code == 404


async def test_changing_some_members_leaves_the_others(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    pin = {"latitudeMicrodegrees": 32_887_209, "longitudeMicrodegrees": 13_191_338}
    added = await _added(client, pin=pin, area="x")
    reply = await client.put(f"{_BOOK}/{added['id']}", json={"area": None, "city": "بنغازي"})
    changed = reply.json()["data"]
    assert (changed["area"], changed["city"]["code"]) == (None, "benghazi")
    assert changed["pin"] == pin
    reply = await client.put(f"{_BOOK}/{added['id']}", json={"pin": None})
    assert reply.json()["data"]["pin"] is None


async def test_a_change_of_an_older_state_is_refused(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    added = await _added(client)
    reply = await client.put(
        f"{_BOOK}/{added['id']}", json={"label": "x"}, headers={"If-Match": '"old"'}
    )
    assert reply.status_code == 412


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"pin": {"latitudeMicrodegrees": 13_191_338, "longitudeMicrodegrees": 32_887_209}}, "pin"),
        ({"pin": {"latitudeMicrodegrees": 32_887_209}}, "pin"),
        ({"pin": {"latitudeMicrodegrees": 32.887, "longitudeMicrodegrees": 13.19}}, "pin"),
        ({"phone": "12"}, "phone"),
        ({"city": "أطلنطس"}, "city"),
        ({"address": "   "}, "address"),
        ({"name": ""}, "name"),
    ],
)
async def test_an_address_that_cannot_be_is_refused_by_name(
    world: World, members: dict[str, Any], field: str
) -> None:
    client = world.client(**bearer(await world.customer()))
    reply = await client.post(_BOOK, json=_address(**members))
    assert reply.status_code == 422
    assert any(name.startswith(field) for name in reply.json()["error"]["details"])
    assert (await client.get(_BOOK)).json()["data"] == []
