-- GET the first page of a store's list, stores drawn evenly. Arguments: seed, stores.

package.path = debug.getinfo(1, "S").source:match("^@(.*/)") .. "?.lua;" .. package.path
local summary = require("summary")
local given

function init(args)
  given = summary.arguments(args)
end

function request()
  return wrk.format("GET", "/api/stores/" .. math.random(given.stores) .. "/products?limit=20")
end

function done(totals, latency)
  summary.print(totals, latency)
end
