-- What every load script shares: arguments of the form name=value, and a summary as one line of
-- JSON behind the mark SUMMARY. Latencies are microseconds.

local M = {}

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
  io.write(string.format(
    'SUMMARY {"requests":%d,"microseconds":%d,"bytes":%d,"refused":%d,"connect":%d,"read":%d,'
      .. '"write":%d,"timeout":%d,"p50":%d,"p90":%d,"p99":%d,"max":%d}\n',
    summary.requests, summary.duration, summary.bytes, e.status, e.connect, e.read,
    e.write, e.timeout, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency.max))
end

return M
