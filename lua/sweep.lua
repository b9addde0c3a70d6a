#!lua flags=allow-oom
-- Gives back what has lapsed and forgets what has been kept long enough, a bounded part at a time; serves sales that
-- nobody asks about.
--
-- ARGV: none
-- Replies: MORE where there is more to do now, else DONE

-- How much one call forgets: carts that lapsed together count one each, whatever else is forgotten by itself four.
local FORGET_BOUND = 1024
-- Members that are looked at a time: one may be a thousand carts long.
local PAGE = 32

local more = published and reclaim()

local function forgetCart(id)
  carts[id] = false
  changedCarts[id] = true
end

-- @returns what it counts
local function forget(member)
  local kind, field = match(member, '^(%a):(.*)$')
  retention[member] = false
  if kind == 'l' then
    local n = 0
    for id in gmatch(field, '%S+') do
      forgetCart(id)
      n = n + 1
    end
    return n
  end
  if kind == 'c' then
    forgetCart(field)
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
  return 4
end

local from, forgotten, page = 0, 0, nil
repeat
  page = call('ZRANGEBYSCORE', RETENTION, '-inf', format('%d', now), 'LIMIT', from, PAGE)
  for _, member in ipairs(page) do
    if forgotten < FORGET_BOUND then forgotten = forgotten + forget(member) end
  end
  from = from + PAGE
until #page < PAGE or forgotten >= FORGET_BOUND
commit()
return (more or forgotten >= FORGET_BOUND) and 'MORE' or 'DONE'
