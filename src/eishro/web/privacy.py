"""To be forgotten. The copy of what is kept is in `data_export.py`."""

import msgspec

from eishro.errors import Words
from eishro.flows import erase_person
from eishro.web.accounts import Code
from eishro.web.buyers import ErasedView
from eishro.web.routes import Call, Reply
from eishro.web.security import ProofBody, ShownPassword, proof_of


class EraseBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The password once more, where the login is older than 5 minutes."""

    password: ShownPassword | None = None
    otp: Code | None = None


async def erase(call: Call, body: EraseBody) -> Reply:
    """Delete the own account and take the person out of finished orders."""
    proof = proof_of(call, ProofBody(current_password=body.password, otp=body.otp))
    erased = await erase_person.erase_account(call.shop, proof, call.actor)
    message = Words("Your account is deleted.", "تم حذف حسابك.")
    return Reply(ErasedView(erased), message=message)
