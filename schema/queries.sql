-- The statements, by name. Parameters are bound in the order in which they
-- appear first. Every plan is checked by make lint-sql.

-- Begin and end of a run.

-- name: begin
BEGIN IMMEDIATE;

-- name: read_begin
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- Last in each transaction: see src/db/pair.h.
-- name: stamp_write
INSERT INTO stamp (id, mark) VALUES (1, :mark)
ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;

-- name: stand_add
UPDATE stamp SET stand = stand + 1 WHERE id = 1;

-- The ids of events that were pruned are never given again.
-- name: marks
SELECT (SELECT coalesce(max(id), 0) FROM dir),
	max((SELECT coalesce(max(id), 0) FROM object),
	    (SELECT coalesce(max(id), 0) FROM history)),
	max((SELECT coalesce(max(id), 0) FROM todo),
	    (SELECT coalesce(max(last), 0) FROM lease)),
	max((SELECT coalesce(max(id), 0) FROM event),
	    (SELECT coalesce(max(event), 0) FROM pruned)),
	(SELECT coalesce(max(last), 0) FROM lease),
	EXISTS (SELECT 1 FROM history), EXISTS (SELECT 1 FROM verified),
	EXISTS (SELECT 1 FROM settle), EXISTS (SELECT 1 FROM deletion
	UNION ALL SELECT 1 FROM restoring);

-- name: target_insert
INSERT INTO target (endpoint, bucket, server_as_prefix)
VALUES (:endpoint, :bucket, :prefix);

-- name: target_find
SELECT id FROM target
WHERE endpoint = :endpoint AND bucket = :bucket AND
	server_as_prefix = :prefix;

-- name: target_by_name
SELECT id FROM target
WHERE name = :name AND bucket = :bucket AND server_as_prefix = :prefix;

-- name: target_name
SELECT name FROM target WHERE id = :target AND name IS NOT NULL;

-- name: target_set_name
UPDATE target SET name = :name WHERE id = :target AND name IS NOT :name;

-- name: target_known
SELECT known FROM target WHERE id = :target;

-- name: target_learn
UPDATE target SET known = known | :known WHERE id = :target;

-- The target with a bucket of this name to which a run went last.
-- name: target_same_bucket
SELECT coalesce(t.name, t.endpoint) FROM target t
WHERE t.bucket = :bucket AND EXISTS (SELECT 1 FROM run r
	WHERE r.target = t.id AND r.begun = 1)
ORDER BY (SELECT max(r.id) FROM run r WHERE r.target = t.id) DESC LIMIT 1;

-- name: export_insert
INSERT INTO export (server, share, path, slot)
VALUES (:server, :share, :path, :slot)
ON CONFLICT (path) DO UPDATE SET slot = excluded.slot;

-- name: export_clear
UPDATE export SET slot = NULL WHERE slot IS NOT NULL;

-- name: export_find
SELECT id FROM export WHERE path = :path;

-- A restored catalog: see schema/014_asked.sql.
-- name: asked_none
DELETE FROM asked;

-- name: asked_restored
INSERT INTO asked (target, export) VALUES (0, 0);

-- Who put the catalog back; see schema/023_restored.sql.
-- name: restored_insert
INSERT INTO restored (time_ns, user, sudo_user, host, file, run, event)
VALUES (:time, :user, :sudo_user, :host, :file,
	(SELECT coalesce(max(id), 0) FROM run), :event);

-- name: asked_done
INSERT OR IGNORE INTO asked (target, export)
SELECT :target, :export
WHERE EXISTS (SELECT 1 FROM asked WHERE target = 0 AND export = 0);

-- A share inside one that was asked was asked too.
-- name: unasked
SELECT 1 FROM asked a
WHERE a.target = 0 AND a.export = 0 AND NOT EXISTS (SELECT 1
	FROM export e CROSS JOIN asked b ON b.export = e.id
	WHERE (e.path = :path OR substr(:path, 1, length(e.path) + 1) =
	e.path || '/') AND b.target = :target);

-- name: runs_died
UPDATE run SET state = 'dead', ended_ns = updated_ns
WHERE state = 'running' AND id <> :attempt;

-- The last run that had a backlog: the rows of frontier, todo and lease belong
-- to that run.
-- name: run_last
SELECT id, crawl, op, target, scope, state, coalesce(ended_ns, updated_ns)
FROM run WHERE backlog = 1 ORDER BY id DESC LIMIT 1;

-- name: run_started
SELECT started_ns FROM run WHERE id = :run;

-- The row of an attempt to run. A target that is not known yet is 0.
-- name: attempt_insert
INSERT INTO run (op, target, scope, command, pid, started_ns, updated_ns,
	state, backlog, begun, user, sudo_user, host, version,
	settings)
VALUES (:op, :target, '', :command, :pid, :now, :now, 'running', 0, 0,
	:user, :sudo_user, :host, :version, :settings);

-- name: run_newest
SELECT id, started_ns, ended_ns IS NOT NULL FROM run ORDER BY id DESC LIMIT 1;

-- The attempt has begun its run.
-- name: run_begin
UPDATE run SET begun = 1, target = :target, scope = :scope,
	updated_ns = :now, first_event = :first_event, backlog = :backlog,
	late_ms = :late_ms, crawl = :crawl
WHERE id = :run;

-- How long the clients of runs that died may change something.
-- name: run_late
SELECT max(late_ms) FROM run WHERE late_ms > 0;

-- name: run_late_over
UPDATE run SET late_ms = 0 WHERE late_ms > 0 AND id < :run;

-- name: run_count
UPDATE run SET updated_ns = :now, found = :found, moved = :moved,
	unchanged = :unchanged, failed = :failed, excluded = :excluded,
	gone = :gone, pending = :pending, bytes = :bytes,
	found_bytes = :found_bytes, dirs = :dirs, deleted = :deleted
WHERE id = :run;

-- name: run_counters
SELECT found, moved, unchanged, failed, excluded, gone, bytes, found_bytes,
	deleted
FROM run WHERE id = :run;

-- name: run_end
UPDATE run SET ended_ns = :now, state = :state, reason = :reason,
	exit_status = :exit_status, late_ms = 0
WHERE id = :run;

-- name: run_first_event
SELECT coalesce(first_event, 0) FROM run WHERE id = :run;

-- What of a version that was stored or deleted before was being sent, or
-- compared, when the run was cut: its bytes at the target are not known.
-- name: settle_doubt
UPDATE result SET outcome = 2,
	reason = 'its run was cut before the answer came'
WHERE outcome IN (0, 1, 5) AND (object, target) IN (SELECT t.object, r.target
	FROM lease l JOIN run r ON r.id = l.run
		CROSS JOIN todo t ON t.id BETWEEN l.first AND l.last
	WHERE l.closed = 0 AND NOT EXISTS (SELECT 1 FROM result x
		WHERE x.object = t.object AND x.target = r.target AND
		x.run >= l.run));

-- name: settle_open
INSERT OR IGNORE INTO settle (target, object)
SELECT r.target, t.object
FROM lease l JOIN run r ON r.id = l.run
	CROSS JOIN todo t ON t.id BETWEEN l.first AND l.last
WHERE l.closed = 0 AND NOT EXISTS (SELECT 1 FROM result x
	WHERE x.object = t.object AND x.target = r.target AND
	x.run >= l.run);

-- A verdict was on the bytes before, unless a later run has read the object.
-- name: doubt_unverified
DELETE FROM verified
WHERE (object, target) IN (SELECT v.object, v.target
	FROM lease l JOIN run r ON r.id = l.run
		CROSS JOIN todo t ON t.id BETWEEN l.first AND l.last
		CROSS JOIN verified v ON v.object = t.object AND
			v.target = r.target
	WHERE l.closed = 0 AND v.run < l.run AND NOT EXISTS (SELECT 1
		FROM result x WHERE x.object = t.object AND
		x.target = r.target AND x.run >= l.run));

-- The object under the key of this path was stored under another path: the
-- results of this path's versions end, unless they describe the same object.
-- name: name_ends
UPDATE result SET outcome = 2, held = 0, reason = :reason
WHERE target = :target AND (held > 0 OR outcome <= 1) AND object IN (
	SELECT id FROM object WHERE path = :path
	UNION ALL SELECT id FROM history WHERE path = :path) AND
	NOT EXISTS (SELECT 1
	FROM (SELECT id, size, mtime_ns, mode, uid, gid
		FROM object WHERE path = :path
	    UNION ALL SELECT id, size, mtime_ns, mode, uid, gid
		FROM history WHERE path = :path) v
	WHERE v.id = result.object AND
	    coalesce(result.etag, lower(hex(result.md5))) = :etag AND
	    (:size IS NULL OR (v.size = :size AND v.mtime_ns = :mtime AND
	    v.mode = :mode AND v.uid = :uid AND v.gid = :gid)));

-- name: name_doubt
UPDATE result SET outcome = 2,
	reason = 'another file with the same key was on its way'
WHERE target = :target AND outcome <= 1 AND object IN (
	SELECT id FROM object WHERE path = :path
	UNION ALL SELECT id FROM history WHERE path = :path);

-- After name_ends: a version that still has a held object is stored.
-- name: name_stands
UPDATE result SET outcome = 1, reason = NULL
WHERE target = :target AND held > 0 AND outcome = 2 AND object IN (
	SELECT id FROM object WHERE path = :path
	UNION ALL SELECT id FROM history WHERE path = :path);

-- name: name_settle
INSERT OR IGNORE INTO settle (target, object)
SELECT :target, id FROM object
WHERE path = :path AND (gone_run IS NULL OR :also_gone) AND
	NOT EXISTS (SELECT 1 FROM result r WHERE r.object = object.id AND
	r.target = :target AND r.outcome <= 1);

-- Does a version of this path, another path with the same key, hold the object
-- with this ETag?
-- name: name_holds
SELECT 1 FROM result
WHERE target = :target AND held > 0 AND
	coalesce(etag, lower(hex(md5))) = :etag AND object IN (
	SELECT id FROM object WHERE path = :path
	UNION ALL SELECT id FROM history WHERE path = :path);

-- name: settle_list
SELECT object FROM settle WHERE target = :target;

-- S3 has answered since for the newest version of the path.
-- name: settle_clear
DELETE FROM settle
WHERE target = :target AND EXISTS (SELECT 1
	FROM object o CROSS JOIN result r ON r.object = o.id AND
		r.target = settle.target
	WHERE o.path = coalesce(
		(SELECT p.path FROM object p WHERE p.id = settle.object),
		(SELECT h.path FROM history h WHERE h.id = settle.object)) AND
		r.outcome IN (0, 1, 5));

-- name: deletion_known
DELETE FROM deletion
WHERE target = :target AND EXISTS (SELECT 1
	FROM object o CROSS JOIN result r ON r.object = o.id AND
		r.target = deletion.target
	WHERE o.path = coalesce(
		(SELECT p.path FROM object p WHERE p.id = deletion.object),
		(SELECT h.path FROM history h WHERE h.id = deletion.object)) AND
		r.outcome IN (0, 1, 5));

-- S3 has got the newest version of the path since.
-- name: restoring_known
DELETE FROM restoring
WHERE target = :target AND EXISTS (SELECT 1
	FROM object o CROSS JOIN result r ON r.object = o.id AND
		r.target = restoring.target
	WHERE o.path = coalesce(
		(SELECT p.path FROM object p WHERE p.id = restoring.object),
		(SELECT h.path FROM history h WHERE h.id = restoring.object))
		AND r.outcome IN (0, 1));

