-- Nothing that exists is called gone.

-- File systems at and below a share (attrs.fsid), noted when a directory is
-- read: of the directory that a crawl begins in, and of each in which another
-- one begins. NULL: that of the nearest directory above that has one, if this
-- one was read cleanly in the run fsid_run of that one or later; of others it
-- isn't known.
ALTER TABLE dir ADD COLUMN fsid INTEGER;
ALTER TABLE dir ADD COLUMN fsid_run INTEGER;
CREATE INDEX dir_fsid ON dir (path) WHERE fsid IS NOT NULL;
