#!lua flags=allow-oom
-- Gives carts back, whole; they are gone then.
--
-- ARGV, each one request:  <epoch> <cart>
-- Replies: the epoch, then for each request
--   OK CART_NOT_FOUND CART_EXPIRED CART_CHECKED_OUT MORE INVALID

return runBatch(function(request)
  local idEpoch, id = match(request, '^(%d+) (%S+)$')
  if not id then return nil end
  local refusal, _, _, text = openCart(id, tonumber(idEpoch))
  if refusal then return refusal end
  for i = 1, readLines(text) do addToCarts(lineItems[i], -lineQuantities[i]) end
  dropCart(id)
  return 'OK'
end, true)
