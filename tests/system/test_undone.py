"""What a killed DEL, PUT --delete or undo has done is found out by the next
run, and stands in the journal as what that run did; and what undo says."""
import json
import os

from unittest.mock import ANY

from test_del import settled
from test_past import asked, forget_markers, key, undo, versions


def kill_when(t, condition, *arguments):
    process = t.start(*arguments)
    t.eventually(condition, what="the requests of %s" % arguments[0])
    process.kill()
    process.wait()


def killed_del(t, count=30):
    """Run 2: the store has deleted all of it, and no answer came."""
    proxy = t.proxy()
    versions(t)
    t.small_files(count)
    t.put(moved=count)
    proxy.order("match POST swallow-reply")
    proxy.order("match HEAD,exp drop")
    kill_when(t, lambda: t.objects() == {}, "DEL", "--yes")
    proxy.release()
    return proxy


def killed_undo(t, count=12):
    """Run 3: all is back, and no answer came. Run 2 was the DEL."""
    proxy = t.proxy()
    versions(t)
    t.small_files(count)
    t.put(moved=count)
    t.run("DEL", "--yes", "--json").counted(moved=count)
    proxy.order("match DELETE swallow-reply")
    kill_when(t, lambda: len(t.objects()) == count, "undo", "2", "--yes")
    proxy.release()
    return proxy


def events(t):
    rows = t.query(
        "SELECT run, kind, count(*), count(version_id) FROM events "
        "GROUP BY run, kind ORDER BY run, kind"
    )
    return {(run, kind): (n, ids) for run, kind, n, ids in rows}


def states(t):
    return set(t.states().values())


def test_undone_killed_del(t):
    """undo asks what the killed run has deleted, and brings that back."""
    killed_del(t)
    r = t.run("undo", "2", "--dryrun", "--json")
    r.counted(found=30, moved=30)
    assert t.objects() == {}
    undo(t, 2, found=30, moved=30)
    t.same()
    assert states(t) == {"stored"}, t.states()
    assert events(t) == {
        (1, "stored"): (30, 30),
        (2, "deleted"): (30, ANY),
        (3, "restored"): (30, 30),
    }, events(t)
    assert asked(t, "2") == []
    assert asked(t, "3") == asked(t, "1")
    assert t.query("SELECT count(*) FROM failures") == [(0,)]
    assert t.query("SELECT deleted, moved, found FROM runs WHERE run = 2") == [
        (30, 30, 30)
    ]
    t.put(moved=0, unchanged=30)


def test_undone_killed_del_unsent(t):
    """What the store has not heard of is there, and stays."""
    proxy = t.proxy()
    versions(t)
    t.small_files(12)
    t.put(moved=12)
    proxy.order("match POST drop")
    kill_when(t, lambda: proxy.stats()["POST"] > 0, "DEL", "--yes")
    proxy.release()
    r = t.run("undo", "2", "--dryrun", "--json")
    r.counted(found=0, moved=0)
    undo(t, 2, found=0).says("has deleted nothing")
    t.put(moved=0, unchanged=12)
    assert states(t) == {"stored"}, t.states()
    assert events(t) == {(1, "stored"): (12, 12)}, events(t)


def test_undone_killed_del_del(t):
    """The next DEL has deleted nothing; the journal names the one before."""
    killed_del(t)
    t.run("DEL", "--yes", "--json").counted(found=0)
    assert events(t) == {
        (1, "stored"): (30, 30),
        (2, "deleted"): (30, ANY),
    }, events(t)
    assert asked(t, "2") == [] and len(asked(t, "1")) == 30
    undo(t, 3, found=0).says("has deleted nothing")
    undo(t, 2, found=30, moved=30)
    t.same()


def test_undone_killed_del_put(t):
    """Nor does a PUT hide it."""
    killed_del(t)
    t.put("--delete", moved=30, deleted=0)
    assert events(t) == {
        (1, "stored"): (30, 30),
        (2, "deleted"): (30, ANY),
        (3, "stored"): (30, 30),
    }, events(t)
    assert asked(t, "2") == []
    assert asked(t, "3") == asked(t, "1")
    # By a time, too: after the run had ended it was so.
    ended = t.query("SELECT ended FROM runs WHERE run = 2")[0][0]
    started = t.query("SELECT started FROM runs WHERE run = 3")[0][0]
    assert ended == started or asked(t, ended) == [], ended
    lines = t.run("LIST", "--as-of", "2").out.split()
    assert lines == [], lines
    undo(t, 2, found=0).says("by a later run")


