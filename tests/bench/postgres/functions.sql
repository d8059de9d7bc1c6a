-- Limits streams in PostgreSQL as one would who wants it exact and fast: one table, its unique index, and a function
-- for each command, so that a command is one round trip and one transaction.
--
-- Choices in PostgreSQL's favour: the time is the client's, as with Redis; free room on each page, so that a heartbeat
-- stays on its page and touches no index; a heartbeat waits for no sync, as it waits for none with the daemon.

CREATE TABLE sessions (
  user_name text COLLATE "C" NOT NULL,
  session text COLLATE "C" NOT NULL,
  expires bigint NOT NULL,
  PRIMARY KEY (user_name, session)
) WITH (fillfactor = 60);

-- Answers the count of active sessions, negative if the start was refused. Starts of one user take turns, or two at
-- once would both be admitted.
CREATE FUNCTION session_start(the_user text, the_session text, now_ms bigint, lease_ms bigint, most integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  active integer;
  known boolean;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(the_user, 0));
  SELECT count(*) FILTER (WHERE expires > now_ms), coalesce(bool_or(session = the_session AND expires > now_ms), false)
    INTO active, known FROM sessions WHERE user_name = the_user;
  IF active >= most AND NOT known THEN
    RETURN -active;
  END IF;
  DELETE FROM sessions WHERE user_name = the_user AND expires <= now_ms;
  INSERT INTO sessions VALUES (the_user, the_session, now_ms + lease_ms)
    ON CONFLICT (user_name, session) DO UPDATE SET expires = excluded.expires;
  RETURN CASE WHEN known THEN active ELSE active + 1 END;
END $$;

-- Answers 1 if the lease was renewed, 0 if there is no such session.
CREATE FUNCTION session_heartbeat(the_user text, the_session text, now_ms bigint, lease_ms bigint)
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE sessions SET expires = now_ms + lease_ms
    WHERE user_name = the_user AND session = the_session AND expires > now_ms;
  RETURN CASE WHEN FOUND THEN 1 ELSE 0 END;
END $$;

-- Answers 1 if there was such a session, else 0. The time is of no use here.
CREATE FUNCTION session_end(the_user text, the_session text, now_ms bigint)
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM sessions WHERE user_name = the_user AND session = the_session;
  RETURN CASE WHEN FOUND THEN 1 ELSE 0 END;
END $$;
