-- Publishes a sale: its policy, and every item with all of its allocation available that is not sold. Done twice, it changes
-- nothing. A sale that this Redis has lost is published again, under a later epoch, with what Postgres knows of it.
--
-- ARGV: startsAt or -, endsAt or -, holdAt, holdMs, maxHoldMs, paymentMs, pendingMs, currency, the catalogue as JSON,
--       in words: epoch, paused (1, 0), the last id of the outbox (0-0: none), how many entries are set apart, then each
--         adjustment that the allocations count already,
--       then five for each item: sku, allocation, sold, price, limit (0: none)
-- Replies: OK <startsAt>    EXISTS <startsAt>    INVALID
--   LEFTOVERS: the sale is not here, and parts of it are, which nobody may throw away

local ITEM_FIELDS_AT = 11
local MAX_ITEMS = 10000
local MAX_EPOCH = 999999
-- As long as adjust.lua remembers one.
local ADJUSTMENT_RETENTION_MS = 7 * 24 * 3600 * 1000

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
local newEpoch, isPaused, last, dead, adjustments = match(ARGV[10], '^(%d+) ([01]) (%d+%-%d+) (%d+)(.*)$')
newEpoch, dead = whole(newEpoch, MAX_EPOCH), whole(dead, MAX_AMOUNT)
if not newEpoch or newEpoch == 0 or not dead then return 'INVALID' end
-- Redis would refuse an id that is too large when the items are there already.
local lastMs, lastSequence = match(last, '^(%d+)-(%d+)$')
if not whole(lastMs, MAX_AMOUNT) or not whole(lastSequence, MAX_AMOUNT) then return 'INVALID' end
if (#ARGV - ITEM_FIELDS_AT + 1) % 5 ~= 0 or #ARGV >= ITEM_FIELDS_AT + 5 * MAX_ITEMS then return 'INVALID' end

if call('EXISTS', STOCK, CARTS, ORDERS, IDEMPOTENCY, DEADLINES, RETENTION, ATTEMPTS, OUTBOX) > 0 then return 'LEFTOVERS' end

local stock = {}
for i = ITEM_FIELDS_AT, #ARGV, 5 do
  local sku, allocation, sold, price, limit = ARGV[i], whole(ARGV[i + 1], MAX_QUANTITY), whole(ARGV[i + 2], MAX_QUANTITY),
    whole(ARGV[i + 3], MAX_AMOUNT), whole(ARGV[i + 4], MAX_QUANTITY)
  if not match(sku, '^[%w_-]+$') or not allocation or not sold or sold > allocation or not price or not limit then return 'INVALID' end
  stock[#stock + 1] = sku
  stock[#stock + 1] = format('%d %d 0 0 %d %d %d', allocation, allocation - sold, sold, price, limit)
end

callMany('HSET', STOCK, stock)
for adjustment in gmatch(adjustments, '%S+') do remember('a:' .. adjustment, '1', now + ADJUSTMENT_RETENTION_MS) end
commit()
if last ~= '0-0' then
  -- What is written from now on comes after what Postgres has.
  call('XGROUP', 'CREATE', OUTBOX, 'postgres', '0', 'MKSTREAM')
  call('XSETID', OUTBOX, last)
end
call('HSET', POLICY, 'epoch', format('%d', newEpoch), 'startsAt', format('%d', opens), 'endsAt', ends and format('%d', ends) or '',
  'holdAt', ARGV[3], 'holdMs', ARGV[4], 'maxHoldMs', ARGV[5], 'paymentMs', ARGV[6], 'pendingMs', ARGV[7], 'paused', isPaused,
  'dead', format('%d', dead), 'currency', ARGV[8], 'catalogue', ARGV[9], 'clock', format('%d', now))
return format('OK %d', opens)
