-- The last object of an event that tells of a range of objects: all objects
-- with ids from event.object to last. Without a row the event tells of one.
CREATE TABLE span (
	event INTEGER PRIMARY KEY,
	last INTEGER NOT NULL
) STRICT;
