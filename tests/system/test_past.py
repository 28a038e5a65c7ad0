"""What the bucket held at a moment of the past: --as-of, by the journal."""
import json
import os
import sqlite3



def versions(t):
    t.s3.put_bucket_versioning(
        Bucket=t.bucket, VersioningConfiguration={"Status": "Enabled"}
    )


def key(t, name):
    return (t.server + t.share + "/" + name).lstrip("/")


def story(t):
    """Six runs. Returns, for each, {name: bytes} of the bucket after it."""
    told = []

    def tell(**files):
        told.append({k.replace("__", "/"): v for k, v in files.items()})

    t.write("a", "one")
    t.write("d/b", "b")
    t.put(moved=2)
    tell(a=b"one", d__b=b"b")
    t.write("a", "two!")
    t.write("c", "new")
    t.put(moved=2, unchanged=1)
    tell(a=b"two!", d__b=b"b", c=b"new")
    os.unlink(t.path("d/b"))
    t.put("--delete", "--max-delete", "100%", unchanged=2, deleted=1)
    tell(a=b"two!", c=b"new")
    t.put("--checksum", unchanged=2)
    tell(a=b"two!", c=b"new")
    t.run("DEL", "--yes", "--json").counted(moved=2)
    tell()
    t.write("d/b", "again")
    t.put(moved=3)
    tell(a=b"two!", c=b"new", d__b=b"again")
    return told


def fetched(t, run, expect=0):
    """{name: bytes} of what GET --as-of brings."""
    into = os.path.join(t.dir, "back-%s" % run)
    os.makedirs(into)
    result = t.run(
        "GET", "--json", "--as-of", str(run), "--dest_path", into,
        expect=expect,
    )
    found = {}
    top = os.path.join(into, key(t, ""))
    for here, _, names in os.walk(top):
        for name in names:
            path = os.path.join(here, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, top)] = f.read()
    return found, result


def listed(t, moment):
    lines = t.run("LIST", "--as-of", moment).out.decode().split()
    return sorted(lines)


def asked(t, moment):
    rows = t.run(
        "sql", "--format", "json", "--as-of", moment,
        "SELECT path FROM as_of ORDER BY path",
    ).out
    return [row["path"] for row in json.loads(rows)]


def test_past_versioned(t):
    """Every moment comes back from a bucket with versions."""
    versions(t)
    told = story(t)
    for run, files in enumerate(told, 1):
        keys = sorted(key(t, name) for name in files)
        assert listed(t, str(run)) == keys, run
        assert asked(t, str(run)) == keys, run
    for run, files in enumerate(told, 1):
        found, result = fetched(t, run)
        assert found == files, (run, found)
        result.counted(moved=len(files), failed=0)


def test_past_unversioned(t):
    """Without versions comes back what is there still; the rest is named."""
    told = story(t)
    found, result = fetched(t, 1, expect=1)
    assert found == {}, found
    result.counted(found=2, failed=2)
    reasons = dict(t.query("SELECT path, reason FROM failures"))
    assert "run 2 has replaced or deleted it" in reasons[key(t, "a")], reasons
    assert "run 3 has replaced or deleted it" in reasons[key(t, "d/b")], reasons
    # After run 4 the same bytes were there as now: DEL, then PUT again.
    found, result = fetched(t, 4)
    assert found == told[3], found
    found, result = fetched(t, 6)
    assert found == told[5], found
    # A dry run counts them.
    into = os.path.join(t.dir, "none")
    os.makedirs(into)
    t.run(
        "GET", "--json", "--dryrun", "--as-of", "2", "--dest_path", into,
        expect=1,
    ).counted(found=3, moved=2, failed=1)
    assert os.listdir(into) == []


def attributes(path):
    st = os.stat(path)
    return st.st_mode & 0o7777, st.st_mtime_ns, st.st_uid, st.st_gid


def test_past_attributes(t):
    """Files have the attributes of then, also where the bucket has one object
    for the bytes of then and of now."""
    path = t.write("a", "one", mtime=10**18)
    os.chmod(path, 0o640)
    t.put(moved=1)
    told = [attributes(path)]
    os.chown(path, 7, 8)
    os.chmod(path, 0o604)
    os.utime(path, ns=(10**17, 10**17))
    t.put(unchanged=1)
    told.append(attributes(path))
    for kept in (False, True):
        if kept:
            versions(t)
            os.chmod(path, 0o777)
            t.put(unchanged=1)
        into = os.path.join(t.dir, "into%d" % kept)
        os.makedirs(into)
        file = os.path.join(into, key(t, "a"))
        # New, and then over the file of the other time.
        for run in (1, 2, 1):
            t.run("GET", "--as-of", str(run), "--dest_path", into)
            assert attributes(file) == told[run - 1], (kept, run)


