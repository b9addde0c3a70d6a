#!lua flags=allow-oom
-- Closes a sale that has ended once nothing of it is held, pending, unpersisted or set apart any more. A closed sale gives out
-- nothing again, not even to money that comes late.
--
-- ARGV: none
-- Replies: CLOSED    OPEN    NO_SALE

if not published then return 'NO_SALE' end
if closed then return 'CLOSED' end
if saleStatus() ~= 'ended' or call('ZCARD', DEADLINES) > 0 or call('ZCARD', ATTEMPTS) > 0
  or call('XLEN', OUTBOX) > 0 or tonumber(call('HGET', POLICY, 'dead') or 0) > 0 then
  return 'OPEN'
end
call('HSET', POLICY, 'closed', '1', 'clock', format('%d', now))
return 'CLOSED'
