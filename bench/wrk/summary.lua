-- What every load script shares: arguments of the form name=value, and a summary as one line of
-- JSON behind the mark SUMMARY. Latencies are microseconds.

local M = {}
local threads = {}

-- wrk calls `setup` once for each thread, and `done` outside of all of them.
function setup(thread)
  threads[#threads + 1] = thread
end

function M.arguments(args)
  local found = {}
  for _, text in ipairs(args) do
    local name, value = text:match("^(%w+)=(.*)$")
    found[name] = tonumber(value) or value
  end
  math.randomseed(found.seed)
  return found
end

function M.print(summary, latency)
  local e = summary.errors
  local sent = 0
  for _, thread in ipairs(threads) do
    sent = sent + (thread:get("orders_sent") or 0)
  end
  io.write(string.format(
    'SUMMARY {"requests":%d,"microseconds":%d,"bytes":%d,"refused":%d,"connect":%d,"read":%d,'
      .. '"write":%d,"timeout":%d,"p50":%d,"p90":%d,"p99":%d,"max":%d,"orders":%d}\n',
    summary.requests, summary.duration, summary.bytes, e.status, e.connect, e.read,
    e.write, e.timeout, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency.max, sent))
end

return M