-- name: settle_add
INSERT OR IGNORE INTO settle (target, object) VALUES (:target, :object);

-- name: settle_done
DELETE FROM settle WHERE target = :target AND object = :object;

-- name: settle_find
SELECT 1 FROM settle WHERE target = :target AND object = :object;

-- name: settle_path
SELECT 1 FROM settle
WHERE target = :target AND object IN (SELECT id FROM object WHERE path = :path
	UNION ALL SELECT id FROM history WHERE path = :path) LIMIT 1;

-- Versions that the target may hold, of files that are gone or whose objects
-- were to be deleted or to be brought back: a PUT has no item for them that
-- would ask S3. Objects
-- that this run could not delete are left out: they are among its failures
-- already. Files that exist and whose newest version is stored are left out:
-- S3 has answered for them.
-- name: doubt_page
SELECT s.object, n.path
FROM settle s LEFT JOIN history h ON h.id = s.object
	CROSS JOIN object n ON n.path = coalesce(h.path,
	    (SELECT path FROM object WHERE id = s.object))
WHERE s.target = :target AND s.object > :after AND
	(n.gone_run IS NOT NULL OR ((EXISTS (SELECT 1 FROM deletion d
	WHERE d.target = s.target AND d.object = s.object) OR
	EXISTS (SELECT 1 FROM restoring b
	WHERE b.target = s.target AND b.object = s.object)) AND
	NOT EXISTS (SELECT 1 FROM result r WHERE r.object = n.id AND
	r.target = s.target AND r.outcome <= 1))) AND
	NOT EXISTS (SELECT 1 FROM deletion d WHERE d.target = s.target AND
	d.object = s.object AND d.run = :run)
ORDER BY s.object LIMIT :max;

-- All of them.
-- name: settle_page
SELECT s.object, coalesce(o.path, h.path)
FROM settle s LEFT JOIN object o ON o.id = s.object
	LEFT JOIN history h ON h.id = s.object
WHERE s.target = :target AND s.object > :after AND
	coalesce(o.path, h.path) IS NOT NULL
ORDER BY s.object LIMIT :max;

-- Those of them that a run was about to delete or to bring back.
-- name: noted_page
SELECT n.object, coalesce(o.path, h.path)
FROM (SELECT object FROM deletion WHERE target = :target AND object > :after
	UNION
	SELECT object FROM restoring WHERE target = :target AND object > :after)
	n LEFT JOIN object o ON o.id = n.object
	LEFT JOIN history h ON h.id = n.object
WHERE coalesce(o.path, h.path) IS NOT NULL
ORDER BY n.object LIMIT :max;

-- The path's versions that the target may hold, the newest first; the size is
-- that of the object, where it is known.
-- name: doubt_versions
SELECT v.id, coalesce(r.etag, lower(hex(r.md5))), v.kind,
	iif(r.held > 0, coalesce(r.size, v.size), v.size), v.mtime_ns,
	v.ctime_ns, v.ino, v.mode, v.uid, v.gid
FROM (SELECT id, kind, size, mtime_ns, ctime_ns, ino, mode, uid, gid
	FROM object WHERE path = :path
	UNION ALL SELECT id, kind, size, mtime_ns, ctime_ns, ino, mode, uid,
	gid FROM history WHERE path = :path) v
	LEFT JOIN settle s ON s.target = :target AND s.object = v.id
	LEFT JOIN result r ON r.object = v.id AND r.target = :target
WHERE s.object IS NOT NULL OR r.held > 0
ORDER BY v.id DESC;

-- The object was found: the version is held again. Its digests stay only if
-- the ETag is the recorded one. A new row belongs to the run that saw the
-- version first, so that no run counts the version a second time.
-- name: doubt_held
INSERT INTO result (object, target, run, outcome, held, size, ms, etag,
	attempts, reason, version_id)
SELECT v.id, :target, v.run, 2, 9, nullif(:size, v.size),
	(:now - (SELECT started_ns FROM run WHERE id = v.run)) / 1000000,
	:etag, 1, 'its answer was lost; the object was found later', :version
FROM (SELECT id, run, size FROM object WHERE id = :object
	UNION ALL SELECT id, run, size FROM history WHERE id = :object) v
WHERE true
ON CONFLICT (object, target) DO UPDATE SET
	held = 9, size = excluded.size,
	md5 = iif(excluded.etag =
	    nullif(coalesce(etag, lower(hex(md5))), ''), md5, NULL),
	crc64 = iif(excluded.etag =
	    nullif(coalesce(etag, lower(hex(md5))), ''), crc64, NULL),
	part_size = iif(excluded.etag =
	    nullif(coalesce(etag, lower(hex(md5))), ''), part_size, NULL),
	part_md5s = iif(excluded.etag =
	    nullif(coalesce(etag, lower(hex(md5))), ''), part_md5s, NULL),
	version_id = coalesce(excluded.version_id, iif(excluded.etag =
	    nullif(coalesce(etag, lower(hex(md5))), ''), version_id, NULL)),
	etag = iif(excluded.etag =
	    nullif(coalesce(etag, lower(hex(md5))), ''), etag, excluded.etag);

-- The target has no object: the objects that a killed run was deleting are
-- deleted, by that run. Outcomes stay that this run has counted, and outcomes
-- of files that a transfer found gone, as each run of the crawl counts them:
-- otherwise found would differ from the sum of the totals.
-- name: doubt_absent
UPDATE result SET outcome = 5,
	(run, ms) = (SELECT y.id,
	    (coalesce(y.ended_ns, y.updated_ns) - y.started_ns) / 1000000
	    FROM deletion d CROSS JOIN run y ON y.id = d.run
	    WHERE d.target = result.target AND d.object = result.object),
	reason = 'the run that deleted it ended before the answer came'
WHERE target = :target AND run < :run AND outcome <> 3 AND
	EXISTS (SELECT 1 FROM deletion d
	WHERE d.target = result.target AND d.object = result.object) AND
	object IN (SELECT id FROM object WHERE path = :path
	UNION ALL SELECT id FROM history WHERE path = :path);

-- The same outcomes stay.
-- name: doubt_foreign
UPDATE result SET outcome = 2, ms = (:now - (SELECT y.started_ns FROM run y
	WHERE y.id = result.run)) / 1000000,
	reason = 'the bucket holds another object under this key'
WHERE target = :target AND run < :run AND outcome <> 3 AND held > 0 AND
	object IN (SELECT id FROM object WHERE path = :path
	UNION ALL SELECT id FROM history WHERE path = :path);

-- After doubt_absent or doubt_foreign.
-- name: doubt_not_held
UPDATE result SET held = 0
WHERE target = :target AND held > 0 AND object IN (
	SELECT id FROM object WHERE path = :path
	UNION ALL SELECT id FROM history WHERE path = :path);

-- name: lease_clear
DELETE FROM lease;

-- name: todo_clear
DELETE FROM todo;

-- name: frontier_clear
DELETE FROM frontier;

-- name: frontier_count
SELECT count(*), coalesce(max(id), 0), coalesce(sum(again), 0) FROM frontier;

-- name: todo_count
SELECT count(*) FROM todo WHERE id > :cursor;

-- name: todo_unsettled
SELECT count(*) FROM todo t
WHERE t.id <= :cursor AND NOT EXISTS (SELECT 1 FROM result x
	WHERE x.object = t.object AND x.target = :target AND x.run = :run);

-- Directories of this crawl that could not be read are read again.
-- name: again_dirs
INSERT OR IGNORE INTO frontier (dir, started, again)
SELECT f.dir, 1, 1 FROM failure f CROSS JOIN dir d ON d.id = f.dir
WHERE f.run >= :crawl AND f.object IS NULL AND d.clean = 0 AND
	d.run = f.run;

-- Directories that this crawl has read, if an entry of the directory failed,
-- or if the target has lost an object of the directory since: DEL deleted the
-- object, or TEST missed it.
-- name: again_lost
INSERT OR IGNORE INTO frontier (dir, started, again)
SELECT DISTINCT o.dir, 1, 1
FROM result r CROSS JOIN object o ON o.id = r.object
	CROSS JOIN dir d ON d.id = o.dir CROSS JOIN run y ON y.id = r.run
WHERE r.target = :target AND r.outcome IN (2, 4, 5) AND r.outcome <> 0 AND
	r.run >= :crawl AND (r.outcome = 4 OR y.backlog = 0) AND
	o.gone_run IS NULL AND o.why IS NULL AND d.run >= :crawl;

-- Directories that this crawl read before the given moment, or at a time that
-- is in the future now, as a clock was set.
-- name: again_old
INSERT OR IGNORE INTO frontier (dir, started, again)
SELECT id, 1, 1 FROM dir
WHERE run >= :crawl AND path <> '' AND (read_ns IS NULL OR
	read_ns < :oldest OR read_ns > :now)
ORDER BY read_ns;

-- All directories of the export that this crawl has read.
-- name: again_export
INSERT OR IGNORE INTO frontier (dir, started, again)
SELECT id, 1, 1 FROM dir WHERE run >= :crawl AND export = :export;

-- name: again_left
SELECT 1 FROM frontier WHERE again = 1 LIMIT 1;

-- name: again_reset
UPDATE dir SET run = NULL
WHERE run >= :crawl AND id IN (SELECT dir FROM frontier WHERE started = 1);

-- name: todo_reread
DELETE FROM todo
WHERE EXISTS (SELECT 1 FROM frontier WHERE started = 1) AND
	(SELECT dir FROM object WHERE id = todo.object AND gone_run IS NULL) IN
		(SELECT dir FROM frontier WHERE started = 1);

-- name: todo_done
DELETE FROM todo
WHERE id <= :last AND EXISTS (SELECT 1 FROM result x
	WHERE x.object = todo.object AND x.target = :target AND
	x.run >= :crawl AND (x.outcome <> 2 OR x.run = :last_run));

-- name: failed_list
SELECT o.id, o.path, o.size, r.held
FROM result r CROSS JOIN object o ON o.id = r.object
WHERE r.target = :target AND r.outcome = :outcome AND r.outcome <> 0 AND
	r.run >= :since AND r.run <= :until AND o.gone_run IS NULL AND
	o.why IS NULL AND
	o.path > :start || '/' AND o.path < :start || '0' AND
	NOT EXISTS (SELECT 1 FROM frontier f WHERE f.dir = o.dir);

-- name: failed_dirs
SELECT DISTINCT d.id, d.path
FROM failure f CROSS JOIN dir d ON d.id = f.dir
WHERE f.run >= 0 AND f.object IS NULL AND d.clean = 0 AND
	d.run = f.run AND d.gone_run IS NULL AND
	(d.path = :start OR
	(d.path > :start || '/' AND d.path < :start || '0'));

-- name: failed_holders
SELECT DISTINCT o.dir, d.path
FROM result r CROSS JOIN object o ON o.id = r.object
	CROSS JOIN dir d ON d.id = o.dir
WHERE r.target = :target AND r.outcome = 4 AND r.outcome <> 0 AND
	o.gone_run IS NULL AND
	o.path > :start || '/' AND o.path < :start || '0';

-- Totals from rows.

