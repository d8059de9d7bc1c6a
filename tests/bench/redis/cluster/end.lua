-- Ends a session. KEYS[1]: the user; ARGV: session, the time now (of no use here). Answers 1 if there was one, else 0.
return redis.call('ZREM', KEYS[1], ARGV[1])