def test_undone_killed_mirror(t):
    proxy = t.proxy()
    versions(t)
    t.small_files(200)
    t.put(moved=200)
    # So many that the mirror lists them.
    gone = os.listdir(t.path("d1"))
    for name in gone:
        os.unlink(os.path.join(t.path("d1"), name))
    proxy.order("match POST swallow-reply")
    proxy.order("match HEAD,exp drop")
    kill_when(
        t,
        lambda: len(t.objects()) < 200,
        *("PUT", "--delete", "--max-delete", "100%"),
    )
    proxy.release()
    assert len(settled(t)) == 200 - len(gone)
    t.put("--delete", moved=0, deleted=0)
    assert events(t)[2, "deleted"][0] == len(gone), events(t)
    undo(t, 2, found=len(gone), moved=len(gone))
    assert len(t.objects()) == 200


def test_undone_unanswered(t):
    """A store that says nothing before the PUT, too: the PUT asks again."""
    proxy = killed_del(t)
    proxy.order("match HEAD,exp 503 30")
    t.conf(s3_storage={"retry_for": "1", "endpoint": proxy.url})
    proxy.order("match HEAD,exp 503")
    process = t.start("PUT")
    t.eventually(
        lambda: any(r[:2] == ("PUT", "") or r[0] == "HEAD"
                    for r in proxy.requests()),
        what="questions",
    )
    process.wait(timeout=60)
    proxy.release()
    t.put(failed=0)
    t.same()
    assert events(t)[2, "deleted"][0] == 30, events(t)
    assert asked(t, "2") == []


def test_undone_killed_undo_undo(t):
    killed_undo(t)
    # A dry run asks nobody what the killed one did, and sees it.
    t.run("undo", "2", "--dryrun", "--json").counted(found=0, moved=0)
    undo(t, 2, found=0).says("by a later run")
    assert events(t)[3, "restored"] == (12, 12), events(t)
    assert asked(t, "3") == asked(t, "1") and len(asked(t, "3")) == 12
    t.put(moved=0, unchanged=12)
    t.same()


def test_undone_killed_undo_put(t):
    killed_undo(t)
    test = ("TEST", "--data_integrity", "--skip_upload")
    t.run(*test)
    rows = t.query("SELECT reason, count(*) FROM failures GROUP BY reason")
    assert len(rows) == 1 and "brought it back" in rows[0][0], rows
    t.put(moved=0, unchanged=12)
    assert events(t)[3, "restored"] == (12, 12), events(t)
    assert states(t) == {"stored"}, t.states()
    assert t.query("SELECT count(*) FROM failures") == [(0,)]


def test_undone_killed_undo_mirror(t):
    """What a killed undo has brought back is deleted once more, as its files
    are gone."""
    killed_undo(t)
    for directory, _, names in os.walk(t.tree):
        for name in names:
            os.unlink(os.path.join(directory, name))
    t.write("other")
    t.put("--delete", "--max-delete", "100%", moved=1, deleted=12)
    assert list(t.objects()) == [key(t, "other")], t.objects()
    assert events(t)[3, "restored"] == (12, 12), events(t)
    assert events(t)[4, "deleted"] == (12, 12), events(t)


def test_undone_killed_undo_del(t):
    killed_undo(t)
    t.run("DEL", "--yes", "--json").counted(moved=12)
    assert events(t)[3, "restored"] == (12, 12), events(t)
    assert events(t)[4, "deleted"] == (12, 12), events(t)
    undo(t, 4, found=12, moved=12)
    t.same()


def test_undone_not_begun(t):
    """An attempt that did not begin has deleted nothing."""
    versions(t)
    t.small_files(6)
    t.put(moved=6)
    t.run("DEL", "--yes", "--json").counted(moved=6)
    t.conf(s3_storage={"secret_key": "wrong"})
    t.run("DEL", "--yes", expect=3)
    t.conf()
    undo(t, 3, found=0).says("has deleted nothing")
    assert t.objects() == {}


def test_undone_other_target(t):
    versions(t)
    t.write("a", "a")
    t.put(moved=1)
    t.run("DEL", "--yes", "--json").counted(moved=1)
    other = t.bucket + "-2"
    t.s3.create_bucket(Bucket=other)
    t.conf(s3_storage={"bucket": other})
    t.put(moved=1)
    t.run("undo", "2", "--yes", expect=2).says("run 2 went to", t.bucket)
    undo(t, 3, found=0).says("has deleted nothing")


