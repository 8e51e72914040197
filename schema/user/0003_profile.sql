-- The user's public profile [C-S §9.2].
CREATE TABLE profile_field (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;
