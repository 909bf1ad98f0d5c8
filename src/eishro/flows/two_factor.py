"""Switch the second factor on and off, and take its codes.

A code goes into the batch of what it allows (a session, a change), guarded, so that it is good
once even when it is shown twice at the same moment.
"""

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
import structlog

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.accounts import two_factor
from eishro.domain.accounts.model import TwoFactorRequired, User, WrongCredentials
from eishro.domain.accounts.two_factor import RECOVERY_CODES, SecondFactor
from eishro.errors import Conflict, Invalid, Unavailable, Words
from eishro.flows import login_limits, refusals
from eishro.flows.shop import Shop, again_if_stale
from eishro.keyring import BadSeal

_LOG = structlog.get_logger("eishro.two_factor")

ISSUER = "EISHRO"
STEP_SECONDS = 30
_PURPOSE = "totp"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # 31, none of which looks like another
_CODE_LETTERS = 16  # 79 bits
PAGE = 200  # second factors looked at together


class EnabledAlready(Conflict):
    """The second factor is on; it is switched off before another is set up."""

    words = Words(
        "Two-factor login is on already; switch it off first.",
        "التحقق بخطوتين مفعل بالفعل؛ أوقفه أولا.",
    )


class Setup(msgspec.Struct, frozen=True):
    """A new secret, shown once: base32, and the same as an address for authenticator apps."""

    secret: str
    otpauth_url: str


@again_if_stale
async def set_up(shop: Shop, user: User, actor: Actor) -> Setup:
    """A pending secret; one set up before and never confirmed is replaced.

    Raises:
        EnabledAlready.
    """
    import pyotp

    at = shop.clock.now()
    seen = await two_factor.find_second_factor(shop.db, user.id)
    if seen is not None and seen.enabled_at is not None:
        raise EnabledAlready()
    secret = pyotp.random_base32()
    sealed = shop.keyring.seal(_PURPOSE, secret.encode())
    after = SecondFactor(user.id, sealed, None, 0, 1)
    write = (
        two_factor.insert_second_factor(after)
        if seen is None
        else two_factor.save_second_factor(after, seen=seen)
    )
    await shop.db.commit(Batch(write, audit.record(actor, "two_factor.set_up", user.id, at)))
    url = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)
    return Setup(secret, url)


@again_if_stale
async def enable(shop: Shop, user: User, code: str, actor: Actor) -> list[str]:
    """Switch it on with a first code; the recovery codes, shown once.

    Raises:
        EnabledAlready, Limited.
        Invalid: nothing was set up, or the code is wrong.
    """
    at = shop.clock.now()
    seen = await two_factor.find_second_factor(shop.db, user.id)
    if seen is None:
        raise Invalid({"otp": Words("Set up first.", "ابدأ الإعداد أولا.")})
    if seen.enabled_at is not None:
        raise EnabledAlready()
    await login_limits.count_code(shop, user.id)
    step = _step_of(_secret(shop, seen), code, seen.last_step, at)
    if step is None:
        await refusals.note(shop, actor, "code", user.id)
        raise Invalid({"otp": Words("is wrong or has run out", "غير صحيح أو انتهت صلاحيته")})
    await login_limits.forgive_code(shop, user.id)
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    after = msgspec.structs.replace(seen, enabled_at=at, last_step=step)
    await shop.db.commit(
        Batch(
            two_factor.save_second_factor(after, seen=seen),
            two_factor.delete_recovery_codes(user.id),
            two_factor.insert_recovery_codes(user.id, [_hash(one) for one in codes]),
            audit.record(actor, "two_factor.enabled", user.id, at),
        )
    )
    return codes


@again_if_stale
async def disable(shop: Shop, user_id: int, actor: Actor) -> None:
    """Switch it off and forget secret and recovery codes; off already is a success."""
    at = shop.clock.now()
    await shop.db.commit(
        Batch(*await forget(shop, user_id), audit.record(actor, "two_factor.disabled", user_id, at))
    )


async def forget(shop: Shop, user_id: int) -> list[Statement]:
    """Statements that remove the user's second factor, if there is one."""
    seen = await two_factor.find_second_factor(shop.db, user_id)
    if seen is None:
        return []
    return [two_factor.delete_second_factor(seen), two_factor.delete_recovery_codes(user_id)]


