"""Who is measured: EISHRO in its ways of running, and the references beside it."""

from typing import Literal

import msgspec

Program = Literal["eishro", "hono", "fastify", "bare"]
Runtime = Literal["python", "node", "bun"]
Engine = Literal["sqlite", "postgresql"]


class Contender(msgspec.Struct, frozen=True):
    """One server as it is set up; `cached` is EISHRO's version cache or a reference's TTL cache."""

    name: str
    program: Program
    runtime: Runtime
    engine: Engine = "sqlite"
    cached: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it is EISHRO."""
        return self.program == "eishro"

    @property
    def is_whole(self) -> bool:
        """Whether it has the features that are compared, not only the answers."""
        return self.program != "bare"


EISHRO = Contender("eishro", "eishro", "python")
EISHRO_CACHE = Contender("eishro-cache", "eishro", "python", cached=True)
EISHRO_POSTGRES = Contender("eishro-postgres", "eishro", "python", "postgresql")
HONO_NODE = Contender("hono-node", "hono", "node")
HONO_NODE_CACHE = Contender("hono-node-cache", "hono", "node", cached=True)
HONO_BUN = Contender("hono-bun", "hono", "bun")
HONO_POSTGRES = Contender("hono-postgres", "hono", "node", "postgresql")
FASTIFY_NODE = Contender("fastify-node", "fastify", "node")
BARE = Contender("bare", "bare", "python")

CONTENDERS = (
    EISHRO,
    EISHRO_CACHE,
    EISHRO_POSTGRES,
    HONO_NODE,
    HONO_NODE_CACHE,
    HONO_BUN,
    HONO_POSTGRES,
    FASTIFY_NODE,
    BARE,
)
# The bare transaction loop is no server; these are its names in the results.
BARE_LOOP = "bare-loop"
BARE_LOOP_SINGLE = "bare-loop-single"


def find(name: str) -> Contender:
    """The contender of this name; KeyError where there is none."""
    return {contender.name: contender for contender in CONTENDERS}[name]
