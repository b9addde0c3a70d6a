#!lua flags=allow-oom
-- Pauses, resumes or ends a sale, at once.
--
-- ARGV: pause, resume or end
-- Replies: OK <endsAt or ->    SALE_STATE where it makes no sense    NO_SALE INVALID

if not published then return 'NO_SALE' end

local status = saleStatus()
if ARGV[1] == 'pause' then
  if status ~= 'open' then return 'SALE_STATE' end
  call('HSET', POLICY, 'paused', '1', 'clock', format('%d', now))
elseif ARGV[1] == 'resume' then
  if status ~= 'paused' then return 'SALE_STATE' end
  call('HSET', POLICY, 'paused', '0', 'clock', format('%d', now))
elseif ARGV[1] == 'end' then
  if status == 'ended' then return 'SALE_STATE' end
  endsAt = now
  call('HSET', POLICY, 'endsAt', format('%d', now), 'clock', format('%d', now))
else
  return 'INVALID'
end
return format('OK %s', endsAt and format('%d', endsAt) or '-')
