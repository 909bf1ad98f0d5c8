"""What holds for the edge profile's files, checked without its platform."""

import re

import pytest

from eishro.adapters.bcrypt_hasher import BcryptHasher
from eishro.edge import not_here
from eishro.edge.d1_limits import InvocationSpent
from eishro.edge.hasher import EdgeHasher
from eishro.edge.invocation import Invocation
from eishro.edge.places import IDS_OF_A_PLACE
from eishro.keyring import Keyring
from eishro.web.api import ROUTES
from tests.edge.platform import COMPATIBILITY_DATE, ROOT, tool
from tests.edge.runtime.vectors import BCRYPT_HASH, BCRYPT_PASSWORD, SEALED


def test_the_test_runs_on_the_date_that_is_deployed() -> None:
    config = (ROOT / "edge" / "wrangler.jsonc").read_text(encoding="utf-8")
    assert f'"compatibility_date": "{COMPATIBILITY_DATE}"' in config


def test_no_secret_lies_in_the_configuration_of_production() -> None:
    config = (ROOT / "edge" / "wrangler.jsonc").read_text(encoding="utf-8")
    deployed = config[config.index('"staging"') :]
    assert re.findall(r'"(\w*(?:SECRET|KEY|PASSWORD)\w*)":', deployed) == []


def test_the_migration_files_are_up_to_date() -> None:
    d1_migrations = tool("d1_migrations")
    written = {p.name: p.read_text("utf-8") for p in d1_migrations.TARGET.glob("*.sql")}
    assert written == d1_migrations.render()


def test_the_reference_page_is_up_to_date() -> None:
    edge_reference = tool("edge_reference")
    assert edge_reference.TARGET.read_text(encoding="utf-8") == edge_reference.page()


def test_what_is_not_here_is_in_the_route_table() -> None:
    known = {(route.method, route.path) for route in ROUTES}
    assert not_here.NOT_HERE.keys() <= known
    assert [r.path for r in not_here.edge_routes(ROUTES)] == [r.path for r in ROUTES]


@pytest.mark.anyio
async def test_password_hashes_are_good_in_every_profile() -> None:
    native, edge = BcryptHasher(4), EdgeHasher(4)
    assert await native.verify(BCRYPT_PASSWORD, BCRYPT_HASH)
    assert await native.verify("كلمة سر", await edge.hash("كلمة سر"))
    assert await edge.verify("كلمة سر", await native.hash("كلمة سر"))
    assert not await edge.verify("another", await native.hash("كلمة سر"))
    assert not await edge.verify("nobody", None)
    await native.aclose()


def test_sealed_text_of_the_vectors_opens_natively() -> None:
    assert Keyring(["k" * 32]).open("purpose", SEALED) == "سر".encode()


def test_an_invocation_counts_before_it_sends() -> None:
    invocation = Invocation(lambda _: None)
    invocation.spend(999)
    with pytest.raises(InvocationSpent):
        invocation.spend(2)
    invocation.spend(1)


def test_ids_of_all_places_stay_below_what_a_double_holds() -> None:
    assert 8191 * IDS_OF_A_PLACE + IDS_OF_A_PLACE - 1 < 2**53
