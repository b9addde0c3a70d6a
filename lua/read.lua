#!lua flags=no-writes
-- Reads. Nothing is written: holds that have lapsed are given back in the overlay only, so they count as gone.
--
-- ARGV, each one request:
--   P                     the sale          I <sku>               one item          A   every item
--   C <epoch> <cart>      a cart            O <epoch> <order>     an order
-- Replies: the epoch, then for each request
--   OK <status> <startsAt> <endsAt or -> <closed>                                        to P
--   OK <status> <startsAt> <endsAt or -> <closed> <return> (<sku> <limit> <price> <quantity> <available> <inCarts>)…   to I, A
--   as in hold.lua to C; as in orders.lua, `describeOrder`, to O
--   MORE: more has lapsed than this call can count; sweep, and ask again
--   ITEM_NOT_FOUND CART_NOT_FOUND CART_EXPIRED ORDER_NOT_FOUND INVALID

local function saleWords()
  return format('OK %s %d %s %s', saleStatus(), startsAt, endsAt and format('%d', endsAt) or '-', closed and '1' or '0')
end

local function itemWords(its)
  local words, wanted = { saleWords(), '-' }, false
  for _, it in ipairs(its) do
    words[#words + 1] = stockWords(it, it.limit, 0)
    wanted = wanted or mayReturn(it)
  end
  words[2] = returnWord(wanted)
  return table.concat(words, ' ')
end

local everything -- the reply to A, made once a call
local function everyItem()
  if everything then return everything end
  local pairs_, its = call('HGETALL', STOCK), {}
  for i = 1, #pairs_, 2 do
    local sku = pairs_[i]
    its[#its + 1] = items[sku] or parseItem(sku, pairs_[i + 1])
  end
  everything = itemWords(its)
  return everything
end

return runBatch(function(request)
  local kind = string.sub(request, 1, 1)
  if request == 'P' then return saleWords() end
  if request == 'A' then return everyItem() end
  if kind == 'I' then
    local it = item(string.sub(request, 3))
    return it and itemWords({ it }) or 'ITEM_NOT_FOUND'
  end
  local _, idEpoch, id = match(request, '^([CO]) (%d+) (%S+)$')
  if not id then return nil end
  if kind == 'C' then return describeCart(id, tonumber(idEpoch)) end
  local o = namedOrder(id, tonumber(idEpoch))
  return o and describeOrder(o) or 'ORDER_NOT_FOUND'
end, false)
