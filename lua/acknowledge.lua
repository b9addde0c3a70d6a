#!lua flags=allow-oom
-- After Postgres has committed: the entries leave the outbox, and their orders are marked as persisted. An order that is
-- gone is not made again; an entry that is gone has been counted already. One that was set apart leaves as well, but its
-- order stays as it is, and its sale open: Postgres still lacks what it says.
--
-- ARGV: group, then three for each entry: its id, paid, refund, dead or other, the order or -
-- Replies: the number of entries that left

local group = ARGV[1]
local ids, left, paid, dead = {}, 0, 0, 0
for i = 2, #ARGV, 3 do
  local id, kind, orderId = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if call('XDEL', OUTBOX, id) == 1 then
    left = left + 1
    if kind == 'paid' then paid = paid + 1 end
    if kind == 'dead' then dead = dead + 1 end
  end
  ids[#ids + 1] = id
  local o = orderId ~= '-' and loadOrder(orderId)
  if o and o.persisted == '0' then
    o.persisted = '1'
    if kind == 'refund' then o.state = 'refunded' end
    changedOrders[orderId] = true
    retention['o:' .. orderId] = now + PERSISTED_RETENTION_MS
  end
end
for from = 1, #ids, CALL_BOUND do
  call('XACK', OUTBOX, group, unpack(ids, from, math.min(from + CALL_BOUND - 1, #ids)))
end
if paid > 0 then call('HINCRBY', POLICY, 'persisted', paid) end
if dead > 0 then call('HINCRBY', POLICY, 'dead', dead) end
commit()
return left
