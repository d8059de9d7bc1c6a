-- Renews the lease of an active session; never revives one that has expired.
-- KEYS[1]: the user; ARGV: session, the client's time (of no use here), lease (in milliseconds)
-- Answers 1 if it was renewed, 0 if there is no such session.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not expires or tonumber(expires) <= now then
  return 0
end
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