def test_undone_dryrun(t):
    """A dry run asks the bucket: it counts what comes back, and no more."""
    versions(t)
    names = ("back", "foreign", "again", "purged", "there")
    for name in names:
        t.write(name, name)
    t.put(moved=5)
    t.run("DEL", "--yes", "--json").counted(moved=5)
    t.s3.put_object(Bucket=t.bucket, Key=key(t, "foreign"), Body=b"theirs")
    t.s3.put_object(Bucket=t.bucket, Key=key(t, "again"), Body=b"theirs")
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "again"))
    listed = t.s3.list_object_versions(Bucket=t.bucket)
    for rows, name in (("Versions", "purged"), ("DeleteMarkers", "there")):
        (row,) = [v for v in listed[rows] if v["Key"] == key(t, name)]
        t.s3.delete_object(
            Bucket=t.bucket, Key=row["Key"], VersionId=row["VersionId"]
        )
    before = t.s3.list_object_versions(Bucket=t.bucket)
    r = t.run("undo", "2", "--dryrun", "--json", expect=1)
    r.counted(found=5, moved=2, failed=3)
    rows = [json.loads(line) for line in r.out.splitlines()[:-1]]
    assert sorted((row["type"], row["key"]) for row in rows) == [
        ("restore", key(t, "back")),
        ("restore", key(t, "there")),
    ], rows
    after = t.s3.list_object_versions(Bucket=t.bucket)
    for part in ("Versions", "DeleteMarkers"):
        assert before[part] == after[part]
    undo(t, 2, expect=1, found=5, moved=2, failed=3)
    reasons = dict(t.query("SELECT path, reason FROM failures"))
    assert "deleted it again" in reasons[key(t, "again")], reasons
    assert "kept no version" in reasons[key(t, "purged")], reasons
    assert "another object" in reasons[key(t, "foreign")], reasons


def test_undone_dryrun_unversioned(t):
    t.small_files(3)
    t.put(moved=3)
    t.run("DEL", "--yes", "--json").counted(moved=3)
    r = t.run("undo", "2", "--dryrun", "--json", expect=1)
    r.counted(found=3, moved=0, failed=3)


def test_undone_other_bytes(t):
    """What somebody else had put over the object comes back as it was, and
    nothing says that it is ours."""
    versions(t)
    t.write("a", "mine")
    t.write("b", "mine")
    t.put(moved=2)
    t.s3.put_object(Bucket=t.bucket, Key=key(t, "a"), Body=b"stranger's")
    t.run("DEL", "--yes", "--json").counted(moved=2)
    undo(t, 2, expect=1, found=2, moved=1, failed=1)
    body = t.s3.get_object(Bucket=t.bucket, Key=key(t, "a"))["Body"]
    assert body.read() == b"stranger's"
    rows = t.query("SELECT state, reason FROM objects WHERE path = ?",
                   key(t, "a"))
    assert rows[0][0] == "failed" and "another object" in rows[0][1], rows
    assert asked(t, "3") == [key(t, "b")]
    # The file is there: PUT puts it over the other one.
    t.put(moved=1, unchanged=1)
    t.same()


def test_undone_stored_by(t):
    """Who stored an object stays when the same version comes back; the ETag
    is known then, and at any time before."""
    versions(t)
    t.small_files(5)
    t.put(moved=5)
    before = t.query(
        "SELECT path, stored_run, stored_at, version_id FROM objects "
        "ORDER BY path"
    )
    t.run("DEL", "--yes", "--json").counted(moved=5)
    undo(t, 2, found=5, moved=5)
    after = t.query(
        "SELECT path, stored_run, stored_at, version_id FROM objects "
        "ORDER BY path"
    )
    assert before == after and before[0][1] == 1, (before, after)
    for run in ("1", "3"):
        out = t.run(
            *("sql", "--format", "json", "--as-of", run),
            "SELECT path, stored_run, stored_at, version_id FROM as_of "
            "WHERE etag IS NOT NULL ORDER BY path",
        ).out
        rows = [tuple(row.values()) for row in json.loads(out)]
        assert rows == before, (run, rows)


def log_events(t, name):
    found = []
    for file in os.listdir(t.logs):
        with open(os.path.join(t.logs, file)) as f:
            lines = [json.loads(line) for line in f]
        found += [line for line in lines if line["event"] == name]
    return found


def test_undone_unknown(t):
    """What the catalog did not know is named when it is deleted; undo says
    that it stays away."""
    versions(t)
    t.small_files(5)
    t.put(moved=5)
    for name in ("theirs 1", "theirs 2"):
        t.s3.put_object(Bucket=t.bucket, Key=key(t, name), Body=b"theirs")
    r = t.run("DEL", "--yes", "--json").counted(moved=7)
    r.says("2 of the deleted objects are none that the catalog knows")
    named = sorted(line["key"] for line in log_events(t, "deleted_unknown"))
    assert named == [key(t, "theirs 1"), key(t, "theirs 2")], named
    undo(t, 2, expect=1, found=5, moved=5).says("2 objects", "stay deleted")
    t.same()
    r = t.run("DEL", "--yes", "--json").counted(moved=5)
    assert "none that the catalog" not in r.text
    undo(t, 4, found=5, moved=5)


