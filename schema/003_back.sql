-- The way back and the proof: runs without a backlog, deletions, verdicts.

-- backlog 1: the run crawls and queues; if the run is cut, the next run with
-- backlog 1 continues it. Other runs do not change frontier, todo, lease and
-- settle.
-- deleted: objects removed from the target.
ALTER TABLE run ADD COLUMN backlog INTEGER NOT NULL DEFAULT 1;
ALTER TABLE run ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;

-- The file system of the export's root in the last complete run; and what the
-- crawl seen_crawl saw of the root.
ALTER TABLE export ADD COLUMN fsid INTEGER;
ALTER TABLE export ADD COLUMN seen_fsid INTEGER;
ALTER TABLE export ADD COLUMN seen_empty INTEGER;
ALTER TABLE export ADD COLUMN seen_crawl INTEGER;

-- The key of an object that the catalog does not know; object is 0 then.
ALTER TABLE verification ADD COLUMN path TEXT;

-- The last verdict on an object as the target holds it now. The row is deleted
-- when the target gets other bytes, loses the object, or the file has a newer
-- version.
CREATE TABLE verified (
	object INTEGER NOT NULL,
	target INTEGER NOT NULL,
	run INTEGER NOT NULL,
	method TEXT NOT NULL,
	outcome TEXT NOT NULL,
	time_ns INTEGER NOT NULL,
	PRIMARY KEY (object, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX verified_age ON verified (target, time_ns);

-- Objects that are about to be deleted at the target. A row is written before
-- the request is sent, and deleted with the answer: if a row is left when a
-- run begins, the target may or may not have the object.
CREATE TABLE doomed (
	target INTEGER NOT NULL,
	object INTEGER NOT NULL,
	run INTEGER NOT NULL,
	PRIMARY KEY (target, object)
) STRICT, WITHOUT ROWID;

CREATE INDEX object_gone ON object (path) WHERE gone_run IS NOT NULL;

-- result.outcome 5: deleted at the target; version_id is then that of the
-- delete marker.