-- Bytes in two parts, of 32 bits and what is above them: sum() of whole ones
-- is an error when it does not fit, total() is not exact.
-- name: sum_dirs
SELECT coalesce(sum(found), 0), coalesce(sum(unchanged), 0),
	coalesce(sum(excluded), 0), coalesce(sum(failed), 0),
	coalesce(sum(queued), 0),
	coalesce(sum(found_bytes >> 32), 0),
	coalesce(sum(found_bytes & 0xffffffff), 0),
	coalesce(sum(queued_bytes >> 32), 0),
	coalesce(sum(queued_bytes & 0xffffffff), 0)
FROM dir WHERE run >= :crawl;

-- name: kept_dirs
SELECT count(*) FROM dir WHERE run >= :crawl AND path <> '';

-- name: count_dirs
SELECT count(*) FROM dir WHERE run = :run AND path <> '';

-- What was moved has an event, and is found by that alone, as looking at each
-- result would cost as much as its writing; but for the few that something
-- else has become of since. All else is found by its outcome.
-- name: sum_results
SELECT 0, count(*) FROM event
WHERE id > :first AND run = :run AND kind = 2 AND target = :target
UNION ALL
SELECT 0, -count(*) FROM result r CROSS JOIN event e ON e.id = r.event
WHERE r.target = :target AND r.outcome IN (1, 2, 3, 4, 5) AND
	r.outcome <> 0 AND r.run = :run AND e.run = :run AND e.kind = 2
UNION ALL
SELECT r.outcome, count(*) FROM result r
WHERE r.target = :target AND r.outcome IN (1, 2, 3, 4, 5) AND
	r.outcome <> 0 AND r.run = :run GROUP BY r.outcome;

-- Results of the earlier runs of this crawl, in directories that were not
-- read again since (a later reading counts them itself).
-- name: sum_prior
SELECT 0, count(*)
FROM event e CROSS JOIN result r ON r.object = e.object AND
		r.target = e.target AND r.event = e.id AND r.run = e.run AND
		r.outcome = 0
	CROSS JOIN object o ON o.id = r.object
	CROSS JOIN dir d ON d.id = o.dir
WHERE e.id > :first AND e.target = :target AND r.run >= :crawl AND
	r.run < :run AND d.run >= :crawl AND d.run <= r.run
UNION ALL
SELECT r.outcome, count(*)
FROM result r CROSS JOIN object o ON o.id = r.object
	CROSS JOIN dir d ON d.id = o.dir
WHERE r.target = :target AND r.outcome IN (1, 3) AND r.outcome <> 0 AND
	r.run >= :crawl AND r.run < :run AND d.run >= :crawl AND d.run <= r.run
GROUP BY r.outcome;

-- name: prior_gone
SELECT count(*)
FROM result r CROSS JOIN object o ON o.id = r.object
	CROSS JOIN dir d ON d.id = o.dir
WHERE r.target = :target AND r.outcome = 3 AND r.outcome <> 0 AND
	r.run >= :crawl AND r.run < :run AND d.run >= :crawl AND d.run <= r.run;

-- name: failures_count
SELECT count(*) FROM failure WHERE run = :run;

-- name: failures_first
SELECT path, kind, reason FROM failure
WHERE run = :run ORDER BY id LIMIT 10;

-- Directories.

-- name: dir_insert
INSERT INTO dir (id, export, parent, path)
VALUES (:id, :export, :parent, :path)
ON CONFLICT (path) DO NOTHING;

-- name: dir_find
SELECT id, run, export FROM dir WHERE path = :path;

-- name: dir_path
SELECT path FROM dir WHERE id = :id;

-- Was read once, or was seen to go.
-- name: dir_known
SELECT 1 FROM dir WHERE path = :path AND (clean = 1 OR gone_run IS NOT NULL);

-- name: dir_kept
UPDATE dir SET kept = :crawl WHERE path = :path;

-- name: dir_unknown
UPDATE dir SET kept = :crawl, unknown = :crawl WHERE path = :path;

-- name: dir_done
UPDATE dir SET run = :run, read_ns = :read, clean = :clean, export = :export,
	gone_run = NULL,
	found = :found, found_bytes = :found_bytes, unchanged = :unchanged,
	excluded = :excluded, failed = :failed, queued = :queued,
	queued_bytes = :queued_bytes
WHERE id = :id;

-- A page of a list: its numbers are added.
-- name: dir_add
INSERT INTO dir (export, run, found, found_bytes, unchanged, excluded, failed,
	queued, queued_bytes, path)
VALUES (0, :run, :found, :found_bytes, :unchanged, :excluded, :failed,
	:queued, :queued_bytes, :path)
ON CONFLICT (path) DO UPDATE SET
	found = iif(run = excluded.run, found, 0) + excluded.found,
	found_bytes = CAST(min(0x7fffffffffffffff, iif(run = excluded.run,
	    found_bytes, 0) + excluded.found_bytes) AS INTEGER),
	unchanged = iif(run = excluded.run, unchanged, 0) +
	    excluded.unchanged,
	excluded = iif(run = excluded.run, dir.excluded, 0) +
	    excluded.excluded,
	failed = iif(run = excluded.run, failed, 0) + excluded.failed,
	queued = iif(run = excluded.run, queued, 0) + excluded.queued,
	queued_bytes = CAST(min(0x7fffffffffffffff, iif(run = excluded.run,
	    queued_bytes, 0) + excluded.queued_bytes) AS INTEGER),
	run = excluded.run;

-- name: dir_fsid
UPDATE dir SET fsid = :fsid, fsid_run = :run WHERE id = :id;

-- Is there, below the path, a file that existed when last looked for, or a
-- file that a target holds? Files below a directory with a note of its own
-- count if :all.
-- name: fs_holds
SELECT 1 FROM object o
WHERE o.path > :path || '/' AND o.path < :path || '0' AND
	((o.kind = 1 AND o.gone_run IS NULL) OR
	EXISTS (SELECT 1 FROM result r
	    WHERE r.object = o.id AND r.held > 0) OR
	EXISTS (SELECT 1 FROM history h CROSS JOIN result r ON
	    r.object = h.id
	    WHERE h.path = o.path AND r.held > 0)) AND
	(:all OR NOT EXISTS (SELECT 1 FROM dir n
	    WHERE n.fsid IS NOT NULL AND n.path > :path || '/' AND
	    n.path < :path || '0' AND o.path > n.path || '/' AND
	    o.path < n.path || '0')) LIMIT 1;

-- The same of a former name of :path. A file that has a row under its name of
-- today doesn't count: that row says what is known of the file.
-- name: former_holds
SELECT 1 FROM object o
WHERE o.path > :former || '/' AND o.path < :former || '0' AND
	((o.kind = 1 AND o.gone_run IS NULL) OR
	EXISTS (SELECT 1 FROM result r
	    WHERE r.object = o.id AND r.held > 0) OR
	EXISTS (SELECT 1 FROM history h CROSS JOIN result r ON
	    r.object = h.id
	    WHERE h.path = o.path AND r.held > 0)) AND
	NOT EXISTS (SELECT 1 FROM object t
	    WHERE t.path = :path || substr(o.path, length(:former) + 1)) AND
	(:all OR NOT EXISTS (SELECT 1 FROM dir n
	    WHERE n.fsid IS NOT NULL AND n.path > :path || '/' AND
	    n.path < :path || '0' AND
	    :path || substr(o.path, length(:former) + 1) > n.path || '/' AND
	    :path || substr(o.path, length(:former) + 1) < n.path || '0'))
LIMIT 1;

-- name: fs_noted
SELECT id, path, fsid, fsid_run FROM dir
WHERE fsid IS NOT NULL ORDER BY path;

-- The file system in which a directory was seen: its own note, or the nearest
-- above.
-- name: fs_of_dir
WITH RECURSIVE up (parent, fsid) AS (
	SELECT parent, fsid FROM dir WHERE id = :dir
	UNION ALL
	SELECT d.parent, d.fsid FROM up CROSS JOIN dir d ON d.id = up.parent
	WHERE up.fsid IS NULL)
SELECT fsid FROM up WHERE fsid IS NOT NULL;

-- The last run that found out something of the directory, or noted it.
-- name: dir_decided
SELECT max(coalesce(run, 0), coalesce(gone_run, 0), coalesce(fsid_run, 0))
FROM dir WHERE path = :path;

-- name: dir_fsid_taken
UPDATE dir SET fsid = :fsid, fsid_run = :run, gone_run = NULL WHERE id = :id;

-- name: dir_export
UPDATE dir SET export = :export WHERE id = :id;

-- name: dir_parent
UPDATE dir SET export = :export, parent = :parent WHERE id = :id;

-- name: dirs_gone
SELECT d.id, d.path
FROM dir d CROSS JOIN dir p ON p.id = d.parent
WHERE d.gone_run IS NULL AND coalesce(d.run, 0) < :crawl AND
	coalesce(d.kept, 0) < :crawl AND p.run >= :crawl AND p.clean = 1;

-- name: dir_tombstone
UPDATE dir SET gone_run = :run, fsid = NULL, fsid_run = NULL
WHERE (id = :id OR (path > :path || '/' AND path < :path || '0')) AND
	gone_run IS NULL;

-- name: subtree_count
SELECT count(*) FROM object
WHERE path > :path || '/' AND path < :path || '0' AND gone_run IS NULL AND
	why IS NULL AND kind = 1;

-- name: subtree_tombstone
UPDATE object SET gone_run = :run
WHERE path > :path || '/' AND path < :path || '0' AND gone_run IS NULL;

-- The root of an export as the crawl first saw it; and the conclusions of the
-- crawl that end if the root is another directory later.

-- name: root_noted
SELECT root_ino, root_fsid FROM export
WHERE root_crawl = :crawl AND id = :id;

-- name: root_note
UPDATE export SET root_ino = :ino, root_fsid = :fsid, root_crawl = :crawl
WHERE id = :id AND root_crawl IS NOT :crawl;

-- The root is another directory: forget the root and the crawl's look at it.
-- name: root_forget
UPDATE export SET root_crawl = NULL, seen_crawl = NULL WHERE id = :id;

-- name: root_doubt_dirs
UPDATE dir SET clean = 0
WHERE run >= :crawl AND (path = :start OR
	(path > :start || '/' AND path < :start || '0'));

-- name: root_doubt_count
SELECT count(*) FROM object o
WHERE o.gone_run = :run AND o.path > :start || '/' AND o.path < :start || '0'
	AND o.why IS NULL AND o.kind = 1 AND NOT EXISTS (SELECT 1
	FROM result r WHERE r.object = o.id AND r.outcome = 3 AND
	r.run = :run);

-- Files that a transfer found gone (outcome 3) stay gone: the transfer asked
-- for the path of the file itself.
-- name: root_doubt_objects
UPDATE object SET gone_run = NULL
WHERE gone_run >= :crawl AND path > :start || '/' AND path < :start || '0'
	AND NOT EXISTS (SELECT 1 FROM result r WHERE r.object = object.id AND
	r.outcome = 3 AND r.run >= :crawl);

-- name: frontier_push
INSERT INTO frontier (id, dir, fh) VALUES (:id, :dir, :fh)
ON CONFLICT DO NOTHING;

