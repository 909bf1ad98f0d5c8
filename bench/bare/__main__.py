"""`python -m bench.bare PORT`: serve the bare reads of BENCH_DATABASE until stopped."""

import sys

from granian import Granian
from granian.constants import Interfaces, Loops


def main() -> None:
    """One worker with one event loop, as EISHRO runs."""
    Granian(
        "bench.bare.reads:create",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.RSGI,
        factory=True,
        workers=1,
        loop=Loops.uvloop,
        log_access=False,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main()
