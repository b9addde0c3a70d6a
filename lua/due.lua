#!lua flags=allow-oom
-- Hands out the payment attempts of unknown outcome that it is time to ask the provider about, each to one caller only:
-- its next turn is put off in the same step.
--
-- ARGV: how many at the most
-- Replies: three a piece: order, payment, amount and what to ask, find or cancel, in words; the epoch first

-- The longest between two questions about one attempt.
local ASK_AGAIN_MS = 30 * 1000
if not published then return {} end

local replies = { policy[1] }
for _, member in ipairs(call('ZRANGEBYSCORE', ATTEMPTS, '-inf', format('%d', now), 'LIMIT', 0, ARGV[1])) do
  local id, payment = match(member, '^(%S+) (%S+) %d+$')
  local o = order(id)
  local waits = o and o.state == 'payment_pending' and o.paymentId == payment
  local ask, again = 'cancel', now + ASK_AGAIN_MS
  if waits and now < o.deadline - cancelLead() then
    ask, again = 'find', math.min(again, o.deadline - cancelLead())
  end
  attempts[member] = again
  replies[#replies + 1] = member .. ' ' .. ask
end
commit()
return replies
