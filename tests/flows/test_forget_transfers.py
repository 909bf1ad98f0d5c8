"""Erasing a buyer takes what they showed of a transfer, its picture included."""

import pytest

from eishro.domain.payments import transfers_sql as transfers
from eishro.flows.change_order import cancel_order
from eishro.flows.erase_person import erase_customer
from eishro.jobs.work_off_events import handle_events
from tests.shops import TESTER, World
from tests.transferring import counter

pytestmark = pytest.mark.anyio


async def test_a_forgotten_buyer_s_proof_is_empty_and_its_picture_gone(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    assert (await desk.prove(payment["id"])).status_code == 201
    assert len(await world.shop.files.list_keys("proofs/")) == 1
    await cancel_order(world.shop, payment["orderId"], TESTER, only_pending=False)
    assert await erase_customer(world.shop, desk.store, "+218912345678", "asked", TESTER) == 1
    await handle_events(world.shop)
    (proof,) = await transfers.list_proofs(world.db, desk.store, [payment["id"]])
    assert (proof.sender_name, proof.bank_reference, proof.file_key) == ("", "", None)
    assert await world.shop.files.list_keys("proofs/") == []
