"""DEL removes what was asked and nothing else, and the catalog knows it."""
import json
import os
import pty
import random
import select
import signal
import subprocess
import time

from case import limit


def fill(t, count=40):
    t.small_files(count)
    t.put(moved=count)
    return sorted(t.objects())


def foreign(t, *keys):
    for key in keys:
        t.s3.put_object(Bucket=t.bucket, Key=key, Body=b"theirs")


def delete(t, *arguments, expect=0, **counts):
    result = t.run("DEL", "--json", "--yes", *arguments, expect=expect)
    return result.counted(**counts)


def settled(t):
    """The keys, once the server has worked off what it was sent."""
    seen = [set(t.objects())]

    def still():
        time.sleep(1)
        seen.append(set(t.objects()))
        return seen[-1] == seen[-2]

    t.eventually(still, seconds=60, what="the server is quiet")
    return seen[-1]


def believed(t):
    """What the catalog takes for stored. What was about to be deleted when a
    run ended is not among it: the next run begins with that."""
    intended = t.query(
        "SELECT path FROM object WHERE id IN (SELECT object FROM deletion)"
    )
    stored = {p for p, s in t.states().items() if s == "stored"}
    return stored - {row[0] for row in intended}


def on_terminal(t, answer, *arguments):
    """DEL with a terminal; (status, what it showed, its question seen)."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        t.command("DEL", *arguments, "--config", t.config),
        stdin=child,
        stdout=child,
        stderr=child,
        env=t.environment(),
        cwd=t.dir,
        start_new_session=True,
    )
    os.close(child)
    shown = b""
    asked = False
    end = time.monotonic() + 60 * t.world.slowness
    while time.monotonic() < end:
        ready = select.select([parent], [], [], 0.1)[0]
        try:
            if ready:
                shown += os.read(parent, 4096)
        except OSError:
            break
        if not asked and b"Type" in shown and shown.endswith(b": "):
            asked = True
            if answer == signal.SIGINT:
                process.send_signal(answer)
            else:
                os.write(parent, answer)
    status = process.wait(timeout=10)
    os.close(parent)
    return status, shown.decode(errors="backslashreplace"), asked


def test_del_shares(t):
    """Without --prefix: the configured shares, and nothing beside them."""
    keys = fill(t)
    foreign(t, "foreign/object", t.server + t.share + "-2/f")
    result = delete(t, found=40, moved=40, deleted=40)
    assert result.json["run"] > 0
    assert result.json["operation"] == "DEL"
    left = sorted(t.objects())
    assert left == sorted(["foreign/object", t.server + t.share + "-2/f"])
    assert set(t.states().values()) == {"deleted"}, t.states()
    assert len(keys) == 40
    delete(t, found=0, moved=0)
    t.put(found=40, moved=40)
    for key in left:
        t.s3.delete_object(Bucket=t.bucket, Key=key)
    t.same()


def test_del_prefix(t):
    keys = fill(t)
    root = t.server + t.share + "/"
    some = [k for k in keys if k.startswith(root + "d1/")]
    delete(t, "--prefix", root + "d1/", found=len(some), moved=len(some))
    assert sorted(t.objects()) == [k for k in keys if k not in some]
    states = t.states()
    assert all((states[k] == "deleted") == (k in some) for k in keys)
    t.put(found=40, moved=len(some), unchanged=40 - len(some))
    t.same()
    t.run("DEL", "--yes", "--prefix", "else/where/", expect=2)
    t.run("DEL", "--yes", "--prefix", root + "d1", expect=2)


def test_del_all(t):
    fill(t)
    foreign(t, "foreign/object")
    delete(t, "--all", found=41, moved=41)
    assert not t.objects()
    t.run("DEL", "--yes", "--all", "--prefix", "foreign/", expect=2)


def test_del_dryrun(t):
    """Shows exactly what would be deleted, and touches nothing."""
    keys = fill(t)
    foreign(t, "foreign/object")
    before = t.query("SELECT max(run) FROM runs")
    out = t.run("DEL", "--dryrun").out.decode().splitlines()
    assert out == keys, out
    lines = t.run("DEL", "--dryrun", "--json", "--yes").counted(
        found=40, moved=40
    )
    rows = [json.loads(r) for r in lines.out.decode().splitlines()[:-1]]
    assert [r["key"] for r in rows] == keys
    assert {r["type"] for r in rows} == {"delete"}
    lines.says("would be deleted")
    assert len(t.objects()) == 41
    assert t.query("SELECT max(run) FROM runs") == before
    assert set(t.states().values()) == {"stored"}
    everything = t.run("DEL", "--dryrun", "--all").out.decode().splitlines()
    assert everything == sorted(keys + ["foreign/object"])


def test_del_needs_yes(t):
    """Off a terminal without --yes nothing is deleted, and S3 isn't asked."""
    keys = fill(t)
    proxy = t.proxy()
    result = t.run("DEL", "--json", expect=2).says("--yes", "terminal")
    assert result.json["error"], result
    t.run("DEL", expect=2, input=b"yes\n")
    assert not proxy.requests(), proxy.requests()
    assert sorted(t.objects()) == keys


