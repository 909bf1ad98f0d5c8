"""`eishro reconcile` as an operator uses it."""

import json
from pathlib import Path

import pytest

from eishro.cli.reconcile import reconcile
from eishro.clock import TRIPOLI
from eishro.db import migrate
from eishro.db.opening import open_database
from eishro.settings import load
from tests.flows.refunding import paid_order
from tests.shops import SECRET, open_world

pytestmark = pytest.mark.anyio


async def test_a_statement_is_held_beside_the_books(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'eishro.db'}"
    db = await open_database(url)
    await migrate.migrate(db)
    await db.aclose()
    async with open_world(url, tmp_path) as world:
        paid = await paid_order(world)
        today = world.clock.now().astimezone(TRIPOLI).date()
        name = f"tx-{paid.payment.reference}"
    settings = load({"EISHRO_DATA_DIR": str(tmp_path), "EISHRO_SECRET_KEYS": SECRET})
    file = tmp_path / "statement.csv"
    file.write_text(
        f"transaction id,amount,date,reference\n{name},35.500,{today},\n9,1.000,{today},X\n"
    )
    for form in ("table", "json", "csv"):
        code = await reconcile(
            settings, provider="moamalat", day=today, form=form, statement=file, account=None
        )
        out = capsys.readouterr().out
        assert code == 1
        if form == "json":
            (report,) = json.loads(out)
            assert (report["matched"], report["terminal"]) == (1, "T1")
            assert [d["kind"] for d in report["differences"]] == ["missing"]
        else:
            assert "missing" in out
            assert "1.000" in out
    file.write_text(f"transaction id,amount,date\n{name},35.500,{today}\n")
    arguments = {"provider": "moamalat", "day": today, "statement": file, "account": "T1"}
    assert await reconcile(settings, form="table", **arguments) == 0  # type: ignore[arg-type]
    assert "1 agree, 0 differ" in capsys.readouterr().out
    file.write_text("nothing,here\n")
    with pytest.raises(Exception, match="fields are not valid"):
        await reconcile(settings, form="table", **arguments)  # type: ignore[arg-type]
    assert "must have columns" in capsys.readouterr().err