-- The last column: the run whose reading of the directory counts for its file
-- system. What is known of a directory that was not read since, or not wholly,
-- was known before: any note above counts.
-- name: frontier_read
SELECT f.id, f.dir, f.fh, d.path, e.slot, e.id, d.fsid,
	iif(d.gone_run IS NOT NULL, 0, iif(d.clean,
	    coalesce(d.run, 0x7fffffffffffffff), 0x7fffffffffffffff))
FROM frontier f CROSS JOIN dir d ON d.id = f.dir
	CROSS JOIN export e ON e.id = d.export
WHERE f.id > :cursor AND f.again = :again ORDER BY f.id LIMIT :max;

-- name: frontier_started
UPDATE frontier SET started = 1 WHERE id = :id;

-- name: frontier_pop
DELETE FROM frontier WHERE id = :id;

-- Objects.

-- name: object_insert
INSERT INTO object (id, dir, path, raw, kind, size, mtime_ns, ctime_ns, ino,
	mode, uid, gid, run, why)
VALUES (:id, :dir, :path, :raw, :kind, :size, :mtime, :ctime, :ino,
	:mode, :uid, :gid, :run, :why)
ON CONFLICT (path) DO NOTHING;

-- name: object_find
SELECT o.id, o.kind, o.size, o.mtime_ns, o.ctime_ns, o.ino, o.mode, o.uid,
	o.gid, o.gone_run IS NOT NULL, o.why, coalesce(r.held, 0)
FROM object o LEFT JOIN result r ON r.object = o.id AND r.target = :target
WHERE o.path = :path;

-- name: object_place
SELECT path, dir FROM object WHERE id = :id;

-- name: object_to_history
INSERT INTO history (id, dir, path, raw, kind, size, mtime_ns, ctime_ns, ino,
	mode, uid, gid, run, why, gone_run, until_run, fate)
SELECT id, dir, path, raw, kind, size, mtime_ns, ctime_ns, ino,
	mode, uid, gid, run, why, gone_run, :run,
	iif(gone_run IS NULL, 'changed', 'gone')
FROM object WHERE id = :id;

-- name: object_delete
DELETE FROM object WHERE id = :id;

-- name: object_gone
UPDATE object SET gone_run = :run WHERE id = :id;

-- name: object_stands
SELECT why IS NULL AND kind = 1 FROM object
WHERE id = :id AND gone_run IS NULL;

-- All versions of a path that the catalog knows.
-- name: path_versions
SELECT id FROM object WHERE path = :path
UNION ALL SELECT id FROM history WHERE path = :path;

-- name: object_why
UPDATE object SET why = :why WHERE id = :id;

-- name: object_stat
UPDATE object SET kind = :kind, size = :size, mtime_ns = :mtime,
	ctime_ns = :ctime, ino = :ino, mode = :mode, uid = :uid, gid = :gid
WHERE id = :id;

-- What proves the object that is left as it was, of this version or of the one
-- before it.
-- name: held_by
SELECT held FROM result
WHERE object IN (:object, :prev) AND target = :target AND held > 0
ORDER BY object = :object DESC LIMIT 1;

-- name: object_held
SELECT 1 FROM result WHERE object = :id AND held > 0 LIMIT 1;

-- name: history_held
SELECT h.id
FROM history h JOIN result r ON r.object = h.id AND r.target = :target
WHERE h.path = :path AND r.held > 0
ORDER BY h.id DESC LIMIT 1;

-- name: known
SELECT o.id, o.kind, o.size, o.mtime_ns, o.ctime_ns, o.ino, o.mode, o.uid,
	o.gid, o.gone_run IS NOT NULL, o.why, r.outcome, r.run
FROM object o LEFT JOIN result r ON r.object = o.id AND r.target = :target
WHERE o.path = :path;

-- name: fresh_list
SELECT object FROM result WHERE target = :target AND fresh > 0;

-- name: dir_objects
SELECT path, id FROM object
WHERE path >= :from AND path < :end ORDER BY path;

-- name: object_there
SELECT 1 FROM object WHERE id = :id AND gone_run IS NULL;

-- Backlog and leases.

-- name: todo_insert
INSERT INTO todo (id, object, export, flags, prev, fh)
VALUES (:id, :object, :export, :flags, :prev, :fh);

-- name: todo_read
SELECT t.id, t.object, t.export, t.flags, t.prev, t.fh, o.path, o.raw,
	o.kind, o.size, o.mtime_ns, o.ctime_ns, o.ino, o.mode, o.uid, o.gid
FROM todo t CROSS JOIN object o ON o.id = t.object
WHERE t.id > :cursor ORDER BY t.id LIMIT :max;

-- name: todo_trim
DELETE FROM todo WHERE id <= :last;

-- name: prev_read
SELECT r.md5, coalesce(r.etag, lower(hex(r.md5))), r.part_size, h.kind,
	h.size, h.mtime_ns, h.ctime_ns,
	h.ino, h.mode, h.uid, h.gid, r.outcome IN (0, 1, 4)
FROM result r LEFT JOIN history h ON h.id = r.object
WHERE r.object = :prev AND r.target = :target AND r.held > 0;

-- name: lease_insert
INSERT INTO lease (run, first, last)
VALUES (:run, :first, :last);

-- name: lease_end
UPDATE lease SET closed = 1 WHERE id = :id;

-- name: lease_trim
DELETE FROM lease WHERE last <= :last AND closed = 1;

-- name: todo_object
UPDATE todo SET object = :object WHERE id = :id;

-- name: result_insert
INSERT INTO result (object, target, run, outcome, held, ms,
	md5, crc64, etag, part_size, part_md5s, took_ms, attempts, version_id,
	reason, fresh, event)
VALUES (:object, :target, :run, :outcome, :held, :ms,
	:md5, :crc64, :etag, :part_size, :part_md5s, :took, :attempts, :version,
	:reason, :fresh, :event)
ON CONFLICT (object, target) DO UPDATE SET
	fresh = CASE WHEN NOT excluded.held THEN fresh
	    WHEN held AND excluded.outcome = 1 AND excluded.fresh < 2 THEN 0
	    ELSE excluded.fresh END,
	run = excluded.run, outcome = excluded.outcome,
	ms = excluded.ms,
	took_ms = iif(excluded.event IS NULL AND event IS NOT NULL, took_ms,
	    excluded.took_ms),
	attempts = excluded.attempts, reason = excluded.reason,
	held = iif(excluded.held, excluded.held, held),
	size = iif(excluded.held OR NOT held, NULL, size),
	md5 = iif(excluded.held, excluded.md5, md5),
	crc64 = iif(excluded.held, excluded.crc64, crc64),
	etag = iif(excluded.held, excluded.etag, etag),
	part_size = iif(excluded.held, excluded.part_size, part_size),
	part_md5s = iif(excluded.held, excluded.part_md5s, part_md5s),
	version_id = CASE WHEN NOT excluded.held THEN version_id
	    WHEN excluded.event IS NULL THEN
	    coalesce(excluded.version_id, version_id)
	    ELSE excluded.version_id END,
	event = coalesce(excluded.event, event);

-- A failure in the crawl leaves the result of a stored version alone: the next
-- reading of the directory ends it. A list reads no directory: the version has
-- failed, with its object held, until a later run knows what became of the
-- file.
-- name: result_crawl_failed
INSERT INTO result (object, target, run, outcome, held, ms, attempts,
	reason)
VALUES (:object, :target, :run, 4, 0, :ms, 1, :reason)
ON CONFLICT (object, target) DO UPDATE SET
	run = excluded.run, outcome = 4, ms = excluded.ms,
	reason = excluded.reason
WHERE outcome > 1 OR :listed;

-- The journal: rows are inserted, and never changed.

-- name: event_insert
INSERT INTO event (id, object, target, run, kind, ms, version)
VALUES (:id, :object, :target, :run, :kind, :ms, :version);

-- Events of the catalog as a whole, between two runs: they are told with the
-- last run. A prune's is above all events that the prune drops, so the highest
-- id stays.
-- name: event_pruned
INSERT INTO event (id, object, target, run, kind, ms)
SELECT (SELECT coalesce(max(id), 0) + 1 FROM event), 0, 0, id, 23,
	(:now - started_ns) / 1000000
FROM run ORDER BY id DESC LIMIT 1;

-- name: event_restored
INSERT INTO event (id, object, target, run, kind, ms)
SELECT (SELECT coalesce(max(id), 0) + 1 FROM event), 0, 0, id, 24,
	(:now - started_ns) / 1000000
FROM run ORDER BY id DESC LIMIT 1;

-- What a run did that ended before the answer came: when it ended, or before.
-- name: event_of_run
INSERT INTO event (id, object, target, run, kind, ms, version)
SELECT :id, :object, :target, id, :kind,
	(coalesce(ended_ns, updated_ns) - started_ns) / 1000000, :version
FROM run WHERE id = :run;

-- A run that was killed has not counted it.
-- name: run_deleted
UPDATE run SET deleted = deleted + 1,
	moved = moved + (backlog = 0 AND state = 'dead'),
	found = found + (backlog = 0 AND state = 'dead'),
	bytes = iif(backlog = 0 AND state = 'dead',
	    min(0x7fffffffffffffff - :size, bytes) + :size, bytes),
	found_bytes = iif(backlog = 0 AND state = 'dead',
	    min(0x7fffffffffffffff - :size, found_bytes) + :size, found_bytes)
WHERE id = :run;

-- name: version_size
SELECT size FROM object WHERE id = :id
UNION ALL SELECT size FROM history WHERE id = :id LIMIT 1;

-- name: span_insert
INSERT INTO span (event, first, last, method)
VALUES (:event, :first, :last, :method);

-- Objects that the run has found to be what was put, since the last such
-- question, in ranges without gaps.
-- name: verified_ranges
SELECT min(object), max(object), max(method), max(time_ns)
FROM (SELECT object, method, time_ns,
	object - row_number() OVER (ORDER BY object) AS gap
	FROM verified
	WHERE target = :target AND time_ns > :since AND run = :run AND
	outcome = 'ok')
GROUP BY gap ORDER BY 1;

-- TESTs that were killed, and the time up to which their verdicts are events.
-- name: verified_dead
SELECT y.id, y.target, y.started_ns, y.started_ns + coalesce((SELECT max(e.ms)
	FROM event e WHERE e.id > y.first_event AND e.run = y.id AND
	e.kind = 20) * 1000000 + 999999, -1)
FROM run y
WHERE y.state = 'running' AND y.begun = 1 AND y.op = 'TEST' AND
	y.id <> :attempt;

-- name: event_newest
SELECT max(id) FROM event;

-- The newest event that tells whether the target has the version.
-- name: event_last
SELECT kind FROM event
WHERE object = :object AND target = :target AND kind < 20
ORDER BY id DESC LIMIT 1;

-- name: version_id
SELECT version_id FROM result WHERE object = :object AND target = :target;

-- name: result_event
UPDATE result SET event = :event WHERE object = :object AND target = :target;

-- name: result_replaced
UPDATE result SET held = 0
WHERE target = :target AND held > 0 AND object IN (SELECT h.id
	FROM object o CROSS JOIN history h ON h.path = o.path
	WHERE o.id = :object)
RETURNING object;

-- name: failure_insert
INSERT INTO failure (run, target, object, dir, path, kind, code, reason,
	attempts, time_ns)
