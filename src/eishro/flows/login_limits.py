"""How often somebody may guess: counted before the password is looked at, forgiven when right.

Three counts, each in windows that grow, so that the wait grows with the guesses:

* one account from one network: the usual guesser, and somebody who forgot;
* all accounts from one network: many share one in Libya, so it is generous;
* one account from networks that never signed in to it. The account's own people sign in from
  where they did before, whatever strangers try, so nobody is locked out.

Counting is atomic and comes first, so two guesses at once cannot both be the last one allowed.
Keys are hashes: what is kept tells nobody's address.
"""

import hashlib
from typing import NamedTuple

import msgspec
import structlog

from eishro.addresses import network_of
from eishro.db.keyvalue import KeyValueUnavailable
from eishro.errors import Limited
from eishro.flows.shop import Shop

_LOG = structlog.get_logger("eishro.accounts")


class Tier(NamedTuple):
    """So many tries in so many seconds."""

    tries: int
    seconds: int


PAIR = (Tier(5, 60), Tier(10, 900), Tier(20, 6 * 3600))
NETWORK = (Tier(60, 60), Tier(600, 3600))
STRANGERS = (Tier(100, 3600),)
CODES = (Tier(20, 3600), Tier(60, 24 * 3600))  # wrong second factors, after a right password
LETTERS = (Tier(3, 3600), Tier(10, 24 * 3600))  # mails to one address
LETTERS_NETWORK = (Tier(20, 3600),)
TEXTS = (Tier(3, 3600), Tier(10, 24 * 3600))  # short messages to one telephone
TEXTS_ACCOUNT = (Tier(5, 3600), Tier(15, 24 * 3600))
TEXTS_NETWORK = (Tier(20, 3600),)
TAKEN = (Tier(10, 3600),)  # registrations refused because the address is in use
KNOWN_SECONDS = 90 * 24 * 3600


class Attempt(msgspec.Struct, frozen=True):
    """A guess that has been counted."""

    pair: str
    network: str
    account: str
    is_stranger: bool


async def count_login(shop: Shop, account: str, address: str) -> Attempt:
    """Count a guess at `account` (an address in lower case, or a user's id).

    Raises:
        Limited: too many; nothing may be looked at.
    """
    network = _hash(network_of(address))
    pair = _hash(f"{account} {network_of(address)}")
    attempt = Attempt(pair, network, _hash(account), await _is_stranger(shop, pair))
    await _count(shop, f"login:{pair}", PAIR)
    await _count(shop, f"login-net:{network}", NETWORK)
    if attempt.is_stranger:
        await _count(shop, f"login-all:{attempt.account}", STRANGERS)
    return attempt


async def forgive(shop: Shop, attempt: Attempt, *, is_in: bool = True) -> None:
    """The password was right: the guess does not count. Who `is_in` (not before a second factor)
    makes the network known to the account.
    """
    try:
        await _uncount(shop, f"login:{attempt.pair}", PAIR)
        await _uncount(shop, f"login-net:{attempt.network}", NETWORK)
        if attempt.is_stranger:
            await _uncount(shop, f"login-all:{attempt.account}", STRANGERS)
        if is_in:
            await shop.kv.set(f"login-known:{attempt.pair}", b"1", KNOWN_SECONDS)
    except KeyValueUnavailable:
        _LOG.warning("login_limits_unavailable")


async def trust(shop: Shop, account: str, address: str) -> None:
    """The person behind `address` has proven to own the account otherwise (a reset by mail)."""
    pair = _hash(f"{account} {network_of(address)}")
    try:
        for tier in PAIR:
            await shop.kv.delete(f"login:{pair}:{tier.seconds}")
        await shop.kv.set(f"login-known:{pair}", b"1", KNOWN_SECONDS)
    except KeyValueUnavailable:
        _LOG.warning("login_limits_unavailable")


async def count_code(shop: Shop, user_id: int) -> None:
    """Count a second factor that is about to be looked at; `Limited` if there were too many."""
    await _count(shop, f"code:{user_id}", CODES)


async def forgive_code(shop: Shop, user_id: int) -> None:
    """The code was right."""
    try:
        await _uncount(shop, f"code:{user_id}", CODES)
    except KeyValueUnavailable:
        _LOG.warning("login_limits_unavailable")


async def may_write_to(shop: Shop, email: str, address: str) -> bool:
    """Count a mail that a stranger asks for; False if `email` has had enough of them.

    Raises:
        Limited: this network asks too often, for whatever addresses.
    """
    await _count(shop, f"letter-net:{_hash(network_of(address))}", LETTERS_NETWORK)
    try:
        await _count(shop, f"letter:{_hash(email)}", LETTERS)
    except Limited:
        return False
    return True


async def may_text(shop: Shop, user_id: int, phone: str, address: str) -> bool:
    """Count a code that an account asks for; False if `phone` has had enough of them.

    Raises:
        Limited: this account or network asks too often, for whatever telephones.
    """
    await _count(shop, f"text-user:{user_id}", TEXTS_ACCOUNT)
    await _count(shop, f"text-net:{_hash(network_of(address))}", TEXTS_NETWORK)
    try:
        await _count(shop, f"text:{_hash(phone)}", TEXTS)
    except Limited:
        return False
    return True


async def count_taken(shop: Shop, address: str) -> None:
    """Count a registration that would say that an address is in use; `Limited` if too many."""
    await _count(shop, f"taken:{_hash(network_of(address))}", TAKEN)


async def _is_stranger(shop: Shop, pair: str) -> bool:
    try:
        return await shop.kv.get(f"login-known:{pair}") is None
    except KeyValueUnavailable:
        return True


async def _count(shop: Shop, key: str, tiers: tuple[Tier, ...]) -> None:
    try:
        counts = [await shop.kv.increment(f"{key}:{t.seconds}", t.seconds) for t in tiers]
    except KeyValueUnavailable:
        # The shop goes on; the hasher's queue still bounds how fast anybody can guess.
        _LOG.warning("login_limits_unavailable")
        return
    waits = [
        count.seconds_left
        for count, tier in zip(counts, tiers, strict=True)
        if count.value > tier.tries
    ]
    if waits:
        raise Limited(max(1, int(max(waits) + 0.999)))


async def _uncount(shop: Shop, key: str, tiers: tuple[Tier, ...]) -> None:
    for tier in tiers:
        await shop.kv.increment(f"{key}:{tier.seconds}", tier.seconds, -1)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