async def is_on(shop: Shop, user_id: int) -> bool:
    """Whether logins of the user need a code."""
    factor = await two_factor.find_second_factor(shop.db, user_id)
    return factor is not None and factor.enabled_at is not None


async def take_code(shop: Shop, user_id: int, shown: str | None, at: datetime) -> list[Statement]:
    """Statements that use the code up, for the batch that it allows; none where it is off.

    Raises:
        TwoFactorRequired: a code is needed and none was shown.
        WrongCredentials: not a code of this user, or used; the batch raises it too, when the
            code is used by another batch meanwhile.
        Limited.
    """
    factor = await two_factor.find_second_factor(shop.db, user_id)
    if factor is None or factor.enabled_at is None:
        return []
    if shown is None:
        raise TwoFactorRequired()
    await login_limits.count_code(shop, user_id)
    step = _step_of(_secret(shop, factor), shown, factor.last_step, at)
    if step is not None:
        after = msgspec.structs.replace(factor, last_step=step)
        return [two_factor.save_second_factor(after, seen=factor).guarded(WrongCredentials())]
    hashed = _hash(shown)
    if not await two_factor.has_recovery_code(shop.db, user_id, hashed):
        raise WrongCredentials()
    return [two_factor.use_recovery_code(user_id, hashed, at, WrongCredentials())]


async def renew_seals(shop: Shop) -> tuple[int, int]:
    """Seal secrets that an older key sealed with the one in use, so that the old one may go.

    Returns:
        How many were sealed anew, and how many no key opens. Repeating it is harmless.
    """
    renewed = lost = 0
    async for factor in _everybodys(shop):
        try:
            renewed += await _renew(shop, factor)
        except BadSeal:
            lost += 1
    return renewed, lost


async def count_old_seals(shop: Shop) -> tuple[int, int]:
    """How many secrets an older key sealed, and how many no key opens."""
    old = lost = 0
    async for factor in _everybodys(shop):
        try:
            old += shop.keyring.renewed(_PURPOSE, factor.secret_sealed) is not None
        except BadSeal:
            lost += 1
    return old, lost


async def _everybodys(shop: Shop) -> AsyncIterator[SecondFactor]:
    after = 0
    while page := await two_factor.list_second_factors(shop.db, after, PAGE):
        for factor in page:
            yield factor
        after = page[-1].user_id


@again_if_stale
async def _renew(shop: Shop, listed: SecondFactor) -> bool:
    seen = await two_factor.find_second_factor(shop.db, listed.user_id)
    sealed = None if seen is None else shop.keyring.renewed(_PURPOSE, seen.secret_sealed)
    if seen is None or sealed is None:
        return False
    after = msgspec.structs.replace(seen, secret_sealed=sealed)
    await shop.db.commit(Batch(two_factor.save_second_factor(after, seen=seen)))
    return True


def _secret(shop: Shop, factor: SecondFactor) -> str:
    try:
        return shop.keyring.open(_PURPOSE, factor.secret_sealed).decode()
    except BadSeal as error:
        # The key is gone from the settings: nobody's fault but the operator's, who is told.
        _LOG.error("second_factor_sealed_with_unknown_key", user_id=factor.user_id)
        raise Unavailable() from error


def _step_of(secret: str, shown: str, last_step: int, at: datetime) -> int | None:
    """The half-minute whose code this is: the present one or a neighbour, later than the last."""
    import pyotp

    totp = pyotp.TOTP(secret)
    now = int(at.timestamp()) // STEP_SECONDS
    found = None
    for step in (now - 1, now, now + 1):
        is_same = hmac.compare_digest(totp.generate_otp(step).encode(), shown.strip().encode())
        if is_same and step > last_step:
            found = step
    return found


def _new_recovery_code() -> str:
    letters = [secrets.choice(_LETTERS) for _ in range(_CODE_LETTERS)]
    return "-".join("".join(letters[at : at + 4]) for at in range(0, _CODE_LETTERS, 4))


def _hash(code: str) -> str:
    """Of a recovery code however it is typed."""
    plain = "".join(c for c in code.casefold() if c.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
