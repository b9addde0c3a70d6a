-- Carts: make one, set a line. Each request takes everything it asks for, or nothing.
--
-- ARGV, any number of requests up to the batch's bound:
--   C <key or .> <fingerprint or .> <sku=quantity> …   a new cart; a sku comes once
--   S <epoch> <cart> <sku> <quantity>                  a line set to a quantity, as in lines.lua; 0 removes it
-- then as many ids that nothing has yet, one for the cart that each may make. So requests that are alike are one string
-- here, and mostly looked into once: to make a string and to take it apart costs more than to take a unit.
-- Replies: the epoch, then for each request
--   OK open|checked_out <cart> <deadline> <return> (<sku> <own> <price> <quantity> <available> <others>)…
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
-- The last cart of one line: in a flash sale the next one mostly says the same.
local alikeText, alikeItem, alikeQuantity

-- Reads the lines of a cart that is to be made.
-- @returns how many there are, or nil where the text is none; whether one names no item of the sale; their total
local function readNewLines(text)
  if text == alikeText then
    lineItems[1], lineQuantities[1] = alikeItem, alikeQuantity
    return 1, nil, alikeItem.price * alikeQuantity
  end
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
  if n == 1 and not unknown then alikeText, alikeItem, alikeQuantity = text, lineItems[1], lineQuantities[1] end
  return n, unknown, total
end

local lastRequest, lastKey, lastFingerprint, lastText

local function create(request, id)
  if request ~= lastRequest then
    lastRequest = request
    lastKey, lastFingerprint, lastText = match(request, '^C (%S+) (%S+) ?(.*)$')
  end
  local key, fingerprint, text = lastKey, lastFingerprint, lastText
  if not key then return nil end

  -- Whatever is wrong with the request itself comes first.
  local n, unknown, total = readNewLines(text)
  if not n then return nil end
  if n > MAX_LINES then return 'LINES' end
  if unknown then return 'ITEM_NOT_FOUND' end
  if total > MAX_AMOUNT then return 'TOTAL' end

  local reused = false
  if key ~= '.' then
    local record = remembered('c:' .. key)
    if record then
      local seen, cartMade, keptUntil = match(record, '^(%S+) (%S+) (%d+)$')
      if tonumber(keptUntil) > now then
        if seen == fingerprint then return describeCart(cartMade, epoch) end
        reused = true
      end
    end
  end

  -- An empty cart takes nothing, so it may be made at any time.
  local refusal = n > 0 and notOpen()
  if refusal then return refusal end
  if reused then return 'KEY_REUSED' end
  refusal = overLimit(n) or insufficient(n)
  if refusal then return refusal end

  for i = 1, n do addToCarts(lineItems[i], lineQuantities[i]) end
  local deadline = now + holdMs
  if n > 0 then addCart(id, deadline, text) else putCart(id, deadline, 0, text) end
  if key ~= '.' then
    remember('c:' .. key, format('%s %s %d', fingerprint, id, now + KEY_RETENTION_MS), now + KEY_RETENTION_MS)
  end
  return cartWords(id, 'open', deadline, n)
end

local operations = { C = create, S = setLine }
local asked = #ARGV / 2

return runBatch(function(request, i)
  local operation = request == lastRequest and create or operations[string.sub(request, 1, 1)]
  return operation and operation(request, ARGV[asked + i])
end, true, asked)
