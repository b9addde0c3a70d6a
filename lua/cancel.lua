#!lua flags=allow-oom
-- Cancels unpaid orders and gives their units back; twice is as good as once.
--
-- ARGV, each one request:  <epoch> <order>
-- Replies: the epoch, then for each request
--   OK PAYMENT_IN_PROGRESS ORDER_ALREADY_PAID ORDER_EXPIRED ORDER_NOT_FOUND INVALID

return runBatch(function(request)
  local idEpoch, id = match(request, '^(%d+) (%S+)$')
  if not id then return nil end
  local o = namedOrder(id, tonumber(idEpoch))
  if not o then return 'ORDER_NOT_FOUND' end
  if o.state == 'payment_pending' then return 'PAYMENT_IN_PROGRESS' end
  if o.state == 'paid' then return 'ORDER_ALREADY_PAID' end
  if o.state == 'awaiting_payment' then
    endOrder(o, 'cancelled', now)
    return 'OK'
  end
  return o.endedAs == 'cancelled' and 'OK' or 'ORDER_EXPIRED'
end, true)
