/* Paying outside: copies facts of the transfer, and sends the proof that it was made.
 *
 * `pay.js` calls `eishroAction` once.
 */
"use strict";

window.eishroAction = (payment) => {
  const { words } = payment;
  const at = (id) => document.getElementById(id);
  const form = at("proof");
  const COPIED_SECONDS = 3;
  const FILE_BYTES_MAX = 5000000;

  // Pages without TLS, and old telephones, have no clipboard of their own.
  function copyByHand(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.className = "unseen";
    document.body.appendChild(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  async function copy(button) {
    const text = button.dataset.copy;
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch (error) {
      done = copyByHand(text);
      button.focus();
    }
    const label = button.dataset.label || button.textContent;
    button.dataset.label = label;
    button.textContent = done ? words.copied : words.notCopied;
    at("copied").textContent = button.textContent;
    setTimeout(() => {
      button.textContent = label;
      at("copied").textContent = "";
    }, COPIED_SECONDS * 1000);
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => copy(button));
    button.disabled = false;
  }
  if (!form) return {};

  const button = at("show-proof");
  const label = button.textContent;
  const fields = Array.from(form.querySelectorAll("input"));
  let sending = false;
  let key = null;

  function fault(field, text) {
    at(field.id + "-error").textContent = text;
    if (text) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }

  function nameOf(field) {
    return field.labels[0].firstChild.textContent.trim();
  }

  // All faults at once; the first one gets the focus, which tells it. Where it has the focus already
  // it is told by its name: an alert for each would say the same words over and over.
  function showFaults(faults) {
    for (const field of fields) fault(field, faults[field.name] || "");
    const first = fields.find((field) => faults[field.name]);
    const isThere = first && first === document.activeElement;
    at("said").textContent = isThere ? nameOf(first) + ": " + faults[first.name] : "";
    if (first) first.focus();
    return Boolean(first);
  }

  function faultsHere() {
    const found = {};
    for (const field of fields) {
      if (field.required && !field.value.trim()) found[field.name] = words.missing;
      const file = field.files && field.files[0];
      if (file && file.size > FILE_BYTES_MAX) found[field.name] = words.large;
    }
    return found;
  }

  function content() {
    const body = new FormData();
    for (const field of fields) {
      if (!field.files) body.append(field.name, field.value.trim());
      else if (field.files[0]) body.append(field.name, field.files[0]);
    }
    return body;
  }

  // Sent again after a lost answer it is the same proof, until something of it is changed.
  function keyOfProof() {
    if (!key) {
      const random = crypto.getRandomValues(new Uint8Array(16));
      key = Array.from(random, (b) => b.toString(16).padStart(2, "0")).join("");
    }
    return key;
  }

  function render() {
    button.disabled = sending;
    const text = sending ? words.sendingProof : label;
    if (button.textContent === text) return;
    button.textContent = text;
    at("said").textContent = sending ? text : "";
  }

  function rest() {
    sending = false;
    render();
  }

  async function sendProof(event) {
    event.preventDefault();
    if (sending || showFaults(faultsHere())) return;
    payment.say("");
    sending = true;
    render();
    try {
      const answer = await payment.send("/proof", content(), keyOfProof());
      rest();
      if (answer.ok || answer.status < 500) key = null;
      if (answer.ok) {
        form.reset();
        payment.say(words.shown, "good");
      } else if (answer.status === 429) payment.say(words.busy);
      else if (answer.status !== 422 || !showFaults(answer.error.details || {})) {
        payment.say(answer.error.message || words.refused, "bad");
      }
    } catch (error) { /* the notice tells, and the state is asked for */ }
    rest();
    // A button at rest loses the focus.
    if (document.activeElement === document.body && payment.isReady()) button.focus();
    payment.askSoon();
  }

  form.addEventListener("submit", sendProof);
  form.addEventListener("input", (event) => {
    key = null;
    if (event.target.name) fault(event.target, "");
  });
  return { render };
};
