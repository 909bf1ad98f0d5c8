// Runs the Worker's bundle on Pyodide with Miniflare's D1, KV and R2: no Cloudflare, no network.
//
//   node host.mjs '{"task": "checks" | "serve", ...}'
//
// "checks" runs the modules named, such as tests.edge.runtime.checks_ports,
// inside Pyodide and prints one line a result.
// "serve" answers HTTP on `port` with the Worker, and on `controlPort` with what a test may do to
// the platform: run a cron turn, run SQL, break a binding.
import { createServer } from "node:http";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// Node would print the whole line a fault is in, which in Pyodide is half a megabyte.
process.on("uncaughtException", (error) => {
  process.stderr.write(`host: ${error?.stack ?? error}\n`.slice(0, 3000));
  process.exit(1);
});

const options = JSON.parse(process.argv[2]);
const modules = join(options.root, "edge", "node_modules");
const load = (path) => import(pathToFileURL(join(modules, path)).href);
const { Miniflare } = await load("miniflare/dist/src/index.js");
const { loadPyodide } = await load("pyodide/pyodide.mjs");

const spent = { statements: 0, rowsWritten: 0 }; // in D1, by all invocations since the start
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const DATABASES = ["DB", "DB_EAST", "EMPTY"];
const miniflare = new Miniflare({
  cf: false, // else it asks the network for the request's place
  host: "127.0.0.1",
  port: options.bridgePort,
  modules: true,
  script: readFileSync(new URL("bridge.mjs", import.meta.url), "utf8"),
  compatibilityDate: options.compatibilityDate,
  d1Databases: DATABASES,
  kvNamespaces: ["KV"],
  r2Buckets: ["FILES"],
});
const bindings = await miniflare.getBindings();
const env = { ...bindings, ...options.variables };
// Miniflare's own proxy makes a blocking call for each prepare() and bind(), 8 ms a statement; here
// they are plain objects, and one request to a Worker in workerd carries what is run.
for (const database of DATABASES) env[database] = d1Of(database);
env.FILES = r2();
env.PROXIED = bindings.DB; // one check goes through the proxy all the same

const pyodide = await loadPyodide({ stderr: (line) => process.stderr.write(line + "\n") });
for (const [at, folder] of Object.entries(options.mounts)) {
  pyodide.mountNodeFS(at, folder);
}
globalThis.testEnv = env;
globalThis.testTools = {
  miniflare,
  broken: (message) => new Proxy({}, {
    get: (_, name) => name === "then" ? undefined : () => Promise.reject(new Error(message)),
  }),
  context: { waitUntil() {} },
  migrations: () => {
    const folder = join(options.root, "edge", "migrations");
    const names = readdirSync(folder).filter((name) => name.endsWith(".sql")).sort();
    return names.map((name) => readFileSync(join(folder, name), "utf8"));
  },
};
globalThis.testOptions = options;
const start = await pyodide.runPythonAsync(`
import sys
sys.path[:0] = ${JSON.stringify(options.path)}
from tests.edge.runtime import hosting
await hosting.migrate()
hosting
`);

let code = 0;
if (options.task === "checks") {
  const echo = await startEcho();
  code = await start.run_checks(options.modules);
  echo.closeAllConnections();
  echo.close();
} else {
  await serve();
}
await miniflare.dispose();
process.exit(code);

async function serve() {
  const pending = new Set();
  const context = {
    waitUntil(promise) {
      const kept = Promise.resolve(promise).finally(() => pending.delete(kept));
      pending.add(kept);
    },
    passThroughOnException() {},
  };
  const shop = createServer(async (incoming, outgoing) => {
    try {
      const reply = await start.fetch(await requestOf(incoming), env, context);
      const body = Buffer.from(await reply.arrayBuffer());
      outgoing.writeHead(reply.status, Object.fromEntries(reply.headers));
      outgoing.end(body);
    } catch (error) {
      process.stderr.write(`host: ${error}\n`);
      outgoing.writeHead(500).end(String(error));
    }
  });
  const control = createServer(async (incoming, outgoing) => {
    try {
      const wanted = JSON.parse(Buffer.concat(await incoming.toArray()).toString() || "{}");
      const answer = await controls[incoming.url.slice(1)](wanted);
      outgoing.end(JSON.stringify(answer ?? null));
    } catch (error) {
      outgoing.writeHead(500).end(String(error));
    }
  });
  const cron = async () => start.scheduled(env, context);
  let turn = null;
  let isPaused = false;
  const clock = setInterval(() => { // each second here, each minute on the platform
    if (turn !== null || isPaused) return;
    turn = cron()
      .catch((error) => process.stderr.write(`cron: ${error}\n`))
      .finally(() => { turn = null; });
  }, 1000);
  let stop;
  const stopped = new Promise((resolve) => { stop = resolve; });
  const controls = {
    cron,
    sql: ({ database, sql, values }) => bindings[database].prepare(sql).bind(...values).raw(),
    set: (changes) => { Object.assign(env, changes); },
    restart: () => { start.forget(); },
    pause: async () => { // nothing in the background, so that one request can be measured
      isPaused = true;
      await turn;
      await Promise.all(pending);
    },
    go: () => { isPaused = false; },
    spent: () => spent,
    stop: () => stop(),
  };
  await new Promise((resolve) => shop.listen(options.port, "127.0.0.1", resolve));
  await new Promise((resolve) => control.listen(options.controlPort, "127.0.0.1", resolve));
  console.log("serving");
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => stop());
  await stopped;
  clearInterval(clock);
  await Promise.race([Promise.all(pending), new Promise((resolve) => setTimeout(resolve, 2000))]);
  for (const server of [shop, control]) {
    server.closeAllConnections();
    server.close();
  }
}

