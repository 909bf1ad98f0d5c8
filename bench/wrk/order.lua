-- POST an order of three lines. Arguments: seed, products, stores, run.

package.path = debug.getinfo(1, "S").source:match("^@(.*/)") .. "?.lua;" .. package.path
local summary = require("summary")
local orders = require("orders")
local given

function init(args)
  given = summary.arguments(args)
end

function request()
  return orders.request(given)
end

function done(totals, latency)
  summary.print(totals, latency)
end
