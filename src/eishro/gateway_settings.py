"""The platform's credentials for payment gateways, from `EISHRO_<PREFIX>_<FIELD>`."""

from eishro.adapters.payments import GATEWAYS
from eishro.domain.payments.gateways import Field, Gateway
from eishro.domain.payments.transfers import PROVIDER
from eishro.domain.payouts.iban import normalise_iban

_TYPED = {"moamalat"}  # whose fields are settings of their own
_PREFIX = "EISHRO_"
_KNOWN = {
    f"{_PREFIX}{gateway.prefix}_{field.name.upper()}": (gateway, field)
    for gateway in GATEWAYS
    if gateway.provider not in _TYPED
    for field in gateway.fields
}

Given = dict[str, dict[str, str]]


def find_setting(variable: str) -> tuple[Gateway, Field] | None:
    """The gateway and field that a variable's name means, or None."""
    return _KNOWN.get(variable)


def parse_setting(variable: str, text: str) -> str:
    """The value of such a variable.

    Raises:
        ValueError: says what is expected, never the value.
    """
    gateway, field = _KNOWN[variable]
    text = text.strip()
    if field.choices and text not in field.choices:
        raise ValueError("use " + " or ".join(field.choices))
    if (gateway.provider, field.name) == (PROVIDER, "iban") and text:
        iban = normalise_iban(text)
        if iban is None:
            raise ValueError("use a Libyan IBAN: LY and 23 digits whose check digits fit")
        return iban
    if len(text) > field.longest:
        raise ValueError(f"use at most {field.longest} characters")
    return text


def refusals_of(given: Given, *, is_production: bool) -> list[str]:
    """What is wrong with the credentials, each with the name of the setting."""
    found = []
    for gateway, fields in _with_gateways(given):
        missing = gateway.missing({**{f.name: f.default for f in gateway.fields}, **fields})
        found += [f"{_name(gateway, field)} is missing" for field in missing]
        if is_production:
            found += [
                f"{_name(gateway, field)} is a published test value; ask the gateway for one"
                for field in gateway.published(fields)
            ]
    return found


def filled(given: Given, *, is_production: bool, simulator_url: str | None) -> Given:
    """Complete fields of every gateway that can be used.

    Args:
        simulator_url: where the built-in simulators stand (`…/sandbox`); None without them.
    """
    found = {}
    for gateway in GATEWAYS:
        own = given.get(gateway.provider, {})
        if gateway.provider in _TYPED:
            continue
        if gateway.is_off_by_default and not own:
            continue
        if simulator_url is not None:
            url = f"{simulator_url}/{gateway.provider}"
            found[gateway.provider] = gateway.simulated(own, url)
        elif own or gateway.is_always_there:
            found[gateway.provider] = gateway.completed(own, is_live=is_production)
    return found


def described() -> list[tuple[str, Field, Gateway]]:
    """Every variable with its field, for the page about settings."""
    return [(variable, field, gateway) for variable, (gateway, field) in _KNOWN.items()]


def _name(gateway: Gateway, field: str) -> str:
    return f"{_PREFIX}{gateway.prefix}_{field.upper()}"


def _with_gateways(given: Given) -> list[tuple[Gateway, dict[str, str]]]:
    by_name = {gateway.provider: gateway for gateway in GATEWAYS}
    return [(by_name[provider], fields) for provider, fields in given.items()]
