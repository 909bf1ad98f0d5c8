/* The simulator's card form: card, one-time code, outcome. It tells the page that opened it. */
"use strict";

(() => {
  const given = JSON.parse(document.getElementById("given").textContent);
  const words = given.words;
  const at = (id) => document.getElementById(id);
  let isPaid = false;

  function tell(kind, payload) {
    if (parent !== window) parent.postMessage({ kind, payload }, given.opener);
  }

  function show(step) {
    at("card").hidden = step !== "card";
    at("code").hidden = step !== "code";
    const first = { card: "pan", code: "otp" }[step];
    if (first) at(first).focus();
  }

  function say(text, isGood) {
    at("note").textContent = text;
    at("note").className = isGood ? "good" : "";
  }

  // Arabic keyboards write ٠ to ٩.
  function digits(id) {
    return at(id).value
      .replace(/[٠-٩]/g, (d) => String(d.charCodeAt(0) - 0x660))
      .replace(/\D/g, "");
  }

  function expiry() {
    const found = digits("expiry");
    return found.slice(0, 2) + "/" + found.slice(-2);
  }

  async function pay() {
    at("pay").disabled = true;
    say(words.sending, true);
    try {
      const response = await fetch("pay", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          request: given.request,
          card: digits("pan"),
          expiry: expiry(),
          otp: digits("otp"),
        }),
      });
      const answer = await response.json();
      if (answer.refused) fail(answer.refused, { error: answer.refused });
      else if (answer.payload.error) fail(answer.payload.error, answer.payload);
      else succeed(answer.payload);
    } catch (error) {
      say(words.offline);
    }
    at("pay").disabled = false;
  }

  // Another card may be tried in the same window.
  function fail(text, payload) {
    at("otp").value = "";
    show("card");
    say(text);
    tell("error", payload);
  }

  function succeed(payload) {
    isPaid = true;
    show("receipt");
    say(words.paid, true);
    at("cancel").textContent = words.close;
    at("cancel").focus();
    tell("complete", payload);
  }

  at("card").addEventListener("submit", (event) => {
    event.preventDefault();
    say("");
    show("code");
  });
  at("code").addEventListener("submit", (event) => {
    event.preventDefault();
    pay();
  });
  // Closing the receipt is a cancel too: so it is at the gateway. The opener removes this frame
  // on hearing it; a press that is still under way (an automated one waits for its end) comes first.
  at("cancel").addEventListener("click", () => setTimeout(tell, 100, "cancel"));

  if (given.refused) {
    say(given.refused);
    tell("error", { error: given.refused });
  } else if (!isPaid) {
    at("pan").value = given.card;
    at("expiry").value = given.expiry;
    show("card");
  }
})();
