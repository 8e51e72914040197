-- The device that receives keys while no other of the user's is online (MSC3814). One row at most; its keys and messages
-- are where those of other devices are.
CREATE TABLE dehydrated_device (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    device_id TEXT NOT NULL REFERENCES device (device_id) ON DELETE CASCADE,
    data      TEXT NOT NULL -- JSON, encrypted by the client
) STRICT;
