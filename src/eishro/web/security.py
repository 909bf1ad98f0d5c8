"""The doors to one's own account: passwords, addresses, sessions, the second factor."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import PASSWORD_LENGTH_MAX, Session, User
from eishro.errors import Invalid, Unauthenticated, Words
from eishro.flows import edit_account, recover_account, secure_account, two_factor
from eishro.flows.secure_account import Proof
from eishro.web.accounts import Code, Password, Token, VerifyBody, own_id, user_view
from eishro.web.routes import Call, Reply
from eishro.web.wire import Email

ShownPassword = Annotated[str, Meta(max_length=PASSWORD_LENGTH_MAX)]

_SENT = Words(
    "If the address has an account, a mail is on its way.",
    "إذا كان لهذا العنوان حساب فستصلك رسالة.",
)


class EmailBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The address of an account."""

    email: Email


class ResetBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The token of the mail, and the new password."""

    token: Token
    password: Password


class ProofBody(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """What proves who it is, where the login is older than 5 minutes."""

    current_password: ShownPassword | None = None
    otp: Code | None = None


class PasswordBody(
    ProofBody, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The new password, as `password` or `newPassword`."""

    password: Password | UnsetType = UNSET
    new_password: Password | UnsetType = UNSET


class EmailChangeBody(
    ProofBody, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The new address; nothing changes before its link is opened."""

    email: Email


class ReauthenticateBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The password once more, with a code where the second factor is on."""

    password: ShownPassword
    otp: Code | None = None


class EnableBody(ProofBody, frozen=True, kw_only=True):
    """A first code of the secret that was set up."""

    otp: Code


class SessionView(msgspec.Struct, frozen=True, rename="camel"):
    """One device that is signed in."""

    id: str
    user_agent: str
    address: str
    login_at: datetime
    expires_at: datetime
    is_current: bool


class SetupView(msgspec.Struct, frozen=True, rename="camel"):
    """A second factor to be confirmed: for authenticator apps as text, address and picture."""

    secret: str
    otpauth_url: str
    qr_code: str


class RecoveryCodesView(msgspec.Struct, frozen=True, rename="camel"):
    """Codes for the day the telephone is gone; each is good once, and shown only now."""

    recovery_codes: list[str]


async def resend_verification(call: Call, body: EmailBody) -> Reply:
    """Send the verification mail again."""
    await recover_account.ask_for_verification(call.shop, body.email.address, call.address)
    return Reply({}, message=_SENT)


async def forgot_password(call: Call, body: EmailBody) -> Reply:
    """Send a link for a new password."""
    await recover_account.ask_for_reset(call.shop, body.email.address, call.address)
    return Reply({}, message=_SENT)


async def reset_password(call: Call, body: ResetBody) -> Reply:
    """Set a new password with the token of the mail; all sessions end."""
    await recover_account.reset_password(call.shop, body.token, body.password, call.actor)
    return Reply({}, message=Words("Your password is changed.", "تم تغيير كلمة المرور."))


async def change_password(call: Call, body: PasswordBody) -> Reply:
    """Set a new password; other sessions end."""
    given = [p for p in (body.password, body.new_password) if isinstance(p, str)]
    if len(given) != 1:
        raise Invalid({"password": Words("give the new password", "أدخل كلمة المرور الجديدة")})
    user = await secure_account.change_password(
        call.shop, proof_of(call, body), given[0], call.actor
    )
    return Reply(user_view(user))


async def change_email(call: Call, body: EmailChangeBody) -> Reply:
    """Send a link to the new address."""
    proof = proof_of(call, body)
    await secure_account.start_email_change(call.shop, proof, body.email.address, call.actor)
    message = Words("Open the link in the mail to confirm.", "افتح الرابط في الرسالة للتأكيد.")
    return Reply(user_view(await _own_user(call)), message=message)


async def verify_email(call: Call, body: VerifyBody) -> Reply:
    """Confirm an address, the present or a new one, with the token of the mail."""
    await confirm_address(call, body.token)
    return Reply({}, message=Words("Your address is confirmed.", "تم تأكيد بريدك الإلكتروني."))


async def confirm_address(call: Call, token: str) -> None:
    """Tokens of both mails come here; one that names a new address has four parts.

    Raises:
        Invalid, EmailTaken.
    """
    if token.count(".") == 3:
        await secure_account.confirm_email_change(call.shop, token, call.actor)
    else:
        await edit_account.verify_email(call.shop, token, call.actor)


async def reauthenticate(call: Call, body: ReauthenticateBody) -> Reply:
    """Show the password once more; the next 5 minutes nothing asks for it."""
    proof = proof_of(call, ProofBody(current_password=body.password, otp=body.otp))
    await secure_account.reauthenticate(call.shop, proof, call.actor)
    return Reply({})


async def list_sessions(call: Call) -> Reply:
    """The devices that are signed in."""
    user_id = own_id(call)
    found = await accounts.list_sessions(call.shop.db, user_id, call.door.clock.now())
    return Reply([session_view(session, call.session_id) for session in found])


async def end_session(call: Call) -> Reply:
    """Sign one device out."""
    await secure_account.end_session(call.shop, own_id(call), call.params["session_id"], call.actor)
    return Reply({})


async def set_up_two_factor(call: Call, body: ProofBody) -> Reply:
    """A new secret; it asks for nothing before a first code is shown."""
    import segno

    user = await _proven(call, body)
    setup = await two_factor.set_up(call.shop, user, call.actor)
    picture = segno.make(setup.otpauth_url, micro=False).svg_data_uri(scale=6, border=2)
    return Reply(SetupView(setup.secret, setup.otpauth_url, picture))


async def enable_two_factor(call: Call, body: EnableBody) -> Reply:
    """Switch the second factor on with a first code."""
    # The code belongs to the new secret; the login itself had none yet.
    user = await _proven(call, ProofBody(current_password=body.current_password))
    return Reply(RecoveryCodesView(await two_factor.enable(call.shop, user, body.otp, call.actor)))


async def disable_two_factor(call: Call, body: ProofBody) -> Reply:
    """Switch the second factor off."""
    user = await _proven(call, body)
    await two_factor.disable(call.shop, user.id, call.actor)
    return Reply({})


async def _own_user(call: Call) -> User:
    """The caller's account."""
    return await accounts.get_user(call.shop.db, own_id(call))


async def _proven(call: Call, body: ProofBody) -> User:
    user = await _own_user(call)
    await secure_account.prove_now(call.shop, proof_of(call, body), user)
    return user


def proof_of(call: Call, body: ProofBody) -> Proof:
    """What the caller shows beside the session."""
    if call.caller is None or call.session_id is None:
        raise Unauthenticated()
    return Proof(
        caller=call.caller,
        session_id=call.session_id,
        actor=call.actor,
        password=body.current_password,
        code=body.otp,
    )


def session_view(session: Session, current: str | None) -> SessionView:
    """The device as the API shows it; `current` is the session that asks."""
    return SessionView(
        id=session.id,
        user_agent=session.user_agent,
        address=session.address,
        login_at=session.login_at,
        expires_at=session.expires_at,
        is_current=session.id == current,
    )
