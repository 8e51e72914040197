-- The servers that something was sent to, for those who look after the queues.
CREATE TABLE destination (
    server_name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
