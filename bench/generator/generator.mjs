// Load on a fixed schedule. A stream with a rate sends at fixed instants whether or not earlier
// answers have come (open loop): a request that finds every connection busy waits, and its time
// counts from the instant it was meant to be sent. A stream without one sends on each connection
// as soon as the answer is there (closed loop). The argument is one JSON object:
//   port, seconds, warm_seconds (not counted), streams: [{ name, work, rate, connections, … }]
// and so is what is printed; times are microseconds. It spins: give it a core of its own.

import { Connection } from './connection.mjs'
import { openRequests } from './requests.mjs'

const DRAIN_MILLISECONDS = 10_000 // an answer that takes longer is a failure
const CONNECT_MILLISECONDS = 300

const plan = JSON.parse(process.argv[2])
const streams = plan.streams.map(openStream)
await new Promise((done) => setTimeout(done, CONNECT_MILLISECONDS))

const begin = performance.now()
const counted = begin + plan.warm_seconds * 1000
const end = counted + plan.seconds * 1000
for (const stream of streams) stream.next = begin
// How late this process itself was: not the server's fault, and it must stay small.
const lags = []
turn()

function openStream({ name, work, rate, connections, ...given }) {
  const stream = {
    name,
    gap: rate > 0 ? 1000 / rate : 0,
    next: 0,
    request: openRequests(work, given),
    idle: [],
    waiting: [],
    taken: 0,
    sent: 0,
    under_way: 0,
    failures: 0,
    created: 0,
    unauthenticated: 0,
    last: 0,
    exhausted: false,
    times: [],
  }
  for (let i = 0; i < connections; i++) {
    stream.idle.push(new Connection(plan.port, (one, status) => take(stream, one, status)))
  }
  stream.connections = [...stream.idle]
  return stream
}

function take(stream, connection, status) {
  const now = performance.now()
  stream.under_way -= 1
  stream.idle.push(connection)
  if (status === 201) stream.created += 1
  if (status === 401) stream.unauthenticated += 1
  if (status === 0 || status >= 400) stream.failures += 1
  // A schedule counts by the instant of sending; a closed loop by that of the answer, so that
  // slow work shows what came out of it in the time.
  const counts = stream.gap > 0 ? connection.intended >= counted : now >= counted && now < end
  if (counts) {
    stream.times.push((now - connection.intended) * 1000)
    stream.last = now
  }
  if (stream.gap > 0 ? stream.taken < stream.waiting.length : now < end) serve(stream, now)
}

// Hand what is due to idle connections.
function serve(stream, now) {
  while (stream.idle.length > 0) {
    const scheduled = stream.gap > 0
    if (scheduled && stream.taken === stream.waiting.length) break
    const intended = scheduled ? stream.waiting[stream.taken++] : now
    const text = stream.request()
    if (text === undefined) {
      stream.exhausted = true // all that was prepared is sent
      return
    }
    stream.sent += 1
    stream.under_way += 1
    stream.idle.pop().send(text, intended)
  }
  if (stream.taken > 1024 && stream.taken === stream.waiting.length) {
    stream.waiting.length = 0
    stream.taken = 0
  }
}

function turn() {
  const now = performance.now()
  for (const stream of streams) {
    if (stream.gap > 0) {
      while (stream.next <= now && stream.next < end) {
        if (stream.next >= counted) lags.push((now - stream.next) * 1000)
        stream.waiting.push(stream.next)
        stream.next += stream.gap
      }
    }
    if (stream.gap > 0 || now < end) serve(stream, now)
  }
  const pending = streams.some((s) => s.under_way > 0 || s.taken < s.waiting.length)
  if (now < end || (pending && now < end + DRAIN_MILLISECONDS)) setImmediate(turn)
  else finish()
}

function finish() {
  const found = streams.map((stream) => {
    const unanswered = stream.under_way + stream.waiting.length - stream.taken
    return {
      name: stream.name,
      sent: stream.sent,
      created: stream.created,
      unauthenticated: stream.unauthenticated,
      failures: stream.failures + unanswered,
      per_second: stream.times.length / secondsOf(stream),
      ...percentiles(stream.times),
    }
  })
  for (const stream of streams) stream.connections.forEach((connection) => connection.end())
  console.log(JSON.stringify({ streams: found, lag_p99: percentiles(lags).p99 }))
}

// Where all that was prepared is sent before the time is over, it counts until the last answer.
function secondsOf(stream) {
  const until = stream.last > counted ? (stream.last - counted) / 1000 : plan.seconds
  return stream.exhausted ? Math.min(plan.seconds, until) : plan.seconds
}

function percentiles(times) {
  const sorted = Float64Array.from(times).sort()
  const at = (share) =>
    sorted.length === 0
      ? 0
      : Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)])
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) }
}
