/* The form for a one-time code: sends it, shows what is wrong with it, asks for a new one.
 *
 * `pay.js` calls `eishroAction` once.
 */
"use strict";

window.eishroAction = (payment) => {
  const { action, words } = payment;
  const field = document.getElementById("code");
  const problem = document.getElementById("code-error");
  const confirm = document.getElementById("confirm");
  const resend = document.getElementById("resend");
  const label = confirm.textContent;

  // Gateways refuse a second code within a minute or so.
  const RESEND_SECONDS = 60;

  let sending = false;
  let codeKey = { code: null, key: null };

  function asciiDigits(text) {
    return text
      .replace(/[٠-٩]/g, (d) => String(d.charCodeAt(0) - 0x660))
      .replace(/[۰-۹]/g, (d) => String(d.charCodeAt(0) - 0x6f0))
      .replace(/\s/g, "");
  }

  // The same code sent twice is one try, even when the first answer got lost.
  function keyFor(code) {
    if (codeKey.code !== code) {
      const random = crypto.getRandomValues(new Uint8Array(16));
      const key = Array.from(random, (b) => b.toString(16).padStart(2, "0")).join("");
      codeKey = { code, key };
    }
    return codeKey.key;
  }

  function fault(text) {
    problem.textContent = text;
    if (text) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    if (text) {
      field.focus();
      field.select();
    }
  }

  function renderSending(busy) {
    sending = busy;
    confirm.disabled = busy;
    confirm.textContent = busy ? words.sending : label;
  }

  async function sendCode(event) {
    event.preventDefault();
    if (sending) return;
    const code = asciiDigits(field.value);
    if (!code || (action.length && code.length !== action.length)) {
      fault(words.length);
      return;
    }
    fault("");
    payment.say("");
    renderSending(true);
    let wrong = "";
    try {
      const answer = await payment.send("/otp", { code }, keyFor(code));
      if (answer.status === 422) wrong = (answer.error.details || {}).code || words.wrong;
      else if (answer.status === 429) payment.say(words.busy);
      else if (!answer.ok) payment.say(answer.error.message || words.refused, "bad");
    } catch (error) { /* the notice tells, and the state is asked for */ }
    renderSending(false);
    if (wrong) fault(wrong);
    payment.askSoon();
  }

  async function resendCode() {
    resend.disabled = true;
    codeKey = { code: null, key: null };
    setTimeout(() => { resend.disabled = false; }, RESEND_SECONDS * 1000);
    fault("");
    try {
      const answer = await payment.send("/otp/resend", {});
      if (answer.ok) payment.say(words.resent, "good");
      else if (answer.status === 429) payment.say(words.busy);
      else payment.say(answer.error.message || words.refused, "bad");
    } catch (error) { /* as above */ }
    field.focus();
    payment.askSoon();
  }

  document.getElementById("otp").addEventListener("submit", sendCode);
  field.addEventListener("input", () => fault(""));
  resend.addEventListener("click", resendCode);
  confirm.disabled = false;
  resend.disabled = false;
  return {};
};
