-- What every script shares: the clock, the policy and an overlay of one shard. The loader puts this file, and
-- then orders.lua, before each operation.
--
-- An operation decides against the overlay, request by request, and `commit` writes what changed, once, at the
-- very end. So a cart, a key or an item that comes twice in a batch is right, and a script that fails half-way
-- has written nothing, which matters because Redis does not roll back.
--
-- KEYS, the same nine in every script (src/keys.ts):
--   policy         hash    epoch, offset, clock, startsAt, endsAt, paused, closed, holdAt, …Ms, currency, catalogue
--   stock          hash    sku → "allocation available inCarts inOrders sold price limit" (limit 0: none)
--   carts          hash    cart → "deadline firstUnitAt sku=quantity sku=quantity …" (firstUnitAt 0: no unit yet)
--   orders         hash    order → see orders.lua
--   idempotency    hash    "c:<key>" → "fingerprint cart keptUntil"; "p:<payment>" and "a:<adjustment>" → "1"
--   deadlines      zset    cart or order that holds something → the soonest that it can lapse
--   retention      zset    "c:<cart>", "l:<cart> <cart> …", "o:<order>", "i:<idempotency field>" → when to forget it
--   attempts       zset    "order payment amount" of unknown outcome → when to ask the provider about it
--   outbox         stream  what Postgres must come to know
--
-- Times are Unix milliseconds, amounts minor units. Numbers are whole and below 2^53.

local POLICY, STOCK, CARTS, ORDERS, IDEMPOTENCY = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local DEADLINES, RETENTION, ATTEMPTS, OUTBOX = KEYS[6], KEYS[7], KEYS[8], KEYS[9]

local call, format, match, gmatch = redis.call, string.format, string.match, string.gmatch

local MAX_QUANTITY = 1e9
local MAX_AMOUNT = 9007199254740991
local MAX_LINES = 100
-- Lapsed holds that one call gives back at the most, so that no call takes long.
local RECLAIM_BOUND = 1024
-- How long a lapsed cart still answers that it has lapsed.
local CART_RETENTION_MS = 3600 * 1000

local policy = call('HMGET', POLICY, 'epoch', 'offset', 'clock', 'startsAt', 'endsAt', 'paused', 'closed',
  'holdAt', 'holdMs', 'maxHoldMs', 'paymentMs', 'pendingMs', 'currency')
local published = policy[1] ~= false
local epoch = tonumber(policy[1])
local startsAt, endsAt = tonumber(policy[4]), tonumber(policy[5])
local paused, closed = policy[6] == '1', policy[7] == '1'
local holdsAtCart = policy[8] == 'cart'
local holdMs, maxHoldMs = tonumber(policy[9]), tonumber(policy[10])
local paymentMs, pendingMs = tonumber(policy[11]), tonumber(policy[12])
local currency = policy[13]

-- Redis' clock is the only one, and it never goes back: a server whose time is set back would otherwise let a
-- hold that has lapsed live again. `offset` is how tests move time.
local time = call('TIME')
local now = math.max(
  time[1] * 1000 + math.floor(time[2] / 1000) + (tonumber(policy[2]) or 0),
  tonumber(policy[3]) or 0)

-- @returns scheduled, open, paused or ended
local function saleStatus()
  if endsAt and now >= endsAt then return 'ended' end
  if now < startsAt then return 'scheduled' end
  return paused and 'paused' or 'open'
end

-- @returns nil where the sale may give out units, else the refusal
local function notOpen()
  local status = saleStatus()
  if status == 'open' then return nil end
  if status == 'ended' then return 'SALE_ENDED' end
  return format('SALE_NOT_OPEN %d %d', startsAt, now)
end

-- @returns the whole number that a text of digits says, or nil where it is none or above the bound: tonumber
-- alone would take 'nan', '1e3' and '0x10', and lose digits past 2^53
local function whole(text, bound)
  if not text or #text > 16 or not match(text, '^%d+$') then return nil end
  local number = tonumber(text)
  return number <= bound and number or nil
end

-- --- Items ------------------------------------------------------------------------------------------------

local items = {}

