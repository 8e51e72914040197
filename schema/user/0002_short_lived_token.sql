-- Tokens that a client hands on, as SHA-256: OpenID tokens [C-S §11.23] and login tokens [C-S §5.7.2].
CREATE TABLE short_lived_token (
    hash       BLOB PRIMARY KEY,
    expires_ts INTEGER NOT NULL -- milliseconds since the epoch
) STRICT, WITHOUT ROWID;
