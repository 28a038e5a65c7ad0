-- How far the catalog has come: one more with each transaction that the lock
-- file beside the catalog remembers (src/db/stand.h). A copy made before such a
-- transaction has a smaller number.
ALTER TABLE stamp ADD COLUMN stand INTEGER NOT NULL DEFAULT 0;
