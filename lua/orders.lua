-- Orders: their record, their lapse, and the end of every call. Prepended to each operation, after shard.lua.
--
-- An order has the id of the cart that it was made from; the cart is gone from `carts` then, and what is asked
-- of it is answered from the order. The record has three lines:
--   state deadline createdAt payBy paymentId paymentStatus paidAt endedAt endedAs total persisted
--   sku=quantity=price sku=quantity=price …
--   the customer, as JSON, never read here
-- state      awaiting_payment, payment_pending, paid, expired, cancelled, refund_due, refunded
-- endedAs    what it was before money came late: expired or cancelled; '-' otherwise
-- '-' stands for none, 0 for a time that has not come.

-- How long an order that was never paid can be read.
local ORDER_RETENTION_MS = 72 * 3600 * 1000
-- How long an order that Postgres has is kept here as well.
local PERSISTED_RETENTION_MS = 3600 * 1000

-- How long before its units go a payment that is pending is asked to be cancelled.
local CANCEL_LEAD_MS = 2000

local orders, changedOrders = {}, {}

local function loadOrder(id)
  local known = orders[id]
  if known == nil then
    local raw = call('HGET', ORDERS, id)
    known = false
    if raw then
      local head, state, deadline, createdAt, payBy, paymentId, paymentStatus, paidAt, endedAt, endedAs, total, persisted,
        lines, customer = match(raw, '^((%S+) (%d+) (%d+) (%d+) (%S+) (%S+) (%d+) (%d+) (%S+) (%d+) (%d))\n([^\n]*)\n(.*)$')
      known = {
        id = id, head = head, state = state, deadline = tonumber(deadline), createdAt = tonumber(createdAt), payBy = tonumber(payBy),
        paymentId = paymentId, paymentStatus = paymentStatus, paidAt = tonumber(paidAt), endedAt = tonumber(endedAt),
        endedAs = endedAs, total = tonumber(total), persisted = persisted, lines = lines, customer = customer,
      }
    end
    orders[id] = known
  end
  return known
end

-- Comes after every change of an order: its first line is made again once somebody asks for it, and it is written in the end.
local function orderChanged(o)
  o.head = nil
  changedOrders[o.id] = true
end

-- @returns the first line of an order's record
local function orderHead(o)
  if not o.head then
    o.head = format('%s %d %d %d %s %s %d %d %s %d %s', o.state, o.deadline, o.createdAt, o.payBy, o.paymentId,
      o.paymentStatus, o.paidAt, o.endedAt, o.endedAs, o.total, o.persisted)
  end
  return o.head
end

local function encodeOrder(o)
  return orderHead(o) .. '\n' .. o.lines .. '\n' .. o.customer
end

-- Iterates over an order's lines: item, quantity, the price that was frozen at checkout.
local function orderLines(o)
  local nextLine = gmatch(o.lines, '(%S+)=(%d+)=(%d+)')
  return function()
    local sku, quantity, price = nextLine()
    if sku then return item(sku), tonumber(quantity), tonumber(price) end
  end
end

local function isLive(o)
  return o.state == 'awaiting_payment' or o.state == 'payment_pending'
end

-- Gives an unpaid order's units back. Its attempt, if one is out, is still asked about: money may come late.
local function endOrder(o, state, at)
  for it, quantity in orderLines(o) do addToOrders(it, -quantity) end
  o.state, o.endedAs, o.endedAt = state, state, at
  orderChanged(o)
  setDeadline(o.id, false)
  retention['o:' .. o.id] = at + ORDER_RETENTION_MS
end

-- @returns the order as this call sees it, or false. One that has lapsed is ended here, even where `reclaim` has not
-- come to it yet: nobody pays for units that the next request may get.
local function order(id)
  local o = loadOrder(id)
  if o and isLive(o) and o.deadline <= now then endOrder(o, 'expired', o.deadline) end
  return o
end

local function cancelLead()
  return math.min(CANCEL_LEAD_MS, pendingMs / 2)
end

local reclaimed = 0 -- how many of the first deadlines are over

