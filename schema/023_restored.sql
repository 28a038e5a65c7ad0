-- What was put in the place of the catalog, and by whom.

-- One row for each time. run: the last run that the catalog put back knows;
-- event: that of the journal (kind 24), or NULL: the journal began later. user:
-- NULL if another program has put the catalog there, and the next run has seen
-- it. IF NOT EXISTS: a restored copy of an older schema has the table already.
CREATE TABLE IF NOT EXISTS restored (
	id INTEGER PRIMARY KEY,
	time_ns INTEGER NOT NULL,
	user TEXT,
	sudo_user TEXT,
	host TEXT,
	file TEXT,
	run INTEGER NOT NULL,
	event INTEGER
) STRICT;
