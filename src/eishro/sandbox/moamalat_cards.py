"""The cards that the Moamalat simulator knows, and what their issuer says."""

from collections.abc import Mapping

OTP = "111111"

# Published by the vendor for its test gateway, with the expiry dates that are taken; none: any.
CARDS: Mapping[str, tuple[str, ...]] = {
    "6394993077260781": ("10/23", "10/27"),
    "6395003016111159": ("02/26",),
    "6395043835180860": (),
    "6395043165725698": (),
    "6395043170446256": ("01/27",),
}

_REASONS = {
    "05": "Do not honour",
    "51": "Insufficient funds",
    "54": "Expired card",
    "57": "Transaction not permitted to cardholder",
    "59": "Suspected fraud",
    "61": "Exceeds withdrawal amount limit",
    "62": "Restricted card",
    "65": "Exceeds withdrawal frequency limit",
    "91": "Issuer or switch inoperative",
    "96": "System malfunction",
}

# The vendor publishes no card that is declined; these are this simulator's own. The last two
# digits are the action code.
DECLINE_CARDS: Mapping[str, tuple[str, str]] = {
    f"63949900000000{code}": (code, text) for code, text in _REASONS.items()
}


def refusal_of(card: str, expiry: str | None, forced: str | None) -> tuple[str, str] | None:
    """Action code and text where the issuer says no; None if it would take the card.

    Args:
        expiry: `MM/YY`; None is not looked at.
        forced: the action code for every card.
    """
    if forced is not None:
        return forced, _REASONS.get(forced, "Declined")
    if card in DECLINE_CARDS:
        return DECLINE_CARDS[card]
    if card not in CARDS:
        return "14", "Invalid card number"
    if expiry is not None and CARDS[card] and expiry not in CARDS[card]:
        return "54", _REASONS["54"]
    return None
