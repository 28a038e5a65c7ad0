-- What was dropped of the past.

-- One row for each datamover catalog prune. run: the run that began last before
-- the horizon; of runs before it only what was true when it began is kept.
-- event: the ids of their events are not above it.
CREATE TABLE pruned (
	id INTEGER PRIMARY KEY,
	time_ns INTEGER NOT NULL,
	horizon_ns INTEGER NOT NULL,
	run INTEGER NOT NULL,
	event INTEGER NOT NULL,
	user TEXT,
	sudo_user TEXT,
	host TEXT,
	events INTEGER NOT NULL,
	versions INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	verdicts INTEGER NOT NULL
) STRICT;
