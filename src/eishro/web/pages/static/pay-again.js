/* Begins another attempt to pay, then goes to its page.
 *
 * The same choice sent twice is one attempt: it carries the same key until something of it is
 * changed or the server has answered. Plain ES2017, as the payment page's own script.
 */
"use strict";

(() => {
  const page = JSON.parse(document.getElementById("payment").textContent);
  const words = page.notices;
  const at = (id) => document.getElementById(id);
  const form = at("again");
  const button = at("start");
  const label = button.textContent;
  const radios = Array.from(form.querySelectorAll("[name=method]"));
  const fields = Array.from(form.querySelectorAll("input:not([type=radio])"));
  // Beginning may have to wait for two gateways.
  const REQUEST_SECONDS_MAX = 60;

  let sending = false;
  let key = null;

  function chosen() {
    return radios.find((radio) => radio.checked);
  }

  function asked() {
    const names = (chosen() ? chosen().dataset.asks : "").split(" ");
    return fields.filter((field) => names.includes(field.name));
  }

  function render() {
    for (const field of fields) at("asks-" + field.name).hidden = !asked().includes(field);
    button.disabled = sending || !chosen();
    const text = sending ? words.starting : label;
    if (button.textContent !== text) button.textContent = text;
  }

  function say(text) {
    at("notice").textContent = text;
    at("notice").hidden = !text;
  }

  function fault(field, text) {
    at(field.name + "-error").textContent = text;
    if (text) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }

  // All faults at once; the first one gets the focus.
  function showFaults(faults) {
    for (const field of fields) fault(field, faults[field.name] || "");
    const first = asked().find((field) => faults[field.name]);
    if (first) first.focus();
    return Boolean(first);
  }

  function asciiDigits(text) {
    return text
      .replace(/[٠-٩]/g, (d) => String(d.charCodeAt(0) - 0x660))
      .replace(/[۰-۹]/g, (d) => String(d.charCodeAt(0) - 0x6f0));
  }

  function content() {
    const body = { method: chosen().value };
    for (const field of asked()) {
      const text = asciiDigits(field.value).replace(/[\s-]/g, "");
      body[field.name] = field.name === "birthYear" && /^\d+$/.test(text) ? Number(text) : text;
    }
    return body;
  }

  function keyOfChoice() {
    if (!key) {
      const random = crypto.getRandomValues(new Uint8Array(16));
      key = Array.from(random, (b) => b.toString(16).padStart(2, "0")).join("");
    }
    return key;
  }

  async function post() {
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), REQUEST_SECONDS_MAX * 1000);
    try {
      const response = await fetch(page.address, {
        method: "POST",
        headers: {
          "Accept-Language": page.language,
          "Content-Type": "application/json",
          "Idempotency-Key": keyOfChoice(),
        },
        body: JSON.stringify(content()),
        cache: "no-store",
        signal: stop.signal,
      });
      const answer = await response.json();
      // Whoever answers without our envelope is not the server.
      if (!answer || typeof answer.success !== "boolean") throw new Error("not the server");
      return { status: response.status, data: answer.data, error: answer.error || {} };
    } finally {
      clearTimeout(late);
    }
  }

  // The page of an attempt takes the place of this one, so that the back button does not begin
  // a third.
  function go(id) {
    location.replace("/pay/" + encodeURIComponent(id) + "?lang=" + page.language);
  }

  // True where the answer leads on: to the new attempt, or to one that comes before any other.
  function take(answer) {
    const details = answer.error.details || {};
    const next = (answer.data && answer.data.id) || details.paymentId;
    if (next) {
      go(next);
      return true;
    }
    if (answer.status === 429) say(words.busy);
    else if (answer.status !== 422 || !showFaults(details)) {
      const own = answer.status === 422 && typeof details.method === "string";
      say(own ? details.method : answer.error.message || words.refused);
    }
    return false;
  }

  async function start(event) {
    event.preventDefault();
    if (sending || !chosen()) return;
    say("");
    const missing = {};
    for (const field of asked()) if (!field.value.trim()) missing[field.name] = words.missing;
    if (showFaults(missing)) return;
    sending = true;
    render();
    let leads = false;
    try {
      const answer = await post();
      if (answer.status < 500) key = null;
      leads = take(answer);
    } catch (error) {
      say(words.lost);
    }
    if (leads) return;
    sending = false;
    render();
    if (document.activeElement === document.body) button.focus();
  }

  form.addEventListener("submit", start);
  form.addEventListener("input", (event) => {
    key = null;
    if (fields.includes(event.target)) fault(event.target, "");
    render();
  });
  addEventListener("pageshow", (event) => {
    // Kept by the browser as it was: what may be chosen has changed.
    if (event.persisted) location.reload();
    else render();
  });
  render();
})();
