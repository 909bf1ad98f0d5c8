"""A step of the background: what it is, and how it is taken so that its failure ends nothing."""

from collections.abc import Awaitable, Callable

import structlog

from eishro.errors import ShopError
from eishro.flows.shop import Shop

_LOG = structlog.get_logger("eishro.jobs")

Step = Callable[[Shop], Awaitable[int]]  # how much there was to do


async def attempt(job: str, work: Awaitable[int]) -> int:
    """What the work counted; 0 where it failed, which is logged."""
    try:
        return await work
    except (ShopError, OSError) as error:
        _LOG.warning("job_failed", job=job, error=repr(error)[:200])
    except Exception:  # noqa: BLE001 - a fault in one job must not end the others
        _LOG.exception("job_fault", job=job)
    return 0
