-- The table result, smaller: without ids, as the events have the order in which
-- results came, and with NULL for what other rows say.

-- What became of a version at a target; the newest result for a version
-- replaces the one before, but for what its last event tells.
-- outcome: 0 moved, 1 unchanged, 2 failed, 3 gone, 4 failed in the crawl, 5
-- deleted at the target.
-- held: the target has these bytes, and the digests are those of what was read
-- (a later failure leaves them).
-- ms: of the result, after its run began; NULL: that of its event.
-- event: the event by which the target got the version, the last such; took_ms
-- is that event's. NULL: the target never had it.
-- size: NULL: that of the version.
-- etag: NULL: md5 in hexadecimal, if that is known; empty: the store gave none.
-- fresh: above 0, the bytes were read so soon after the last change of the file
-- that a later change could have left the times of the file as they were (the
-- granule of the times, the skew of the clocks). The next run reads the file
-- again. 1: the times are the newest that the crawl met. 2: the times are also
-- new by our clock; then one more reading may not be enough.
CREATE TABLE IF NOT EXISTS result_new (
	object INTEGER NOT NULL,
	target INTEGER NOT NULL,
	run INTEGER NOT NULL,
	outcome INTEGER NOT NULL,
	held INTEGER NOT NULL,
	ms INTEGER,
	event INTEGER,
	size INTEGER,
	md5 BLOB,
	etag TEXT,
	part_size INTEGER,
	part_md5s BLOB,
	took_ms INTEGER,	-- NULL: not known
	attempts INTEGER NOT NULL,
	version_id TEXT,
	reason TEXT,
	fresh INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (object, target)
) STRICT, WITHOUT ROWID;

-- step: these statements again and again, until the last one changes nothing;
-- after each time the catalog is as good as before, and the climb can go on
-- from there. The rows go in the order in which the results came. What is known
-- begins the journal: what each target holds (kind 1), and what was deleted
-- (10). Whoever checked an object after it was stored is taken for who stored
-- it: no more is known.
INSERT INTO event (object, target, run, kind, ms, version)
SELECT r.object, r.target, r.run, iif(r.held = 1, 1, 10),
	(r.time_ns - coalesce((SELECT y.started_ns FROM run y
	    WHERE y.id = r.run), 0)) / 1000000, r.version_id
FROM result r
WHERE r.id <= (SELECT max(id) FROM (SELECT id FROM result ORDER BY id
	LIMIT 10000)) AND r.event IS NULL AND (r.held = 1 OR r.outcome = 5)
ORDER BY r.id;
INSERT INTO result_new (object, target, run, outcome, held, ms, event, size,
	md5, etag, part_size, part_md5s, took_ms, attempts, version_id, reason,
	fresh)
SELECT r.object, r.target, r.run, r.outcome, r.held,
	iif(r.outcome <= 1 AND (e.id IS NULL OR e.run = r.run) AND
	    r.held = 1, NULL, (r.time_ns - coalesce((SELECT y.started_ns
	    FROM run y WHERE y.id = r.run), 0)) / 1000000),
	coalesce(r.event, iif(r.held = 1, (SELECT max(k.id) FROM event k
	    WHERE k.object = r.object AND k.target = r.target), NULL)),
	nullif(r.size, coalesce((SELECT o.size FROM object o
	    WHERE o.id = r.object), (SELECT h.size FROM history h
	    WHERE h.id = r.object))),
	r.md5, CASE WHEN r.md5 IS NULL THEN r.etag
	    WHEN r.etag IS NULL THEN ''
	    ELSE nullif(r.etag, lower(hex(r.md5))) END,
	r.part_size, r.part_md5s, r.took_ms, r.attempts,
	-- In an earlier schema, that of a deletion was the marker's.
	iif(r.event IS NULL AND r.held = 0 AND r.outcome = 5, NULL,
	    r.version_id), r.reason, r.fresh
FROM result r LEFT JOIN event e ON e.id = r.event
WHERE r.id <= (SELECT max(id) FROM (SELECT id FROM result ORDER BY id
	LIMIT 10000));
DELETE FROM result WHERE id <= (SELECT max(id) FROM (SELECT id FROM result
	ORDER BY id LIMIT 10000));
-- end

DROP TABLE result;
ALTER TABLE result_new RENAME TO result;
-- A condition that no search by outcome is narrowed by.
CREATE INDEX result_other ON result (target, outcome, run) WHERE outcome <> 0;
CREATE INDEX result_fresh ON result (target, object) WHERE fresh > 0;

ALTER TABLE run DROP COLUMN first_result;
