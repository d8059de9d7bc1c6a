-- Renews the lease of an active session; never revives one that has expired.
-- KEYS[1]: the user; ARGV: session, the time now, lease (both in milliseconds)
-- Answers 1 if it was renewed, 0 if there is no such session.
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not expires or tonumber(expires) <= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], 'XX', ARGV[2] + ARGV[3], ARGV[1])
return 1
