-- Users of before there was a user directory: it hears of them. The kind "directory" of a room task has nothing to do in rooms.
INSERT INTO room_task (kind, version, done, failures) SELECT 'directory', 1, 0, 0 FROM account WHERE deactivated_ts IS NULL;
