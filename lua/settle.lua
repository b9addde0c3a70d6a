#!lua flags=allow-oom
-- Records what the provider said of payment attempts. A state only moves forward: a late failure never undoes `paid`,
-- and what has been recorded once changes nothing the second time. Money that finds no goods goes back.
--
-- ARGV, each one request:  <epoch> <order> <payment> <outcome> <amount> <currency> <the order's public id>
--   outcome: succeeded, declined, never_taken, pending
-- Replies: the epoch, then for each request
--   an order as in orders.lua, `describeOrder`, its first word OK
--   ORDER_NOT_FOUND: nobody here knows the order; a success has been put down for its refund
--   MORE INVALID

-- `withOrder`: the entry carries the order as well.
local function refundPayment(o, payment, amount, money, reason, orderId, withOrder)
  local its = {}
  if withOrder then
    for it in orderLines(o) do its[#its + 1] = it end
  end
  appendOutbox('refund', paymentWords(o and o.id or '-', policy[1], orderId, payment, amount, money, reason), its,
    withOrder and encodeOrder(o))
end

local function refundOrder(o, payment, amount, money, reason, orderId)
  if isLive(o) then endOrder(o, 'expired', now) end
  o.state, o.paymentId, o.paymentStatus = 'refund_due', payment, 'succeeded'
  retention['o:' .. o.id] = false
  orderChanged(o)
  refundPayment(o, payment, amount, money, reason, orderId, true)
end

local function pay(o, payment, amount, money, orderId)
  local its = {}
  for it, quantity in orderLines(o) do
    sell(it, quantity)
    its[#its + 1] = it
  end
  o.state, o.paymentId, o.paymentStatus, o.paidAt = 'paid', payment, 'succeeded', now
  if o.endedAs ~= '-' then
    o.endedAt, o.endedAs = 0, '-'
    retention['o:' .. o.id] = false
  else
    setDeadline(o.id, false)
  end
  orderChanged(o)
  appendOutbox('paid', paymentWords(o.id, policy[1], orderId, payment, amount, money, '-'), its, encodeOrder(o))
end

-- Takes an ended order's units again, all or none.
-- @returns whether they were there
local function retake(o)
  for it, quantity in orderLines(o) do
    if it.available < quantity then return false end
  end
  for it, quantity in orderLines(o) do addToOrders(it, quantity) end
  return true
end

local function succeeded(o, payment, amount, money, orderId)
  -- Told twice; or told of another order as well, and one payment counts for one order only.
  if payment == o.paymentId and o.paymentStatus == 'succeeded' then return end
  if remembered('p:' .. payment) then return end
  if o.state == 'paid' or o.state == 'refund_due' or o.state == 'refunded' then
    refundPayment(o, payment, amount, money, 'duplicate', orderId, false)
  elseif o.state == 'cancelled' then
    refundOrder(o, payment, amount, money, 'cancelled', orderId)
  elseif amount ~= o.total or money ~= currency then
    refundOrder(o, payment, amount, money, 'amount_mismatch', orderId)
  elseif isLive(o) then
    pay(o, payment, amount, money, orderId)
  elseif closed then
    refundOrder(o, payment, amount, money, 'closed', orderId)
  else
    if retake(o) then
      pay(o, payment, amount, money, orderId)
    else
      refundOrder(o, payment, amount, money, 'lapsed', orderId)
    end
  end
  remember('p:' .. payment, '1', now + PAYMENT_RETENTION_MS)
end

local function failed(o, payment, outcome)
  local mine = payment == o.paymentId and o.paymentStatus == 'pending'
  if mine then
    if outcome == 'never_taken' then
      o.paymentId, o.paymentStatus = '-', '-'
    else
      o.paymentStatus = 'declined'
    end
    if o.state == 'payment_pending' then
      -- Payable again for as long as it would have been; where that is over, it has lapsed.
      o.state, o.deadline = 'awaiting_payment', o.payBy
      setDeadline(o.id, o.payBy)
      if o.payBy <= now then endOrder(o, 'expired', now) end
    end
    orderChanged(o)
  elseif o.state == 'awaiting_payment' and o.paymentId == '-' and outcome == 'declined' then
    -- A payment that did not start here, on a provider's own page.
    o.paymentId, o.paymentStatus = payment, 'declined'
    orderChanged(o)
  end
end

return runBatch(function(request)
  local idEpoch, id, payment, outcome, amount, money, orderId =
    match(request, '^(%d+) (%S+) (%S+) (%S+) (%d+) (%u%u%u) (%S+)$')
  amount = whole(amount, MAX_AMOUNT)
  if not amount then return nil end
  local o = namedOrder(id, tonumber(idEpoch))

  if outcome == 'succeeded' then
    if not o then
      if not remembered('p:' .. payment) then
        remember('p:' .. payment, '1', now + PAYMENT_RETENTION_MS)
        refundPayment(nil, payment, amount, money, 'unknown_order', orderId, false)
      end
    else
      succeeded(o, payment, amount, money, orderId)
    end
  elseif o and (outcome == 'declined' or outcome == 'never_taken') then
    failed(o, payment, outcome)
  elseif outcome ~= 'pending' and outcome ~= 'declined' and outcome ~= 'never_taken' then
    return nil
  end
  -- What is known is no longer asked about. An attempt is written down under the order's own amount. Where nothing has changed,
  -- nothing is written, so it is looked for first.
  if outcome ~= 'pending' then
    local member = format('%s %s %d', id, payment, o and o.total or amount)
    if changedOrders[id] or call('ZSCORE', ATTEMPTS, member) then attempts[member] = false end
  end
  return o and describeOrder(o) or 'ORDER_NOT_FOUND'
end, true)
