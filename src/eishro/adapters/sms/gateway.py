"""Any SMS gateway that takes one POST of JSON a text: its address, a header and a template.

The template is a JSON object whose texts may hold `{phone}` (E.164), `{digits}` (the same without
the plus) and `{text}`; a value is put into a text after the JSON was read, so nothing a message
says can change the request's shape. Answers: 2xx is sent, 429 and 5xx may be tried again, any
other 4xx will not get better.
"""

import json
from typing import Any

from eishro.domain.messages.sms_port import Sms, SmsNotSent
from eishro.outward import Http, NoReply

ANSWER_BYTES_MAX = 100_000
SEND_SECONDS_MAX = 15.0
_TOO_MANY = 429


class HttpSms:
    """Posts texts to `url`; `authorization` is that header's value, empty for none.

    Raises:
        ValueError: the template is no JSON object, or names no `{text}` or no telephone.
    """

    is_ready = True

    def __init__(self, url: str, authorization: str, body: str, http: Http) -> None:
        try:
            template = json.loads(body)
        except ValueError:
            template = None
        named = json.dumps(template)
        names_phone = "{phone}" in named or "{digits}" in named
        if not isinstance(template, dict) or "{text}" not in named or not names_phone:
            raise ValueError(
                "EISHRO_SMS_BODY is a JSON object that names {text} and {phone} or {digits}"
            )
        self._template = template
        self._url = url
        self._headers = {"Authorization": authorization} if authorization else {}
        self._http = http

    async def send(self, message: Sms) -> None:
        """Hand the text to the gateway.

        Raises:
            SmsNotSent
        """
        try:
            reply = await self._http.post_json(
                self._url,
                _filled(self._template, message),
                headers=self._headers,
                timeout_seconds=SEND_SECONDS_MAX,
                limit_bytes=ANSWER_BYTES_MAX,
            )
        except NoReply as fault:
            raise SmsNotSent(f"no answer from the SMS gateway: {fault}", again=True) from fault
        if not 200 <= reply.status < 300:
            again = reply.status == _TOO_MANY or reply.status >= 500
            raise SmsNotSent(f"the SMS gateway answered {reply.status}", again=again)

    async def aclose(self) -> None:
        """The connection is its giver's."""


def _filled(part: Any, message: Sms) -> Any:
    if isinstance(part, dict):
        return {name: _filled(value, message) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, message) for value in part]
    if isinstance(part, str):
        filled = part.replace("{digits}", message.to.removeprefix("+"))
        return filled.replace("{phone}", message.to).replace("{text}", message.text)
    return part