-- Gives back what has lapsed, oldest first, as much as one call may. A hundred thousand holds may lapse in one second of a
-- sale that goes on, so what they have in common is done once: carts that say the same, and when to forget all of them.
-- @returns whether more has lapsed
local function reclaim()
  local lapsed = call('ZRANGEBYSCORE', DEADLINES, '-inf', format('%d', now), 'LIMIT', 0, RECLAIM_BOUND + 1)
  if #lapsed == 0 then return false end
  local more = #lapsed > RECLAIM_BOUND
  if more then lapsed[#lapsed] = nil end
  reclaimed = #lapsed
  local raws = call('HMGET', CARTS, unpack(lapsed))
  local gone, alike = {}, {}
  for i, id in ipairs(lapsed) do
    local raw = raws[i]
    if raw then
      -- The record stays a while, its deadline in the past, so that the customer hears that the cart expired.
      alike[raw] = (alike[raw] or 0) + 1
      gone[#gone + 1] = id
    else
      -- A score is the soonest that something can lapse; the record says when it does.
      local o = order(id)
      setDeadline(id, o and isLive(o) and o.deadline)
    end
  end
  local latest = 0
  for raw, times in pairs(alike) do
    local deadline, _, lines = parseCart(raw)
    latest = math.max(latest, deadline)
    for line = 1, readLines(lines) do addToCarts(lineItems[line], -lineQuantities[line] * times) end
  end
  if #gone > 0 then retention['l:' .. table.concat(gone, ' ')] = latest + CART_RETENTION_MS end
  return more
end

-- @returns the refusal for a cart that cannot be used, or nil where it is open; then its deadline, the time of its
-- first unit and its lines
local function openCart(id, idEpoch)
  if idEpoch ~= epoch then return idEpoch < epoch and 'CART_EXPIRED' or 'CART_NOT_FOUND' end
  local raw = cart(id)
  if raw then
    local deadline, firstUnitAt, lines = parseCart(raw)
    if deadline > now then return nil, deadline, firstUnitAt, lines end
    return now < deadline + CART_RETENTION_MS and 'CART_EXPIRED' or 'CART_NOT_FOUND'
  end
  local o = order(id)
  if not o or o.state == 'paid' then return 'CART_NOT_FOUND' end
  if isLive(o) then return 'CART_CHECKED_OUT' end
  return now < o.endedAt + CART_RETENTION_MS and 'CART_EXPIRED' or 'CART_NOT_FOUND'
end

-- @returns 'OK', status, cart, deadline, when units may return, then six words for each of the `n` lines that were read
local function cartWords(id, status, deadline, n)
  if n == 1 then
    local it, own = lineItems[1], lineQuantities[1]
    return format('OK %s %s %d %s %s', status, id, deadline, returnWord(mayReturn(it)), stockWords(it, own, own))
  end
  local words, wanted = { '' }, false
  for i = 1, n do
    local it, quantity = lineItems[i], lineQuantities[i]
    words[i + 1] = stockWords(it, quantity, quantity)
    wanted = wanted or mayReturn(it)
  end
  words[1] = format('OK %s %s %d %s', status, id, deadline, returnWord(wanted))
  return table.concat(words, ' ')
end

-- @returns the cart as it is now, checked out or not, or its refusal
local function describeCart(id, idEpoch)
  local refusal, deadline, _, lines = openCart(id, idEpoch)
  if not refusal then return cartWords(id, 'open', deadline, readLines(lines)) end
  if refusal ~= 'CART_CHECKED_OUT' then return refusal end
  local o = order(id)
  return cartWords(id, 'checked_out', o.deadline, readLines(o.lines))
end

-- @returns four lines: 'OK', the order and when units may return; its head; six words a line; the customer
local function describeOrder(o, word)
  local own = isLive(o) and 1 or 0
  local words, wanted = {}, false
  for it, quantity, price in orderLines(o) do
    words[#words + 1] = stockWords(it, quantity, quantity * own, price)
    wanted = wanted or mayReturn(it)
  end
  return format('%s %s %s %s\n%s\n%s\n%s', word or 'OK', o.id, closed and '1' or '0', returnWord(wanted), orderHead(o),
    table.concat(words, ' '), o.customer)
end

-- @returns the order that an id names, or false: an id of another epoch names none
local function namedOrder(id, idEpoch)
  return idEpoch == epoch and order(id)
end

-- How long a payment that succeeded is remembered, whatever became of it.
local PAYMENT_RETENTION_MS = 72 * 3600 * 1000

-- @returns the first line of an entry about money: `id` is the order that it came for, '-' where nobody here knows it
local function paymentWords(id, ofEpoch, orderId, payment, amount, money, reason)
  return format('%s %s %s %s %d %s %s', id, ofEpoch, orderId, payment, amount, money, reason)
end

-- An entry of the outbox is one field, so that there is little to send and to read. The name of the field is its kind:
--   paid, refund   "order epoch orderId payment amount currency reason", '-' for none
--   adjusted       "adjustment sku delta"
-- and in the next line the counters of its items, right after it; then, where an order goes with it, its record.
local function appendOutbox(kind, words, its, record)
  words = words .. '\n' .. countersWord(its)
  outbox[#outbox + 1] = { kind, record and words .. '\n' .. record or words }
end

-- A key that holds something else fails by being asked for its length.
local function assertWritable(key, length, changed)
  if next(changed) ~= nil then call(length, key) end
end

-- Writes what changed, once. Whatever is wrong is found before the first write.
local function commit()
  local changedItems = {}
  for sku, it in pairs(items) do
    if it and it.changed then
      checkItem(it)
      changedItems[sku] = true
    end
  end
  -- Not the stock and the orders: none of them changes without having been read.
  assertWritable(CARTS, 'HLEN', newCarts)
  assertWritable(CARTS, 'HLEN', changedCarts)
  assertWritable(IDEMPOTENCY, 'HLEN', changedKeys)
  assertWritable(DEADLINES, 'ZCARD', newCarts)
  assertWritable(DEADLINES, 'ZCARD', deadlines)
  assertWritable(RETENTION, 'ZCARD', retention)
  assertWritable(ATTEMPTS, 'ZCARD', attempts)
  assertWritable(OUTBOX, 'XLEN', outbox)
  local wrote = reclaimed > 0
  -- First of all: deadlines that stayed where their units are back already would give them back again.
  if wrote then call('ZREMRANGEBYRANK', DEADLINES, 0, reclaimed - 1) end
  wrote = writeHash(STOCK, changedItems, items, function(it)
    return format('%d %d %d %d %d %d %d', it.allocation, it.available, it.inCarts, it.inOrders, it.sold, it.price, it.limit)
  end) or wrote
  -- New carts before what became of them.
  callMany('HSET', CARTS, newCarts)
  wrote = writeHash(CARTS, changedCarts, carts) or newAt ~= nil or wrote
  wrote = writeHash(ORDERS, changedOrders, orders, encodeOrder) or wrote
  wrote = writeHash(IDEMPOTENCY, changedKeys, idempotency) or wrote
  callMany('ZADD', DEADLINES, newDeadlines)
  wrote = writeZset(DEADLINES, deadlines) or wrote
  wrote = writeZset(RETENTION, retention) or wrote
  wrote = writeZset(ATTEMPTS, attempts) or wrote
  for _, entry in ipairs(outbox) do
    call('XADD', OUTBOX, '*', entry[1], entry[2])
    wrote = true
  end
  -- A read writes nothing; whoever writes keeps the clock as well.
  if wrote then call('HSET', POLICY, 'clock', format('%d', now)) end
end

-- Runs a batch: an ARGV is one request of words. A request that is malformed refuses itself only. While more has
-- lapsed than one call gives back, none is decided: a no could be a false one, and the numbers of a yes would be off.
-- @returns one reply a request, in order, the epoch before them; 'NO_SALE' where the sale is not known here
local function runBatch(decide, writes)
  if not published then return 'NO_SALE' end
  local more = reclaim()
  local replies = { policy[1] }
  for i = 1, #ARGV do replies[i + 1] = more and 'MORE' or decide(ARGV[i]) or 'INVALID' end
  if writes then commit() end
  return replies
end
