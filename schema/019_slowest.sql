-- The slowest transfers of a run, a few: the result of a version tells how long
-- its last transfer took, and a later run may store the version again.
CREATE TABLE slowest (
	run INTEGER NOT NULL,
	object INTEGER NOT NULL,
	took_ms INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	PRIMARY KEY (run, object)
) STRICT, WITHOUT ROWID;
