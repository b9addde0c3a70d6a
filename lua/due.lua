#!lua flags=allow-oom
-- Hands out the payment attempts of unknown outcome that it is time to ask the provider about, each to one caller only:
-- its next turn is put off in the same step.
--
-- ARGV: how many at the most
-- Replies: three a piece: order, payment, amount and what to ask, find or cancel, in words; the epoch first

-- The longest between two questions about one attempt.
local ASK_AGAIN_MS = 30 * 1000
-- How long before its units go a pending payment is asked to be cancelled, half of the pending time at the most.
local CANCEL_LEAD_MS = 2000

if not published then return {} end

local lead = math.min(CANCEL_LEAD_MS, pendingMs / 2)
local replies = { policy[1] }
for _, member in ipairs(call('ZRANGEBYSCORE', ATTEMPTS, '-inf', format('%d', now), 'LIMIT', 0, ARGV[1])) do
  local id, payment = match(member, '^(%S+) (%S+) %d+$')
  local o = order(id)
  local waits = o and o.state == 'payment_pending' and o.paymentId == payment
  local ask, again = 'cancel', now + ASK_AGAIN_MS
  if waits and now < o.deadline - lead then
    ask, again = 'find', math.min(again, o.deadline - lead)
  end
  attempts[member] = again
  replies[#replies + 1] = member .. ' ' .. ask
end
commit()
return replies
