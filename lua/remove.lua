#!lua flags=allow-oom
-- Gives back carts, whole, which are gone then, or single lines of them. Whoever gives back may do so while Redis is full.
--
-- ARGV, each one request:  <epoch> <cart>    or, as in lines.lua:  S <epoch> <cart> <sku> 0
-- Replies: the epoch, then for each request
--   OK to a cart; as in hold.lua to a line
--   ITEM_NOT_FOUND CART_NOT_FOUND CART_EXPIRED CART_CHECKED_OUT MORE INVALID

return runBatch(function(request)
  if match(request, '^S %S+ %S+ %S+ 0$') then return setLine(request) end
  local idEpoch, id = match(request, '^(%d+) (%S+)$')
  if not id then return nil end
  local refusal, _, _, text = openCart(id, tonumber(idEpoch))
  if refusal then return refusal end
  for i = 1, readLines(text) do addToCarts(lineItems[i], -lineQuantities[i]) end
  if text == '' then retention['c:' .. id] = false end
  dropCart(id)
  return 'OK'
end, true)
