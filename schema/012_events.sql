-- The journal: one row for each thing that became true of a version of a file
-- (object.id, history.id) at a target, in the order of the ids. Rows are added,
-- never changed. kind: enum event_kind (src/model/event.h); below 10 the target
-- has the version since then, from 10 to 19 it has it no longer. ms: after the
-- run began. version: the store's version id; of a deletion, the marker's.
CREATE TABLE event (
	id INTEGER PRIMARY KEY,
	object INTEGER NOT NULL,
	target INTEGER NOT NULL,
	run INTEGER NOT NULL,
	kind INTEGER NOT NULL,
	ms INTEGER NOT NULL,
	version TEXT
) STRICT;
CREATE INDEX event_object ON event (object);

-- Events of the run have larger ids. NULL: the run is older than the journal.
ALTER TABLE run ADD COLUMN first_event INTEGER;

-- The event by which the target got the version, the last such; took_ms is that
-- event's. NULL: the target never had it.
ALTER TABLE result ADD COLUMN event INTEGER;

-- held: the target has this version now, as far as is known. Until here it
-- stayed with a version when a later one of the same file took its place.
UPDATE result SET held = 0
WHERE object IN (SELECT id FROM history) AND held = 1 AND EXISTS (SELECT 1
	FROM history h CROSS JOIN object o ON o.path = h.path
		CROSS JOIN result n ON n.object = o.id AND
			n.target = result.target AND n.held = 1
	WHERE h.id = result.object);
UPDATE result SET held = 0
WHERE object IN (SELECT id FROM history) AND held = 1 AND EXISTS (SELECT 1
	FROM history h CROSS JOIN history o ON o.path = h.path AND o.id > h.id
		CROSS JOIN result n ON n.object = o.id AND
			n.target = result.target AND n.held = 1
	WHERE h.id = result.object);
-- The events of what is known come with rung 15.
