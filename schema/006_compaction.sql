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

-- The compaction of each subsystem. If the run was killed while a subsystem
-- was being compacted, the end of the compaction is unknown.
CREATE VIEW compactions AS
SELECT
	c.run AS run,
	c.target AS target,
	iif(c.nqn = '', NULL, c.nqn) AS nqn,
	CASE c.state WHEN 1 THEN 'done' WHEN 2 THEN 'failed'
	    ELSE iif(r.state = 'running', 'running', 'unknown') END AS state,
	c.seconds AS seconds,
	c.reason AS reason,
	strftime('%Y-%m-%dT%H:%M:%SZ', c.time_ns / 1000000000,
	    'unixepoch') AS time
FROM compaction c JOIN run r ON r.id = c.run;
