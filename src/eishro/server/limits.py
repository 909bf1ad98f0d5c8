"""What one client may cost the server."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Named limits of a server process; times are seconds, sizes bytes.

    Attributes:
        head_seconds: how long a connection may wait for a request's whole head, an idle one too.
        take_seconds: how long a caller may take nothing of an answer that waits for it.
        stop_seconds: how long requests under way may take once the server is told to stop.
        head_bytes: of a request's address and headers.
        headers: in one request.
        connections: at once; one more is told to come back.
        pipelined: requests sent behind one that is not answered yet.
        unread_bytes: of a body that nobody has asked for; no more is taken from the network.
    """

    head_seconds: float = 30.0
    take_seconds: float = 60.0
    stop_seconds: float = 10.0
    head_bytes: int = 32_768
    headers: int = 100
    connections: int = 8_192
    pipelined: int = 100
    unread_bytes: int = 65_536
