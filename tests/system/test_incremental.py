"""A later run costs what changed."""
import os
import shutil

import truth
from case import MIB, limit


def object_requests(t, proxy, before=0):
    """Requests for objects (not for the bucket) since a mark."""
    bucket = "/" + t.bucket + "/"
    return [
        r
        for r in proxy.requests()[before:]
        if r[1].startswith(bucket) and not r[1].startswith(bucket + "?")
    ]


def test_again_asks_nothing(t):
    """No S3 request for an unchanged file, and next to nothing is written."""
    proxy = t.proxy()
    t.small_files(2000)
    t.put(moved=2000)

    def size():
        return sum(
            os.path.getsize(t.catalog + end)
            for end in ("", "-wal")
            if os.path.exists(t.catalog + end)
        )

    before, mark = size(), len(proxy.requests())
    t.put(found=2000, moved=0, unchanged=2000)
    asked = object_requests(t, proxy, mark)
    assert not asked, asked[:5]
    assert len(proxy.requests()) - mark < 10, proxy.requests()[mark:]
    listed = [r for r in proxy.requests()[mark:] if "list-type" in r[1]]
    assert not listed, listed
    assert size() - before < 200_000, (before, size())


def test_content_changed(t):
    """Same size and mtime, other content: the ctime tells."""
    path = t.write("f", "before")
    t.write("other", "same")
    mtime = os.stat(path).st_mtime_ns
    t.put(moved=2)
    t.write("f", "after!", mtime=mtime)
    assert os.stat(path).st_mtime_ns == mtime
    t.put(found=2, moved=1, unchanged=1)
    t.same()
    t.put(found=2, moved=0, unchanged=2)


def test_changes(t):
    """New, grown, shrunk, replaced, renamed: each once."""
    t.small_files(100)
    t.write("grows", "1")
    t.write("shrinks", "1" * 1000)
    t.write("replaced", "old")
    t.write("renamed", "kept")
    t.put(moved=104)
    t.write("new/file", "new")
    t.write("grows", "12")
    t.write("shrinks", "")
    os.rename(t.write("x", "new"), t.path("replaced"))
    os.rename(t.path("renamed"), t.path("other-name"))
    wanted = t.wanted()
    result = t.put(found=105, moved=5, unchanged=100)
    assert result.json.get("gone", 1) == 1, result
    # The renamed file's old key stays: PUT deletes nothing.
    wanted[t.server + t.share + "/renamed"] = wanted[
        t.server + t.share + "/other-name"
    ]
    t.same(wanted)
    t.put(found=105, moved=0, unchanged=105)


def test_removed(t):
    """A tombstone in the catalog; the object stays."""
    t.small_files(10, directories=2)
    t.write("gone", "1")
    t.write("godir/a/b", "2")
    t.put(moved=12)
    keys = set(t.objects())
    os.unlink(t.path("gone"))
    shutil.rmtree(t.path("godir"))
    t.put(found=10, moved=0, unchanged=10)
    assert set(t.objects()) == keys
    states = t.states()
    root = t.server + t.share
    assert states[root + "/gone"] == "gone", states
    assert states[root + "/godir/a/b"] == "gone", states
    assert list(states.values()).count("stored") == 10, states
    # It comes back, as another file.
    t.write("gone", "again")
    t.put(found=11, moved=1, unchanged=10)
    assert t.states()[root + "/gone"] == "stored"


def stat_only(t, path):
    """A file whose stat changed but not its bytes."""
    proxy = t.proxy()
    t.put(moved=2)
    os.chmod(path, 0o600)
    os.chown(path, 4321, 8765)
    os.utime(path, ns=(10**18, 10**18 + 5))
    before = proxy.stats()["up"]
    t.put(found=2, moved=0, unchanged=2)
    sent = proxy.stats()["up"] - before
    assert sent < 100_000, "%d bytes were sent again" % sent
    wanted = t.same()
    key = truth.key_of(
        os.fsencode(t.server + t.share + "/") + os.path.basename(path)
    )
    truth.check_metadata(t.s3, t.bucket, key, wanted[key])
    t.put(found=2, moved=0, unchanged=2)


def test_stat_only(t):
    t.write("other", "x")
    stat_only(t, t.write("f", "y" * 300_000))


def test_stat_only_odd_name(t):
    t.write("other", "x")
    stat_only(t, t.write(b"a b+c%\xff?&\n", "y" * 300_000))


def test_stat_only_multipart(t):
    t.write("other", "x")
    stat_only(t, t.random_file("f", 24 * MIB))


def test_another_bucket(t):
    """Results belong to a target: another one gets everything, and the
    first is still complete."""
    t.small_files(50)
    t.put(moved=50)
    other = t.bucket[:50] + "-two"
    t.s3.create_bucket(Bucket=other)
    t.put("--bucket", other, found=50, moved=50)
    truth.compare(t.s3, other, t.wanted())
    t.put(found=50, moved=0, unchanged=50)
    t.put("--bucket", other, found=50, moved=0, unchanged=50)


