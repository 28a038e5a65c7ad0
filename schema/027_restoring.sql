-- What undo is about to bring back.

-- Objects that are about to be brought back at the target. A row is written
-- before the requests are sent, and deleted with the answer: if a row is left
-- when a run begins, the target may or may not have the object again, and the
-- table settle has a row too. run: that brings the object back.
CREATE TABLE restoring (
	target INTEGER NOT NULL,
	object INTEGER NOT NULL,
	run INTEGER NOT NULL,
	PRIMARY KEY (target, object)
) STRICT, WITHOUT ROWID;
