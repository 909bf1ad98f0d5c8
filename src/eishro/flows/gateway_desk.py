"""Adapters made of stores' own credentials: built when they are needed, kept a while."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Literal

from eishro.domain.payments.gateways import Gateway, Tools
from eishro.domain.payments.port import PaymentProvider

KEPT_MAX = 200  # adapters; each is small, but some hold a queue of questions


class GatewayDesk:
    """Every gateway that is built in, and how to speak with one in somebody's name.

    Args:
        keeps: adapters outlive a call. Where nothing may be shared between requests (the edge)
            each is made anew.
        is_production: values that anybody may know are refused there.
    """

    def __init__(
        self, catalog: Iterable[Gateway], tools: Tools, *, is_production: bool, keeps: bool
    ) -> None:
        self.catalog: Mapping[str, Gateway] = {gateway.provider: gateway for gateway in catalog}
        self.is_production = is_production
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
