#!lua flags=allow-oom
-- Gives back what has lapsed and forgets what has been kept long enough, a bounded part at a time; serves sales that
-- nobody asks about.
--
-- ARGV: none
-- Replies: MORE where there is more to do now, else DONE

local FORGET_BOUND = 256

local more = published and reclaim()

local due = call('ZRANGEBYSCORE', RETENTION, '-inf', format('%d', now), 'LIMIT', 0, FORGET_BOUND)
for _, member in ipairs(due) do
  local kind, field = match(member, '^(%a):(.*)$')
  retention[member] = false
  if kind == 'c' then
    carts[field] = false
    changedCarts[field] = true
  elseif kind == 'i' then
    idempotency[field] = false
    changedKeys[field] = true
  else
    -- Never one whose money is still on its way to Postgres or back.
    local o = loadOrder(field)
    if o and (o.persisted == '1' or o.state == 'expired' or o.state == 'cancelled') then
      orders[field] = false
      changedOrders[field] = true
    end
  end
end
commit()
return (more or #due == FORGET_BOUND) and 'MORE' or 'DONE'
