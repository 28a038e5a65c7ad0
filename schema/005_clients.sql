-- The clients of each run; and two views that said less than is known.

-- The last state of each client; while the run goes on, at most a second old.
CREATE TABLE client (
	run INTEGER NOT NULL,
	number INTEGER NOT NULL,
	host TEXT NOT NULL,
	state TEXT NOT NULL,
	leases INTEGER NOT NULL,
	items INTEGER NOT NULL,
	moved INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	items_per_s REAL NOT NULL,
	bytes_per_s REAL NOT NULL,
	heard_ns INTEGER NOT NULL,
	reason TEXT,
	PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
