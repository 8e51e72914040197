-- Which users have a pusher for an app on a device, for a new user may take it from the others [C-S §11.13]. Users
-- whose pusher went in another way may still be here.
CREATE TABLE pusher_owner (
    app_id  TEXT NOT NULL,
    pushkey TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (app_id, pushkey, user_id)
) STRICT, WITHOUT ROWID;
