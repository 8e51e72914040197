-- Whose the import is that was begun last: one row. It outlives the actor's memory, which an import may have to.
CREATE TABLE import_token (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    token INTEGER NOT NULL
) STRICT;
