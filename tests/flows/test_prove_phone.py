"""A telephone is proven by a code of its own, good once, for ten minutes and five tries."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.audit import audit_records
from eishro.db.outbox import outbox
from eishro.db.statements import Query
from eishro.domain.customers import sql as customers
from eishro.domain.customers.sql import phone_codes
from eishro.domain.messages.sms_port import NoSms
from tests.shops import World, bearer, changed

pytestmark = pytest.mark.anyio

PHONE = "+218912345678"
_START, _CONFIRM = "/api/auth/phone/start", "/api/auth/phone/confirm"
_CODES = Query(sa.select(phone_codes.c.code_hash), str)
_TRAIL = Query(
    sa.select(audit_records.c.subject_id, audit_records.c.changes).limit(100),
    lambda subject, changes: f"{subject} {bytes(changes).decode()}",
    across_stores=True,
)
_EVENTS = Query(
    sa.select(outbox.c.payload).limit(100),
    lambda payload: bytes(payload).decode(),
    across_stores=True,
)


async def _asked(world: World, headers: dict[str, str], phone: str = "0912345678") -> str:
    reply = await world.client().post(_START, json={"phone": phone}, headers=headers)
    assert reply.status_code == 200, reply.text
    return (await world.texted(PHONE))[-1]


def _another(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def test_a_phone_is_proven_by_the_code_that_was_texted_to_it(world: World) -> None:
    person = await world.customer()
    client = world.client(**bearer(person))
    code = await _asked(world, bearer(person), "٠٩١ ٢٣٤ ٥٦٧٨")
    typed = code.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    reply = await client.post(_CONFIRM, json={"code": typed})
    assert reply.status_code == 200, reply.text
    assert reply.json()["data"]["phone"] == PHONE
    (proven,) = await customers.list_phones(world.db, person.user.id)
    assert (proven.phone, proven.user_id) == (PHONE, person.user.id)
    again = await client.post(_CONFIRM, json={"code": code})
    assert again.status_code == 422


async def test_a_code_is_nowhere_readable_and_the_trail_names_no_phone(world: World) -> None:
    person = await world.customer()
    code = await _asked(world, bearer(person))
    await world.client(**bearer(person)).post(_CONFIRM, json={"code": code})
    await _asked(world, bearer(person))
    (kept,) = await world.db.all(_CODES)
    trail, events = await world.db.all(_TRAIL), await world.db.all(_EVENTS)
    assert code not in kept
    assert not [line for line in [*trail, *events] if f'"{code}"' in line or "912345678" in line]


async def test_a_code_dies_after_ten_minutes_and_when_another_is_sent(world: World) -> None:
    person = await world.customer()
    client = world.client(**bearer(person))
    first = await _asked(world, bearer(person))
    second = await _asked(world, bearer(person))
    if first != second:
        assert (await client.post(_CONFIRM, json={"code": first})).status_code == 422
    world.clock.turn(timedelta(minutes=10))
    assert (await client.post(_CONFIRM, json={"code": second})).status_code == 422
    assert await customers.list_phones(world.db, person.user.id) == []


async def test_five_wrong_guesses_end_a_code_also_all_at_once(world: World) -> None:
    person = await world.customer()
    client = world.client(**bearer(person))
    code = await _asked(world, bearer(person))
    wrong = {"code": _another(code)}
    replies = await asyncio.gather(*(client.post(_CONFIRM, json=wrong) for _ in range(8)))
    assert {reply.status_code for reply in replies} <= {422, 409}
    seen = await customers.find_code(world.db, person.user.id)
    assert seen is not None
    for _ in range(5 - seen.tries):
        await client.post(_CONFIRM, json=wrong)
    assert (await client.post(_CONFIRM, json={"code": code})).status_code == 422


async def test_a_right_code_shown_many_times_at_once_counts_once(world: World) -> None:
    person = await world.customer()
    client = world.client(**bearer(person))
    code = await _asked(world, bearer(person))
    replies = await asyncio.gather(*(client.post(_CONFIRM, json={"code": code}) for _ in range(10)))
    assert sorted(reply.status_code for reply in replies) == [200, *[422] * 9]


async def test_somebody_elses_code_proves_nothing(world: World) -> None:
    person, other = await world.customer(), await world.customer()
    code = await _asked(world, bearer(person))
    client = world.client(**bearer(other))
    assert (await client.post(_CONFIRM, json={"code": code})).status_code == 422
    await client.post(_START, json={"phone": "0921111111"})
    own = (await world.texted("+218921111111"))[-1]
    if own != code:
        assert (await client.post(_CONFIRM, json={"code": code})).status_code == 422
    assert await customers.list_phones(world.db, other.user.id) == []


async def test_the_last_proof_of_a_number_counts(world: World) -> None:
    """Numbers are given to other people after a while."""
    former, later = await world.customer(), await world.customer()
    for person in (former, later):
        code = await _asked(world, bearer(person))
        await world.client(**bearer(person)).post(_CONFIRM, json={"code": code})
    assert await customers.list_phones(world.db, former.user.id) == []
    assert len(await customers.list_phones(world.db, later.user.id)) == 1


async def test_a_number_is_not_written_to_without_end_and_nobody_is_told(world: World) -> None:
    """The answer is the same for a number that has had enough: it tells nothing about it."""
    answers = []
    for _ in range(5):
        person = await world.customer()
        reply = await world.client(**bearer(person)).post(_START, json={"phone": PHONE})
        answers.append((reply.status_code, set(reply.json()["data"]), reply.json()["message"]))
    assert len(set(map(str, answers))) == 1
    assert len(await world.texted(PHONE)) == 3


async def test_an_account_asks_for_five_codes_an_hour(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    replies = [
        await client.post(_START, json={"phone": f"09212345{number:02}"}) for number in range(6)
    ]
    assert [reply.status_code for reply in replies] == [200] * 5 + [429]


async def test_without_a_gateway_it_is_said_at_once(world: World) -> None:
    world.shop = changed(world.shop, sms=NoSms())
    client = world.client(**bearer(await world.customer()))
    reply = await client.post(_START, json={"phone": PHONE})
    assert reply.status_code == 503
    assert "SMS" in reply.json()["error"]["message"]
    assert await world.db.all(_CODES) == []


async def test_a_code_that_is_late_is_not_texted(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    await client.post(_START, json={"phone": PHONE})
    world.clock.turn(timedelta(minutes=11))
    assert await world.texted(PHONE) == []


async def test_an_admin_who_acts_as_somebody_proves_nothing(world: World) -> None:
    owner, admin = await world.merchant(), await world.admin()
    acting = await world.client(**bearer(admin)).post(
        f"/api/admin/users/{owner.user.id}/act-as", json={"reason": "a test"}
    )
    token = acting.json()["data"]["accessToken"]
    client = world.client(Authorization=f"Bearer {token}")
    assert (await client.post(_START, json={"phone": PHONE})).status_code == 403


async def test_codes_have_six_digits(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    for wrong in ("12345", "1234567", "12345a", 123456, ""):
        reply = await client.post(_CONFIRM, json={"code": wrong})
        assert reply.status_code in (400, 422), wrong
        assert "code" in msgspec.json.decode(reply.content)["error"]["details"]
