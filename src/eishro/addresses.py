"""Addresses: of networks as limits see them, of sites as browsers do."""

import functools
import ipaddress
import re
from urllib.parse import urlsplit

# What may stand in a policy: nothing that could end a source or a directive.
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")


@functools.lru_cache(maxsize=10_000)
def network_of(address: str) -> str:
    """The address, or for IPv6 its /64: one subscriber has 2**64 of them to count with.

    An IPv4 address inside IPv6 counts as itself; what is no address stays as it is.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address) + "/64"


def origin_of(address: str) -> str | None:
    """Scheme, host and port of an absolute http or https address; None for anything else."""
    try:
        parts = urlsplit(address)
        host, port = parts.netloc.rpartition("@")[2], parts.port
    except ValueError:
        return None
    name = host.removesuffix(f":{port}") if port is not None else host.removesuffix(":")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(name):
        return None
    return f"{parts.scheme}://{name}" + (f":{port}" if port is not None else "")
