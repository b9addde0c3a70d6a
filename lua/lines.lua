-- Lines of a cart: the one operation that several scripts have. Put before hold.lua and remove.lua, after orders.lua.

-- Sets a line of a cart to a quantity, all of the growth or none; 0 removes it.
--
-- The request:  S <epoch> <cart> <sku> <quantity>
-- @returns its reply, as hold.lua lists them, or nil where it is malformed
local function setLine(request)
  local idEpoch, id, sku, digits = match(request, '^S (%d+) (%S+) ([%w_-]+) (%d+)$')
  local quantity = whole(digits, MAX_QUANTITY)
  if not quantity then return nil end

  local refusal, deadline, firstUnitAt, text = openCart(id, tonumber(idEpoch))
  if refusal == 'CART_NOT_FOUND' then return refusal end
  local it = item(sku)
  if not it then return 'ITEM_NOT_FOUND' end
  if refusal then return refusal end

  local lines, own, others, total = {}, 0, 0, it.price * quantity
  for lineSku, line in gmatch(text, '([^%s=]+)=(%d+)') do
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
  if growth == 0 then return cartWords(id, 'open', deadline, readLines(text)) end

  if growth > 0 then
    if own == 0 then
      if others == MAX_LINES then return 'LINES' end
      lines[#lines + 1] = format('%s=%d', sku, quantity)
    end
    if total > MAX_AMOUNT then return 'TOTAL' end
    refusal = notOpen()
    if refusal then return refusal end
    if it.limit > 0 and quantity > it.limit then return format('LIMIT %s %d %d', sku, quantity, it.limit) end
    if it.available < (holdsAtCart and growth or quantity) then
      return format('INSUFFICIENT %s %s', returnWord(mayReturn(it)), stockWords(it, quantity, own))
    end
    -- Only growth renews, and never past the longest hold since the first unit.
    if firstUnitAt == 0 then firstUnitAt = now end
    deadline = math.min(now + holdMs, firstUnitAt + maxHoldMs)
  end

  addToCarts(it, growth)
  local after = table.concat(lines, ' ')
  putCart(id, deadline, firstUnitAt, after, text)
  return cartWords(id, 'open', deadline, readLines(after))
end
