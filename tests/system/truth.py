"""What has to be in the bucket for a tree on the disk, worked out without
any code of datamover's: the keys, the sizes, the digests, the metadata.
"""
import hashlib
import os
import stat

REPLACEMENT = "\ufffd"


def key_of(name):
    """The S3 key of these name bytes. Valid UTF-8 stays; each byte that is
    not, and each byte of a literal U+FFFD, becomes U+FFFD and two digits."""
    key = []
    for character in name.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            key.append("%s%02X" % (REPLACEMENT, code - 0xDC00))
        elif character == REPLACEMENT:
            key += [REPLACEMENT + h for h in ("EF", "BF", "BD")]
        else:
            key.append(character)
    return "".join(key)


class File:
    def __init__(self, path, status):
        self.path = path
        self.status = status
        self.size = status.st_size

    def digest(self):
        md5 = hashlib.md5()
        with open(self.path, "rb") as f:
            for block in iter(lambda: f.read(1 << 20), b""):
                md5.update(block)
        return md5.hexdigest()


def files_below(root, prefix, skip=()):
    """The regular files of a tree as {key: File}; links aren't followed."""
    root = os.fsencode(root)
    found = {}
    for directory, names, files in os.walk(root):
        names[:] = [n for n in names if n not in skip]
        for name in files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                relative = os.path.relpath(path, root)
                key = key_of(os.fsencode(prefix) + b"/" + relative)
                found[key] = File(path, status)
    return found


def objects_in(s3, bucket, prefix=""):
    """{key: (size, etag)} of the whole bucket."""
    found = {}
    pages = s3.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            found[entry["Key"]] = (entry["Size"], entry["ETag"].strip('"'))
    return found


def body_digest(s3, bucket, key):
    md5 = hashlib.md5()
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    for block in body.iter_chunks(1 << 20):
        md5.update(block)
    return md5.hexdigest()


def compare(s3, bucket, wanted, whole=20):
    """Assert that the bucket holds these files and nothing else. The digest
    is the ETag; for multipart objects, and for the first few of the others,
    the object is fetched whole."""
    have = objects_in(s3, bucket)
    missing = sorted(set(wanted) - set(have))
    extra = sorted(set(have) - set(wanted))
    assert not missing, "missing in the bucket: %r" % missing[:10]
    assert not extra, "not in the tree: %r" % extra[:10]
    for number, key in enumerate(sorted(wanted)):
        size, etag = have[key]
        file = wanted[key]
        assert size == file.size, "%r: %d bytes, not %d" % (
            key,
            size,
            file.size,
        )
        digest = file.digest()
        if "-" in etag or number < whole:
            got = body_digest(s3, bucket, key)
            assert got == digest, "%r: content differs" % key
        if "-" not in etag:
            assert etag == digest, "%r: ETag %s" % (key, etag)


def check_metadata(s3, bucket, key, file):
    """The metadata as AWS DataSync and rclone write it."""
    meta = s3.head_object(Bucket=bucket, Key=key)["Metadata"]
    for name in (
        "file-mtime",
        "file-permissions",
        "file-owner",
        "file-group",
        "mtime",
    ):
        assert name in meta, "%r: no %s in %r" % (key, name, meta)
    status = file.status
    whole, _, fraction = meta["mtime"].partition(".")
    mtime_ns = int(whole) * 10**9 + int((fraction + "0" * 9)[:9])
    assert mtime_ns == status.st_mtime_ns, "%r: mtime %s, not %d" % (
        key,
        meta["mtime"],
        status.st_mtime_ns,
    )
    datasync = meta["file-mtime"]
    if datasync.endswith("ns"):
        seconds = int(datasync[:-2]) // 10**9
    else:
        seconds = int(datasync.partition(".")[0])
        if seconds > 10**14:
            seconds //= 10**9
    assert seconds == status.st_mtime_ns // 10**9, datasync
    mode = int(meta["file-permissions"], 8)
    assert stat.S_IMODE(mode) == stat.S_IMODE(status.st_mode), meta
    assert int(meta["file-owner"]) == status.st_uid, meta
    assert int(meta["file-group"]) == status.st_gid, meta
