-- Members whose devices are to be looked at anew by who shares the room: they came, left, or changed their devices.
CREATE TABLE device_list_change (
    user_id  TEXT PRIMARY KEY,
    position INTEGER NOT NULL -- of the log, at the last of these
) STRICT, WITHOUT ROWID;
CREATE INDEX device_list_change_by_position ON device_list_change (position);
