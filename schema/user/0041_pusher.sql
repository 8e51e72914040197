-- Who is told of the user's notifications [C-S §11.13]. A pusher goes with the device that set it.
CREATE TABLE pusher (
    app_id     TEXT NOT NULL,
    pushkey    TEXT NOT NULL,
    device_id  TEXT NOT NULL REFERENCES device (device_id) ON DELETE CASCADE,
    definition TEXT NOT NULL, -- as clients see it, JSON
    PRIMARY KEY (app_id, pushkey)
) STRICT, WITHOUT ROWID;
CREATE INDEX pusher_by_device ON pusher (device_id);
