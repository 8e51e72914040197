-- 1: something was missed, so the keys are not right any more; the server is asked for all of the user's devices when they
-- are wanted.
ALTER TABLE device_cache ADD COLUMN is_stale INTEGER NOT NULL DEFAULT 0;
