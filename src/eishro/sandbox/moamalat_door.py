"""The simulator's HTTP side: `lightbox.js`, the card form in its frame, the REST calls."""

import asyncio
import json
import secrets
from typing import Any

import falcon
import falcon.asgi
import msgspec

from eishro.sandbox.moamalat import OTP, Faults, Refused, Simulator

_HTML = "text/html; charset=utf-8"
_SCRIPT = """(function () {
  'use strict';
  var base = new URL('..', document.currentScript.src).href;
  var origin = new URL(base).origin;
  var frame = null;
  function close() {
    if (frame) { frame.remove(); frame = null; }
  }
  var Checkout = {
    configure: {},
    showLightbox: function () {
      close();
      var settings = Checkout.configure;
      var query = new URLSearchParams();
      ['MID', 'TID', 'AmountTrxn', 'MerchantReference', 'TrxDateTime', 'SecureHash']
        .forEach(function (name) { query.set(name, settings[name]); });
      frame = document.createElement('iframe');
      frame.src = base + 'form?' + query.toString();
      frame.title = 'Moamalat';
      frame.id = 'moamalat-frame';
      var look = { position: 'fixed', inset: '0', width: '100%', height: '100%', border: '0',
                   zIndex: '2147483647', background: 'rgba(0,0,0,.5)' };
      Object.keys(look).forEach(function (name) { frame.style[name] = look[name]; });
      document.body.appendChild(frame);
    },
    closeLightbox: close
  };
  window.addEventListener('message', function (event) {
    if (!frame || event.origin !== origin || event.source !== frame.contentWindow) { return; }
    var settings = Checkout.configure;
    var news = event.data || {};
    if (news.kind === 'complete') { settings.completeCallback(news.payload); }
    if (news.kind === 'error') { settings.errorCallback(news.payload); }
    if (news.kind === 'cancel') { close(); settings.cancelCallback(); }
  });
  window.Lightbox = { Checkout: Checkout };
})();
"""

_FORM = """<!doctype html>
<html lang="ar" dir="rtl"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>محاكي معاملات | Moamalat simulator</title>
<style nonce="{nonce}">
body{{margin:0;font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;
min-height:100vh;background:transparent}}
main{{background:#fff;color:#16202c;padding:1.25rem;border-radius:.75rem;width:min(22rem,92vw);
box-sizing:border-box}}
h1{{font-size:1.05rem;margin:0 0 .25rem}} p{{margin:.25rem 0}}
label{{display:block;margin:.6rem 0 .2rem}}
input{{width:100%;box-sizing:border-box;font:inherit;padding:.5rem;direction:ltr}}
button{{font:inherit;padding:.6rem 1rem;margin-top:.8rem;width:100%}}
small{{color:#566}} [role=alert]{{color:#a11;min-height:1.5em}}
</style></head><body><main>
<h1>محاكي بوابة معاملات <small>Moamalat simulator</small></h1>
<p>المبلغ | Amount: <b dir="ltr">{amount} LYD</b></p>
<form id="card"><label for="pan">رقم البطاقة | Card number</label>
<input id="pan" inputmode="numeric" autocomplete="off" value="6394993077260781">
<label for="expiry">الانتهاء | Expiry</label>
<input id="expiry" inputmode="numeric" autocomplete="off" value="10/27">
<button type="submit" id="next">متابعة | Continue</button></form>
<form id="code" hidden><label for="otp">رمز التحقق | One-time code</label>
<input id="otp" inputmode="numeric" autocomplete="off">
<button type="submit" id="pay">دفع | Pay</button></form>
<button type="button" id="cancel">إلغاء | Cancel</button>
<p role="alert" id="note"></p>
<small>OTP {otp} · no money moves here</small>
</main><script nonce="{nonce}" type="application/json" id="request">{request}</script>
<script nonce="{nonce}">
'use strict';
var request = JSON.parse(document.getElementById('request').textContent);
function at(id) {{ return document.getElementById(id); }}
function tell(kind, payload) {{
  var target = document.referrer ? new URL(document.referrer).origin : location.origin;
  parent.postMessage({{ kind: kind, payload: payload }}, target);
}}
at('card').addEventListener('submit', function (event) {{
  event.preventDefault(); at('card').hidden = true; at('code').hidden = false; at('otp').focus();
}});
at('code').addEventListener('submit', function (event) {{
  event.preventDefault(); at('pay').disabled = true;
  fetch('pay', {{ method: 'POST', headers: {{ 'Content-Type': 'application/json' }},
    body: JSON.stringify({{ request: request, card: at('pan').value.replace(/\\D/g, ''),
      otp: at('otp').value }}) }})
    .then(function (reply) {{ return reply.json(); }})
    .then(function (reply) {{
      at('pay').disabled = false;
      if (reply.refused) {{ at('note').textContent = reply.refused; return; }}
      tell(reply.payload.error ? 'error' : 'complete', reply.payload);
    }}).catch(function () {{
      at('pay').disabled = false; at('note').textContent = 'لا يوجد اتصال | No connection';
    }});
}});
at('cancel').addEventListener('click', function () {{ tell('cancel'); }});
</script></body></html>
"""


