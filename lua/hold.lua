-- Carts: make one, set a line. Each request takes everything it asks for, or nothing.
--
-- ARGV, any number up to the batch's bound, each one request:
--   C <cart> <key or .> <fingerprint or .> <sku=quantity> …   a new cart; a sku comes once
--   S <epoch> <cart> <sku> <quantity>                         a line set to a quantity; 0 removes it
-- Replies: the epoch, then for each request
--   OK open|checked_out <cart> <deadline> <return> (<sku> <own> <price> <quantity> <available> <others>)…
--   INSUFFICIENT <return> (<sku> <requested> <price> <quantity> <available> <others>)…
--   LIMIT (<sku> <requested> <limit>)…    SALE_NOT_OPEN <startsAt> <now>    MORE: call again
--   SALE_ENDED CART_NOT_FOUND CART_EXPIRED CART_CHECKED_OUT ITEM_NOT_FOUND KEY_REUSED LINES TOTAL INVALID

-- How long an idempotency key is kept.
local KEY_RETENTION_MS = 24 * 3600 * 1000

-- What a line that grows to `total` would need to find available.
local function needed(growth, total)
  return holdsAtCart and growth or total
end

local function create(request)
  local id, key, fingerprint, text = match(request, '^C (%S+) (%S+) (%S+) ?(.*)$')
  if not id then return nil end

  -- Whatever is wrong with the request itself comes first.
  local lines, n, seen = {}, 0, {}
  for token in gmatch(text, '%S+') do
    local sku, digits = match(token, '^([%w_-]+)=(%d+)$')
    local quantity = whole(digits, MAX_QUANTITY)
    if not quantity or quantity == 0 or seen[sku] then return nil end
    seen[sku] = true
    n = n + 1
    lines[n] = { sku = sku, requested = quantity, own = 0 }
  end
  if n > MAX_LINES then return 'LINES' end
  local total = 0
  for _, line in ipairs(lines) do
    line.item = item(line.sku)
    if not line.item then return 'ITEM_NOT_FOUND' end
    total = total + line.item.price * line.requested
  end
  if total > MAX_AMOUNT then return 'TOTAL' end

  local reused = false
  if key ~= '.' then
    local record = remembered('c:' .. key)
    if record then
      local seen, made, keptUntil = match(record, '^(%S+) (%S+) (%d+)$')
      if tonumber(keptUntil) > now then
        if seen == fingerprint then return describeCart(made, epoch) end
        reused = true
      end
    end
  end

  -- An empty cart takes nothing, so it may be made before the sale opens; after its end it would only keep it from closing.
  local refusal = notOpen()
  if refusal and (n > 0 or refusal == 'SALE_ENDED') then return refusal end
  if reused then return 'KEY_REUSED' end

  local over, short = {}, {}
  for _, line in ipairs(lines) do
    local it = line.item
    if it.limit > 0 and line.requested > it.limit then
      over[#over + 1] = format('%s %d %d', it.sku, line.requested, it.limit)
    end
    if it.available < line.requested then short[#short + 1] = line end
  end
  if #over > 0 then return 'LIMIT ' .. table.concat(over, ' ') end
  if #short > 0 then return insufficient(short) end

  for _, line in ipairs(lines) do addToCarts(line.item, line.requested) end
  local deadline = now + holdMs
  putCart(id, deadline, n > 0 and now or 0, text, true)
  if key ~= '.' then
    remember('c:' .. key, format('%s %s %d', fingerprint, id, now + KEY_RETENTION_MS), now + KEY_RETENTION_MS)
  end
  return cartWords(id, 'open', deadline, text)
end

local function set(request)
  local idEpoch, id, sku, digits = match(request, '^S (%d+) (%S+) ([%w_-]+) (%d+)$')
  local quantity = whole(digits, MAX_QUANTITY)
  if not quantity then return nil end

  local refusal, deadline, firstUnitAt, text = openCart(id, tonumber(idEpoch))
  if refusal == 'CART_NOT_FOUND' then return refusal end
  local it = item(sku)
  if not it then return 'ITEM_NOT_FOUND' end
  if refusal then return refusal end

  local lines, own, others, total = {}, 0, 0, it.price * quantity
  for lineSku, line in gmatch(text, '(%S+)=(%d+)') do
    line = tonumber(line)
    if lineSku == sku then
      own = line
      if quantity > 0 then lines[#lines + 1] = format('%s=%d', sku, quantity) end
    else
      others = others + 1
      total = total + item(lineSku).price * line
      lines[#lines + 1] = format('%s=%d', lineSku, line)
    end
  end
  local growth = quantity - own
  if growth == 0 then return cartWords(id, 'open', deadline, text) end

  if growth > 0 then
    if own == 0 then
      if others == MAX_LINES then return 'LINES' end
      lines[#lines + 1] = format('%s=%d', sku, quantity)
    end
    if total > MAX_AMOUNT then return 'TOTAL' end
    refusal = notOpen()
    if refusal then return refusal end
    if it.limit > 0 and quantity > it.limit then return format('LIMIT %s %d %d', sku, quantity, it.limit) end
    if it.available < needed(growth, quantity) then
      return insufficient({ { item = it, requested = quantity, own = own } })
    end
    -- Only growth renews, and never past the longest hold since the first unit.
    if firstUnitAt == 0 then firstUnitAt = now end
    deadline = math.min(now + holdMs, firstUnitAt + maxHoldMs)
  end

  addToCarts(it, growth)
  text = table.concat(lines, ' ')
  putCart(id, deadline, firstUnitAt, text)
  return cartWords(id, 'open', deadline, text)
end

local operations = { C = create, S = set }

return runBatch(function(request)
  local operation = operations[string.sub(request, 1, 1)]
  return operation and operation(request)
end, true)
