-- 70 of 100 requests read a product, 20 a list, 10 place an order, in random order.
-- Arguments: seed, products, stores, run.

package.path = debug.getinfo(1, "S").source:match("^@(.*/)") .. "?.lua;" .. package.path
local summary = require("summary")
local orders = require("orders")
local given

function init(args)
  given = summary.arguments(args)
end

function request()
  local dice = math.random(100)
  if dice <= 70 then
    return wrk.format("GET", "/api/products/" .. math.random(given.products))
  elseif dice <= 90 then
    return wrk.format("GET", "/api/stores/" .. math.random(given.stores) .. "/products?limit=20")
  end
  return orders.request(given)
end

function done(totals, latency)
  summary.print(totals, latency)
end
