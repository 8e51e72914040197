-- 1: something was missed since somebody asked, or nobody shares a room with the user, so the keys are not right any more.
-- The server is asked for all of the user's devices when they are wanted.
ALTER TABLE device_cache ADD COLUMN is_stale INTEGER NOT NULL DEFAULT 0;
