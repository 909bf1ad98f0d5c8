/* Follows one payment until its end; the action has a script of its own, loaded before.
 *
 * The server is asked for the state each time; nothing here decides that money came. What the
 * gateway's window reports is kept in this tab until the server has taken it, so that neither a
 * reload nor a lost connection loses it. Plain ES2017: old telephones are common.
 */
"use strict";

(() => {
  const page = JSON.parse(document.getElementById("payment").textContent);
  const words = page.notices;
  const action = page.action;
  const at = (id) => document.getElementById(id);

  const SETTLED = ["paid", "partially_refunded", "refunded", "voided"];
  const CLOSED = ["failed", "cancelled", "expired"];
  // Seconds between questions: quick after news, then slower, since callers have a rate limit.
  const PAUSES = [1, 2, 3, 5, 8, 13, 20, 30, 60];
  const PAUSES_IDLE = [20, 30, 60, 120];
  const BACKOFF_SECONDS_MAX = 30;
  const REQUEST_SECONDS_MAX = 30;
  const UPLOAD_SECONDS_MAX = 180;
  const SLOW_AFTER_SECONDS = 45;
  // How long a completion outweighs an older "no" of the server.
  const COMPLETION_SECONDS = 900;
  const REPORTS_MAX = 5;

  let status = page.status;
  let failure = page.failure;
  let shown = page.phase;
  let shownAt = Date.now();
  let kept = recall();
  const skew = page.now ? Date.parse(page.now) - Date.now() : 0;
  let lost = false;
  let leaving = false;
  let notice = null;

  // What this tab must not forget: reports not yet taken, and a completion seen.

  function recall() {
    try {
      const found = JSON.parse(sessionStorage.getItem("eishro." + page.id));
      if (found && Array.isArray(found.reports)) return found;
    } catch (error) { /* no storage, or not ours: start afresh */ }
    return { reports: [], completedAt: 0, statusThen: null };
  }

  function remember() {
    try {
      sessionStorage.setItem("eishro." + page.id, JSON.stringify(kept));
    } catch (error) { /* private mode: the reports live as long as the page */ }
  }

  function completed() {
    const age = Date.now() - kept.completedAt;
    return kept.completedAt > 0 && age < COMPLETION_SECONDS * 1000;
  }

  // What the payer sees.

  function phase() {
    if (SETTLED.includes(status)) return status;
    if (kept.reports.length) return "processing";
    // A refusal older than the completion speaks of an earlier try.
    const stale = completed() && status === kept.statusThen;
    if (CLOSED.includes(status) && !stale) return status;
    if (completed()) return status === "unknown" ? "unknown" : "processing";
    if (status === "processing" || status === "unknown") return status;
    return action.kind === "none" ? "created" : "ready_" + action.kind;
  }

  function isReady() {
    const now = phase();
    return now.startsWith("ready_") || (now === "failed" && action.canRetry === true);
  }

  function isOver() {
    const now = phase();
    return SETTLED.includes(now) || CLOSED.includes(now);
  }

  function render() {
    const now = phase();
    const state = at("state");
    if (now !== shown) {
      const focus = document.activeElement;
      const taken = focus === document.body || (at("action") && at("action").contains(focus));
      shown = now;
      shownAt = Date.now();
      // Who is taken there hears it by that, and not as news too.
      state.setAttribute("aria-live", taken ? "off" : "polite");
      state.dataset.phase = now;
      at("headline").textContent = page.phases[now][0];
      at("detail").textContent = page.phases[now][1];
      if (isOver()) notice = null;
      if (taken) state.focus();
    }
    const isSlow = Date.now() - shownAt > SLOW_AFTER_SECONDS * 1000;
    if (now === "processing" && action.kind !== "offline" && isSlow) {
      state.setAttribute("aria-live", "polite");
      if (at("detail").textContent !== words.slow) at("detail").textContent = words.slow;
    }
    show("action", isReady());
    show("again", CLOSED.includes(now) || now === "ready_otp");
    show("until", now.startsWith("ready_"));
    show("back", isOver() || now === "unknown" || now === "ready_offline");
    show("close", isOver() || now === "unknown");
    renderNotice();
    renderFailure(now);
    if (runner.render) runner.render();
  }

  function show(id, visible) {
    if (at(id)) at(id).hidden = !visible;
  }

  // Why people of the shop said no; a gateway's own words would tell the payer nothing.
  function renderFailure(now) {
    if (!at("failure")) return;
    if (at("failure").textContent !== failure) at("failure").textContent = failure;
    show("failure", now === "failed" && failure !== "");
  }

  function renderNotice() {
    const lossText = isReady() ? words.offline : words.lost;
    const text = lost ? lossText : notice ? notice.text : "";
    const place = at("notice");
    if (place.textContent !== text) place.textContent = text;
    place.className = "notice" + (lost || !notice ? "" : " " + notice.tone);
    place.hidden = !text;
  }

  function say(text, tone) {
    notice = text ? { text, tone: tone || "" } : null;
    renderNotice();
  }

  // Talking to the server.

  async function call(method, path, body, key) {
    const stop = new AbortController();
    const isForm = body instanceof FormData;
    const seconds = isForm ? UPLOAD_SECONDS_MAX : REQUEST_SECONDS_MAX;
    const late = setTimeout(() => stop.abort(), seconds * 1000);
    const headers = { "Accept-Language": page.language };
    if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    try {
      const response = await fetch(page.api + path, {
        method,
        headers,
        body: body === undefined || isForm ? body : JSON.stringify(body),
        cache: "no-store",
        // Browsers keep only small requests alive.
        keepalive: method === "POST" && !isForm,
        signal: stop.signal,
      });
      // Whoever answers without our envelope (a hotel's sign-in page, a proxy) is not the server.
      const answer = await response.json();
      if (!answer || typeof answer.success !== "boolean") throw new Error("not the server");
      return {
        ok: response.ok && answer.success,
        status: response.status,
        data: answer.data,
        error: answer.error || {},
        wait: Number(response.headers.get("Retry-After")) || 0,
      };
    } finally {
      clearTimeout(late);
    }
  }

  function take(answer) {
    if (!answer.ok || !answer.data || typeof answer.data.status !== "string") return false;
    status = answer.data.status;
    failure = answer.data.failure || "";
    if (answer.data.action && runner.update) runner.update(answer.data.action);
    // What there is to do has changed since the page was made: let the server make it anew.
    if (page.isEarly && status === "action_required" && answer.data.action) {
      leaving = true;
      location.reload();
    }
    return true;
  }

  let timer = 0;
  let asking = false;
  let askAgain = false;
  let round = 0;
  let failures = 0;

  function askSoon() {
    round = 0;
    if (asking) askAgain = true;
    else ask();
  }

  async function ask() {
    clearTimeout(timer);
    asking = true;
    askAgain = false;
    let pause;
    try {
      pause = await exchange();
      lost = false;
    } catch (error) {
      failures += 1;
      lost = !leaving;
      pause = Math.min(2 ** (failures - 1), BACKOFF_SECONDS_MAX);
    }
    asking = false;
    if (leaving) return;
    render();
    if (askAgain) ask();
    else if (pause !== null) timer = setTimeout(wake, pause * 1000);
  }

  function wake() {
    // Unseen pages rest, unless they hold a report. `visibilitychange` wakes them.
    if (!document.hidden || kept.reports.length) ask();
  }

  // One exchange with the server; the seconds until the next, null when there is none.
  async function exchange() {
    let told = false;
    let wait = 0;
    if (kept.reports.length) {
      const answer = await call("POST", "/result", kept.reports[0]);
      const again = answer.status >= 500 || [408, 425, 429].includes(answer.status);
      if (again) {
        failures += 1;
        wait = Math.max(answer.wait, Math.min(2 ** failures, BACKOFF_SECONDS_MAX));
      } else {
        failures = 0;
        told = take(answer);
        kept.reports.shift();
        remember();
        if (answer.ok && completed() && runner.close) runner.close();
      }
    }
    if (!told && !leaving) {
      const answer = await call("GET", "");
      if (take(answer)) failures = kept.reports.length ? failures : 0;
      else wait = Math.max(wait, answer.wait, Math.min(2 ** ++failures, BACKOFF_SECONDS_MAX));
    }
    if (kept.reports.length) return wait;
    if (isOver()) return null;
    const isIdle = phase().startsWith("ready_") || action.kind === "offline";
    const pauses = isIdle ? PAUSES_IDLE : PAUSES;
    return Math.max(wait, pauses[Math.min(round++, pauses.length - 1)]);
  }

  // What the action's own script works with.

  function report(result, otherwise) {
    let body = otherwise;
    if (result instanceof Error) body = { error: result.message };
    else if (typeof result === "string") body = { error: result };
    else if (result && typeof result === "object" && !Array.isArray(result)) {
      try {
        body = JSON.parse(JSON.stringify(result));
      } catch (error) { /* not a message; the server asks the gateway anyway */ }
    }
    kept.reports = kept.reports.concat([body]).slice(-REPORTS_MAX);
    remember();
    render();
    askSoon();
  }

  function noteCompletion() {
    kept.completedAt = Date.now();
    kept.statusThen = status;
  }

  // A POST by the payer's wish; a lost connection shows itself and is thrown on.
  async function send(path, body, key) {
    try {
      const answer = await call("POST", path, body, key);
      lost = false;
      take(answer);
      return answer;
    } catch (error) {
      lost = true;
      throw error;
    } finally {
      render();
    }
  }

  const runner = !window.eishroAction ? {} : window.eishroAction({
    action,
    words,
    // The server's clock: telephones are often set wrong.
    now: () => Date.now() + skew,
    isReady,
    isCompleted: completed,
    hasNotice: () => notice !== null,
    isTriedBefore: () => notice !== null || status === "failed",
    refresh: () => call("GET", "").then(take).then(render),
    say,
    report,
    noteCompletion,
    send,
    askSoon,
  });

  // Start.

  if (at("go")) {
    at("go").addEventListener("click", (event) => {
      if (leaving) event.preventDefault();
      leaving = true;
      at("go").setAttribute("aria-disabled", "true");
    });
  }
  // The way back from a gateway's page ends here.
  if (location.hash === "#back") {
    history.replaceState(null, "", location.pathname + location.search);
    if (isReady()) say(words.returned);
  }
  addEventListener("online", askSoon);
  addEventListener("offline", () => {
    if (isOver()) return;
    lost = true;
    renderNotice();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !isOver()) askSoon();
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    leaving = false;
    if (at("go")) at("go").removeAttribute("aria-disabled");
    askSoon();
  });
  render();
  if (kept.reports.length || !isOver()) askSoon();
})();
