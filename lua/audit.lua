#!lua flags=no-writes
-- Tells what a shard holds, as it stands and in one step, for an audit. Nothing is given back first, nothing is written.
-- Where there are not too many, every cart and order is held against the counters and the deadlines: none may be missing from
-- either.
--
-- ARGV: how many carts and orders are looked at one by one, at the most
-- Replies: NO_SALE, or
--   the last id of the outbox, the time, 1 where carts and orders were looked at, else 0
--   a list of items: sku, allocation, available, held, sold
--   a list of what is wrong: sku or nothing, and what

if not published then return 'NO_SALE' end

-- An id is a capability: enough of it to find it, too little to use it.
local function short(id)
  return string.sub(id, 1, 6) .. '…'
end

local function lookAtAll(wrong)
  local function report(sku, ...)
    wrong[#wrong + 1] = sku
    wrong[#wrong + 1] = format(...)
  end
  local due, units = {}, {}
  for _, id in ipairs(call('ZRANGE', DEADLINES, 0, -1)) do due[id] = true end
  local function count(kind, lines)
    for i = 1, readLines(lines) do
      local sku = lineItems[i].sku
      units[sku] = units[sku] or { inCarts = 0, inOrders = 0 }
      units[sku][kind] = units[sku][kind] + lineQuantities[i]
    end
  end

  local records = call('HGETALL', CARTS)
  for i = 1, #records, 2 do
    local id = records[i]
    local deadline, _, lines = parseCart(records[i + 1])
    if due[id] then
      count('inCarts', lines)
      due[id] = nil
    elseif lines ~= '' and deadline > now then
      report('', 'cart %s holds units and has no deadline', short(id))
    end
  end
  for _, id in ipairs(call('HKEYS', ORDERS)) do
    local o = loadOrder(id)
    if o and isLive(o) then
      if not due[id] then report('', 'order %s holds units and has no deadline', short(id)) end
      count('inOrders', o.lines)
      due[id] = nil
    end
  end
  for id in pairs(due) do report('', 'a deadline is kept for %s, which holds nothing', short(id)) end
  for sku, it in pairs(items) do
    local counted = units[sku] or { inCarts = 0, inOrders = 0 }
    if counted.inCarts ~= it.inCarts or counted.inOrders ~= it.inOrders then
      report(sku, 'counted are %d in carts and %d in orders; there are %d and %d', it.inCarts, it.inOrders, counted.inCarts,
        counted.inOrders)
    end
  end
end

local stock, told = call('HGETALL', STOCK), {}
for i = 1, #stock, 2 do
  local it = item(stock[i])
  for _, word in ipairs({ it.sku, it.allocation, it.available, held(it), it.sold }) do told[#told + 1] = word end
end

local last = '0-0'
if call('EXISTS', OUTBOX) == 1 then
  local info = call('XINFO', 'STREAM', OUTBOX)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
  end
end

local wrong = {}
local all = call('HLEN', CARTS) + call('HLEN', ORDERS) <= tonumber(ARGV[1])
if all then lookAtAll(wrong) end
return { last, now, all and 1 or 0, told, wrong }
