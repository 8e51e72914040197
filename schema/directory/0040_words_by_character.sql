-- Scripts without spaces are indexed character by character from now on: each user's words are entered anew.
UPDATE user_entry SET is_changed = 1;
