"""The audit trail."""

from datetime import timedelta

from eishro.flows.shop import Shop
from eishro.jobs.seal_audit import seal_audit
from tests.security.street.step import STORE, Step, Street


async def _seal(shop: Shop, _: Street) -> None:
    await seal_audit(shop)


STEPS = (
    Step("audit", "GET", f"{STORE}/audit?limit=100"),
    Step("seal", job=_seal, later=timedelta(minutes=9)),
)  # fmt: skip