def test_past_prefix(t):
    story(t)
    prefix = key(t, "d/")
    lines = t.run("LIST", "--as-of", "2", "--prefix", prefix).out.split()
    assert lines == [key(t, "d/b").encode()], lines
    lines = t.run("LIST", "--as-of", "3", "--prefix", prefix).out.split()
    assert lines == [], lines


def test_past_without_server(t):
    """Keys without the server: paths of the catalog are found by them."""
    t.conf(fs_config={"server_as_prefix": "no"})
    told = story(t)
    share = t.share.lstrip("/")
    for run, files in enumerate(told, 1):
        keys = sorted("%s/%s" % (share, name) for name in files)
        assert listed(t, str(run)) == keys, run


def test_past_times(t):
    """By a time: what was there then; a day alone is its end."""
    story(t)
    rows = t.query(
        "SELECT started_ns / 1000000000, ended_ns / 1000000000 FROM run"
    )
    text = t.query("SELECT max(ended) FROM runs")[0][0]
    assert asked(t, text) == asked(t, "6"), text
    assert asked(t, text[:10]) == asked(t, "6"), text
    # The end of time, as far as it is told.
    for late in ("2263-01-01", "9999-12-31"):
        assert asked(t, late) == asked(t, "6"), late
    for moment in ("1999-01-01", "0001-01-01", "99", "yesterday",
                   "2026-13-01", "2026-02-30", "2027-02-29", "-1"):
        t.run("sql", "--as-of", moment, "SELECT 1 FROM as_of", expect=2)
        t.run("LIST", "--as-of", moment, expect=2)
    assert len(rows) == 6, rows


def test_past_unknown_target(t):
    """Nothing is known of a bucket that the catalog doesn't know: that it was
    empty is no answer."""
    t.write("a", "one")
    t.conf(s3_storage={"name": None})
    t.put(moved=1)
    store = {"name": None, "endpoint": t.endpoint.replace("127.0.0.1",
                                                          "127.0.0.2")}
    into = os.path.join(t.dir, "into")
    os.makedirs(into)
    verbs = (
        ["LIST", "--as-of", "1"],
        ["GET", "--as-of", "1", "--dest_path", into],
        ["GET", "--as-of", "1", "--dest_path", into, "--dryrun"],
        ["undo", "1", "--yes"], ["undo", "1", "--dryrun"],
    )
    t.conf(s3_storage=store)
    for verb in verbs + (["PUT", "--dryrun"], ["diff", "1", "1"]):
        t.run(*verb, expect=2).says("the catalog knows bucket")
    t.run("PUT", "--dryrun", "--new-target")
    # Of another name, or with other keys, it isn't asked about.
    other = dict(store, bucket="another-bucket", endpoint=t.endpoint)
    t.s3.create_bucket(Bucket=other["bucket"])
    t.conf(s3_storage=other)
    for verb in verbs + (["diff", "1", "1"],):
        t.run(*verb, expect=2).says("the catalog knows nothing of bucket")
    t.conf(s3_storage={"name": None}, fs_config={"server_as_prefix": "no"})
    for verb in verbs:
        t.run(*verb, expect=2).says("without the server in the keys")
    t.conf(s3_storage={"name": None})
    assert len(listed(t, "1")) == 1


def test_past_lost_version(t):
    """A version that somebody has removed is a failed row."""
    versions(t)
    t.write("a", "one")
    t.put(moved=1)
    first = t.s3.list_object_versions(Bucket=t.bucket)["Versions"][0]
    t.write("a", "two!")
    t.put(moved=1)
    t.s3.delete_object(
        Bucket=t.bucket, Key=first["Key"], VersionId=first["VersionId"]
    )
    found, result = fetched(t, 1, expect=1)
    assert found == {}, found
    result.counted(found=1, failed=1)
    ((reason,),) = t.query("SELECT reason FROM failures")
    assert "does not have it any more in the version of then" in reason


# --- undo ---


def undo(t, run, *arguments, expect=0, **counts):
    result = t.run(
        "undo", str(run), "--yes", "--json", *arguments, expect=expect
    )
    return result.counted(**counts)


def test_undo(t):
    """What DEL deleted comes back; the catalog knows it, PUT sends nothing,
    and a second undo has nothing to do."""
    versions(t)
    t.small_files(30)
    t.put(moved=30)
    t.run("DEL", "--yes", "--json").counted(moved=30)
    t.run("undo", "2", expect=2).says("--yes")
    t.run("undo", "2", "--dryrun", "--json").counted(found=30, moved=30)
    assert t.objects() == {}
    undo(t, 2, found=30, moved=30)
    t.same()
    assert set(t.states().values()) == {"stored"}, t.states()
    undo(t, 2, found=0)
    t.put(moved=0, unchanged=30)
    ids = {
        v["Key"]: v["VersionId"]
        for v in t.s3.list_object_versions(Bucket=t.bucket)["Versions"]
    }
    rows = dict(t.query("SELECT path, version_id FROM objects"))
    assert rows == ids, (rows, ids)
    kinds = t.query(
        "SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind"
    )
    assert dict(kinds) == {"stored": 30, "deleted": 30, "restored": 30}, kinds


