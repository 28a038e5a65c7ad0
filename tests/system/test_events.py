"""The journal: what became true stays written."""
import glob
import os
import sqlite3

from case import MIB


def events(t, name):
    """(run, kind, version id) of a file, in their order."""
    return t.query(
        "SELECT run, kind, version_id FROM events WHERE path = ? "
        "ORDER BY event",
        t.server + t.share + "/" + name,
    )


def in_store(t, what):
    """{key: version ids in the store, the oldest first}"""
    found = {}
    pages = t.s3.get_paginator("list_object_versions").paginate(
        Bucket=t.bucket
    )
    for page in pages:
        for v in reversed(page.get(what, ())):
            found.setdefault(v["Key"], []).append(v["VersionId"])
    return found


def test_version_ids(t):
    """Each version id that the store gave is in the journal: of data that was
    replaced, refreshed in place or deleted, and of markers."""
    t.s3.put_bucket_versioning(
        Bucket=t.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    t.conf(s3_storage={"part_size": "5M"})
    t.write("f", "1")
    t.write("big", os.urandom(6 * MIB))
    t.put(moved=2)
    t.write("f", "22")
    t.put(moved=1, unchanged=1)
    os.chmod(t.path("f"), 0o640)
    t.put(moved=0, unchanged=2)
    t.put("--checksum", moved=0, unchanged=2)
    t.run("DEL", "--yes")
    t.put(moved=2)
    root = t.server + t.share + "/"
    data = in_store(t, "Versions")
    markers = in_store(t, "DeleteMarkers")
    one, two, three, four = data[root + "f"]
    assert events(t, "f") == [
        (1, "stored", one),
        (2, "stored", two),
        (2, "replaced", None),
        (3, "refreshed", three),
        (3, "replaced", None),
        (5, "deleted", markers[root + "f"][0]),
        (6, "stored", four),
    ], events(t, "f")
    assert events(t, "big") == [
        (1, "stored", data[root + "big"][0]),
        (5, "deleted", markers[root + "big"][0]),
        (6, "stored", data[root + "big"][1]),
    ], events(t, "big")
    rows = t.query(
        "SELECT version_id, stored_run FROM versions ORDER BY version"
    )
    assert rows == [(one, 1), (two, 2)], rows


def test_adopted(t):
    """What the bucket had already is taken over, with its version id."""
    t.s3.put_bucket_versioning(
        Bucket=t.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    t.write("f", "1")
    t.s3.put_object(
        Bucket=t.bucket, Key=t.server + t.share + "/f", Body=b"1"
    )
    t.put("--adopt", moved=0, unchanged=1)
    data = in_store(t, "Versions")
    assert events(t, "f") == [
        (1, "adopted", data[t.server + t.share + "/f"][0])
    ], events(t, "f")
    t.put("--checksum", moved=0, unchanged=1)
    assert len(events(t, "f")) == 1, events(t, "f")


def catalog_of_before(t):
    """As the first nine rungs make one, without rows."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    for name in glob.glob(t.catalog + "*"):
        os.unlink(name)
    db = sqlite3.connect(t.catalog)
    for rung in sorted(glob.glob(os.path.join(root, "schema/00?_*.sql"))):
        with open(rung, encoding="utf-8") as f:
            db.executescript(f.read())
    db.execute("PRAGMA application_id = 0x444d4341")
    db.execute("PRAGMA user_version = 9")
    db.close()


def test_former_catalog(t):
    """A catalog of an earlier version is kept beside the one of now."""
    t.write("f", "1")
    catalog_of_before(t)
    kept = t.catalog + ".v9"
    done = t.run("PUT")
    assert kept.encode() in done.err, done.err
    assert t.query("SELECT kind FROM events") == [("stored",)]
    # It has the tables of a new one.
    t.run("catalog", "check").says("whole")
    db = sqlite3.connect(kept)
    assert db.execute("PRAGMA user_version").fetchone() == (9,)
    db.close()
    assert kept.encode() not in t.run("PUT").err
    catalog_of_before(t)
    t.run("PUT", "--no-keep")
    assert not os.path.exists(kept)


def test_version_of_a_doubt(t):
    """The answer to a PUT was lost and the file is gone: the object that is
    found later has its version id."""
    t.s3.put_bucket_versioning(
        Bucket=t.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    proxy = t.proxy()
    proxy.order("match PUT,/f swallow-reply")
    t.write("f", "1")
    t.write("other", "1")
    process = t.start("PUT")
    t.eventually(
        lambda: len(t.objects()) == 2, what="the store has the object"
    )
    process.kill()
    process.wait()
    proxy.order("pass")
    os.unlink(t.path("f"))
    t.run("PUT", "--fresh", "--delete", "--max-delete", "100%")
    key = t.server + t.share + "/f"
    # It may have been sent once more before the run was killed.
    stored = in_store(t, "Versions")[key][-1]
    (marker,) = in_store(t, "DeleteMarkers")[key]
    assert events(t, "f") == [(2, "adopted", stored),
                              (2, "deleted", marker)], events(t, "f")
