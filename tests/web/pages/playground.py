"""A tiny shop and a pretended gateway, each an HTTP server of its own on 127.0.0.1.

They stand on two origins, as in life, so that the page's policy is put to the test. The shop
serves the real pages and assets; what it answers about the payment is set by the test.
"""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from eishro.domain.payments.model import Status
from eishro.domain.payments.port import Action, Lightbox, PaymentMethod, Redirect
from eishro.web.pages import docs, pay, sandbox
from eishro.web.pages.again import AgainPageView, render_again_page
from eishro.web.pages.rendering import Language
from tests.servers.ports import free_port

PAYMENT_ID = "pay_01JABCDEFGHJKMNPQRSTVWXYZ0"
NEXT_ID = "pay_01JABCDEFGHJKMNPQRSTVWXYZ1"
NONCE = "dGVzdC1ub25jZS0x"
PARAMETERS = {
    "MID": "10081014649",
    "TID": "99179395",
    "AmountTrxn": "25500",
    "MerchantReference": "ABCDEFGH12345678",
    "TrxDateTime": "202601311200",
    "SecureHash": "A" * 64,
}

# Opens a frame and hears from it, as the gateway's script does; closing the receipt reports a
# cancel after the completion, and the misspelt member is the gateway's own.
LIGHTBOX_SCRIPT = """
var opened = 0;
var Lightbox = { Checkout: {
  configure: null,
  showLightbox: function () {
    opened += 1;
    var frame = document.createElement("iframe");
    frame.id = "gateway-frame";
    frame.title = "gateway";
    frame.setAttribute("style", "position:fixed;inset:0;width:100%;height:100%;border:0");
    frame.src = ORIGIN + "/frame";
    document.body.appendChild(frame);
  },
  closeLightbox: function () {
    var frame = document.getElementById("gateway-frame");
    if (!frame) return;
    frame.remove();
    Lightbox.Checkout.configure.cancelCallback();
  }
} };
addEventListener("message", function (event) {
  if (event.origin !== ORIGIN) return;
  var configured = Lightbox.Checkout.configure;
  if (event.data === "pay") configured.completeCallback({
    TxnDate: "260131120101", SystemReference: "3124", NetworkReference: "603112000001",
    MerchantReference: configured.MerchantReference, Amount: configured.AmountTrxn,
    Currency: "434", PaidThrough: "Card", PayerAccount: "639499XXXXXX0781", SecureHash: "B"
  });
  if (event.data === "decline") configured.errorCallback({
    error: "CUBEEX5212216:Authentication Failed", Amount: configured.AmountTrxn,
    MerchantReferenece: configured.MerchantReference
  });
  if (event.data === "close") Lightbox.Checkout.closeLightbox();
});
"""
FRAME = """<!doctype html><title>gateway</title>
<button onclick="parent.postMessage('pay', '*')">Pay</button>
<button onclick="parent.postMessage('decline', '*')">Decline</button>
<button onclick="parent.postMessage('close', '*')">Close</button>
"""

Answer = tuple[int, str, bytes, dict[str, str]]