VALUES (:run, :target, :object, :dir, :path, :kind, :code, :reason,
	:attempts, :time);

-- The run before of the same operation, target and scope.
-- name: run_before
SELECT max(p.id) FROM run n CROSS JOIN run p ON p.id < n.id AND
	p.op = n.op AND p.target = n.target AND p.scope = n.scope AND
	p.begun = 1
WHERE n.id = :run;

-- What failed in that run too, with the same code; the text says more than
-- once how many attempts there were, and is compared only where there is no
-- code.
-- name: failure_repeats
UPDATE failure SET first_run = (SELECT coalesce(p.first_run, p.run)
	FROM failure p WHERE p.run = :before AND p.path = failure.path AND
	p.object IS failure.object AND p.dir IS failure.dir AND
	p.kind = failure.kind AND p.code = failure.code AND
	(p.code <> 0 OR p.reason = failure.reason) LIMIT 1)
WHERE run = :run;

-- name: failure_folded
DELETE FROM failure WHERE id IN (SELECT p.id
	FROM failure n CROSS JOIN failure p ON p.run = :before AND
	    p.path = n.path AND p.object IS n.object AND p.dir IS n.dir AND
	    p.kind = n.kind AND p.code = n.code AND
	    (p.code <> 0 OR p.reason = n.reason)
	WHERE n.run = :run AND n.first_run IS NOT NULL);

-- Uploads.

-- What was begun perhaps, and never heard of, is still to be looked for.
-- name: upload_intent
INSERT INTO upload (object, target, upload_id, intent_sec, part_size)
VALUES (:object, :target, NULL, :sec, :part_size)
ON CONFLICT (object, target) DO UPDATE SET
	upload_id = NULL, part_size = excluded.part_size,
	intent_sec = iif(upload_id IS NULL,
	    min(intent_sec, excluded.intent_sec), excluded.intent_sec);

-- name: upload_created
UPDATE upload SET upload_id = :upload_id, part_size = :part_size
WHERE object = :object AND target = :target;

-- name: upload_ended
DELETE FROM upload WHERE object = :object AND target = :target;

-- name: upload_part_add
INSERT INTO upload_part (object, target, number, part)
VALUES (:object, :target, :number, :part)
ON CONFLICT (object, target, number) DO UPDATE SET part = excluded.part;

-- name: upload_parts_end
DELETE FROM upload_part WHERE object = :object AND target = :target;

-- A line for each part; of very many the first 1,500 are enough for a message.
-- name: upload_parts
SELECT group_concat(number || ' ' || part, char(10))
FROM (SELECT number, part FROM upload_part
	WHERE object = :object AND target = :target
	ORDER BY number LIMIT 1500)
HAVING count(*) > 0;

-- name: upload_find
SELECT upload_id, intent_sec, part_size FROM upload
WHERE object = :object AND target = :target;

-- Open uploads of this target, and of the target with the same bucket and
-- other keys (server_as_prefix): runs continue the uploads of this target
-- only.
-- name: uploads_open
SELECT u.object, u.target, coalesce(o.path, h.path), u.upload_id,
	u.intent_sec, u.target = :other OR o.id IS NULL OR
	o.gone_run IS NOT NULL OR o.why IS NOT NULL OR
	EXISTS (SELECT 1 FROM result r WHERE r.object = u.object AND
		r.target = u.target AND r.held > 0)
FROM upload u LEFT JOIN object o ON o.id = u.object
	LEFT JOIN history h ON h.id = u.object
WHERE u.target IN (:target, :other) AND coalesce(o.path, h.path) IS NOT NULL;

-- name: upload_list
SELECT object FROM upload WHERE target = :target;

-- Objects that the target holds: for each path the newest version, or else the
-- newest earlier version that the target holds.

-- name: stored_find
SELECT s.object, o.path, s.md5, coalesce(s.etag, lower(hex(s.md5))),
	s.part_size, s.part_md5s,
	s.version_id, coalesce((SELECT y.started_ns + e.ms * 1000000
	    FROM event e CROSS JOIN run y ON y.id = e.run
	    WHERE e.id = s.event), 0), h.id IS NULL,
	o.gone_run IS NOT NULL,
	v.time_ns, v.outcome, coalesce(h.kind, o.kind),
	coalesce(s.size, h.size, o.size),
	coalesce(h.mtime_ns, o.mtime_ns),
	coalesce(h.ctime_ns, o.ctime_ns), coalesce(h.ino, o.ino),
	coalesce(h.mode, o.mode), coalesce(h.uid, o.uid),
	coalesce(h.gid, o.gid), s.fresh
FROM object o CROSS JOIN result s ON s.target = :target AND
	s.object = coalesce(
	(SELECT r.object FROM result r WHERE r.object = o.id AND
	    r.target = :target AND r.held > 0),
	(SELECT r.object FROM history x CROSS JOIN result r ON
	    r.object = x.id AND r.target = :target
	    WHERE x.path = o.path AND r.held > 0 ORDER BY x.id DESC LIMIT 1))
	LEFT JOIN history h ON h.id = s.object
	LEFT JOIN verified v ON v.object = s.object AND v.target = :target
WHERE o.path = :path;

-- name: stored_page
SELECT s.object, o.path, s.md5, coalesce(s.etag, lower(hex(s.md5))),
	s.part_size, s.part_md5s,
	s.version_id, coalesce((SELECT y.started_ns + e.ms * 1000000
	    FROM event e CROSS JOIN run y ON y.id = e.run
	    WHERE e.id = s.event), 0), h.id IS NULL,
	o.gone_run IS NOT NULL,
	v.time_ns, v.outcome, coalesce(h.kind, o.kind),
	coalesce(s.size, h.size, o.size),
	coalesce(h.mtime_ns, o.mtime_ns),
	coalesce(h.ctime_ns, o.ctime_ns), coalesce(h.ino, o.ino),
	coalesce(h.mode, o.mode), coalesce(h.uid, o.uid),
	coalesce(h.gid, o.gid), s.fresh
FROM object o CROSS JOIN result s ON s.target = :target AND
	s.object = coalesce(
	(SELECT r.object FROM result r WHERE r.object = o.id AND
	    r.target = :target AND r.held > 0),
	(SELECT r.object FROM history x CROSS JOIN result r ON
	    r.object = x.id AND r.target = :target
	    WHERE x.path = o.path AND r.held > 0 ORDER BY x.id DESC LIMIT 1))
	LEFT JOIN history h ON h.id = s.object
	LEFT JOIN verified v ON v.object = s.object AND v.target = :target
WHERE o.path >= :from AND o.path < :end
ORDER BY o.path;

-- Two names at most: whether there are several.
-- name: target_names
SELECT DISTINCT coalesce(name, endpoint) || '/' || bucket FROM target
ORDER BY 1 LIMIT 2;

-- name: target_title
SELECT coalesce(name, endpoint) || '/' || bucket FROM target
WHERE id = :target;

-- Of the two ways to make keys for a bucket the one that was used last.
-- name: target_named
SELECT t.id FROM target t
WHERE coalesce(t.name, t.endpoint) || '/' || t.bucket = :name
ORDER BY (SELECT max(r.id) FROM run r WHERE r.target = t.id) DESC LIMIT 1;

-- The last run that was before the journal; an attempt that did not begin has
-- no first event either.
-- name: moment_first
SELECT max(id) FROM run WHERE first_event IS NULL AND begun = 1;

-- name: moment_next
SELECT coalesce((SELECT first_event FROM run
	WHERE id > :run AND first_event IS NOT NULL ORDER BY id LIMIT 1),
	max((SELECT coalesce(max(id), 0) FROM event),
	    (SELECT coalesce(max(event), 0) FROM pruned)));

-- The run that was the last to begin before a moment.
-- name: moment_at
SELECT id, first_event, (:time - started_ns) / 1000000,
	coalesce(ended_ns, updated_ns)
FROM run WHERE started_ns <= :time AND begun = 1
ORDER BY id DESC LIMIT 1;

-- What the target held at a moment, of the newest versions of files.
-- name: past_newest
SELECT o.id, o.path, r.md5,
	iif(r.event = e.id OR r.version_id = nullif(e.version, 'null'),
	    coalesce(r.etag, lower(hex(r.md5))), NULL),
	iif(r.event = e.id OR r.version_id = nullif(e.version, 'null'),
	    r.part_size, NULL),
	iif(r.event = e.id OR r.version_id = nullif(e.version, 'null'),
	    r.part_md5s, NULL), e.version,
	y.started_ns + e.ms * 1000000, 1, o.gone_run IS NOT NULL,
	NULL, NULL, o.kind, o.size, o.mtime_ns, o.ctime_ns, o.ino, o.mode,
	o.uid, o.gid, 0, r.held,
	(SELECT z.run FROM event z
	WHERE z.object = o.id AND z.target = :target AND z.id > e.id AND
	    z.kind >= 10 AND z.kind < 20 ORDER BY z.id LIMIT 1)
FROM object o CROSS JOIN event e ON e.id = (SELECT x.id FROM event x
	WHERE x.object = o.id AND x.target = :target AND x.kind < 20 AND
	    (x.run <= :run OR (x.run = :part AND x.ms <= :ms))
	ORDER BY x.id DESC LIMIT 1) AND e.kind < 10
	LEFT JOIN run y ON y.id = e.run
	LEFT JOIN result r ON r.object = o.id AND r.target = :target
WHERE o.path >= :from AND o.path < :end
ORDER BY o.path;

-- The same of earlier versions.
-- name: past_earlier
SELECT o.id, o.path, r.md5,
	iif(r.event = e.id OR r.version_id = nullif(e.version, 'null'),
	    coalesce(r.etag, lower(hex(r.md5))), NULL),
	iif(r.event = e.id OR r.version_id = nullif(e.version, 'null'),
	    r.part_size, NULL),
	iif(r.event = e.id OR r.version_id = nullif(e.version, 'null'),
	    r.part_md5s, NULL), e.version,
	y.started_ns + e.ms * 1000000, 0, o.gone_run IS NOT NULL,
	NULL, NULL, o.kind, o.size, o.mtime_ns, o.ctime_ns, o.ino, o.mode,
	o.uid, o.gid, 0, r.held,
	(SELECT z.run FROM event z
	WHERE z.object = o.id AND z.target = :target AND z.id > e.id AND
	    z.kind >= 10 AND z.kind < 20 ORDER BY z.id LIMIT 1)
FROM history o CROSS JOIN event e ON e.id = (SELECT x.id FROM event x
	WHERE x.object = o.id AND x.target = :target AND x.kind < 20 AND
	    (x.run <= :run OR (x.run = :part AND x.ms <= :ms))
	ORDER BY x.id DESC LIMIT 1) AND e.kind < 10
	LEFT JOIN run y ON y.id = e.run
	LEFT JOIN result r ON r.object = o.id AND r.target = :target
WHERE o.path >= :from AND o.path < :end
ORDER BY o.path;

