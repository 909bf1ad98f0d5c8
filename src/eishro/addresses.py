"""Internet addresses as limits see them."""

import functools
import ipaddress


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