class Playground:
    """The shop's state, and what both servers have heard. Start and stop it."""

    def __init__(self) -> None:
        shop_port, gateway_port = free_port(), free_port()
        self.shop = f"http://127.0.0.1:{shop_port}"
        self.gateway = f"http://127.0.0.1:{gateway_port}"
        self.status: Status = "action_required"
        self.action: Action | None = Lightbox(f"{self.gateway}/js/lightbox.js", PARAMETERS)
        self.expires_at: datetime | None = datetime(2031, 1, 31, 12, 5, tzinfo=UTC)
        self.return_url: str | None = f"{self.shop}/shop"
        self.store_name = "متجر النخلة"
        # What the next results do: the status they lead to, or the connection that breaks.
        self.after_result: Status = "paid"
        self.break_results = False
        self.result_status = 200
        self.script_is_missing = False
        self.wrong_code = False
        self.codes_max = 100  # wrong ones; by the last of them the attempt fails
        self.results: list[Any] = []
        self.codes: list[tuple[str, str | None]] = []
        self.codes_resent = 0
        # What another code brings, and what is wrong with a proof.
        self.resent: Action | None = None
        self.proof_faults: dict[str, str] = {}
        self.break_proofs = False
        self.proofs: list[tuple[str, bytes, str | None]] = []
        self.failure: str | None = None
        # What may be chosen from when an attempt is over, and what the choice brings: faults, the
        # attempt to go on with, or a lost connection. The next attempt waits at the gateway.
        self.again: bool | None = None
        self.methods: list[PaymentMethod] = []
        self.again_faults: dict[str, str] = {}
        self.goes_on_with: str | None = None
        self.break_again = False
        self.choices: list[tuple[dict[str, Any], str | None]] = []
        self.next_action: Action = Redirect(f"{self.gateway}/frame")
        self.method = "moamalat"
        self.openapi: dict[str, Any] = {}
        self._servers = [
            _server(shop_port, self._answer_as_shop),
            _server(gateway_port, self._answer_as_gateway),
        ]

    @property
    def page(self) -> str:
        """The address of the payment page."""
        return f"{self.shop}/pay/{PAYMENT_ID}"

    def start(self) -> None:
        """Serve until `stop`."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """End both servers."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _answer_as_gateway(self, method: str, path: str, _: bytes, __: Any) -> Answer | None:
        if path == "/js/lightbox.js" and not self.script_is_missing:
            script = f"var ORIGIN = {json.dumps(self.gateway)};\n{LIGHTBOX_SCRIPT}"
            return 200, "text/javascript", script.encode(), {}
        if path == "/frame":
            return 200, "text/html", FRAME.encode(), {}
        return 404, "text/plain", b"", {}

    def _answer_as_shop(self, method: str, path: str, body: bytes, headers: Any) -> Answer | None:
        parts = urlsplit(path)
        api = f"/api/payments/{PAYMENT_ID}"
        if parts.path.startswith("/pay/"):
            return self._hosted(method, parts.path, parse_qs(parts.query), body, headers)
        if parts.path in (api, f"/api/payments/{NEXT_ID}"):
            return self._envelope(parts.path.rpartition("/")[2])
        if parts.path == f"{api}/result":
            return self._take_result(json.loads(body))
        if parts.path == f"{api}/otp":
            return self._take_code(json.loads(body)["code"], headers["Idempotency-Key"])
        if parts.path == f"{api}/otp/resend":
            self.codes_resent += 1
            self.action = self.resent or self.action
            return self._envelope()
        if parts.path == f"{api}/proof":
            return self._take_proof(body, headers)
        return self._answer_with_page(parts.path, parse_qs(parts.query))

    def _answer_with_page(self, path: str, query: dict[str, list[str]]) -> Answer:
        if path.startswith("/assets/"):
            return _asset(pay.read_asset(path.removeprefix("/assets/")))
        if path == "/docs":
            policy = {"Content-Security-Policy": docs.content_security_policy(NONCE)}
            return 200, "text/html", docs.render_docs_page(nonce=NONCE), policy
        if path.startswith("/docs/"):
            return _asset(docs.docs_asset(path.removeprefix("/docs/")))
        if path == "/openapi.json":
            return 200, "application/json", json.dumps(self.openapi).encode(), {}
        if path == "/sandbox":
            policy = {"Content-Security-Policy": sandbox.CONTENT_SECURITY_POLICY}
            links = [("/sandbox/mail", "صندوق البريد", "Mail outbox")]
            language = "en" if query.get("lang") == ["en"] else "ar"
            page = sandbox.render_sandbox_index(links, language=language)  # type: ignore[arg-type]
            return 200, "text/html", page, policy
        return 200, "text/html", b"<!doctype html><title>shop</title>the shop", {}

    def _hosted(
        self, method: str, path: str, query: dict[str, list[str]], body: bytes, headers: Any
    ) -> Answer | None:
        language: Language = "en" if query.get("lang") == ["en"] else "ar"
        payment_id = path.split("/")[2]
        if not path.endswith("/again"):
            return self._pay_page(payment_id, language)
        if method == "POST":
            return self._take_choice(json.loads(body), headers["Idempotency-Key"])
        view = AgainPageView(
            payment_id=payment_id,
            order_number="A-1042",
            store_name=self.store_name,
            method=self.method,
            methods=self.methods,
            due_dirhams=25500,
            due_cents=532,
        )
        page = render_again_page(view, language=language, nonce=NONCE)
        return 200, "text/html; charset=utf-8", page, _policy(None)

    def _take_choice(self, body: dict[str, Any], key: str | None) -> Answer | None:
        self.choices.append((body, key))
        if self.break_again:
            return None
        if self.again_faults:
            return _refusal(422, "VALIDATION_ERROR", self.again_faults)
        if self.goes_on_with:
            return _refusal(409, "PAYMENT_OPEN", {"paymentId": self.goes_on_with})
        return (201, *self._envelope(NEXT_ID)[1:])

    def _state_of(self, payment_id: str) -> tuple[Status, Action | None]:
        if payment_id == NEXT_ID:
            return "action_required", self.next_action
        return self.status, self.action

    def _pay_page(self, payment_id: str, language: Language) -> Answer:
        status, action = self._state_of(payment_id)
        view = pay.PayPageView(
            payment_id=payment_id,
            order_number="A-1042",
            store_name=self.store_name,
            method=self.method,
            now=datetime.now(UTC),
            failure=self.failure,
            status=status,
            amount_dirhams=25500,
            currency="LYD",
            action=action,
            expires_at=self.expires_at,
            return_url=self.return_url,
            again=self.again,
        )
        script = action.script_url if isinstance(action, Lightbox) else None
        page = pay.render_pay_page(view, language=language, nonce=NONCE)
        return 200, "text/html; charset=utf-8", page, _policy(script)

    def _envelope(self, payment_id: str = PAYMENT_ID) -> Answer:
        status, action = self._state_of(payment_id)
        data = {
            "id": payment_id,
            "status": status,
            "amount": 25.5,
            "currency": "LYD",
            "failure": self.failure,
            "action": msgspec.to_builtins(action),
        }
        return 200, "application/json", json.dumps({"success": True, "data": data}).encode(), {}

    def _take_result(self, payload: Any) -> Answer | None:
        if self.break_results:
            return None
        if self.result_status != 200:
            return _refusal(self.result_status, "UNAVAILABLE", {})
        self.results.append(payload)
        self.status = self.after_result
        return self._envelope()

    def _take_proof(self, body: bytes, headers: Any) -> Answer | None:
        self.proofs.append((headers["Content-Type"], body, headers["Idempotency-Key"]))
        if self.break_proofs:
            return None
        if self.proof_faults:
            return _refusal(422, "VALIDATION_ERROR", self.proof_faults)
        self.status, self.failure = "processing", None
        return self._envelope()

    def _take_code(self, code: str, key: str | None) -> Answer:
        self.codes.append((code, key))
        if self.wrong_code:
            if len(self.codes) >= self.codes_max:
                self.status = "failed"
            return _refusal(422, "VALIDATION_ERROR", {"code": "is not the code that was sent"})
        self.status = "paid"
        return self._envelope()


def _policy(script: str | None) -> dict[str, str]:
    return {
        "Content-Security-Policy": pay.content_security_policy(NONCE, script),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }


def _refusal(status: int, code: str, details: dict[str, str]) -> Answer:
    error = {"code": code, "message": "no", "details": details}
    return status, "application/json", json.dumps({"success": False, "error": error}).encode(), {}


def _asset(found: tuple[bytes, str, str] | None) -> Answer:
    if found is None:
        return 404, "text/plain", b"", {}
    content, content_type, etag = found
    return 200, content_type, content, {"ETag": etag}


def _server(
    port: int, answer: Callable[[str, str, bytes, Any], Answer | None]
) -> ThreadingHTTPServer:
    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = answer(self.command, self.path, body, self.headers)
            if found is None:
                self.close_connection = True
                return  # without an answer: the connection is lost
            status, content_type, content, headers = found
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Door)
