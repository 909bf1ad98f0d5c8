/* The gateway's lightbox: loads its script, opens its window, passes on what it reports.
 *
 * `pay.js` calls `eishroAction` once and keeps what it returns: `render` is called after every
 * change, `close` when the server has taken a completion.
 */
"use strict";

window.eishroAction = (payment) => {
  const { action, words } = payment;
  const button = document.getElementById("pay");
  const label = Array.from(button.childNodes);

  const SCRIPT_SECONDS_MAX = 20;
  const STATE_SECONDS_MAX = 3;
  // A window that ended without telling us must not lock the button for good.
  const COVERED_SECONDS = 4;

  let script = null;
  let opening = false;
  let covered = false;
  let isOpen = false;
  let instead = "";

  function gateway() {
    return typeof Lightbox !== "undefined" && Lightbox.Checkout ? Lightbox.Checkout : null;
  }

  function loadScript() {
    if (!script) {
      script = new Promise((resolve, reject) => {
        const tag = document.createElement("script");
        const fail = () => {
          tag.remove();
          script = null;
          reject(new Error("the gateway's script did not load"));
        };
        const late = setTimeout(fail, SCRIPT_SECONDS_MAX * 1000);
        tag.onload = () => {
          clearTimeout(late);
          if (gateway()) resolve();
          else fail();
        };
        tag.onerror = () => {
          clearTimeout(late);
          fail();
        };
        tag.src = action.scriptUrl;
        document.head.appendChild(tag);
      });
    }
    return script;
  }

  function render() {
    button.disabled = opening || covered;
    const text = opening ? words.opening : payment.isTriedBefore() ? words.again : "";
    if (text === instead) return;
    instead = text;
    button.textContent = text;
    // The amount keeps its markup.
    if (!text) button.append(...label);
  }

  async function openWindow() {
    if (opening || covered || !payment.isReady()) return;
    opening = true;
    payment.say("");
    render();
    try {
      // Another tab may have paid meanwhile; but a silent server must not stop the payer.
      const fresh = payment.refresh().catch(() => false);
      const patience = new Promise((resolve) => setTimeout(resolve, STATE_SECONDS_MAX * 1000));
      await Promise.all([loadScript(), Promise.race([fresh, patience])]);
      opening = false;
      if (payment.isReady()) showWindow();
    } catch (error) {
      opening = false;
      covered = false;
      payment.say(words.script, "bad");
    }
    render();
    if (!button.disabled && !isOpen && payment.isReady()) button.focus();
  }

  function showWindow() {
    if (isOpen) closeWindow();
    covered = true;
    isOpen = true;
    setTimeout(() => {
      covered = false;
      render();
    }, COVERED_SECONDS * 1000);
    gateway().configure = Object.assign({}, action.parameters, {
      completeCallback: onComplete,
      errorCallback: onError,
      cancelCallback: onCancel,
    });
    gateway().showLightbox();
    const frames = document.getElementsByTagName("iframe");
    if (frames.length) frames[frames.length - 1].focus();
  }

  function closeWindow() {
    isOpen = false;
    covered = false;
    try {
      gateway().closeLightbox();
    } catch (error) { /* there was none to close */ }
  }

  function onComplete(result) {
    payment.noteCompletion();
    payment.report(result, {});
  }

  function onError(result) {
    covered = false;
    payment.say(words.declined, "bad");
    payment.report(result, { error: "unknown" });
  }

  function onCancel() {
    // It also comes when the payer closes the receipt.
    if (payment.isCompleted() || !isOpen) return;
    isOpen = false;
    covered = false;
    if (!payment.hasNotice()) payment.say(words.closed);
    render();
    if (payment.isReady()) button.focus();
    payment.askSoon();
  }

  button.addEventListener("click", openWindow);
  // Fetched ahead so that the press answers at once; a failure is told when it matters.
  if (payment.isReady()) loadScript().catch(() => {});
  return { render, close: closeWindow };
};