def unreadable(t, name):
    """Readable by root alone, while the credentials are an ordinary user's."""
    path = t.write(name, "secret")
    os.chown(path, 0, 0)
    os.chmod(path, 0o600)
    return path


def test_failed_is_tried_again(t):
    t.conf(fs_config={"uid": 1000, "gid": 1000})
    t.small_files(10)
    path = unreadable(t, "d0/closed")
    t.put(expect=1, found=11, moved=10, failed=1)
    t.put(expect=1, found=11, moved=0, unchanged=10, failed=1)
    os.chmod(path, 0o644)
    t.put(found=11, moved=1, unchanged=10)
    t.same()
    assert not t.query("SELECT * FROM failures"), "failures stay listed"


def test_retry_failed(t):
    """Only what failed before; what is new waits for an ordinary run."""
    t.conf(fs_config={"uid": 1000, "gid": 1000})
    t.small_files(10)
    path = unreadable(t, "closed")
    t.put(expect=1, moved=10, failed=1)
    os.chmod(path, 0o644)
    t.write("new", "1")
    t.put("--retry-failed", found=1, moved=1)
    assert t.server + t.share + "/closed" in t.objects()
    assert t.server + t.share + "/new" not in t.objects()
    t.put(found=12, moved=1, unchanged=11)
    t.same()


def test_checksum(t):
    """--checksum reads what stat says is unchanged, and sends nothing."""
    proxy = t.proxy()
    t.small_files(30)
    t.random_file("large", 20 * MIB)
    t.put(moved=31)
    before = proxy.stats()["up"]
    t.put("--checksum", found=31, moved=0, unchanged=31)
    assert proxy.stats()["up"] - before < 100_000


def test_two_filters(t):
    """Two configurations in turn on one catalog, each of which excludes what
    the other moves: nothing is read again, nothing asked."""
    proxy = t.proxy(fs_config={"clock_skew": "0s"})
    for i in range(100):
        t.write("d/%d.a" % i, "a")
        t.write("d/%d.b" % i, "b")
    ways = ("--exclude", "*.a"), ("--exclude", "*.b")
    for way in 2 * ways:
        t.put(*way, excluded=100)
    before = len(proxy.requests())
    runs = t.query("SELECT max(run) FROM runs")[0][0]
    for way in 2 * ways + ((),):
        t.put(*way, moved=0)
    asked = object_requests(t, proxy, before)
    assert not asked, asked[:5]
    rows = t.query("SELECT path FROM transfers WHERE run > ?", runs)
    assert not rows, rows[:5]
    t.same()
    t.write("d/7.a", "changed")
    t.put(*ways[0], moved=0)
    t.put(*ways[1], moved=1)
    t.same()


@limit(120)
def test_nightly_runs(t):
    """Ten nights of random changes: tree and bucket agree every time."""
    live = {}
    for night in range(10):
        for i in range(40):
            name = "d%d/f%d" % (i % 5, (night * 17 + i * 7) % 120)
            t.write(name, "%d-%d" % (night, i))
            live[name] = night
        result = t.put(failed=0, found=len(live))
        touched = sum(1 for n in live.values() if n == night)
        assert result.json["moved"] == touched, (night, touched, result)
        t.same(whole=2)


def test_endpoints_of_a_store(t):
    """Another order of the endpoints is the same target; an endpoint that
    nobody knows is asked about, until the store has a name."""
    t.settings["s3_storage"] = {"name": None}
    t.conf()
    t.small_files(20)
    t.put(found=20, moved=20)
    other = t.endpoint.replace("127.0.0.1", "localhost")
    t.conf(s3_storage={"endpoint": [other, t.endpoint]})
    t.put(found=20, unchanged=20)
    t.conf(s3_storage={"endpoint": other})
    for verb in (["PUT"], ["PUT", "--delete"], ["DEL", "--yes"],
                 ["TEST", "--data_integrity", "--skip_upload"]):
        t.run(*verb, expect=2).says(t.endpoint, "--new-target")
    t.run("check", expect=3).says(t.endpoint, "--new-target")
    assert t.query("SELECT count(*) FROM objects")[0][0] == 20
    t.conf(s3_storage={"endpoint": [other, t.endpoint], "name": "store"})
    t.run("check").says("ok")
    t.put(found=20, unchanged=20)
    t.conf(s3_storage={"endpoint": other, "name": "store"})
    t.put(found=20, unchanged=20)
    targets = t.query("SELECT DISTINCT target FROM objects")
    assert targets == [("store/" + t.bucket,)], targets
    t.conf(s3_storage={"endpoint": other})
    t.put("--new-target", moved=20)
    t.put(unchanged=20)