def test_undo_mirror(t):
    """What PUT --delete deleted comes back, though the files are gone."""
    versions(t)
    t.small_files(20)
    t.put(moved=20)
    gone = [n for n in os.listdir(t.path("d1"))]
    for name in gone:
        os.unlink(os.path.join(t.path("d1"), name))
    t.put("--delete", "--max-delete", "100%", deleted=len(gone))
    undo(t, 2, found=len(gone), moved=len(gone))
    assert len(t.objects()) == 20
    assert asked(t, "1") == asked(t, "3")
    # The files are gone as before: a mirror deletes their objects once more.
    t.put("--delete", "--max-delete", "100%", deleted=len(gone))
    t.same()
    undo(t, 4, found=len(gone), moved=len(gone))
    t.run(
        "TEST", "--data_integrity", "--skip_upload", "--json"
    ).counted(found=20, moved=20)
    undo(t, 2, found=0)


def test_undo_unversioned(t):
    t.small_files(3)
    t.put(moved=3)
    t.run("DEL", "--yes", "--json").counted(moved=3)
    undo(t, 2, expect=1, found=3, failed=3)
    for (reason,) in t.query("SELECT reason FROM failures"):
        assert reason == "the bucket has kept no version of it", reason
    t.put(moved=3)
    t.same()


def test_undo_left_alone(t):
    """What was put or deleted since, by us or by others, stays as it is."""
    versions(t)
    for name in ("same", "put", "foreign", "again", "back"):
        t.write(name, name)
    t.put(moved=5)
    t.run("DEL", "--yes", "--json").counted(moved=5)
    t.s3.put_object(Bucket=t.bucket, Key=key(t, "foreign"), Body=b"theirs")
    t.s3.put_object(Bucket=t.bucket, Key=key(t, "again"), Body=b"theirs")
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "again"))
    marker = [
        m
        for m in t.s3.list_object_versions(Bucket=t.bucket)["DeleteMarkers"]
        if m["Key"] == key(t, "back")
    ]
    t.s3.delete_object(
        Bucket=t.bucket,
        Key=key(t, "back"),
        VersionId=marker[0]["VersionId"],
    )
    for name in ("same", "foreign", "again", "back"):
        os.unlink(t.path(name))
    t.write("put", "newer")
    t.put(moved=1)
    undo(t, 2, expect=1, found=5, moved=2, failed=3)
    reasons = dict(t.query("SELECT path, reason FROM failures"))
    assert "another object" in reasons[key(t, "foreign")], reasons
    assert "deleted it again" in reasons[key(t, "again")], reasons
    assert "put the file again" in reasons[key(t, "put")], reasons
    objects = t.s3.get_object(Bucket=t.bucket, Key=key(t, "put"))
    assert objects["Body"].read() == b"newer"
    for name in ("same", "back"):
        body = t.s3.get_object(Bucket=t.bucket, Key=key(t, name))["Body"]
        assert body.read() == name.encode()


# --- diff ---


def diff(t, a, b, expect=4):
    result = t.run("diff", a, b, expect=expect)
    return result.out.decode().splitlines()


def test_diff(t):
    """Two runs, two times, a target, a catalog; both ways."""
    story(t)
    a, b, c = (key(t, name) for name in ("a", "d/b", "c"))
    assert diff(t, "1", "2") == ["! " + a, "+ " + c]
    assert diff(t, "2", "1") == ["! " + a, "- " + c]
    assert diff(t, "2", "3") == ["- " + b]
    assert diff(t, "3", "4", expect=0) == []
    assert diff(t, "4", "5") == ["- " + a, "- " + c]
    assert diff(t, "2", "6") == ["! " + b]
    target = t.query("SELECT DISTINCT target FROM runs")[0][0]
    assert diff(t, "6", target, expect=0) == []
    assert diff(t, "1", target) == ["! " + a, "+ " + c, "! " + b]
    rows = t.run("diff", "1", "2", "--json", expect=4).out.splitlines()
    rows = [json.loads(row) for row in rows]
    assert rows[0] == {"type": "difference", "what": "bytes", "path": a}
    assert rows[-1]["equal"] == 1 and rows[-1]["new"] == 1, rows
    for bad in ("0", "7", "nothing", t.dir + "/none.db", "http://x/y"):
        t.run("diff", "1", bad, expect=2)
    t.run("diff", "1", expect=2)