-- The deletions of a run that are the newest state of their versions; p is the
-- event by which the target had got the version.
-- name: past_deleted
SELECT e.object, coalesce(o.path, h.path), r.md5,
	iif(r.event = p.id OR r.version_id = nullif(p.version, 'null'),
	    coalesce(r.etag, lower(hex(r.md5))), NULL),
	iif(r.event = p.id OR r.version_id = nullif(p.version, 'null'),
	    r.part_size, NULL),
	iif(r.event = p.id OR r.version_id = nullif(p.version, 'null'),
	    r.part_md5s, NULL), p.version, 0,
	o.id IS NOT NULL, o.gone_run IS NOT NULL, NULL, NULL,
	coalesce(o.kind, h.kind), coalesce(o.size, h.size),
	coalesce(o.mtime_ns, h.mtime_ns), coalesce(o.ctime_ns, h.ctime_ns),
	coalesce(o.ino, h.ino), coalesce(o.mode, h.mode),
	coalesce(o.uid, h.uid), coalesce(o.gid, h.gid), 0, e.id, e.version,
	EXISTS (SELECT 1 FROM restoring b
	    WHERE b.target = e.target AND b.object = e.object)
FROM event e
	LEFT JOIN event p ON p.id = (SELECT x.id FROM event x
	    WHERE x.object = e.object AND x.target = e.target AND
		x.kind < 10 AND x.id < e.id ORDER BY x.id DESC LIMIT 1)
	LEFT JOIN object o ON o.id = e.object
	LEFT JOIN history h ON h.id = e.object
	LEFT JOIN result r ON r.object = e.object AND r.target = e.target
WHERE e.id > (SELECT first_event FROM run WHERE id = :run) AND
	e.id > :after AND e.run = :run AND e.target = :target AND
	e.kind = 10 AND NOT EXISTS (SELECT 1 FROM event x
	    WHERE x.object = e.object AND x.target = e.target AND
		x.kind < 20 AND x.id > e.id)
ORDER BY e.id;

-- What the run was about to delete, and perhaps has.
-- name: past_doubted
SELECT d.object, coalesce(o.path, h.path), r.md5,
	iif(r.event = p.id OR r.version_id = nullif(p.version, 'null'),
	    coalesce(r.etag, lower(hex(r.md5))), NULL),
	iif(r.event = p.id OR r.version_id = nullif(p.version, 'null'),
	    r.part_size, NULL),
	iif(r.event = p.id OR r.version_id = nullif(p.version, 'null'),
	    r.part_md5s, NULL), p.version, 0,
	o.id IS NOT NULL, o.gone_run IS NOT NULL, NULL, NULL,
	coalesce(o.kind, h.kind), coalesce(o.size, h.size),
	coalesce(o.mtime_ns, h.mtime_ns), coalesce(o.ctime_ns, h.ctime_ns),
	coalesce(o.ino, h.ino), coalesce(o.mode, h.mode),
	coalesce(o.uid, h.uid), coalesce(o.gid, h.gid), 0, d.object, NULL
FROM deletion d
	LEFT JOIN event p ON p.id = (SELECT x.id FROM event x
	    WHERE x.object = d.object AND x.target = d.target AND
		x.kind < 10 ORDER BY x.id DESC LIMIT 1)
	LEFT JOIN object o ON o.id = d.object
	LEFT JOIN history h ON h.id = d.object
	LEFT JOIN result r ON r.object = d.object AND r.target = d.target
WHERE d.run = :run AND d.object > :after AND d.target = :target AND
	coalesce(o.path, h.path) IS NOT NULL
ORDER BY d.object;

-- Deletions that have events, and those that a DEL has counted without one, as
-- the catalog did not know the objects.
-- name: past_deletions
SELECT n.count, iif(y.backlog = 0, max(y.deleted - n.count, 0), 0)
FROM run y CROSS JOIN (SELECT count(*) AS count FROM event
	WHERE id > (SELECT first_event FROM run WHERE id = :run) AND
	run = :run AND target = :target AND kind = 10) n
WHERE y.id = :run;

-- name: run_target
SELECT t.id, coalesce(t.name, t.endpoint) || '/' || t.bucket
FROM run y CROSS JOIN target t ON t.id = y.target
WHERE y.id = :run AND y.begun = 1;

-- name: run_events
SELECT target, first_event FROM run WHERE id = :run;

-- All that became true of each version at a target, version by version.
-- name: span_events
SELECT e.object, e.run, e.kind, coalesce(o.size, h.size)
FROM event e INDEXED BY event_object
	LEFT JOIN object o ON o.id = e.object
	LEFT JOIN history h ON h.id = e.object
WHERE e.target = :target AND e.kind < 20
ORDER BY e.object, e.id;

-- Verdicts, but for those that are ranges.
-- name: span_verdicts
SELECT v.object, v.run, v.outcome FROM verification v
WHERE v.target = :target AND v.object > 0
ORDER BY v.object, v.id;

-- Ranges of objects that were verified.
-- name: span_ranges
SELECT e.object, s.last, e.run
FROM span s CROSS JOIN event e ON e.id = s.event
WHERE e.target = :target AND s.method IS NOT NULL
ORDER BY e.object;

-- What became true in a run.
-- name: span_deeds
SELECT e.object, e.kind, e.ms, coalesce(o.size, h.size)
FROM event e
	LEFT JOIN object o ON o.id = e.object
	LEFT JOIN history h ON h.id = e.object
WHERE e.id > :first AND e.run = :run
ORDER BY e.id;

-- name: slowest_clear
DELETE FROM slowest WHERE run = :run;

-- name: slowest_insert
INSERT INTO slowest (run, object, took_ms, attempts)
VALUES (:run, :object, :took_ms, :attempts);

-- name: slowest_of_run
SELECT coalesce(o.path, h.path), coalesce(o.size, h.size), s.took_ms,
	s.attempts
FROM slowest s
	LEFT JOIN object o ON o.id = s.object
	LEFT JOIN history h ON h.id = s.object
WHERE s.run = :run ORDER BY s.took_ms DESC, s.object;

-- name: span_failures
SELECT (f.time_ns - y.started_ns) / 1000000
FROM failure f CROSS JOIN run y ON y.id = f.run
WHERE f.run = :run AND f.object IS NOT NULL;

-- name: run_verdicts
SELECT v.outcome, (v.time_ns - y.started_ns) / 1000000,
	coalesce(o.size, h.size)
FROM verification v CROSS JOIN run y ON y.id = v.run
	LEFT JOIN object o ON o.id = v.object
	LEFT JOIN history h ON h.id = v.object
WHERE v.run = :run
UNION ALL
SELECT 'ok', e.ms, o.size
FROM run y CROSS JOIN span s ON s.event > y.first_event
	CROSS JOIN event e ON e.id = s.event
	CROSS JOIN object o ON o.id BETWEEN s.first AND s.last
WHERE y.id = :run AND e.run = :run AND s.method IS NOT NULL
UNION ALL
SELECT 'ok', e.ms, h.size
FROM run y CROSS JOIN span s ON s.event > y.first_event
	CROSS JOIN event e ON e.id = s.event
	CROSS JOIN history h ON h.id BETWEEN s.first AND s.last
WHERE y.id = :run AND e.run = :run AND s.method IS NOT NULL;

-- What the target was found to have lost and was not put again. What is gone
-- at the source too is nobody's any more, once the target has nothing of it.
-- name: lost_page
SELECT s.object, o.path, s.md5, coalesce(s.etag, lower(hex(s.md5))),
	s.part_size, s.part_md5s,
	s.version_id, coalesce((SELECT y.started_ns + e.ms * 1000000
	    FROM event e CROSS JOIN run y ON y.id = e.run
	    WHERE e.id = s.event), 0), 1, o.gone_run IS NOT NULL,
	v.time_ns, v.outcome, o.kind, o.size, o.mtime_ns, o.ctime_ns, o.ino,
	o.mode, o.uid, o.gid, s.fresh
FROM object o CROSS JOIN result s ON s.object = o.id AND
	s.target = :target AND s.held = 0 AND s.outcome = 2
	CROSS JOIN verified v ON v.object = o.id AND v.target = s.target
WHERE o.path >= :from AND o.path < :end AND
	(v.outcome = 'corrupt' OR
	(v.outcome = 'missing' AND o.gone_run IS NULL))
ORDER BY o.path;

-- name: stored_sizes
SELECT coalesce(s.size, (SELECT h.size FROM history h
	WHERE h.id = s.object), o.size)
FROM object o CROSS JOIN result s ON s.target = :target AND
	s.object = coalesce(
	(SELECT r.object FROM result r WHERE r.object = o.id AND
	    r.target = :target AND r.held > 0),
	(SELECT r.object FROM history x CROSS JOIN result r ON
	    r.object = x.id AND r.target = :target
	    WHERE x.path = o.path AND r.held > 0 ORDER BY x.id DESC LIMIT 1))
WHERE o.path >= :from AND o.path < :end;

-- name: sample_new
SELECT e.id, r.object, coalesce(o.path, h.path)
FROM event e CROSS JOIN result r ON r.object = e.object AND
	    r.target = e.target AND r.event = e.id
	LEFT JOIN object o ON o.id = r.object
	LEFT JOIN history h ON h.id = r.object
WHERE e.id > :last AND e.target = :target AND r.held > 0 AND
	NOT EXISTS (SELECT 1 FROM verified v
	WHERE v.object = r.object AND v.target = r.target)
ORDER BY e.id;

-- name: sample_old
SELECT v.time_ns, v.object, coalesce(o.path, h.path)
FROM verified v LEFT JOIN object o ON o.id = v.object
	LEFT JOIN history h ON h.id = v.object
WHERE v.target = :target AND v.time_ns >= :last AND
	v.time_ns < :started AND (v.time_ns > :last OR v.object > :object)
ORDER BY v.time_ns, v.object;

-- name: object_bounds
SELECT (SELECT coalesce(min(id), 0) FROM object),
	(SELECT coalesce(max(id), 0) FROM object);

-- name: cut_probe
SELECT path, gone_run IS NULL AND why IS NULL FROM object
WHERE id >= :id ORDER BY id LIMIT 1;

-- name: cut_scan
SELECT path FROM object
WHERE path >= :from AND path < :end ORDER BY path;

-- name: target_keyless
SELECT 1 FROM target WHERE server_as_prefix = 0 LIMIT 1;

-- name: export_paths
SELECT path FROM export;

-- Outcomes of GET, DEL and TEST.

-- name: object_id
SELECT id FROM object WHERE path = :path;

-- name: version_path
SELECT path FROM object WHERE id = :id
UNION ALL SELECT path FROM history WHERE id = :id LIMIT 1;

-- name: verification_insert
INSERT INTO verification (run, object, target, method, outcome, reason,
	time_ns, path)
VALUES (:run, :object, :target, :method, :outcome, :reason, :time, :path);

-- name: held_find
SELECT 1 FROM result WHERE object = :object AND target = :target AND held > 0;

-- name: verified_put
INSERT INTO verified (object, target, run, method, outcome, time_ns)
VALUES (:object, :target, :run, :method, :outcome, :time)
ON CONFLICT (object, target) DO UPDATE SET run = excluded.run,
	method = excluded.method, outcome = excluded.outcome,
	time_ns = excluded.time_ns;

-- name: verified_clear
DELETE FROM verified WHERE object = :object AND target = :target;

-- name: verified_retire
DELETE FROM verified WHERE object = :object;

-- name: result_deleted
UPDATE result SET outcome = 5, held = 0, run = :run, ms = :ms,
	reason = NULL
WHERE target = :target AND object = :object AND (held > 0 OR EXISTS (SELECT 1
	FROM deletion d
	WHERE d.target = result.target AND d.object = result.object));

