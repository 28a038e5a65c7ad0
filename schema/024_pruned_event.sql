-- The event of the journal (kind 23) that tells of a prune; NULL: there was
-- none yet.
ALTER TABLE pruned ADD COLUMN entry INTEGER;
