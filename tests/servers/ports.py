"""Free TCP ports on the loopback interface."""

import random
import socket

# Below the kernel's range of outgoing ports (32768 and up), so that no client connection can
# take a port between our look and the server's start; above the well-known ones, some of which
# browsers refuse to open.
_LOWEST, _HIGHEST = 12_000, 32_767

# The system's randomness, not a test's seed: two test runs at one moment must not agree.
_random = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on; never the same one twice in a process."""
    for _ in range(200):
        port = _random.randint(_LOWEST, _HIGHEST)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError(f"no free port found between {_LOWEST} and {_HIGHEST}")


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
