-- The parts of open uploads whose ETags are not their MD5s: with these a later
-- run knows which parts are there. part: the MD5 in hexadecimal, a blank, and
-- the ETag as the store wrote it.
CREATE TABLE upload_part (
	object INTEGER NOT NULL,
	target INTEGER NOT NULL,
	number INTEGER NOT NULL,
	part TEXT NOT NULL,
	PRIMARY KEY (object, target, number)
) STRICT, WITHOUT ROWID;
