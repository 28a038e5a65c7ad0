-- Above 0: the bytes were read so soon after the last change of the file that
-- a later change could have left the times of the file as they were (the
-- granule of the times, the skew of the clocks). The next run reads the file
-- again. 1: the times are the newest that the crawl met. 2: the times are also
-- new by our clock; then one more reading may not be enough.
ALTER TABLE result ADD COLUMN fresh INTEGER NOT NULL DEFAULT 0;
CREATE INDEX result_fresh ON result (target, object) WHERE fresh > 0;

-- When the reading of the directory began. NULL: an earlier version of the
-- catalog has noted the reading, which counts as old.
ALTER TABLE dir ADD COLUMN read_ns INTEGER;

-- again: this crawl has read the directory, too long ago. The directory is
-- read again after all directories that this crawl has not read.
ALTER TABLE frontier ADD COLUMN again INTEGER NOT NULL DEFAULT 0;

-- Nothing that exists is called gone.

-- The file system of a directory (attrs.fsid), noted when the directory is
-- read: for the directory in which a crawl begins, and for each directory in
-- which another file system begins. NULL: the file system of the nearest
-- directory above that has a note, if this directory was read cleanly in the
-- run fsid_run of the note, or later; else the file system is not known.
ALTER TABLE dir ADD COLUMN fsid INTEGER;
ALTER TABLE dir ADD COLUMN fsid_run INTEGER;
CREATE INDEX dir_fsid ON dir (path) WHERE fsid IS NOT NULL;

-- What was begun is finished, or known not to be.

-- settle: whether the target holds this version is not known. The item of the
-- file asks S3 first; for files that are gone, and for objects that were to be
-- deleted, PUT --delete and DEL ask. The row is deleted with the answer.
--
-- doomed: the object is to be deleted. The row is deleted when S3 says that
-- the object is deleted, that there is no such object, or that S3 refuses.
-- reason: why the answer was lost, if the run knows.
ALTER TABLE doomed ADD COLUMN reason TEXT;

-- Earlier versions counted the objects that a killed run was deleting as
-- deleted, and forgot the objects that a failed PUT may have left of files
-- that are gone.
INSERT OR IGNORE INTO doomed (target, object, run)
SELECT r.target, r.object, r.run FROM result r
WHERE r.target IN (SELECT id FROM target) AND r.outcome = 5 AND
	r.outcome >= 2 AND
	r.reason = 'the run that deleted it ended before the answer came';
UPDATE result SET outcome = 2
WHERE target IN (SELECT id FROM target) AND outcome = 5 AND outcome >= 2 AND
	reason = 'the run that deleted it ended before the answer came';
INSERT OR IGNORE INTO settle (target, object)
SELECT target, object FROM doomed;
INSERT OR IGNORE INTO settle (target, object)
SELECT r.target, r.object
FROM result r CROSS JOIN object o ON o.id = r.object
WHERE r.target IN (SELECT id FROM target) AND r.outcome IN (2, 3) AND
	r.outcome >= 2 AND r.held = 0 AND o.gone_run IS NOT NULL;

-- The last crawl in which the kind of the entry at this path was not known
-- (the lookup was denied, or the handle was stale). kept is the same crawl,
-- and what the catalog knows below the directory stays as it is.
ALTER TABLE dir ADD COLUMN unknown INTEGER;

-- How long the clients of this run may change something after the death of the
-- master. 0: the run has no clients, or has ended, or a later run has waited
-- for that time.
ALTER TABLE run ADD COLUMN late_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX run_late ON run (late_ms) WHERE late_ms > 0;

-- The root of the export as the crawl root_crawl first saw it.
ALTER TABLE export ADD COLUMN root_ino INTEGER;
ALTER TABLE export ADD COLUMN root_fsid INTEGER;
ALTER TABLE export ADD COLUMN root_crawl INTEGER;

-- The first crawl that saw another file system in the place of the known one
-- (fsid). NULL: no crawl has seen another file system since.
ALTER TABLE export ADD COLUMN other_crawl INTEGER;
