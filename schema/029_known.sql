-- What is known of the digests of a store: a set of bits (model/proved.h in the
-- source). result.held says since then what proves an object: 0, the target
-- does not hold it; 1, its ETag, which is a digest; 2, the Content-MD5 of the
-- requests, which the store compared; 9, it was found there.
ALTER TABLE target ADD COLUMN known INTEGER NOT NULL DEFAULT 0;
