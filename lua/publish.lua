-- Publishes a sale: its policy, and every item with its whole allocation available. Done twice, it changes nothing.
--
-- ARGV: startsAt or -, endsAt or -, holdAt, holdMs, maxHoldMs, paymentMs, pendingMs, currency, the catalogue as JSON,
--       then four for each item: sku, allocation, price, limit (0: none)
-- Replies: OK <startsAt>    EXISTS <startsAt>    INVALID

local ITEM_FIELDS_AT = 10
local MAX_ITEMS = 10000

if published then return format('EXISTS %d', startsAt) end

local function timeOf(text, default)
  if text == '-' then return default end
  return whole(text, MAX_AMOUNT)
end

local opens, ends = timeOf(ARGV[1], now), timeOf(ARGV[2], nil)
if not opens or (ARGV[2] ~= '-' and not ends) then return 'INVALID' end
if ARGV[3] ~= 'cart' and ARGV[3] ~= 'checkout' then return 'INVALID' end
for i = 4, 7 do
  if not whole(ARGV[i], MAX_AMOUNT) then return 'INVALID' end
end
if not match(ARGV[8], '^%u%u%u$') then return 'INVALID' end
if (#ARGV - ITEM_FIELDS_AT + 1) % 4 ~= 0 or #ARGV >= ITEM_FIELDS_AT + 4 * MAX_ITEMS then return 'INVALID' end

local stock = {}
for i = ITEM_FIELDS_AT, #ARGV, 4 do
  local sku, allocation, price, limit = ARGV[i], whole(ARGV[i + 1], MAX_QUANTITY), whole(ARGV[i + 2], MAX_AMOUNT),
    whole(ARGV[i + 3], MAX_QUANTITY)
  if not match(sku, '^[%w_-]+$') or not allocation or not price or not limit then return 'INVALID' end
  stock[#stock + 1] = sku
  stock[#stock + 1] = format('%d %d 0 0 0 %d %d', allocation, allocation, price, limit)
end

callMany('HSET', STOCK, stock)
call('HSET', POLICY, 'epoch', '1', 'startsAt', format('%d', opens), 'endsAt', ends and format('%d', ends) or '',
  'holdAt', ARGV[3], 'holdMs', ARGV[4], 'maxHoldMs', ARGV[5], 'paymentMs', ARGV[6], 'pendingMs', ARGV[7],
  'currency', ARGV[8], 'catalogue', ARGV[9], 'clock', format('%d', now))
return format('OK %d', opens)
