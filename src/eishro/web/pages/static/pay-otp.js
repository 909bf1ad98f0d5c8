/* The form for a one-time code: sends it, shows what is wrong with it, asks for a new one.
 *
 * `pay.js` calls `eishroAction` once and keeps what it returns: `update` is told what there is to
 * do each time the server says it, since another tab may have asked for a new code.
 */
"use strict";

window.eishroAction = (payment) => {
  const { words } = payment;
  const at = (id) => document.getElementById(id);
  const field = at("code");
  const problem = at("code-error");
  const confirm = at("confirm");
  const resend = at("resend");
  const label = confirm.textContent;
  const resendLabel = resend.textContent;

  // Gateways refuse a second code within a minute or so, also where they do not say until when.
  const RESEND_SECONDS = 60;
  const LAST_SECONDS = 60;

  let action = payment.action;
  let sending = false;
  let asking = false;
  let triesLeft = action.triesLeft;
  let codeKey = { code: null, key: null };
  let waitUntil = 0;

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

  function write(place, text) {
    if (place.textContent !== text) place.textContent = text;
  }

  function clock(milliseconds) {
    const seconds = Math.ceil(milliseconds / 1000);
    return Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
  }

  // Said aloud: a clock that is told every second drowns everything else.
  function livesSaid(lives) {
    if (lives === null || lives > LAST_SECONDS * 1000 || !payment.isReady()) return "";
    return lives > 0 ? words.lastMinute : words.ranOut;
  }

  // Called every second: how long the code lives, and from when on another may be asked for.
  function render() {
    const now = payment.now();
    const lives = action.expiresAt ? Date.parse(action.expiresAt) - now : null;
    const left = lives === null ? "" : words.lives.replace("{time}", clock(lives));
    write(at("lives"), lives !== null && lives <= 0 ? words.ranOut : left);
    write(at("said"), sending ? words.sending : livesSaid(lives));
    const until = Math.max(waitUntil, action.resendAt ? Date.parse(action.resendAt) : 0);
    const waits = until - now;
    resend.disabled = asking || sending || waits > 0;
    write(resend, waits > 0 ? resendLabel + " (" + clock(waits) + ")" : resendLabel);
    confirm.disabled = sending;
    write(confirm, sending ? words.sending : label);
  }

  function wrongText(details) {
    if (triesLeft > 0) triesLeft -= 1;
    const text = details.code ? words.codeIs.replace("{fault}", details.code) : words.wrong;
    return text + " " + words.tries.replace("{n}", String(triesLeft));
  }

  async function sendCode(event) {
    event.preventDefault();
    if (sending) return;
    const code = asciiDigits(field.value);
    if (!/^[0-9]+$/.test(code) || (action.length && code.length !== action.length)) {
      fault(words.length);
      return;
    }
    fault("");
    payment.say("");
    sending = true;
    render();
    let wrong = "";
    try {
      const answer = await payment.send("/otp", { code }, keyFor(code));
      // The same code again after a refusal is another try.
      if (!answer.ok) codeKey = { code: null, key: null };
      if (answer.status === 422) wrong = wrongText(answer.error.details || {});
      else if (answer.status === 429) payment.say(words.busy);
      else if (!answer.ok) payment.say(answer.error.message || words.refused, "bad");
    } catch (error) { /* the notice tells, and the state is asked for */ }
    sending = false;
    render();
    if (wrong) fault(wrong);
    // A button at rest loses the focus.
    if (document.activeElement === document.body && payment.isReady()) confirm.focus();
    payment.askSoon();
  }

  async function resendCode() {
    if (asking || sending) return;
    asking = true;
    codeKey = { code: null, key: null };
    fault("");
    render();
    try {
      const answer = await payment.send("/otp/resend", {});
      if (answer.ok) payment.say(words.resent, "good");
      else if (answer.status === 429) payment.say(words.busy);
      else payment.say(answer.error.message || words.refused, "bad");
      const isSoon = answer.ok && action.resendAt && Date.parse(action.resendAt) > payment.now();
      const seconds = answer.ok || answer.status === 429 ? answer.wait || RESEND_SECONDS : 0;
      waitUntil = isSoon ? 0 : payment.now() + seconds * 1000;
    } catch (error) { /* as above */ }
    asking = false;
    render();
    field.focus();
    payment.askSoon();
  }

  at("otp").addEventListener("submit", sendCode);
  field.addEventListener("input", () => fault(""));
  resend.addEventListener("click", resendCode);
  setInterval(render, 1000);
  return {
    render,
    update: (now) => {
      if (now.kind === "otp") action = now;
    },
  };
};
