-- Starts a session, unless its user has as many as the limit allows.
-- KEYS[1]: the user, a sorted set of sessions by the millisecond they expire at
-- ARGV: session, the time now, lease (both in milliseconds), limit
-- Answers the count of active sessions, negative if the start was refused.
--
-- Two choices that a service might not make are in Redis's favour, to compare with its best: the
-- time is the client's (TIME costs a tenth), and the key never expires by itself (PEXPIRE doubles
-- what is appended), so that the last sessions of users who never come back stay in memory.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
local count = redis.call('ZCARD', KEYS[1])
if count >= tonumber(ARGV[4]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return -count
end
return count + redis.call('ZADD', KEYS[1], ARGV[2] + ARGV[3], ARGV[1])
