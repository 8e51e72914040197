-- Work in many rooms that is under way, one row a kind. What is not done when the actor ends is taken up again.
CREATE TABLE room_task (
    kind     TEXT PRIMARY KEY, -- "profile": member events are to say what the profile says; "leave": all rooms are to be left
    version  INTEGER NOT NULL, -- grows when the work begins anew
    done     INTEGER NOT NULL, -- the user's number for the last room that is done; rooms are taken in order
    failures INTEGER NOT NULL  -- how often in a row the next room could not be reached
) STRICT, WITHOUT ROWID;
