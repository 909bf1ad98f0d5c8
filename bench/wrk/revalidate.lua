-- GET a product with the tag of its present answer, drawn evenly from the lines of a file: a
-- product's id and its tag. Every answer must be 304. Arguments: seed, tags.

package.path = debug.getinfo(1, "S").source:match("^@(.*/)") .. "?.lua;" .. package.path
local summary = require("summary")
local requests = {}

function init(args)
  local given = summary.arguments(args)
  for line in io.lines(given.tags) do
    local id, tag = line:match("^(%d+) (.+)$")
    requests[#requests + 1] =
      wrk.format("GET", "/api/products/" .. id, { ["If-None-Match"] = tag })
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(totals, latency)
  summary.print(totals, latency)
end
