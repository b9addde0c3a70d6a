#!lua flags=allow-oom
-- Hands the next entries of the outbox to one relay, once, through a consumer group; their contents stay here.
--
-- ARGV: group, consumer, how many at the most, how many may be handed out and not persisted
-- Replies: <first id> <last id> <count>    NONE: nothing new, or too many are out

local group, consumer, count, bound = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

if call('EXISTS', OUTBOX) == 0 then return 'NONE' end
local pending = redis.pcall('XPENDING', OUTBOX, group)
if pending.err then
  -- The outbox begins with its first entry, its group with the first that asks.
  call('XGROUP', 'CREATE', OUTBOX, group, '0')
  pending = { 0 }
end
count = math.min(count, bound - pending[1])
if count <= 0 then return 'NONE' end

local streams = call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', OUTBOX, '>')
if not streams then return 'NONE' end
local entries = streams[1][2]
return format('%s %s %d', entries[1][1], entries[#entries][1], #entries)
