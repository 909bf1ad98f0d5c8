-- POST an order of three lines under an idempotency key of its own. Stores are drawn evenly,
-- and so are the store's goods and their variants. Arguments: seed, products, stores, run.

package.path = debug.getinfo(1, "S").source:match("^@(.*/)") .. "?.lua;" .. package.path
local summary = require("summary")
local given
local sent = 0
local headers = { ["Content-Type"] = "application/json" }

local BODY = '{"items":[%s],"customer":{"name":"سالم المبروك","phone":"0912345678"},'
  .. '"shipping":{"city":"طرابلس","area":"حي الأندلس","address":"شارع الجمهورية، عمارة 12"},'
  .. '"payment":{"method":"cod"}}'

function init(args)
  given = summary.arguments(args)
end

local function item(store, number)
  local product = store + given.stores * number
  local variant = product * 4 - math.random(0, 3)
  return string.format(
    '{"productId":%d,"variantId":%d,"quantity":%d}', product, variant, math.random(3))
end

function request()
  local store = math.random(given.stores)
  local each = given.products / given.stores
  -- Three different products: one from each third of the store's goods.
  local third = math.floor(each / 3)
  local items = {}
  for part = 0, 2 do
    items[part + 1] = item(store, part * third + math.random(0, third - 1))
  end
  sent = sent + 1
  headers["Idempotency-Key"] = given.run .. "-" .. sent
  local path = "/api/stores/" .. store .. "/orders"
  return wrk.format("POST", path, headers, BODY:format(table.concat(items, ",")))
end

function done(totals, latency)
  summary.print(totals, latency)
end
