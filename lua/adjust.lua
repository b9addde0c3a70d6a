#!lua flags=allow-oom
-- Changes an item's allocation while the sale runs. A restock is in Postgres already; a shrink leaves `available` here
-- first and goes to Postgres through the outbox; either is an entry there, in its place among what was sold. Done twice under one adjustment id, it changes nothing; and what was
-- refused once under an id stays refused, since whoever heard so has withdrawn it.
--
-- ARGV: adjustment, sku, delta (-?digits), saleId
-- Replies: OK    ITEM_NOT_FOUND    BELOW_COMMITTED    TOO_MANY: past the largest allocation    SALE_CLOSED    MORE
--          NO_SALE INVALID

-- How long an adjustment is remembered here; Postgres remembers it for good.
local ADJUSTMENT_RETENTION_MS = 7 * 24 * 3600 * 1000

if not published then return 'NO_SALE' end

local adjustment, sku = ARGV[1], ARGV[2]
local sign, digits = match(ARGV[3], '^(-?)(%d+)$')
local size = whole(digits, MAX_QUANTITY)
if not size or not match(adjustment, '^%S+$') then return 'INVALID' end
local delta = sign == '-' and -size or size

local earlier = remembered('a:' .. adjustment)
if earlier then return earlier == '1' and 'OK' or 'BELOW_COMMITTED' end
if closed then return 'SALE_CLOSED' end
local more = reclaim()
local it = item(sku)
local reply = 'OK'
if more then
  reply = 'MORE'
elseif not it then
  reply = 'ITEM_NOT_FOUND'
elseif it.available + delta < 0 then
  reply = 'BELOW_COMMITTED'
  remember('a:' .. adjustment, '0', now + ADJUSTMENT_RETENTION_MS)
elseif it.allocation + delta > MAX_QUANTITY then
  reply = 'TOO_MANY'
else
  it.allocation = it.allocation + delta
  it.available = it.available + delta
  it.changed = true
  remember('a:' .. adjustment, '1', now + ADJUSTMENT_RETENTION_MS)
  appendOutbox('adjusted', format('%s %s %d', adjustment, sku, delta), { it })
end
commit()
return reply