-- name: result_restored
UPDATE result SET outcome = 0, held = 9, run = :run, ms = NULL,
	reason = NULL, version_id = :version, event = :event
WHERE target = :target AND object = :object;

-- name: result_other
UPDATE result SET outcome = 2, held = 0, run = :run, ms = :ms, reason = :reason
WHERE target = :target AND object = :object AND outcome = 5;

-- Without a run the row stays that of its run.
-- name: result_lost
UPDATE result SET outcome = 2, held = 0, run = coalesce(:run, run),
	ms = coalesce(:ms, ms), reason = :reason
WHERE target = :target AND held > 0 AND
	object = (SELECT id FROM object WHERE path = :path);

-- name: history_lost
UPDATE result SET held = 0
WHERE target = :target AND held > 0 AND
	object IN (SELECT id FROM history WHERE path = :path);

-- name: deletion_insert
INSERT OR IGNORE INTO deletion (target, object, run)
SELECT target, object, :run FROM result
WHERE target = :target AND object = :object AND held > 0;

-- The store refused the deletion that this run noted: the object stays as
-- before.
-- name: deletion_refused
DELETE FROM deletion WHERE target = :target AND object = :object AND run = :run;

-- name: deletion_done
DELETE FROM deletion WHERE target = :target AND object = :object;

-- name: deletion_find
SELECT run FROM deletion WHERE target = :target AND object = :object;

-- name: note_any
SELECT 1 FROM deletion UNION ALL SELECT 1 FROM restoring LIMIT 1;

-- The answer was lost: the object stays to be deleted, and whether the target
-- holds the object is not known.
-- name: deletion_lost
UPDATE deletion SET reason = :reason
WHERE target = :target AND object = :object;

-- name: deletion_in_doubt
INSERT OR IGNORE INTO settle (target, object)
SELECT target, object FROM deletion
WHERE target = :target AND object = :object;

-- The same for all deletions that a killed run has left.
-- name: deletion_results
UPDATE result SET outcome = 2, held = 0,
	ms = (:now - (SELECT y.started_ns FROM deletion d JOIN run y ON
	    y.id = d.run WHERE d.object = result.object AND
	    d.target = result.target)) / 1000000,
	run = (SELECT d.run FROM deletion d WHERE d.object = result.object AND
	    d.target = result.target),
	reason = 'the run that deleted it ended before the answer came'
WHERE held > 0 AND (object, target) IN (SELECT object, target FROM deletion);

-- name: deletion_settle
INSERT OR IGNORE INTO settle (target, object)
SELECT target, object FROM deletion;

-- name: deletion_unverified
DELETE FROM verified
WHERE (object, target) IN (SELECT object, target FROM deletion);

-- name: restoring_insert
INSERT OR IGNORE INTO restoring (target, object, run)
VALUES (:target, :object, :run);

-- name: restoring_find
SELECT run FROM restoring WHERE target = :target AND object = :object;

-- name: restoring_done
DELETE FROM restoring WHERE target = :target AND object = :object;

-- The object was not brought back by this run, and that is known.
-- name: restoring_over
DELETE FROM restoring
WHERE target = :target AND object = :object AND run = :run;

-- name: restoring_settle
INSERT OR IGNORE INTO settle (target, object)
SELECT target, object FROM restoring;

-- Clients.

-- name: client_put
INSERT INTO client (run, number, host, state, leases, items, moved, failed,
	bytes, items_per_s, bytes_per_s, heard_ns, reason)
VALUES (:run, :number, :host, :state, :leases, :items, :moved, :failed, :bytes,
	:items_per_s, :bytes_per_s, :heard, :reason)
ON CONFLICT (run, number) DO UPDATE SET host = excluded.host,
	state = excluded.state, leases = excluded.leases,
	items = excluded.items, moved = excluded.moved,
	failed = excluded.failed, bytes = excluded.bytes,
	items_per_s = excluded.items_per_s,
	bytes_per_s = excluded.bytes_per_s, heard_ns = excluded.heard_ns,
	reason = excluded.reason;

-- name: client_forget
DELETE FROM client WHERE run = :run AND number IN (
	SELECT number FROM client WHERE run = :run AND number > 0
	    AND state IN ('lost', 'failed', 'ended')
	ORDER BY heard_ns DESC LIMIT -1 OFFSET 100);

-- Compaction.

-- name: compaction_put
INSERT INTO compaction (run, target, nqn, state, seconds, time_ns, reason)
VALUES (:run, :target, :nqn, :state, :seconds, :time, :reason)
ON CONFLICT (run, target, nqn) DO UPDATE SET state = excluded.state,
	seconds = excluded.seconds, time_ns = excluded.time_ns,
	reason = excluded.reason;

-- Mirror.

-- Note the root's file system; if one crawl saw two file systems, note none.
-- name: export_note
UPDATE export SET
	seen_fsid = iif(seen_crawl IS :crawl AND seen_fsid IS NOT :fsid, NULL,
	    :fsid),
	seen_empty = iif(seen_crawl IS :crawl, max(seen_empty, :empty),
	    :empty),
	seen_crawl = :crawl
WHERE id = :id;

-- name: export_keep
UPDATE export SET fsid = seen_fsid, other_crawl = NULL
WHERE id = :id AND seen_crawl = :crawl AND seen_empty = 0 AND
	seen_fsid IS NOT NULL;

-- name: export_accept
UPDATE export SET fsid = :fsid, other_crawl = NULL WHERE id = :id;

-- The export has another file system than the known one (:known, which may
-- have been noted only for a directory). Does nothing if the catalog knows no
-- file of the export, whichever export was there when the file was put, nor any
-- by another name (:named); files of another export of the run, inside this
-- one, are not of this one.
-- name: export_other
UPDATE export SET other_crawl = coalesce(other_crawl, :crawl),
	fsid = :known
WHERE id = :id AND (:named OR EXISTS (SELECT 1 FROM object o
	WHERE o.path > export.path || '/' AND o.path < export.path || '0' AND
	o.kind = 1 AND NOT EXISTS (SELECT 1 FROM export i
	    WHERE i.slot IS NOT NULL AND i.path > export.path || '/' AND
	    i.path < export.path || '0' AND o.path > i.path || '/' AND
	    o.path < i.path || '0')));

-- Has this crawl seen a different file system of the export than :fsid?
-- name: export_mixed
SELECT 1 FROM export
WHERE id = :id AND seen_crawl = :crawl AND seen_fsid IS NOT :fsid;

-- The file system by which an export is known. If no complete crawl has noted
-- one, the one counts in which its root was read, or else the nearest noted
-- directory above, in whichever export.
-- name: export_noted
SELECT coalesce((SELECT e.fsid FROM export e WHERE e.path = :path),
	(SELECT d.fsid FROM dir d
	WHERE d.fsid IS NOT NULL AND d.path <= :path AND (d.path = :path OR
	    substr(:path, 1, length(d.path) + 1) = d.path || '/')
	ORDER BY length(d.path) DESC LIMIT 1)) AS fsid
WHERE fsid IS NOT NULL;

-- The file system of the root in the newest crawl.
-- name: export_seen
SELECT seen_fsid FROM export WHERE path = :path AND seen_fsid IS NOT NULL;

-- name: export_holds
SELECT 1 FROM object
WHERE path > :path || '/' AND path < :path || '0' AND kind = 1 AND
	(gone_run IS NULL OR :also_gone) LIMIT 1;

-- Exports that were crawled later than the one of this path.
-- name: export_newer
SELECT path FROM export
WHERE seen_crawl > coalesce((SELECT e.seen_crawl FROM export e
	WHERE e.path = :path), 0);

-- The number of files known before another file system was seen; and how many
-- of these files this crawl met with the same size and time. Files below a
-- directory that this crawl did not read cleanly count as not met.
-- name: export_copy
SELECT count(*), coalesce(sum(m.id IS NOT NULL), 0)
FROM (SELECT o.path, o.size, o.mtime_ns
	FROM export e CROSS JOIN object o ON o.path > e.path || '/' AND
	    o.path < e.path || '0'
	WHERE e.id = :id AND o.kind = 1 AND
	    o.why IS NULL AND o.run < e.other_crawl AND
	    coalesce(o.gone_run >= e.other_crawl, 1) AND
	    NOT EXISTS (SELECT 1 FROM export i
	    WHERE i.slot IS NOT NULL AND i.path > e.path || '/' AND
	    i.path < e.path || '0' AND o.path > i.path || '/' AND
	    o.path < i.path || '0')
	UNION ALL
	SELECT h.path, h.size, h.mtime_ns
	FROM export e CROSS JOIN history h ON h.path > e.path || '/' AND
	    h.path < e.path || '0'
	WHERE e.id = :id AND h.kind = 1 AND
	    h.why IS NULL AND h.run < e.other_crawl AND
	    h.until_run >= e.other_crawl AND
	    coalesce(h.gone_run >= e.other_crawl, 1) AND
	    NOT EXISTS (SELECT 1 FROM export i
	    WHERE i.slot IS NOT NULL AND i.path > e.path || '/' AND
	    i.path < e.path || '0' AND h.path > i.path || '/' AND
	    h.path < i.path || '0')) k
	LEFT JOIN object n ON n.path = k.path AND n.size = k.size AND
	n.mtime_ns = k.mtime_ns AND n.kind = 1 AND n.gone_run IS NULL
	LEFT JOIN dir m ON m.id = n.dir AND m.run >= :crawl AND m.clean = 1 AND
	m.gone_run IS NULL;

-- name: export_guard
SELECT seen_empty, seen_fsid FROM export
WHERE id = :id AND seen_crawl = :crawl;

-- name: dir_proof
SELECT parent, coalesce(run, 0), clean, gone_run IS NOT NULL, path
FROM dir WHERE id = :id;

-- name: object_live
SELECT coalesce((SELECT y.started_ns + e.ms * 1000000
	FROM event e CROSS JOIN run y ON y.id = e.run WHERE e.id = r.event), 0)
FROM object o LEFT JOIN result r ON r.object = o.id AND
	r.target = :target AND r.held > 0
WHERE o.path = :path AND o.gone_run IS NULL;

-- Is one of the first files that were seen under the former name there under
-- the name of today?
-- name: former_seen
SELECT 1
FROM (SELECT path, size, mtime_ns, ino FROM object
	WHERE path >= :from AND path < :end AND kind = 1 LIMIT 1000) f
	CROSS JOIN object t ON t.path = :server ||
	    substr(f.path, :before + 1)
WHERE t.gone_run IS NULL AND t.kind = 1 AND iif(:ignore, t.size = f.size AND
	t.mtime_ns = f.mtime_ns, t.ino = f.ino)
LIMIT 1;

-- Objects that the target holds, or may hold, of paths between :from and :end,
-- which are in no share of the settings now.
-- name: former_held
SELECT 1, s.object, o.path, coalesce(h.kind, o.kind),
	coalesce(h.size, o.size), coalesce(h.mtime_ns, o.mtime_ns),
	coalesce(h.ctime_ns, o.ctime_ns), coalesce(h.ino, o.ino),
	coalesce(h.mode, o.mode), coalesce(h.uid, o.uid),
	coalesce(h.gid, o.gid)
