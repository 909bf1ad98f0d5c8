-- An order of three lines under an idempotency key of its own. Stores are drawn evenly, and so
-- are the store's goods and their variants. Phones are drawn too: one buyer may hold few orders.

local M = {}
-- Global, so that the summary finds it in the thread that sent.
orders_sent = 0
local headers = { ["Content-Type"] = "application/json" }

local BODY = '{"items":[%s],"customer":{"name":"سالم المبروك","phone":"091%07d"},'
  .. '"shipping":{"city":"طرابلس","area":"حي الأندلس","address":"شارع الجمهورية، عمارة 12"},'
  .. '"payment":{"method":"cod"}}'

local function item(given, store, number)
  local product = store + given.stores * number
  local variant = product * 4 - math.random(0, 3)
  return string.format(
    '{"productId":%d,"variantId":%d,"quantity":%d}', product, variant, math.random(3))
end

-- The request; `given` holds products, stores and run (the front of the keys).
function M.request(given)
  local store = math.random(given.stores)
  local each = given.products / given.stores
  -- Three different products: one from each third of the store's goods.
  local third = math.floor(each / 3)
  local items = {}
  for part = 0, 2 do
    items[part + 1] = item(given, store, part * third + math.random(0, third - 1))
  end
  orders_sent = orders_sent + 1
  headers["Idempotency-Key"] = given.run .. "-" .. orders_sent
  local path = "/api/stores/" .. store .. "/orders"
  return wrk.format("POST", path, headers, BODY:format(table.concat(items, ","), math.random(0, 9999999)))
end

return M