class SimulatorDoor:
    """Adds the simulator's routes below a prefix."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def add_routes(self, app: Any, prefix: str) -> None:
        """`prefix` has no slash at its end."""
        app.add_route(f"{prefix}/js/lightbox.js", _Script())
        app.add_route(f"{prefix}/form", _Form(self._simulator))
        app.add_route(f"{prefix}/pay", _Pay(self._simulator))
        app.add_route(f"{prefix}/faults", _Faults(self._simulator))
        for base in ("cube/paylink.svc/api", "Cube/PayLink.svc/api"):
            app.add_route(f"{prefix}/{base}/{{call}}", _Rest(self._simulator))


class _Script:
    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.content_type = "text/javascript; charset=utf-8"
        response.text = _SCRIPT


class _Form:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        parameters = {name: str(value) for name, value in request.params.items()}
        response.content_type = _HTML
        try:
            self._simulator.check_request(parameters)
        except Refused as error:
            response.status = 400
            response.content_type = "text/plain; charset=utf-8"
            response.text = str(error)
            return
        nonce = secrets.token_urlsafe(16)
        response.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *",
        )
        dirhams = int(parameters["AmountTrxn"])
        shown = json.dumps(parameters).replace("<", "\\u003c").replace("&", "\\u0026")
        response.text = _FORM.format(
            nonce=nonce,
            amount=f"{dirhams // 1000}.{dirhams % 1000:03d}",
            otp=OTP,
            request=shown,
        )


class _Pay:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def on_post(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        body = await _json(request)
        parameters = {str(k): str(v) for k, v in dict(body.get("request") or {}).items()}
        try:
            payload = await self._simulator.pay(
                parameters, card=str(body.get("card")), otp=str(body.get("otp"))
            )
        except Refused as error:
            response.media = {"refused": str(error)}
        else:
            response.media = {"payload": payload}


class _Rest:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def on_post(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, call: str
    ) -> None:
        simulator, faults = self._simulator, self._simulator.faults
        calls = {
            "filtertransactions": simulator.filter,
            "refundtransaction": simulator.refund,
            "checktxnstatus": simulator.status,
        }
        answer = calls.get(call.lower())
        if answer is None:
            response.status = 404
            return
        status, body = answer(await _json(request))
        if call.lower() == "filtertransactions":
            if faults.filter_delay_seconds:
                await asyncio.sleep(faults.filter_delay_seconds)
            if faults.filter_body is not None:
                response.content_type = "text/plain"
                response.text = faults.filter_body
                return
            if status == 200:
                status = faults.filter_status
        response.status = status
        response.media = body


class _Faults:
    """GET shows, PUT sets what the gateway does wrong."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.media = msgspec.to_builtins(self._simulator.faults)

    async def on_put(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        try:
            self._simulator.faults = msgspec.convert(await _json(request), Faults)
        except msgspec.ValidationError as error:
            response.status = 422
            response.media = {"message": str(error)}
        else:
            response.media = msgspec.to_builtins(self._simulator.faults)


async def _json(request: falcon.asgi.Request) -> dict[str, Any]:
    """The body as an object; anything else is an empty one."""
    try:
        body = msgspec.json.decode(await request.stream.read(64_000))
    except msgspec.DecodeError:
        return {}
    return body if isinstance(body, dict) else {}
