-- What the user uploaded [C-S §11.7], as far as it counts against a limit or is under way. See media_index for the rest.
CREATE TABLE media (
    media_id     TEXT PRIMARY KEY,
    created_ts   INTEGER NOT NULL,  -- milliseconds since the epoch
    bytes        INTEGER NOT NULL,  -- the size; while it is uploaded, what was announced or may come
    expires_ts   INTEGER,           -- until when the content must be there; NULL: it is
    started_ts   INTEGER,           -- when the present upload of content that is not there yet began; NULL: none runs
    reserved     INTEGER NOT NULL   -- 1: the id was given out before its content came; else 0
) STRICT, WITHOUT ROWID;

CREATE INDEX media_pending ON media (expires_ts) WHERE expires_ts IS NOT NULL;
