"""A catalog that was put back: the bucket is asked what it got since."""
import os
import shutil

from case import MIB


def sent(proxy):
    return [r for r in proxy.requests() if r[0] in ("PUT", "POST")]


def key(t, name):
    return t.server + t.share + "/" + name


def put_by_hand(t, copy):
    """Another program copies the file over the catalog."""
    for end in ("-wal", "-shm"):
        os.unlink(t.catalog + end)
    shutil.copyfile(copy, t.catalog)


def restored(t, copy, by_hand=False):
    """What was there when the copy was made, and what came afterwards."""
    t.small_files(20)
    for name in ("same", "changed", "deleted", "lost", "gone"):
        t.write(name, "one")
    t.random_file("large", 20 * MIB)
    t.put(moved=26)
    t.run("catalog", "backup", copy)
    t.write("new", "new")
    t.random_file("large new", 20 * MIB)
    t.write("changed", "two, longer")
    os.chmod(t.path("same"), 0o600)
    os.unlink(t.path("gone"))
    t.put("--delete", moved=3, deleted=1)
    t.write("passing", "1")
    t.put(moved=1)
    os.unlink(t.path("passing"))
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "lost"))
    if by_hand:
        put_by_hand(t, copy)
    else:
        t.run("catalog", "restore", "--yes", copy)


def test_restored(t):
    """Nothing is sent twice; what is missing is sent; the catalog knows the
    bucket again, and the next PUT asks for nothing."""
    proxy = t.proxy()
    restored(t, os.path.join(t.dir, "copy.db"))
    before = len(sent(proxy))
    t.run("PUT", "--dryrun").says("catalog was restored", "does not ask")
    r = t.put("--delete", moved=1, failed=0)
    r.says("catalog was restored")
    assert b"does not ask" not in r.err, r
    # The comparison before it is a run, and what it finds its failure alone.
    put, test = t.query("SELECT operation, exit_status, reason FROM runs "
                        "ORDER BY run DESC LIMIT 2")
    assert put == ("PUT", 0, None), put
    assert test[:2] == ("TEST", 4) and "restored" in test[2], test
    t.run("status", "--max-age", "1d")
    t.run("status", "--max-age", "1d", "--operation", "TEST", expect=2)
    assert [s[1] for s in sent(proxy)[before:]] == [
        "/%s/%s" % (t.bucket, key(t, "lost"))], sent(proxy)[before:]
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "passing"))
    t.same()
    before = len(proxy.requests())
    r = t.put("--delete", moved=0, deleted=0)
    assert "catalog was restored" not in r.text
    assert len(proxy.requests()) - before < 10, proxy.requests()[before:]
    rows = dict(t.query("SELECT path, md5 IS NOT NULL FROM objects "
                        "WHERE state = 'stored'"))
    assert len(rows) == 27 and all(rows.values()), rows
    r = t.run("TEST", "--data_integrity", "--skip_upload", "--json")
    r.counted(found=27, moved=27)


def test_restored_part_by_part(t):
    """A run of a part asks for that part; the rest is asked for later."""
    proxy = t.proxy()
    restored(t, os.path.join(t.dir, "copy.db"))
    part = os.path.dirname(key(t, "x")) + "/d0/"
    t.run("PUT", "--prefix", part).says("catalog was restored")
    t.write("list", "x")
    with open(os.path.join(t.dir, "names"), "w") as f:
        f.write("new\n")
    before = len(sent(proxy))
    t.run("PUT", "--files-from", os.path.join(t.dir, "names"))
    assert not sent(proxy)[before:], sent(proxy)[before:]
    t.put(moved=2).says("catalog was restored")
    assert "catalog was restored" not in t.put(moved=0).text


def test_restored_without_the_store(t):
    """Nothing is deleted, and nothing sent, while the bucket can't be asked;
    it is asked when it can."""
    proxy = t.proxy(s3_storage={"retry_for": "2"})
    restored(t, os.path.join(t.dir, "copy.db"))
    proxy.order("match GET,list-type 503")
    before = len(sent(proxy))
    r = t.run("PUT", "--delete", "--json", expect=3)
    assert b'"error"' in r.out, r.out
    assert not sent(proxy)[before:], sent(proxy)[before:]
    assert not [q for q in proxy.requests() if q[0] == "DELETE"]
    proxy.release()
    t.put("--delete", moved=1).says("catalog was restored")
    t.put(moved=0)


def test_restored_without_a_copy(t):
    """The first catalog was lost: the copy is of another time, and knows
    nothing of an export."""
    t.write("a", "1")
    copy = os.path.join(t.dir, "copy.db")
    t.put(moved=1)
    t.run("catalog", "backup", copy)
    os.unlink(t.catalog)
    t.run("catalog", "restore", "--yes", copy)
    t.put(unchanged=1).says("catalog was restored")


def test_restored_by_hand(t):
    """An older copy that was put in place without the verb, and without a
    -wal: it is noticed by whichever verb comes first, and PUT asks."""
    proxy = t.proxy()
    copy = os.path.join(t.dir, "copy.db")
    restored(t, copy, by_hand=True)
    t.run("check").says("older copy")
    before = len(sent(proxy))
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    r = t.run("GET", "--dest_path", back, "--prefix", key(t, "d0/"))
    r.says("older copy")
    r = t.put("--delete", moved=1, failed=0)
    r.says("catalog was restored")
    assert "older copy" not in r.text
    assert [s[1] for s in sent(proxy)[before:]] == [
        "/%s/%s" % (t.bucket, key(t, "lost"))], sent(proxy)[before:]
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "passing"))
    t.same()
    assert t.query("SELECT run, user, file FROM restores") == [(1, None, None)]
    assert t.query("SELECT run, kind FROM events WHERE path IS NULL") == [
        (1, "catalog-restored")]
    r = t.put(moved=0)
    assert "catalog was restored" not in r.text
    assert "older copy" not in r.text


def test_restored_by_hand_put_first(t):
    t.write("a", "1")
    copy = os.path.join(t.dir, "copy.db")
    t.put(moved=1)
    t.run("catalog", "backup", copy)
    t.write("b", "1")
    t.put(moved=1)
    put_by_hand(t, copy)
    r = t.put(unchanged=2)
    r.says("older copy")
    r.says("catalog was restored")
    rows = t.query("SELECT path, etag IS NOT NULL FROM objects "
                   "WHERE state = 'stored'")
    assert len(rows) == 2, rows
    assert "restored" not in t.put(unchanged=2).text