FROM object o CROSS JOIN result s ON s.target = :target AND
	s.object = coalesce(
	(SELECT r.object FROM result r WHERE r.object = o.id AND
	    r.target = :target AND r.held > 0),
	(SELECT r.object FROM history x CROSS JOIN result r ON
	    r.object = x.id AND r.target = :target
	    WHERE x.path = o.path AND r.held > 0 ORDER BY x.id DESC LIMIT 1))
	LEFT JOIN history h ON h.id = s.object
WHERE o.path >= :from AND o.path < :end
ORDER BY o.path;

-- name: former_doubt
SELECT 0, s.object, n.path, n.kind, n.size, n.mtime_ns, n.ctime_ns, n.ino,
	n.mode, n.uid, n.gid
FROM settle s LEFT JOIN history h ON h.id = s.object
	CROSS JOIN object n ON n.path = coalesce(h.path,
	    (SELECT path FROM object WHERE id = s.object))
WHERE s.target = :target AND n.path >= :from AND n.path < :end
ORDER BY n.path;

-- The path, and whether its file exists or the target holds an object that was
-- put under this path.
-- name: name_today
SELECT o.id, o.gone_run IS NULL OR
	EXISTS (SELECT 1 FROM result r WHERE r.object = o.id AND
	    r.target = :target AND r.held > 0) OR
	EXISTS (SELECT 1 FROM history h CROSS JOIN result r ON
	    r.object = h.id AND r.target = :target
	    WHERE h.path = o.path AND r.held > 0)
FROM object o WHERE o.path = :path;

-- name: name_result
INSERT INTO result (object, target, run, outcome, held, size, ms,
	md5, crc64, etag, part_size, part_md5s, attempts, version_id, reason)
SELECT :object, target, run, outcome, max(held, 1), coalesce(size, (SELECT
	size FROM object
	WHERE id = :from), (SELECT size FROM history WHERE id = :from)), ms,
	md5, crc64, etag, part_size, part_md5s, attempts, version_id,
	'it was put under another name of its server'
FROM result WHERE object = :from AND target = :target
ON CONFLICT (object, target) DO UPDATE SET
	held = excluded.held, size = excluded.size, md5 = excluded.md5,
	crc64 = excluded.crc64,
	etag = excluded.etag, part_size = excluded.part_size,
	part_md5s = excluded.part_md5s, version_id = excluded.version_id;

-- name: dirs_unseen
UPDATE dir SET gone_run = :run WHERE id >= :first AND gone_run IS NULL;

-- The time is when the bytes were put for this file: what was found later under
-- its key may have been put for another file.
-- name: gone_page
SELECT s.object, o.path, s.md5, coalesce(s.etag, lower(hex(s.md5))),
	s.part_size, s.part_md5s,
	s.version_id, coalesce((SELECT y.started_ns + e.ms * 1000000
	    FROM event e CROSS JOIN run y ON y.id = e.run
	    WHERE e.object = s.object AND e.target = s.target AND e.kind < 10
	    ORDER BY e.kind = 3, e.id DESC LIMIT 1), 0), h.id IS NULL, 1,
	NULL, NULL, coalesce(h.kind, o.kind),
	coalesce(s.size, h.size, o.size),
	coalesce(h.mtime_ns, o.mtime_ns),
	coalesce(h.ctime_ns, o.ctime_ns), coalesce(h.ino, o.ino),
	coalesce(h.mode, o.mode), coalesce(h.uid, o.uid),
	coalesce(h.gid, o.gid), o.dir, o.kind, o.size
FROM object o INDEXED BY object_gone CROSS JOIN result s ON
	s.target = :target AND
	s.object = coalesce(
	(SELECT r.object FROM result r WHERE r.object = o.id AND
	    r.target = :target AND r.held > 0),
	(SELECT r.object FROM history x CROSS JOIN result r ON
	    r.object = x.id AND r.target = :target
	    WHERE x.path = o.path AND r.held > 0 ORDER BY x.id DESC LIMIT 1))
	LEFT JOIN history h ON h.id = s.object
WHERE o.gone_run IS NOT NULL AND o.path >= :from AND o.path < :end AND
	NOT EXISTS (SELECT 1 FROM result y WHERE y.object = o.id AND
	y.target = :target AND y.outcome = 3 AND y.run >= :crawl)
ORDER BY o.path;

-- Directories that this crawl has passed over as excluded.
-- name: unread_dir
SELECT path FROM dir
WHERE path > :after AND kept >= :crawl AND coalesce(unknown, 0) < :crawl AND
	coalesce(run, 0) < :crawl
ORDER BY path LIMIT 1;

-- Files that nobody has looked for in this crawl, or in the place of which is
-- something else, and of which the target holds an object, or may; with :all
-- other files as well, as their objects may have been put under another name.
-- name: unread_page
SELECT o.id, o.path, o.size, o.dir
FROM object o CROSS JOIN dir d ON d.id = o.dir
WHERE o.path >= :from AND o.path < :end AND o.gone_run IS NULL AND
	(coalesce(d.run, 0) < :crawl OR o.kind <> 1) AND
	(:all OR EXISTS (SELECT 1
	FROM (SELECT o.id AS id
	    UNION ALL SELECT h.id FROM history h WHERE h.path = o.path) v
	WHERE EXISTS (SELECT 1 FROM result r WHERE r.object = v.id AND
	    r.target = :target AND r.held > 0) OR
	    EXISTS (SELECT 1 FROM settle s WHERE s.object = v.id AND
	    s.target = :target)))
ORDER BY o.path;

-- datamover catalog check: rows that speak of a row that isn't there.

-- name: verify_twice
SELECT count(*) FROM history h CROSS JOIN object o ON o.id = h.id;

-- name: verify_dir
SELECT count(*) FROM object o
WHERE NOT EXISTS (SELECT 1 FROM dir d WHERE d.id = o.dir);

-- name: verify_result
SELECT count(*) FROM result r
WHERE NOT EXISTS (SELECT 1 FROM object o WHERE o.id = r.object) AND
	NOT EXISTS (SELECT 1 FROM history h WHERE h.id = r.object);

-- name: verify_target
SELECT count(*) FROM result r
WHERE NOT EXISTS (SELECT 1 FROM target t WHERE t.id = r.target);

-- name: verify_run
SELECT count(*) FROM result r
WHERE NOT EXISTS (SELECT 1 FROM run y WHERE y.id = r.run);

-- name: verify_verdict
SELECT count(*) FROM verified v
WHERE NOT EXISTS (SELECT 1 FROM result r
	WHERE r.object = v.object AND r.target = v.target);

-- name: verify_todo
SELECT count(*) FROM todo t
WHERE NOT EXISTS (SELECT 1 FROM object o WHERE o.id = t.object);

-- datamover catalog prune: see src/db/prune.h.

-- name: pruned_insert
INSERT INTO pruned (time_ns, horizon_ns, run, event, user, sudo_user, host,
	events, versions, failures, verdicts, entry)
VALUES (:time, :horizon, :run, :event, :user, :sudo_user, :host, 0, 0, 0, 0,
	:entry);

-- name: pruned_counts
UPDATE pruned SET events = :events, versions = :versions,
	failures = :failures, verdicts = :verdicts
WHERE id = (SELECT max(id) FROM pruned);

-- name: pruned_until
SELECT coalesce(max(event), 0), coalesce(max(run), 0),
	strftime('%Y-%m-%dT%H:%M:%SZ', max(horizon_ns) / 1000000000,
	    'unixepoch')
FROM pruned;

-- Events that a later one had superseded by the horizon, or that say of a
-- version that it was over by then. The event to which the result of a file's
-- newest version points stays, and the one that ended it; and that by which
-- the target had got what undo brought back, as long as the latter stays.
-- name: prune_events
DELETE FROM event
WHERE id > :after AND id <= :last AND (kind < 20 OR (kind = 20 AND EXISTS
	(SELECT 1 FROM span s WHERE s.event = event.id AND
	s.method IS NULL))) AND
	(kind >= 10 OR EXISTS (SELECT 1 FROM event n
	    WHERE n.object = event.object AND n.target = event.target AND
	    n.id > event.id AND n.id <= :horizon AND n.kind < 20)) AND
	NOT EXISTS (SELECT 1 FROM result r CROSS JOIN object o ON
	    o.id = r.object
	    WHERE r.object = event.object AND r.target = event.target AND
	    (r.event = event.id OR (r.event < event.id AND
	    event.kind >= 10 AND event.kind < 20))) AND
	NOT (kind < 6 AND EXISTS (SELECT 1 FROM event b
	    WHERE b.object = event.object AND b.target = event.target AND
	    b.id > event.id AND b.kind = 6 AND b.version = event.version AND
	    (b.id > :horizon OR NOT EXISTS (SELECT 1 FROM event n
		WHERE n.object = b.object AND n.target = b.target AND
		n.id > b.id AND n.id <= :horizon AND n.kind < 20) OR
	    EXISTS (SELECT 1 FROM result r CROSS JOIN object o ON
		o.id = r.object WHERE r.object = b.object AND
		r.target = b.target AND r.event = b.id))));

-- name: prune_spans
DELETE FROM span WHERE event > :after AND event <= :last AND method IS NULL;

-- Verdicts of before the horizon: see src/db/prune_verdicts.c.
-- name: prune_sweep
SELECT e.target, s.first, s.last, e.run, e.id, 0
FROM span s CROSS JOIN event e ON e.id = s.event
WHERE s.event <= :event
UNION ALL
SELECT v.target, v.object, v.object, v.run, 0, v.id
FROM verification v WHERE v.run < :run AND v.object > 0
ORDER BY 1, 2, 4;

-- name: version_within
SELECT EXISTS (SELECT 1 FROM object WHERE id BETWEEN :first AND :last) OR
	EXISTS (SELECT 1 FROM history WHERE id BETWEEN :first AND :last);

-- name: prune_span
DELETE FROM span WHERE event = :event;

-- name: prune_event
DELETE FROM event WHERE id = :event;

-- name: prune_verification
DELETE FROM verification WHERE id = :id;

-- name: prune_versions
SELECT h.id FROM history h
WHERE h.id > :after AND h.until_run < :run AND NOT EXISTS (SELECT 1
	FROM event e WHERE e.object = h.id) AND NOT EXISTS (SELECT 1
	FROM result r WHERE r.object = h.id AND r.held > 0) AND NOT EXISTS
	(SELECT 1 FROM target t CROSS JOIN settle s ON s.target = t.id AND
	s.object = h.id) AND NOT EXISTS (SELECT 1
	FROM target t CROSS JOIN deletion d ON d.target = t.id AND
	d.object = h.id) AND NOT EXISTS (SELECT 1
	FROM upload u WHERE u.object = h.id) AND
	h.id NOT IN (SELECT prev FROM todo WHERE prev IS NOT NULL)
ORDER BY h.id LIMIT :max;

-- name: prune_verdict
DELETE FROM verified WHERE object = :id;

-- name: prune_result
DELETE FROM result WHERE object = :id;

-- name: prune_version
DELETE FROM history WHERE id = :id;

-- What is failed still is not over.
-- name: prune_failures
DELETE FROM failure
WHERE run < :run AND (run, path) NOT IN (SELECT run, path FROM failures);

-- name: prune_slowest
DELETE FROM slowest WHERE run < :run;

-- Of keys that the catalog did not know.
-- name: prune_strangers
DELETE FROM verification WHERE run < :run AND object = 0;