local function parseItem(sku, raw)
  local allocation, available, inCarts, inOrders, sold, price, limit =
    match(raw, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  return {
    sku = sku, allocation = tonumber(allocation), available = tonumber(available), inCarts = tonumber(inCarts),
    inOrders = tonumber(inOrders), sold = tonumber(sold), price = tonumber(price), limit = tonumber(limit),
  }
end

-- @returns the item as this call sees it, or false where the sale has none
local function item(sku)
  local known = items[sku]
  if known == nil then
    local raw = call('HGET', STOCK, sku)
    known = raw and parseItem(sku, raw) or false
    items[sku] = known
  end
  return known
end

-- What has left `available` and is not sold.
local function held(it)
  return holdsAtCart and it.inCarts + it.inOrders or it.inOrders
end

-- Units into carts, or out of them where `n` is negative.
local function addToCarts(it, n)
  it.inCarts = it.inCarts + n
  if holdsAtCart then it.available = it.available - n end
  it.changed = true
end

local function moveToOrders(it, n)
  it.inCarts = it.inCarts - n
  it.inOrders = it.inOrders + n
  if not holdsAtCart then it.available = it.available - n end
  it.changed = true
end

-- Units into orders straight from what is available, or back where `n` is negative.
local function addToOrders(it, n)
  it.inOrders = it.inOrders + n
  it.available = it.available - n
  it.changed = true
end

local function sell(it, n)
  it.inOrders = it.inOrders - n
  it.sold = it.sold + n
  it.changed = true
end

-- --- Deadlines and retention ------------------------------------------------------------------------------

local deadlines = {} -- id → when it lapses, false: no longer at all
local earliestKnown -- cache of `earliest`: nil not known, false none
-- Carts that this call makes, as the arguments of HSET and ZADD, and when they lapse: tables by id would cost each of
-- them more than its units do.
local newCarts, newDeadlines, newAt = {}, {}, nil

local function setDeadline(id, at)
  deadlines[id] = at
  earliestKnown = nil
end

-- @returns the next time at which anything of this shard can lapse, or false where nothing is held
local function earliest()
  if earliestKnown ~= nil then return earliestKnown end
  local first = false
  for _, at in pairs(deadlines) do
    if at and (not first or at < first) then first = at end
  end
  for i = 2, #newDeadlines, 2 do
    if deadlines[newDeadlines[i]] == nil then
      if not first or newAt < first then first = newAt end
      break
    end
  end
  -- What the overlay has moved is no longer where Redis says; at most as many pages as the overlay has ids.
  local from, page, found = 0, nil, false
  repeat
    page = call('ZRANGEBYSCORE', DEADLINES, format('(%d', now), '+inf', 'WITHSCORES', 'LIMIT', from, 16)
    for i = 1, #page, 2 do
      if deadlines[page[i]] == nil then
        found = tonumber(page[i + 1])
        break
      end
    end
    from = from + 16
  until found or #page < 32
  if found and (not first or found < first) then first = found end
  earliestKnown = first
  return first
end

local retention = {} -- what to forget → when, false: not any more

-- --- Carts ------------------------------------------------------------------------------------------------

local carts, changedCarts = {}, {}
local newCartsKnown = 0 -- how far `carts` has those that this call makes

-- @returns the cart's record as text, or false
local function cart(id)
  for i = newCartsKnown + 1, #newCarts, 2 do carts[newCarts[i]] = newCarts[i + 1] end
  newCartsKnown = #newCarts
  local raw = carts[id]
  if raw == nil then
    raw = call('HGET', CARTS, id)
    carts[id] = raw
  end
  return raw
end

local newScore -- `newAt` as text: to write a number as text is not cheap

-- A cart that has not been before and has units; all of a call have one deadline.
local function addCart(id, deadline, record)
  if not newAt then newAt, newScore = deadline, format('%d', deadline) end
  local n = #newCarts
  newCarts[n + 1], newCarts[n + 2] = id, record
  newDeadlines[n + 1], newDeadlines[n + 2] = newScore, id
  if earliestKnown ~= nil and (not earliestKnown or newAt < earliestKnown) then earliestKnown = newAt end
end

local function cartRecord(deadline, firstUnitAt, lines)
  return format('%d %d %s', deadline, firstUnitAt, lines)
end

-- `before`: its lines until now, nil where it is new.
local function putCart(id, deadline, firstUnitAt, lines, before)
  carts[id] = cartRecord(deadline, firstUnitAt, lines)
  changedCarts[id] = true
  if lines ~= '' then
    setDeadline(id, deadline)
    if before == '' then retention['c:' .. id] = false end
  else
    -- It holds nothing, so nothing waits for its deadline, least of all the end of its sale.
    if before then setDeadline(id, false) end
    retention['c:' .. id] = deadline + CART_RETENTION_MS
  end
end

local function dropCart(id)
  carts[id] = false
  changedCarts[id] = true
  setDeadline(id, false)
end

-- The lines that are being looked at. One call looks at hundreds of carts, and tables of their own would cost each of
-- them more than its units do.
local lineItems, lineQuantities = {}, {}

-- Reads the lines of a cart or an order into these two.
-- @returns how many there are
local function readLines(text)
  local n = 0
  for sku, quantity in gmatch(text, '([^%s=]+)=(%d+)') do
    n = n + 1
    lineItems[n], lineQuantities[n] = item(sku), tonumber(quantity)
  end
  return n
end

-- @returns deadline, when its first unit came, its lines as text
local function parseCart(raw)
  local deadline, firstUnitAt, lines = match(raw, '^(%d+) (%d+) (.*)$')
  return tonumber(deadline), tonumber(firstUnitAt), lines
end

-- --- What an answer says about stock -------------------------------------------------------------------------

-- @returns six words about one line: sku, the number given, price, quantity, available, units others hold
local function stockWords(it, number, own, frozenPrice)
  return format('%s %d %d %d %d %d', it.sku, number, frozenPrice or it.price, it.available + held(it), it.available,
    it.inCarts + it.inOrders - own)
end

-- @returns whether units of an item may come back: none can be had, some are really held
local function mayReturn(it)
  return it.available == 0 and held(it) > 0
end

-- @returns the word for when units may return, '-' where nobody waits for any
local function returnWord(wanted)
  local at = wanted and earliest()
  return at and format('%d', at) or '-'
end

-- Holds the lines that were read against what is available; `own` where the asker's own units count among them.
-- @returns nil where there is enough of each, else the refusal, with every line that is short
local function insufficient(n, own)
  local words, wanted
  for i = 1, n do
    local it, quantity = lineItems[i], lineQuantities[i]
    if it.available < quantity then
      words = words or { '' }
      words[#words + 1] = stockWords(it, quantity, own and quantity or 0)
      wanted = wanted or mayReturn(it)
    end
  end
  if not words then return nil end
  words[1] = 'INSUFFICIENT ' .. returnWord(wanted)
  return table.concat(words, ' ')
end

-- --- The end of a call ----------------------------------------------------------------------------------------

local idempotency = {} -- field → value, false: none
local changedKeys = {}
local attempts = {} -- member → when to ask, false: no longer
local outbox = {} -- kinds and texts of entries

-- @returns the value that an idempotency field has, or false
local function remembered(field)
  local value = idempotency[field]
  if value == nil then
    value = call('HGET', IDEMPOTENCY, field)
    idempotency[field] = value
  end
  return value
end

local function remember(field, value, until_)
  idempotency[field] = value
  changedKeys[field] = true
  retention['i:' .. field] = until_
end

-- @returns the counters of the items that an outbox entry is about, as they are right after it
local function countersWord(its)
  local words = {}
  for i, it in ipairs(its) do
    words[i] = format('%s %d %d %d %d', it.sku, it.allocation, it.available, held(it), it.sold)
  end
  return table.concat(words, ' ')
end

-- Lua's stack bounds what one call can be given.
local CALL_BOUND = 4000

-- @returns the sum of the numbers that Redis answers
local function callMany(command, key, list)
  local sum = 0
  for from = 1, #list, CALL_BOUND do
    sum = sum + call(command, key, unpack(list, from, math.min(from + CALL_BOUND - 1, #list)))
  end
  return sum
end

-- Writes a map's changed fields: two calls at the most, whatever their number.
local function writeHash(key, changed, values, encode)
  local set, del, n = {}, {}, 0
  for field in pairs(changed) do
    local value = values[field]
    if value then
      set[n + 1], set[n + 2] = field, encode and encode(value) or value
      n = n + 2
    else
      del[#del + 1] = field
    end
  end
  callMany('HSET', key, set)
  callMany('HDEL', key, del)
  return n + #del > 0
end

local function writeZset(key, scores)
  local add, rem, n, last, text = {}, {}, 0, nil, nil
  for member, score in pairs(scores) do
    if score then
      if score ~= last then last, text = score, format('%d', score) end
      add[n + 1], add[n + 2] = text, member
      n = n + 2
    else
      rem[#rem + 1] = member
    end
  end
  callMany('ZADD', key, add)
  callMany('ZREM', key, rem)
  return n + #rem > 0
end

-- Refuses to write anything at all rather than to break the promise that nothing is oversold.
local function checkItem(it)
  if it.available < 0 or it.inCarts < 0 or it.inOrders < 0 or it.sold < 0
    or it.available + held(it) + it.sold ~= it.allocation then
    error(format('INVARIANT %s: allocation %d, available %d, in carts %d, in orders %d, sold %d', it.sku,
      it.allocation, it.available, it.inCarts, it.inOrders, it.sold))
  end
end
