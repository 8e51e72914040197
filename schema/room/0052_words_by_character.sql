-- Scripts without spaces are indexed character by character from now on: all words are entered anew, when they are next read.
INSERT INTO words (words) VALUES ('delete-all');
DELETE FROM catalogue;
INSERT INTO member_words (member_words) VALUES ('delete-all');
DELETE FROM member_index;
