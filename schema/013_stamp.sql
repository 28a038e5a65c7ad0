-- To which state of the catalog's file a -wal belongs.

-- One row, which every transaction writes: see src/db/pair.c. The row must stay
-- alone on its page.
CREATE TABLE stamp (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	mark BLOB NOT NULL
) STRICT;
