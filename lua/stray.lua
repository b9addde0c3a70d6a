#!lua flags=allow-oom
-- Puts down money for an order of no sale that this Redis knows, once, so that a worker gives it back. Works on the
-- shard of stray payments, which has no policy.
--
-- ARGV: payment, order as it was named, amount, currency
-- Replies: OK    INVALID

local payment, orderId, amount, money = ARGV[1], ARGV[2], whole(ARGV[3], MAX_AMOUNT), ARGV[4]
if not amount or not match(money, '^%u%u%u$') then return 'INVALID' end
if not remembered('p:' .. payment) then
  remember('p:' .. payment, '1', now + PAYMENT_RETENTION_MS)
  appendOutbox('refund', paymentWords('-', '0', orderId, payment, amount, money, 'unknown_order'), {})
  commit()
end
return 'OK'