def test_diff_metadata_and_catalogs(t):
    t.write("a", "one")
    t.write("b", "two")
    t.put(moved=2)
    copy = os.path.join(t.dir, "copy.db")
    t.run("catalog", "backup", copy)
    os.chmod(t.path("a"), 0o600)
    t.put(unchanged=2)
    assert diff(t, "1", "2") == ["~ " + key(t, "a")]
    assert diff(t, copy, "2") == ["~ " + key(t, "a")]
    assert diff(t, copy, copy, expect=0) == []
    assert diff(t, t.catalog, copy) == ["~ " + key(t, "a")]


def test_diff_targets(t):
    """The target that is compared is that of the settings or --target, never
    that to which a run happened to go last; and it is said."""
    for name in "abc":
        t.write(name, name)
    t.put(moved=3)
    one = t.query("SELECT DISTINCT target FROM runs")[0][0]
    t.s3.create_bucket(Bucket=t.bucket + "-2")
    second = {"bucket": t.bucket + "-2"}
    t.conf(s3_storage=second)
    t.put("--exclude", "a", excluded=1, moved=2)
    two = one + "-2"
    copies = [os.path.join(t.dir, name) for name in ("mon.db", "tue.db")]
    t.run("catalog", "backup", copies[0])
    t.conf()
    t.put(unchanged=3)
    t.run("catalog", "backup", copies[1])
    said = t.run("diff", *copies, expect=0)
    said.says("--- %s in %s" % (one, copies[0]))
    said.says("+++ %s in %s" % (one, copies[1]))
    assert diff(t, "1", "2100-01-01", expect=0) == []
    assert diff(t, "1", two) == ["- " + key(t, "a")]
    for a in (copies[0], "2"):
        rows = t.run("diff", "--json", "--target", two, "2", a).out
        rows = json.loads(rows)
        assert rows["a_target"] == rows["b_target"] == two, rows
    t.run("diff", "--target", "none/such", *copies, expect=2).says("none/such")
    # The settings of another bucket; after a run to it; and none at all.
    t.conf(s3_storage=second)
    t.put("--exclude", "a", excluded=1, unchanged=2)
    assert diff(t, *copies, expect=0) == []
    t.conf()
    assert diff(t, "1", "2100-01-01", expect=0) == []
    t.run("diff", *copies, config=False, expect=2).says("--target", one, two)
    t.run("diff", "--target", one, *copies, config=False)
    t.run("diff", "1", "2", "--catalog", t.catalog, config=False,
          expect=2).says("--target")


def forget_markers(t):
    """What the catalog knows of markers is lost."""
    db = sqlite3.connect(t.catalog)
    db.execute("UPDATE event SET version = NULL WHERE kind = 10")
    db.commit()
    db.close()


def test_undo_unknown_markers(t):
    """A marker that isn't known goes if it is the only one above the version,
    and nobody has written since."""
    versions(t)
    for name in ("a", "ab", "again", "written", "removed"):
        t.write(name, name)
    t.put(moved=5)
    key = t.server + t.share + "/%s"
    first = {
        v["Key"]: v["VersionId"]
        for v in t.s3.list_object_versions(Bucket=t.bucket)["Versions"]
    }
    t.run("DEL", "--yes", "--json").counted(moved=5)
    forget_markers(t)
    for _ in range(2):
        t.s3.delete_object(Bucket=t.bucket, Key=key % "again")
    t.s3.put_object(Bucket=t.bucket, Key=key % "written", Body=b"other")
    t.s3.delete_object(Bucket=t.bucket, Key=key % "written")
    t.s3.delete_object(Bucket=t.bucket, Key=key % "removed",
                       VersionId=first[key % "removed"])
    before = t.s3.list_object_versions(Bucket=t.bucket)
    t.run("undo", "2", "--dryrun", "--json", expect=1).counted(
        found=5, moved=3, failed=2)
    undo(t, 2, expect=1, found=5, moved=3, failed=2)
    after = t.s3.list_object_versions(Bucket=t.bucket)
    back = {v["Key"]: v["VersionId"] for v in after["Versions"]
            if v["IsLatest"]}
    assert back == {key % n: first[key % n] for n in ("a", "ab", "again")}
    left = {m["Key"] for m in after["DeleteMarkers"]}
    assert left == {key % "written", key % "removed"}, left
    assert len(after["Versions"]) == len(before["Versions"])
    reasons = dict(t.query("SELECT path, reason FROM failures"))
    assert "somebody has put it" in reasons[key % "written"], reasons
    assert "kept no version" in reasons[key % "removed"], reasons


def test_undo_without_a_listing(t):
    """Where versions may not be listed, the version is copied."""
    versions(t)
    t.write("a", "1")
    t.put(moved=1)
    t.run("DEL", "--yes", "--json").counted(moved=1)
    forget_markers(t)
    proxy = t.proxy(s3_storage={"retry_for": "1"})
    proxy.order("match GET,versions 503")
    undo(t, 2, found=1, moved=1)
    t.same()
