#!lua flags=allow-oom
-- After Postgres has committed: the entries leave the outbox, and their orders are marked as persisted. An order that is
-- gone is not made again; an entry that is gone has been counted already. One that was set apart leaves as well, but its
-- order stays as it is, and its sale open: Postgres still lacks what it says.
--
-- ARGV: group, then three for each entry: its id, paid, refund, dead or other, the order or -
-- Replies: the number of entries that left

local group = ARGV[1]
local ids, paid, dead, others = {}, {}, {}, {}
local records = {} -- orders and their records, marked, as the arguments of HSET

-- Everything is read before the first write: an order that cannot be, keeps its entry in the outbox.
for i = 2, #ARGV, 3 do
  local id, kind, orderId = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local alike = kind == 'paid' and paid or kind == 'dead' and dead or others
  ids[#ids + 1], alike[#alike + 1] = id, id
  local forgotten = 'o:' .. orderId
  local raw = orderId ~= '-' and not retention[forgotten] and call('HGET', ORDERS, orderId)
  -- The last word of the first line is what changes, and after money went back the first one: hundreds of records are not
  -- taken apart for that.
  local head, rest = match(raw or '', '^([^\n]*) 0(\n.*)$')
  if head then
    if kind == 'refund' then head = string.gsub(head, '^%S+', 'refunded') end
    records[#records + 1], records[#records + 2] = orderId, head .. ' 1' .. rest
    retention[forgotten] = now + PERSISTED_RETENTION_MS
  end
end
assertWritable(RETENTION, 'ZCARD', retention)
local paidLeft, deadLeft = callMany('XDEL', OUTBOX, paid), callMany('XDEL', OUTBOX, dead)
local left = paidLeft + deadLeft + callMany('XDEL', OUTBOX, others)
for from = 1, #ids, CALL_BOUND do
  call('XACK', OUTBOX, group, unpack(ids, from, math.min(from + CALL_BOUND - 1, #ids)))
end
if paidLeft > 0 then call('HINCRBY', POLICY, 'persisted', paidLeft) end
if deadLeft > 0 then call('HINCRBY', POLICY, 'dead', deadLeft) end
callMany('HSET', ORDERS, records)
commit()
return left
