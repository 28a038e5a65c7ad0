-- Compaction of DSS targets after a run.

CREATE TABLE compaction (
	run INTEGER NOT NULL,
	target TEXT NOT NULL,	-- as configured
	nqn TEXT NOT NULL,	-- empty: the target as a whole
	state INTEGER NOT NULL,	-- 0 running, 1 done, 2 failed
	seconds REAL NOT NULL,
	time_ns INTEGER NOT NULL,
	reason TEXT,
	PRIMARY KEY (run, target, nqn)
) STRICT, WITHOUT ROWID;
