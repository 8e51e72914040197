-- E-mail addresses and telephone numbers of accounts [C-S §5.7.6], as administrators entered them.
CREATE TABLE third_party_id (
    medium   TEXT NOT NULL,    -- email or msisdn
    address  TEXT NOT NULL,    -- in its canonical form: lower case, or digits with the country's code
    user_id  TEXT NOT NULL,    -- a user of this server
    added_ts INTEGER NOT NULL, -- milliseconds since the epoch
    PRIMARY KEY (medium, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX third_party_id_by_user ON third_party_id (user_id);