async function startEcho() {
  // Somebody outside: answers with what it got, in the ways that servers do and should not.
  let last = null;
  const echo = createServer(async (incoming, outgoing) => {
    const text = Buffer.concat(await incoming.toArray()).toString();
    const isJson = incoming.headers["content-type"] === "application/json";
    const body = isJson ? JSON.parse(text) : text;
    last = JSON.stringify({ headers: incoming.headers, body });
    if (incoming.url === "/slow") return;
    if (incoming.url === "/cut") return outgoing.destroy();
    if (incoming.url === "/redirect") return outgoing.writeHead(302, { Location: "/" }).end();
    outgoing.writeHead(Number(incoming.url.split("/").at(-1))).end(last);
  });
  await new Promise((resolve) => echo.listen(options.echoPort, "127.0.0.1", resolve));
  testTools.echoUrl = `http://127.0.0.1:${options.echoPort}`;
  testTools.lastEcho = () => last;
  return echo;
}

function d1Of(database, bookmark = null) {
  const run = async (statements, isBatch) => {
    const body = JSON.stringify({ database, bookmark, statements, isBatch });
    const reply = await miniflare.dispatchFetch("http://bridge/d1", { method: "POST", body });
    const answer = await reply.json();
    if (answer.error) throw new Error(answer.error);
    bookmark = answer.bookmark;
    spent.statements += statements.length;
    spent.rowsWritten += isBatch ? sum(answer.rows.map(({ meta }) => meta.rows_written)) : 0;
    return answer.rows;
  };
  const statement = (sql, values = []) => ({
    sql,
    values,
    bind: (...given) => statement(sql, given),
    raw: () => run([[sql, values]], false),
  });
  return {
    prepare: (sql) => statement(sql),
    batch: (bound) => run(bound.map(({ sql, values }) => [sql, values]), true),
    withSession: (from) => d1Of(database, from),
    getBookmark: () => bookmark,
  };
}

function r2() {
  const ask = async (action, key, body, options = {}) => {
    const wanted = encodeURIComponent(JSON.stringify({ action, key, ...options }));
    const url = `http://bridge/r2?${wanted}`;
    const reply = await miniflare.dispatchFetch(url, { method: "POST", body });
    if (reply.status !== 200) throw new Error(await reply.text());
    return reply;
  };
  return {
    createMultipartUpload: () => {},
    put: (key, content, options) => ask("put", key, content, options),
    delete: (key) => ask("delete", key),
    list: async (options) => (await ask("list", "", undefined, options)).json(),
    get: async (key) => {
      const reply = await ask("get", key);
      const found = JSON.parse(reply.headers.get("found"));
      return found && { ...found, arrayBuffer: () => reply.arrayBuffer() };
    },
  };
}

async function requestOf(incoming) {
  const headers = new Headers();
  for (let n = 0; n < incoming.rawHeaders.length; n += 2) {
    const name = incoming.rawHeaders[n].toLowerCase();
    if (!["connection", "transfer-encoding", "expect"].includes(name)) {
      headers.append(name, incoming.rawHeaders[n + 1]);
    }
  }
  headers.set("cf-connecting-ip", incoming.socket.remoteAddress);
  const hasBody = !["GET", "HEAD"].includes(incoming.method);
  return new Request(`http://127.0.0.1:${options.port}${incoming.url}`, {
    method: incoming.method,
    headers,
    body: hasBody ? Buffer.concat(await incoming.toArray()) : undefined,
  });
}
