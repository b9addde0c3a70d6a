#!lua flags=allow-oom
-- Gives back what has lapsed and forgets what has been kept long enough, a bounded part at a time; serves sales that
-- nobody asks about.
--
-- ARGV: none
-- Replies: MORE where there is more to do now, else DONE

local FORGET_BOUND = 1024

local more = published and reclaim()

local function forgetCart(id)
  carts[id] = false
  changedCarts[id] = true
end

local due = call('ZRANGEBYSCORE', RETENTION, '-inf', format('%d', now), 'LIMIT', 0, FORGET_BOUND)
local forgotten = 0
for _, member in ipairs(due) do
  if forgotten >= FORGET_BOUND then break end
  forgotten = forgotten + 1
  local kind, field = match(member, '^(%a):(.*)$')
  retention[member] = false
  if kind == 'c' then
    forgetCart(field)
  elseif kind == 'l' then
    for id in gmatch(field, '%S+') do
      forgetCart(id)
      forgotten = forgotten + 1
    end
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
return (more or forgotten >= FORGET_BOUND) and 'MORE' or 'DONE'