def test_del_asks(t):
    """The question names bucket, prefix and count; only "yes" deletes."""
    keys = fill(t)
    root = t.server + t.share + "/"
    some = [k for k in keys if k.startswith(root + "d2/")]
    for answer in (b"no\n", b"y\n", b"\n", b"\x04"):
        status, shown, asked = on_terminal(t, answer)
        assert asked and status == 5, (status, shown)
        assert "nothing was deleted" in shown, shown
        assert sorted(t.objects()) == keys
    status, shown, asked = on_terminal(t, b"yes\n", "--prefix", root + "d2/")
    assert status == 0 and asked, (status, shown)
    for word in (t.bucket, root + "d2/", " %d " % len(some)):
        assert word in shown, (word, shown)
    assert sorted(t.objects()) == [k for k in keys if k not in some]


def test_del_asked_ctrl_c(t):
    keys = fill(t)
    status, shown, asked = on_terminal(t, signal.SIGINT)
    assert asked and status == 130, (status, shown)
    assert sorted(t.objects()) == keys


def test_del_odd_keys(t):
    """Keys that XML can't carry go by single requests."""
    root = t.server + t.share + "/"
    for name in ("a&b", "a<b>", "new\nline", "\x01\x02", "\u65e5", "a b+c"):
        t.s3.put_object(Bucket=t.bucket, Key=root + name, Body=b"1")
    t.write(b"not-utf-8-\xff\xfe", "x")
    t.put(found=1, moved=1)
    delete(t, found=7, moved=7)
    assert not t.objects(), t.objects()


def test_del_server_as_prefix_no(t):
    t.conf(fs_config={"server_as_prefix": "no"})
    t.small_files(10)
    t.put(moved=10)
    foreign(t, "other/key")
    delete(t, found=10, moved=10)
    assert sorted(t.objects()) == ["other/key"]
    assert set(t.states().values()) == {"deleted"}
    t.put(found=10, moved=10)


@limit(120)
def test_del_many(t):
    """Requests of up to 1,000 keys, several at once."""
    t.small_files(4500)
    t.put(moved=4500)
    proxy = t.proxy()
    delete(t, found=4500, moved=4500, deleted=4500)
    assert not t.objects()
    posts = [r for r in proxy.requests() if r[0] == "POST"]
    assert 5 <= len(posts) <= 12, posts
    assert not [r for r in proxy.requests() if r[0] == "DELETE"]


