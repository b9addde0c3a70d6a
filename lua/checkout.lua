-- Turns carts into orders that await payment, prices frozen. Availability is checked again: under `holdAt: cart` the
-- units must still be held, under `holdAt: checkout` they are taken now, all lines or none.
--
-- ARGV, each one request:  <epoch> <cart> <customer as JSON>
-- Replies: the epoch, then for each request
--   an order as in orders.lua, `describeOrder`, its first word OK, or REPEATED where the order was there already
--   INSUFFICIENT and SALE_NOT_OPEN as in hold.lua    MORE
--   SALE_ENDED CART_NOT_FOUND CART_EXPIRED CART_EMPTY INVALID

return runBatch(function(request)
  local idEpoch, id, customer = match(request, '^(%d+) (%S+) ({[^\n]*})$')
  if not id then return nil end
  idEpoch = tonumber(idEpoch)

  local existing = namedOrder(id, idEpoch)
  if existing then return describeOrder(existing, 'REPEATED') end
  local refusal, _, _, text = openCart(id, idEpoch)
  if refusal then return refusal end
  if text == '' then return 'CART_EMPTY' end

  local n = readLines(text)
  if not holdsAtCart then
    refusal = notOpen() or insufficient(n, true)
    if refusal then return refusal end
  end

  local frozen, total = {}, 0
  for i = 1, n do
    local it, quantity = lineItems[i], lineQuantities[i]
    frozen[i] = format('%s=%d=%d', it.sku, quantity, it.price)
    total = total + it.price * quantity
    moveToOrders(it, quantity)
  end
  dropCart(id)
  local payBy = now + paymentMs
  local o = {
    id = id, state = 'awaiting_payment', deadline = payBy, createdAt = now, payBy = payBy, paymentId = '-',
    paymentStatus = '-', paidAt = 0, endedAt = 0, endedAs = '-', total = total, persisted = '0',
    lines = table.concat(frozen, ' '), customer = customer,
  }
  orders[id] = o
  orderChanged(o)
  setDeadline(id, payBy)
  return describeOrder(o)
end, true)
