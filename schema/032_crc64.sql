-- CRC-64/NVME of the whole file, its bits as a signed number; NULL: not known.
ALTER TABLE result ADD COLUMN crc64 INTEGER;
