-- The table has the name of what a row notes: the intent of a deletion.
ALTER TABLE doomed RENAME TO deletion;