def test_undone_killed_put(t):
    """What a killed PUT has put, and no answer came, is known when DEL deletes
    it."""
    proxy = t.proxy()
    versions(t)
    t.small_files(12)
    t.conf(s3_storage={"endpoint": proxy.url})
    proxy.order("match PUT swallow-reply")
    proxy.order("match HEAD,exp drop")
    kill_when(t, lambda: len(t.objects()) == 12, "PUT")
    proxy.release()
    assert t.query("SELECT count(*) FROM events") == [(0,)]
    r = t.run("DEL", "--yes", "--json").counted(moved=12)
    assert "none that the catalog" not in r.text
    assert events(t)[2, "deleted"] == (12, 12), events(t)
    undo(t, 2, found=12, moved=12)
    t.put(moved=0, unchanged=12)
    t.same()


def listing(t):
    listed = t.s3.list_object_versions(Bucket=t.bucket)
    return [
        sorted((v["Key"], v["VersionId"]) for v in listed.get(part, []))
        for part in ("Versions", "DeleteMarkers")
    ]


def deleted_by_others(t, known):
    """A marker of the run, and one of somebody above it: what he had put
    stays below his marker, or is gone for good."""
    versions(t)
    for name in ("put", "purged"):
        t.write(name, name)
    t.put(moved=2)
    t.run("DEL", "--yes", "--json").counted(moved=2)
    for name in ("put", "purged"):
        put = t.s3.put_object(
            Bucket=t.bucket, Key=key(t, name), Body=b"theirs"
        )
        t.s3.delete_object(Bucket=t.bucket, Key=key(t, name))
    t.s3.delete_object(
        Bucket=t.bucket, Key=key(t, "purged"), VersionId=put["VersionId"]
    )
    if not known:
        forget_markers(t)
    before = listing(t)
    assert len(before[1]) == 4, before
    marker_ids = "SELECT path, marker_id FROM objects ORDER BY path"
    markers = t.query(marker_ids)
    r = t.run("undo", "2", "--dryrun", "--json", expect=1)
    r.counted(found=2, moved=0, failed=2)
    undo(t, 2, expect=1, found=2, moved=0, failed=2)
    assert listing(t) == before
    assert t.query(marker_ids) == markers
    assert states(t) == {"deleted"}, t.states()
    for (reason,) in t.query("SELECT reason FROM failures"):
        assert "deleted it again" in reason, reason


def test_undone_others_marker(t):
    """Nothing of the bucket is changed where that brings nothing back."""
    deleted_by_others(t, True)


def test_undone_others_marker_unknown(t):
    """The same where the catalog doesn't know its own marker."""
    deleted_by_others(t, False)


def test_undone_no_answers(t):
    """Where the store does not say what a killed run has deleted, undo does
    not say that it was nothing."""
    proxy = killed_del(t, 6)
    t.conf(s3_storage={"endpoint": proxy.url, "retry_for": "1"})
    proxy.order("match HEAD,exp 503")
    r = t.run("undo", "2", "--yes", expect=1)
    r.says("6 objects that run 2 was deleting", "does not say")
    assert "has deleted nothing" not in r.text, r.text
    assert events(t) == {(1, "stored"): (6, 6)}, events(t)
    proxy.release()
    undo(t, 2, found=6, moved=6)


def test_undone_failures_end(t):
    """What undo could not bring back is failed until the next undo, or until a
    run has put or deleted at the target since."""
    ask = "SELECT run, path FROM failures"
    t.small_files(3)
    t.put(moved=3)
    t.run("DEL", "--yes")
    undo(t, 2, expect=1, found=3, failed=3)
    assert [run for run, _ in t.query(ask)] == [3, 3, 3]
    t.run("TEST", "-di", "-su", expect=1)
    assert len(t.query(ask)) == 3
    t.run("DEL", "--yes")
    assert t.query(ask) == [], t.query(ask)
    undo(t, 2, expect=1, found=3, failed=3)
    for directory, _, names in os.walk(t.tree):
        for name in names:
            os.unlink(os.path.join(directory, name))
    t.write("other")
    t.put("--delete", moved=1)
    assert t.query(ask) == [], t.query(ask)
    assert len(t.query("SELECT run FROM failure_log")) == 6
