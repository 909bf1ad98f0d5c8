"""What one client may cost the server."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Named limits of a server process; times are seconds, sizes bytes.

    Attributes:
        head_seconds: how long a connection may wait for a request's whole head, an idle one too.
        take_seconds: in how long a caller must take `take_bytes` of an answer that waits for it.
        take_bytes: 240 a second by default, a tenth of what the slowest telephone does.
        linger_seconds: how long one is listened to that still sends what nobody will read, so
            that it hears why: an answer behind which the connection breaks is lost.
        stop_seconds: how long requests under way may take once the server is told to stop.
        close_seconds: how long the application may take to close what it has opened.
        head_bytes: of a request's address and headers; of what lies between parts of a body, too.
        headers: in one request.
        connections: at once; one more is told to come back.
        refusals: at once of such; one more is not even told.
        pipelined: requests sent behind one that is not answered yet.
        unread_bytes: of a body that nobody has asked for; no more is taken from the network.
    """

    head_seconds: float = 30.0
    take_seconds: float = 60.0
    take_bytes: int = 14_400
    linger_seconds: float = 2.0
    stop_seconds: float = 10.0
    close_seconds: float = 10.0
    head_bytes: int = 32_768
    headers: int = 100
    connections: int = 8_192
    refusals: int = 64
    pipelined: int = 100
    unread_bytes: int = 65_536