def test_del_versioned(t):
    """Both version ids are recorded, the object's and the marker's."""
    t.s3.put_bucket_versioning(
        Bucket=t.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    t.write("f", "1")
    t.put(moved=1)
    delete(t, found=1, moved=1)
    found = t.s3.list_object_versions(Bucket=t.bucket)
    data, marker = found["Versions"][0], found["DeleteMarkers"][0]
    rows = t.query("SELECT state, version_id, marker_id FROM objects")
    assert rows == [("deleted", data["VersionId"], marker["VersionId"])], rows
    t.put(moved=1)
    t.same()


def test_del_denied(t):
    """A key that S3 refuses is a failed row; the rest goes on."""
    keys = fill(t)
    root = t.server + t.share + "/"
    kept = [k for k in keys if k.startswith(root + "d1/")]
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:DeleteObject"],
        "Resource": ["arn:aws:s3:::%s/%sd1/*" % (t.bucket, root)],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    t.s3.put_bucket_policy(Bucket=t.bucket, Policy=policy)
    delete(t, expect=1, found=40, moved=40 - len(kept), failed=len(kept))
    assert sorted(t.objects()) == kept
    rows = dict(t.query("SELECT path, reason FROM failure_log"))
    assert sorted(rows) == kept and all(rows.values()), rows
    t.put(found=40, moved=40 - len(kept), unchanged=len(kept))
    t.same()


def test_del_unanswered(t):
    """Whether it is gone nobody knows, nor can S3 be asked: it failed, and
    PUT makes it whole."""
    proxy = t.proxy(s3_storage={"retry_for": "1"})
    t.small_files(30)
    t.put(moved=30)
    proxy.order("match POST swallow-reply")
    proxy.order("match HEAD,exp 503")
    delete(t, expect=1, found=30, moved=0, failed=30)
    assert not t.objects()
    rows = t.query("SELECT path, reason FROM failure_log")
    assert len(rows) == 30 and all(r[1] for r in rows), rows
    assert t.query("SELECT count(*) FROM failures") == [(30,)]
    proxy.order("pass")
    t.put(found=30, moved=30)
    t.same()
    assert t.query("SELECT count(*) FROM failures") == [(0,)]


@limit(120)
def test_del_ctrl_c(t):
    """SIGINT ends it, whatever answer is owed; catalog and bucket agree."""
    proxy = t.proxy()
    t.small_files(6000)
    t.put(moved=6000)
    # One request takes 1,000 keys.
    proxy.order("match POST delay 0 1")
    proxy.order("match POST delay 600000")
    process = t.start("DEL", "--yes")
    t.eventually(lambda: proxy.stats()["POST"] > 1, what="DEL began")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130, t.started_text()
    proxy.order("pass")
    left = settled(t)
    # A request that had no answer after 5 s was cut: noted, not known.
    stored = believed(t)
    assert stored <= left, (len(left), len(stored))
    delete(t, found=len(left), moved=len(left))
    assert not t.objects()


@limit(240)
def test_del_kill_anywhere(t):
    """After kill -9 the catalog never believes in an object that is gone,
    and the same command deletes the rest."""
    proxy = t.proxy()
    t.small_files(5000)
    t.put(moved=5000)
    proxy.order("match POST delay 300")
    for wait in (0, 1, 2):
        before = proxy.stats().get("POST", 0)
        process = t.start("DEL", "--yes")
        t.eventually(
            lambda: proxy.stats().get("POST", 0) > before + wait
            or process.poll() is not None,
            what="DEL began",
        )
        process.kill()
        process.wait()
        left = settled(t)
        missing = believed(t) - left
        assert not missing, len(missing)
    proxy.order("pass")
    delete(t, found=len(t.objects()))
    assert not t.objects()
    t.put(found=5000, moved=5000)
    t.same(whole=3)


@limit(180)
def test_del_put_after_kill(t):
    """Killed in the middle: PUT alone makes the bucket whole again."""
    proxy = t.proxy()
    t.small_files(3000)
    t.put(moved=3000)
    proxy.order("match POST delay 300")
    before = proxy.stats().get("POST", 0)
    process = t.start("DEL", "--yes")
    t.eventually(
        lambda: proxy.stats().get("POST", 0) > before, what="DEL began"
    )
    process.kill()
    process.wait()
    settled(t)
    proxy.order("pass")
    t.put(found=3000)
    t.same(whole=3)


def test_del_unreachable(t):
    t.small_files(3)
    t.conf(s3_storage={"secret_key": "wrong"})
    t.run("DEL", "--yes", expect=3)
    t.run("DEL", "--yes", "--bucket", "no-such-bucket", expect=3)


@limit(240)
def test_del_kill_at_random(t):
    """The same at any moment, the pauses not chosen to fit."""
    proxy = t.proxy()
    t.small_files(2500)
    t.put(moved=2500)
    proxy.order("match POST delay 100")
    rng = random.Random(11)
    for n in range(5):
        process = t.start("DEL", "--yes")
        time.sleep(rng.random() * 0.6)
        process.kill()
        process.wait()
        missing = believed(t) - settled(t)
        assert not missing, len(missing)
        # What was put again is there again.
        if n % 2:
            t.put(found=2500)
            assert believed(t) == set(t.objects())
    proxy.order("pass")
    t.put(found=2500)
    t.same(whole=3)
    delete(t, found=2500, moved=2500)
    assert not t.objects()
    assert set(t.states().values()) == {"deleted"}


def test_del_dropped_and_killed(t):
    """The request never arrives and the run is killed: the objects are not
    known to be deleted until DEL, or PUT, has asked."""
    proxy = t.proxy()
    t.small_files(20, 2)
    t.put(moved=20)
    proxy.order("match POST drop")
    for times in range(2):
        seen = proxy.stats()["POST"]
        process = t.start("DEL", "--yes")
        t.eventually(lambda: proxy.stats()["POST"] > seen, what="deletion")
        process.kill()
        process.wait()
    proxy.order("pass")
    t.put(found=20, unchanged=0, moved=20)
    assert t.query("SELECT count(*) FROM failures") == [(0,)]
    t.same()
    proxy.order("match POST drop")
    seen = proxy.stats()["POST"]
    process = t.start("DEL", "--yes")
    t.eventually(lambda: proxy.stats()["POST"] > seen, what="deletion")
    process.kill()
    process.wait()
    proxy.order("pass")
    t.run("DEL", "--yes", "--json").counted(found=20, deleted=20)
    assert not t.objects()
    assert t.query("SELECT count(*) FROM failures") == [(0,)]
    assert t.query("SELECT count(*) FROM objects WHERE state = 'deleted' "
                   "AND deleted_at IS NOT NULL") == [(20,)]
