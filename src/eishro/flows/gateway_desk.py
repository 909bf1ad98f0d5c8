"""Adapters made of stores' own credentials: built when they are needed, kept a while."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import Literal
from urllib.parse import urlsplit

from eishro.domain.payments.gateways import Gateway, Tools
from eishro.domain.payments.port import PaymentProvider

KEPT_MAX = 200  # adapters; each is small, but some hold a queue of questions


class GatewayDesk:
    """Every gateway that a store may have credentials for, and how to speak with one in its name.

    Args:
        keeps: adapters outlive a call. Where nothing may be shared between requests (the edge)
            each is made anew.
        hosts: further hosts that stores' own credentials may name.
        is_production: values that anybody may know are refused there.
    """

    def __init__(
        self,
        catalog: Iterable[Gateway],
        tools: Tools,
        *,
        is_production: bool,
        keeps: bool,
        hosts: Collection[str] = (),
    ) -> None:
        self.catalog: Mapping[str, Gateway] = {
            gateway.provider: gateway for gateway in catalog if not gateway.is_always_there
        }
        self.is_production = is_production
        self._hosts = {host.lower() for host in hosts}
        self._tools = tools
        self._keeps = keeps
        self._kept: OrderedDict[str, PaymentProvider] = OrderedDict()

    def speak(
        self,
        credentials_id: str,
        provider: str,
        mode: Literal["test", "live"],
        fields: Mapping[str, str],
    ) -> PaymentProvider:
        """The adapter with these fields; an id always means the same fields.

        Raises:
            ValueError: the fields do not do; the message names the field, never its value.
        """
        found = self._kept.get(credentials_id)
        if found is not None:
            self._kept.move_to_end(credentials_id)
            return found
        gateway = self.catalog[provider]
        made = gateway.build(
            gateway.completed(fields, is_live=mode == "live"), self._tools.of(provider)
        )
        if self._keeps:
            self._kept[credentials_id] = made
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return made

    def may_call(self, gateway: Gateway, address: str) -> bool:
        """True if a store may have this address called: a host of the gateway's own, or one that
        the platform trusts. Anything else could be a door into the platform's own network.
        """
        known = {
            urlsplit(value).netloc.lower()
            for name in gateway.url_fields
            for value in (
                gateway.live.get(name, ""),
                gateway.test.get(name, ""),
                *(field.default for field in gateway.fields if field.name == name),
            )
        }
        parts = urlsplit(address)
        named = parts.netloc.lower()
        return parts.scheme == "https" and bool(named) and named in (known | self._hosts)

    def try_fields(
        self, provider: str, mode: Literal["test", "live"], fields: Mapping[str, str]
    ) -> None:
        """Build an adapter of these fields and throw it away.

        Raises:
            ValueError: as `speak`.
        """
        gateway = self.catalog[provider]
        gateway.build(gateway.completed(fields, is_live=mode == "live"), self._tools)

    async def aclose(self) -> None:
        """Stop what the kept ones do in the background."""
        while self._kept:
            _, provider = self._kept.popitem()
            await provider.aclose()
