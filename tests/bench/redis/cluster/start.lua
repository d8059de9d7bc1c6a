-- Starts a session, unless its user has as many as the limit allows: the one script that a service with many edges would
-- write. They have many clocks, so that the server's counts, and a user who never comes back does not stay in memory.
-- KEYS[1]: the user, a sorted set of sessions by the millisecond they expire at
-- ARGV: session, the client's time (of no use here), lease (in milliseconds), limit
-- Answers the count of active sessions, negative if the start was refused.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local count = redis.call('ZCARD', KEYS[1])
if count >= tonumber(ARGV[4]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return -count
end
count = count + redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return count
