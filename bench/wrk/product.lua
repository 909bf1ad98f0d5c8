-- GET one product, ids drawn evenly from all products. Arguments: seed, products.

package.path = debug.getinfo(1, "S").source:match("^@(.*/)") .. "?.lua;" .. package.path
local summary = require("summary")
local given

function init(args)
  given = summary.arguments(args)
end

function request()
  return wrk.format("GET", "/api/products/" .. math.random(given.products))
end

function done(totals, latency)
  summary.print(totals, latency)
end
