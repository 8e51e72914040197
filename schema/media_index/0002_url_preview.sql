-- Previews of URLs that were made lately.
CREATE TABLE url_preview (
    url        TEXT PRIMARY KEY,
    json       TEXT NOT NULL,     -- what clients are answered
    expires_ts INTEGER NOT NULL   -- until when they are, in milliseconds since the epoch
) STRICT, WITHOUT ROWID;
