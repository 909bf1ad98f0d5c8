"""Prove a telephone by a one-time code; orders placed as a guest with it then join the account.

Nobody learns whether a telephone is known here: the answer is the same for every number, and a
number that was written to often enough is just not written to. The code is kept as a keyed hash,
and sealed in the event that sends it.
"""

import secrets
from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.outbox import Event
from eishro.db.statements import Batch
from eishro.domain.customers import sql as customers
from eishro.domain.customers.model import (
    CODE_LIFETIME,
    PHONES_MAX,
    PhoneCode,
    ProvenPhone,
    TooManyPhones,
    new_code,
)
from eishro.domain.messages import texts
from eishro.domain.messages.sms_port import SmsNotSent, SmsUnavailable
from eishro.errors import Invalid, Words
from eishro.flows import login_limits
from eishro.flows.shop import Shop, again_if_stale

_PURPOSE = "phone-code"
_VERSIONS = 2**50


class WrongCode(Invalid):
    """Not the code, or no code is open."""

    def __init__(self) -> None:
        super().__init__({"code": Words("is not valid any more", "لم يعد صالحا")})


class _Sent(msgspec.Struct, frozen=True):
    """What the event carries: which code it is, and the code, sealed."""

    hash: str
    sealed: str


async def start(shop: Shop, user_id: int, phone: str, address: str, actor: Actor) -> datetime:
    """Send a code to the telephone; when it ends. A former code is dead.

    Raises:
        SmsUnavailable: no gateway is set up.
        TooManyPhones, Limited.
    """
    if not shop.sms.is_ready:
        raise SmsUnavailable()
    at = shop.clock.now()
    known = await customers.list_phones(shop.db, user_id)
    if len(known) >= PHONES_MAX and phone not in [one.phone for one in known]:
        raise TooManyPhones()
    expires_at = at + CODE_LIFETIME
    if await login_limits.may_text(shop, user_id, phone, address):
        code = new_code()
        open_code = PhoneCode(
            user_id=user_id,
            phone=phone,
            code_hash=shop.keyring.sign(_PURPOSE, f"{user_id} {phone} {code}"),
            tries=0,
            expires_at=expires_at,
            version=secrets.randbelow(_VERSIONS),  # no former code's, so a late guess misses it
        )
        sealed = shop.keyring.seal(_PURPOSE, code.encode())
        await shop.db.commit(
            Batch(
                customers.put_code(open_code),
                outbox.publish(
                    "user.phone_code_wanted",
                    str(user_id),
                    at,
                    hash=open_code.code_hash,
                    sealed=sealed,
                ),
                audit.record(actor, "user.phone_code_sent", user_id, at),
            )
        )
    return expires_at


async def send_code(shop: Shop, event: Event) -> None:
    """Text the code, unless another one has taken its place or its time is over."""
    sent = msgspec.json.decode(event.payload, type=_Sent)
    open_code = await customers.find_code(shop.db, int(event.subject_id))
    if open_code is None or open_code.code_hash != sent.hash:
        return
    if not open_code.is_open(shop.clock.now()):
        return
    code = shop.keyring.open(_PURPOSE, sent.sealed).decode()
    try:
        await shop.sms.send(texts.phone_code(open_code.phone, code))
    except SmsNotSent as error:
        if error.again:
            raise


@again_if_stale
async def confirm(shop: Shop, user_id: int, code: str, actor: Actor) -> ProvenPhone:
    """The telephone is the account's; whoever proved it before has it no more.

    Raises:
        WrongCode: counted before it is said, so guesses at once are each counted.
    """
    at = shop.clock.now()
    seen = await customers.find_code(shop.db, user_id)
    if seen is None or not seen.is_open(at):
        raise WrongCode()
    if not shop.keyring.verify(_PURPOSE, f"{user_id} {seen.phone} {code}", seen.code_hash):
        guessed = msgspec.structs.replace(seen, tries=seen.tries + 1)
        await shop.db.commit(Batch(customers.save_code(guessed, seen=seen)))
        raise WrongCode()
    proven = ProvenPhone(seen.phone, user_id, at)
    await shop.db.commit(
        Batch(
            customers.take_code(seen),
            customers.prove_phone(proven),
            outbox.publish("user.phone_proven", str(user_id), at),
            audit.record(actor, "user.phone_proven", user_id, at),
        )
    )
    return proven
