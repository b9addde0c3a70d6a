-- Carts: make one, set a line. Each request takes everything it asks for, or nothing.
--
-- ARGV: how many requests there are, up to the batch's bound; as many ids that nothing has yet, one for the cart that each may
-- make; then the requests as runs of those that are alike, each run one request and how often it comes:
--   C <key or .> <fingerprint or .> <sku=quantity> …   a new cart; a sku comes once
--   S <epoch> <cart> <sku> <quantity>                  a line set to a quantity, as in lines.lua; 0 removes it
-- Replies: the epoch, then in the requests' order '<how many> <words>', as many requests as have that answer in common:
--   OK open|checked_out <cart> <deadline> <return> (<sku> <own> <price> <quantity> <available> <others>)…
--     '.' for a cart: each has the one of its own id, and what the one before it has taken is no longer `available` but `others`
--   INSUFFICIENT <return> (<sku> <requested> <price> <quantity> <available> <others>)…
--   LIMIT (<sku> <requested> <limit>)…    SALE_NOT_OPEN <startsAt> <now>    MORE: call again
--   SALE_ENDED CART_NOT_FOUND CART_EXPIRED CART_CHECKED_OUT ITEM_NOT_FOUND KEY_REUSED LINES TOTAL INVALID

-- How long an idempotency key is kept.
local KEY_RETENTION_MS = 24 * 3600 * 1000

-- @returns nil where no line that was read is more than a cart may hold, else the refusal, with every line that is
local function overLimit(n)
  local words
  for i = 1, n do
    local it, quantity = lineItems[i], lineQuantities[i]
    if it.limit > 0 and quantity > it.limit then
      words = words or { 'LIMIT' }
      words[#words + 1] = format('%s %d %d', it.sku, quantity, it.limit)
    end
  end
  return words and table.concat(words, ' ')
end

local made = 0
local newRecord -- what all new carts of a call say before their lines

-- Reads the lines of a cart that is to be made.
-- @returns how many there are, or nil where the text is none; whether one names no item of the sale; their total
local function readNewLines(text)
  made = made + 1
  local n, length, unknown, total = 0, 0, nil, 0
  for sku, digits in gmatch(text, '([^ =]+)=(%d+)') do
    local quantity = whole(digits, MAX_QUANTITY)
    if not quantity or quantity == 0 then return nil end
    n, length = n + 1, length + #sku + #digits + 2
    local it = item(sku)
    if it then
      -- A sku comes once.
      if it.lineOf == made then return nil end
      it.lineOf = made
      lineItems[n], lineQuantities[n] = it, quantity
      total = total + it.price * quantity
    else
      unknown = unknown or {}
      if unknown[sku] or not match(sku, '^[%w_-]+$') then return nil end
      unknown[sku] = true
    end
  end
  -- Lines, one space between two of them, and nothing else.
  if length ~= (n > 0 and #text + 1 or #text) then return nil end
  return n, unknown, total
end

-- @returns how many of `most` carts of the lines that were read can be made with one answer, one at the least: what units
-- may return is only said from the last unit on, and so the last that there are go by themselves
local function madeAtOnce(n, most)
  if not holdsAtCart then return 1 end
  for i = 1, n do most = math.min(most, math.ceil(lineItems[i].available / lineQuantities[i]) - 1) end
  return math.max(1, most)
end

-- @returns the answer to the first of `most` requests that are alike, and how many of them it is for: a refusal changes
-- nothing, so all of them hear the same
local function create(request, most, at)
  local key, fingerprint, text = match(request, '^C (%S+) (%S+) ?(.*)$')
  if not key then return nil, most end

  -- Whatever is wrong with the request itself comes first.
  local n, unknown, total = readNewLines(text)
  if not n then return nil, most end
  if n > MAX_LINES then return 'LINES', most end
  if unknown then return 'ITEM_NOT_FOUND', most end
  if total > MAX_AMOUNT then return 'TOTAL', most end

  local reused = false
  if key ~= '.' then
    local record = remembered('c:' .. key)
    if record then
      local seen, cartMade, keptUntil = match(record, '^(%S+) (%S+) (%d+)$')
      if tonumber(keptUntil) > now then
        if seen == fingerprint then return describeCart(cartMade, epoch), most end
        reused = true
      end
    end
  end

  -- An empty cart takes nothing, so it may be made at any time.
  local refusal = n > 0 and notOpen()
  if refusal then return refusal, most end
  if reused then return 'KEY_REUSED', most end
  refusal = overLimit(n) or insufficient(n)
  if refusal then return refusal, most end

  local id, deadline, times = ARGV[at], now + holdMs, 1
  if n == 0 then
    putCart(id, deadline, 0, text)
  else
    if key == '.' and most > 1 then times = madeAtOnce(n, most) end
    newRecord = newRecord or cartRecord(deadline, now, '')
    local record = newRecord .. text
    for i = at, at + times - 1 do addCart(ARGV[i], deadline, record) end
    for i = 1, n do addToCarts(lineItems[i], lineQuantities[i]) end
  end
  if key ~= '.' then
    remember('c:' .. key, format('%s %s %d', fingerprint, id, now + KEY_RETENTION_MS), now + KEY_RETENTION_MS)
  end
  local words = cartWords(times > 1 and '.' or id, 'open', deadline, n)
  if times > 1 then
    for i = 1, n do addToCarts(lineItems[i], lineQuantities[i] * (times - 1)) end
  end
  return words, times
end

local operations = { C = create, S = setLine }

if not published then return 'NO_SALE' end
local asked = tonumber(ARGV[1])
local replies = { policy[1] }
if reclaim() then
  replies[2] = format('%d MORE', asked)
else
  local at = 2 -- where in ARGV the id of the next request is
  for run = asked + 2, #ARGV, 2 do
    local request, left = ARGV[run], tonumber(ARGV[run + 1])
    local operation = operations[string.sub(request, 1, 1)]
    while left > 0 do
      local words, times
      if operation then words, times = operation(request, left, at) end
      words, times = words or 'INVALID', times or 1
      replies[#replies + 1] = (times == 1 and '1 ' or format('%d ', times)) .. words
      at, left = at + times, left - times
    end
  end
end
commit()
return replies
