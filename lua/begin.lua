-- Begins a payment: the order is payable, its units are still held, and this attempt is the only one in progress.
--
-- ARGV, each one request:  <epoch> <order> <payment>
-- Replies: the epoch, then for each request
--   OK <total>: charge so much now
--   an order as in orders.lua, `describeOrder`, its first word PAID: charge nothing
--   PAYMENT_IN_PROGRESS ORDER_EXPIRED ORDER_CANCELLED ORDER_NOT_FOUND INVALID
--   INVARIANT <sku>: the order holds more than is held; nobody pays for that

-- When a worker first asks about an attempt that nobody settled; before its pending time ends in any case.
local FIRST_ASK_MS = 4000

return runBatch(function(request)
  local idEpoch, id, payment = match(request, '^(%d+) (%S+) (%S+)$')
  if not id then return nil end
  local o = namedOrder(id, tonumber(idEpoch))
  if not o then return 'ORDER_NOT_FOUND' end
  if o.state == 'paid' then return describeOrder(o, 'PAID') end
  if o.state == 'payment_pending' then return 'PAYMENT_IN_PROGRESS' end
  if o.state ~= 'awaiting_payment' then
    return o.endedAs == 'cancelled' and 'ORDER_CANCELLED' or 'ORDER_EXPIRED'
  end

  -- The third check of availability: an order that is payable holds every unit of every line.
  for it, quantity in orderLines(o) do
    if it.inOrders < quantity then return format('INVARIANT %s', it.sku) end
  end
  o.state, o.paymentId, o.paymentStatus = 'payment_pending', payment, 'pending'
  o.deadline = now + pendingMs
  orderChanged(o)
  -- Declined, it lapses at payBy: until then that is the soonest.
  setDeadline(id, o.payBy > now and math.min(o.payBy, o.deadline) or o.deadline)
  attempts[format('%s %s %d', id, payment, o.total)] = math.min(now + FIRST_ASK_MS, o.deadline - cancelLead())
  return format('OK %d', o.total)
end, true)
