#!lua flags=allow-oom
-- After Postgres has committed: the entries leave the outbox, and their orders are marked as persisted. An order that is
-- gone is not made again; an entry that is gone has been counted already. One that was set apart leaves as well, but its
-- order stays as it is, and its sale open: Postgres still lacks what it says.
--
-- ARGV: group, then three for each entry: its id, paid, refund, dead or other, the order or -
-- Replies: the number of entries that left

local group = ARGV[1]
local ids, left, counts = {}, 0, { paid = 0, dead = 0 }

-- Everything is read before the first write: an order that cannot be, keeps its entry in the outbox.
for i = 2, #ARGV, 3 do
  local kind, orderId = ARGV[i + 1], ARGV[i + 2]
  local o = orderId ~= '-' and loadOrder(orderId)
  if o and o.persisted == '0' then
    o.persisted = '1'
    if kind == 'refund' then o.state = 'refunded' end
    changedOrders[orderId] = true
    retention['o:' .. orderId] = now + PERSISTED_RETENTION_MS
  end
end
assertWritable(RETENTION, 'ZCARD', retention)
for i = 2, #ARGV, 3 do
  local id, kind = ARGV[i], ARGV[i + 1]
  if call('XDEL', OUTBOX, id) == 1 then
    left = left + 1
    if counts[kind] then counts[kind] = counts[kind] + 1 end
  end
  ids[#ids + 1] = id
end
for from = 1, #ids, CALL_BOUND do
  call('XACK', OUTBOX, group, unpack(ids, from, math.min(from + CALL_BOUND - 1, #ids)))
end
if counts.paid > 0 then call('HINCRBY', POLICY, 'persisted', counts.paid) end
if counts.dead > 0 then call('HINCRBY', POLICY, 'dead', counts.dead) end
commit()
return left
