-- The files of a directory are found by the order of paths.
DROP INDEX object_dir;
