-- What a catalog that was put back in its place doesn't know.

-- The row (0, 0): the catalog is a copy of an earlier state (datamover catalog
-- restore). Until a target and an export have a row, the target may hold what
-- was put from the export since that state, and may have lost objects: the
-- next PUT asks the target for all of them. IF NOT EXISTS: a restored copy of
-- an older schema has the table already.
CREATE TABLE IF NOT EXISTS asked (
	target INTEGER NOT NULL,
	export INTEGER NOT NULL,
	PRIMARY KEY (target, export)
) STRICT, WITHOUT ROWID;
