"""TEST --data_integrity: what the bucket holds is what the files held, and
whatever isn't is found. The bucket is changed by boto3 behind its back."""
import os
import random
import signal
import sqlite3
import subprocess
import time

from case import MIB, Skip, limit
from test_mounts import tmpfs

MODES = ("head", "full", "sample=100%")


def integrity(t, *arguments, expect=0, mode=None, skip=True, **counts):
    """TEST with --json; the totals must close, and the verdict's word stand
    in the summary."""
    more = (["--mode", mode] if mode else []) + (
        ["--skip_upload"] if skip else []
    )
    r = t.run(
        "TEST", "--data_integrity", "--json", *more, *arguments, expect=expect
    )
    r.counted(**counts)
    text = r.err.decode()
    assert ("PASSED" in text) == (expect == 0), r
    assert ("FAILED" in text) == (expect in (1, 4)), r
    return r


def verdicts(t, result):
    """{name: verdict} of a run's rows, without those that are ok."""
    rows = t.query(
        "SELECT path, outcome FROM verifications WHERE run = ?",
        result.json["run"],
    )
    return {
        path.rsplit("/", 1)[-1]: what for path, what in rows if what != "ok"
    }


def key(t, name):
    return t.server + t.share + "/" + name


def overwrite(t, name, data):
    t.s3.put_object(Bucket=t.bucket, Key=key(t, name), Body=data)


def in_parts(t, name, parts):
    """Write it as a multipart object of these parts."""
    k = key(t, name)
    upload = t.s3.create_multipart_upload(Bucket=t.bucket, Key=k)["UploadId"]
    done = []
    for number, data in enumerate(parts, 1):
        e = t.s3.upload_part(
            Bucket=t.bucket,
            Key=k,
            UploadId=upload,
            PartNumber=number,
            Body=data,
        )["ETag"]
        done.append({"PartNumber": number, "ETag": e})
    t.s3.complete_multipart_upload(
        Bucket=t.bucket,
        Key=k,
        UploadId=upload,
        MultipartUpload={"Parts": done},
    )


def read(t, name):
    with open(t.path(name), "rb") as f:
        return f.read()


def fill(t, count=20):
    t.small_files(count)
    t.write("empty", b"")
    t.write(b"odd \xff\n&<'", b"odd")
    t.random_file("large", 20 * MIB)
    t.put(moved=count + 3)
    return count + 3


def test_integrity_passes(t):
    """In each mode, with and without an upload before it."""
    n = fill(t)
    for mode in MODES:
        r = integrity(t, mode=mode, found=n, moved=n)
        assert verdicts(t, r) == {}
        rows = t.query(
            "SELECT count(*), min(method) FROM verifications WHERE run = ?",
            r.json["run"],
        )
        assert rows == [(n, mode.split("=")[0])], rows
        integrity(t, mode=mode, skip=False, found=n, moved=n)


def test_integrity_uploads_first(t):
    fill(t)
    t.write("new", b"not there yet")
    r = integrity(t, skip=False, found=24, moved=24)
    assert key(t, "new") in t.objects()
    ops = t.query("SELECT operation FROM runs ORDER BY run")
    assert [o[0] for o in ops] == ["PUT", "PUT", "TEST"], ops
    assert r.out.count(b'"operation"') == 1, r


def corrupt(t):
    """Damage of each kind; {name: verdict} that reading finds."""
    data = read(t, "d1/f1")
    overwrite(t, "d1/f1", bytes([data[0] ^ 1]) + data[1:])
    overwrite(t, "d2/f2", read(t, "d2/f2")[:-1])
    overwrite(t, "empty", b"x")
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "d3/f3"))
    large = bytearray(read(t, "large"))
    large[-1] ^= 1
    in_parts(t, "large", [bytes(large[: 8 * MIB]), bytes(large[8 * MIB :])])
    t.s3.put_object(Bucket=t.bucket, Key=key(t, "foreign"), Body=b"1")
    return {
        "f1": "corrupt",
        "f2": "corrupt",
        "empty": "corrupt",
        "f3": "missing",
        "large": "corrupt",
    }


def test_integrity_finds(t):
    """Every mode, one after the other: what one finds is not forgotten by
    the next, and a PUT puts it right."""
    n = fill(t)
    wanted = corrupt(t)
    for mode in MODES:
        extra = 0 if mode.startswith("sample") else 1
        r = integrity(
            t,
            mode=mode,
            expect=4,
            found=n + extra,
            moved=n - 5,
            failed=5,
            excluded=extra,
        )
        found = verdicts(t, r)
        if mode == "head":
            assert found.pop("large") in ("corrupt", "unreadable"), r
            assert found == {k: wanted[k] for k in found}, found
            assert len(found) == 4, found
        else:
            assert found == wanted, found
    failures = t.query("SELECT count(*) FROM failure_log")
    assert failures == [(15,)], failures
    t.put(moved=5, unchanged=n - 5)
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "foreign"))
    t.same()
    for mode in MODES:
        integrity(t, mode=mode, found=n, moved=n)


def test_integrity_same_etag_other_size(t):
    """A multipart copy of the same bytes in other parts: head can't tell and
    says so, full can."""
    n = fill(t)
    data = read(t, "large")
    in_parts(t, "large", [data[: 6 * MIB], data[6 * MIB :]])
    r = integrity(t, mode="head", expect=4, moved=n - 1, failed=1)
    assert verdicts(t, r) == {"large": "unreadable"}, verdicts(t, r)
    r.says("--mode full")
    integrity(t, mode="full", found=n, moved=n)
    integrity(t, mode="full", skip=False, found=n, moved=n)


def test_integrity_bit_rot(t):
    """The file's bytes changed and its times did not: reported as such, and
    the good copy is left alone."""
    n = fill(t)
    before = t.objects()
    path = t.path("d1/f1")
    size, mtime = os.stat(path).st_size, os.stat(path).st_mtime_ns
    ctime = os.stat(path).st_ctime_ns
    with open(path, "r+b") as f:
        f.write(b"rotten")
    os.utime(path, ns=(mtime, mtime))
    assert os.stat(path).st_size == size
    # What the catalog saw is made to agree: a disk that rots has no ctime.
    ctime_now = os.stat(path).st_ctime_ns
    db = sqlite3.connect(t.catalog)
    db.execute(
        "UPDATE object SET ctime_ns = ? WHERE ctime_ns = ?",
        (ctime_now, ctime),
    )
    db.commit()
    db.close()
    integrity(t, mode="full", found=n, moved=n)
    r = integrity(t, mode="full", skip=False, expect=4, moved=n - 1, failed=1)
    assert verdicts(t, r) == {"f1": "bitrot"}, verdicts(t, r)
    r.says("bit rot")
    assert t.objects() == before
    t.put(unchanged=n)
    assert t.objects() == before


def test_integrity_foreign_data(t):
    """What another tool put: the files prove it."""
    t.small_files(8)
    for name in ("d0/f0", "d1/f1", "d2/f2"):
        overwrite(t, name, read(t, name))
    overwrite(t, "d3/f3", b"x" * len(read(t, "d3/f3")))
    overwrite(t, "no-such-file", b"1")
    r = integrity(
        t, mode="full", expect=4, found=5, moved=3, failed=1, excluded=1
    )
    assert verdicts(t, r) == {"f3": "corrupt"}, verdicts(t, r)
    # Sizes and ETags can't prove what the catalog doesn't know.
    r = integrity(t, mode="head", expect=1, found=5, excluded=5)
    r.says("nothing was verified")
    assert r.json["verified"] == 0, r


def test_integrity_without_nfs(t):
    """--skip_upload asks nothing of NFS."""
    n = fill(t)
    t.conf(fs_config={"nfsport": "1", "mountport": "1"})
    for mode in MODES:
        integrity(t, mode=mode, found=n, moved=n)
    t.run("TEST", "--data_integrity", expect=3)


def test_integrity_prefix(t):
    fill(t)
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "d1/f1"))
    for mode in MODES:
        d0 = ("--prefix", key(t, "d0/"))
        integrity(t, *d0, mode=mode, found=5, moved=5)
        d1 = ("--prefix", key(t, "d1/"))
        integrity(t, *d1, mode=mode, expect=4, found=5, moved=4, failed=1)


def test_integrity_without_server(t):
    """Keys without the server's name."""
    t.conf(fs_config={"server_as_prefix": "no"})
    n = fill(t)
    for mode in MODES:
        integrity(t, mode=mode, found=n, moved=n)
        integrity(t, mode=mode, skip=False, found=n, moved=n)
    k = (t.share + "/d1/f1").lstrip("/")
    t.s3.put_object(Bucket=t.bucket, Key=k, Body=b"?")
    for mode in MODES:
        r = integrity(t, mode=mode, expect=4, moved=n - 1, failed=1)
        assert verdicts(t, r) == {"f1": "corrupt"}, verdicts(t, r)


def test_integrity_sample(t):
    """Those unverified longest come first: four quarters are all."""
    t.small_files(40)
    t.put(moved=40)
    seen = set()
    for _ in range(4):
        r = integrity(t, mode="sample=25%", found=10, moved=10)
        seen |= {
            row[0]
            for row in t.query(
                "SELECT path FROM verifications WHERE run = ?",
                r.json["run"],
            )
        }
    assert len(seen) == 40, len(seen)
    integrity(t, mode="sample=0.1%", found=1, moved=1)
    r = integrity(t, mode="sample=0.0000001%", found=1, moved=1)
    assert r.json["verified"] == 1, r


def test_integrity_verifies_nothing(t):
    """A prefix with nothing below it, an empty bucket, another bucket, a
    catalog that was lost: nothing was proved, and that is no success."""
    wrong = ("--prefix", key(t, "no/such/"))
    for mode in MODES:
        integrity(t, mode=mode, expect=1, found=0, verified=0).says(
            "nothing was verified", t.server + t.share
        )
    n = fill(t)
    for mode in MODES:
        integrity(t, *wrong, mode=mode, expect=1, found=0, verified=0)
        integrity(t, mode=mode, found=n, verified=n)
    other = os.path.join(t.dir, "lost.db")
    t.conf(catalog={"path": other})
    for mode in ("head", "sample=50%"):
        integrity(t, mode=mode, expect=1, moved=0, verified=0)
    # The files prove them.
    integrity(t, mode="full", found=n, verified=n)


def test_integrity_sample_of_each_share(t):
    """However small the sample, and whichever share has few objects: each
    share has one in it, or is named."""
    shares = [t.share + "/" + name for name in ("many", "one", "none")]
    for i in range(200):
        t.write("many/f%d" % i, b"%d" % i)
    t.write("one/f", b"1")
    os.mkdir(t.path("none"))
    t.conf(nfs=[(t.server, shares)])
    t.put(moved=201)
    r = integrity(t, mode="sample=0.0000001%", found=2, verified=2)
    rows = t.query(
        "SELECT path FROM verifications WHERE run = ?", r.json["run"]
    )
    for share in shares[:2]:
        where = t.server + share + "/"
        assert any(p.startswith(where) for (p,) in rows), (rows, where)
    r.says("nothing was verified below " + t.server + shares[2] + "/")


def test_integrity_many(t):
    """More than one page of the listing and of the catalog."""
    t.small_files(2300)
    t.put(moved=2300)
    integrity(t, mode="head", found=2300, moved=2300)
    names = sorted(t.objects())
    gone = [names[i] for i in (0, 999, 1000, 1001, 2299)]
    for k in gone:
        t.s3.delete_object(Bucket=t.bucket, Key=k)
    t.s3.put_object(Bucket=t.bucket, Key=key(t, "0"), Body=b"")
    t.s3.put_object(Bucket=t.bucket, Key=key(t, "zz"), Body=b"")
    r = integrity(
        t, mode="head", expect=4, found=2302, moved=2295, failed=5, excluded=2
    )
    assert len(verdicts(t, r)) == 5, verdicts(t, r)
    integrity(t, mode="full", expect=4, moved=2295, failed=5, excluded=2)


def test_integrity_writes_nothing(t):
    n = fill(t)
    target = os.path.join(t.dir, "dest")
    os.mkdir(target)
    before = t.objects()
    integrity(t, "--dest_path", target, "--thread", "3", found=n, moved=n)
    assert os.listdir(target) == []
    assert t.objects() == before


def test_integrity_put_failed(t):
    """A file that could not be put is not there: not PASSED."""
    t.small_files(4)
    os.chmod(t.write("secret", b"1"), 0)
    t.conf(fs_config={"uid": "12345", "gid": "12345"})
    r = integrity(t, skip=False, expect=1, found=4, moved=4)
    r.says("not all files could be put")


def test_integrity_options(t):
    t.run("TEST", expect=2).says("--data_integrity")
    for bad in ("no", "sample", "sample=0%", "sample=101%", "sample=5"):
        t.run("TEST", "-di", "--mode", bad, expect=2).says("sample=N%")
    t.write("f", b"1")
    t.put(moved=1)
    r = t.run("test", "-di", "-su", "--quiet")
    assert r.err == b"" and r.out == b"", r
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "f"))
    t.run("TEST", "-di", "-su", "--quiet", expect=4).says("FAILED", "missing")


def test_integrity_unreachable(t):
    fill(t)
    t.run("TEST", "-di", "-su", "--bucket", "no-such-bucket", expect=3)
    t.conf(s3_storage={"secret_key": "wrong"})
    t.run("TEST", "-di", "-su", expect=3)


@limit(180)
def test_integrity_kill(t):
    """Killed or interrupted, what was verified stays recorded, and the same
    command comes to its end."""
    proxy = t.proxy()
    t.small_files(1500)
    t.put(moved=1500)
    for number in (signal.SIGKILL, signal.SIGINT):
        proxy.order("match GET delay 30 700")
        proxy.order("match GET delay 2000")
        got = proxy.stats()["GET"]
        process = t.start("TEST", "-di", "-su", "--json")
        t.eventually(
            lambda: proxy.stats()["GET"] > got + 600, what="600 read"
        )
        begun = time.monotonic()
        process.send_signal(number)
        wanted = 130 if number == signal.SIGINT else -number
        assert process.wait(timeout=30) == wanted, t.started_text()
        assert time.monotonic() - begun < 10 * t.world.slowness
        proxy.order("pass")
        integrity(t, mode="full", found=1500, moved=1500)
    rows = t.query("SELECT state, count(*) FROM runs WHERE operation = 'TEST'"
                   " GROUP BY state")
    assert len(rows) == 3, rows
    t.put(unchanged=1500)


@limit(120)
def test_integrity_s3_dies(t):
    """No answer in the middle: exit 3, not a verdict."""
    proxy = t.proxy(s3_storage={"retry_for": "2"})
    t.small_files(1200)
    t.put(moved=1200)
    proxy.order("match GET delay 30 200")
    proxy.order("match GET delay 600000")
    got = proxy.stats()["GET"]
    process = t.start("TEST", "-di", "-su")
    t.eventually(lambda: proxy.stats()["GET"] > got + 100, what="100 read")
    proxy.close()
    assert process.wait(timeout=60) == 3, t.started_text()
    assert "PASSED" not in t.started_text()


@limit(300)
def test_integrity_memory(t):
    """Large objects and their files with --limit-memory 64M: resident memory
    stays below."""
    if t.world.slowness > 1:
        raise Skip("a sanitizer's memory says nothing")
    for name in "abc":
        with open(t.path(name), "wb") as f:
            for i in range(160):
                f.write(bytes([i + ord(name) & 255]) * MIB)
    t.put(moved=3)
    process = t.start("TEST", "--data_integrity", "--limit-memory", "64M")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, t.started_text()
    assert usage.ru_maxrss < 64 * 1024, "%d KiB resident" % usage.ru_maxrss


@limit(240)
def test_integrity_kill_at_random(t):
    """Whenever it is killed, with and without its upload: no verdict is
    wrong, and the same command comes to its end."""
    proxy = t.proxy()
    t.small_files(1500)
    t.random_file("large", 40 * MIB)
    rng = random.Random(5)
    for n in range(10):
        skip = ["-su"] if n % 2 else []
        mode = ["--mode", rng.choice(MODES)]
        process = t.start("TEST", "-di", *skip, *mode)
        t.eventually(lambda: os.path.exists(t.catalog), what="catalog")
        time.sleep(rng.random() * 0.8)
        process.kill()
        process.wait()
    rows = t.query("SELECT DISTINCT outcome FROM verifications")
    assert {row[0] for row in rows} <= {"ok"}, rows
    integrity(t, mode="full", skip=False, found=1501, moved=1501)
    t.same(whole=3)
    proxy.order("pass")
    # A killed run's verdicts of what is broken stay until it is whole.
    overwrite(t, "d1/f1", b"broken")
    proxy.order("match GET delay 20")
    for _ in range(3):
        process = t.start("TEST", "-di", "-su")
        time.sleep(rng.random() * 0.8)
        process.kill()
        process.wait()
    proxy.order("pass")
    r = integrity(t, mode="full", expect=4, moved=1500, failed=1)
    assert verdicts(t, r) == {"f1": "corrupt"}, verdicts(t, r)


def test_integrity_changed_file(t):
    """A file that changed since its upload has changed; its object is no less
    whole for it."""
    n = fill(t)
    t.write("d1/f1", b"written after the upload")
    t.write("d2/f2", b"")
    for mode in MODES:
        r = integrity(t, mode=mode, found=n, moved=n)
        assert verdicts(t, r) == {}, verdicts(t, r)
    # What another tool put, the file proves; it may have changed since.
    overwrite(t, "theirs", b"as it was")
    t.write("theirs", b"as it is")
    before = time.time() + 3600
    os.utime(t.path("theirs"), (before, before))
    r = integrity(t, mode="full", expect=4, failed=1)
    assert verdicts(t, r) == {"theirs": "changed"}, verdicts(t, r)
    r.says("1 changed")


@limit(120)
def test_integrity_replaced_version(t):
    """What was wrong with a version that another one has replaced is over
    with the next TEST."""
    t.write("a", "one")
    t.write("b", "one")
    t.put(moved=2)
    for name in "ab":
        key = t.server + t.share + "/" + name
        t.s3.put_object(Bucket=t.bucket, Key=key, Body=b"stranger")
    head = ["TEST", "-di", "--skip_upload", "--mode", "head"]
    failed = "SELECT path, version FROM failures ORDER BY path"
    t.run(*head, expect=4)
    assert len(t.query(failed)) == 2
    t.write("a", "a newer version")
    t.put(moved=2)
    t.run(*head)
    assert t.query(failed) == [], t.query(failed)


def test_integrity_replaced_and_gone(t):
    """A stranger's object in the place of one whose file is gone is reported
    while the file is there, and nobody's afterwards; so is its absence."""
    for name in ("a", "b", "same"):
        t.write(name, "one")
    t.put(moved=3)
    prefix = t.server + t.share + "/"
    t.s3.put_object(Bucket=t.bucket, Key=prefix + "a", Body=b"stranger")
    t.s3.put_object(Bucket=t.bucket, Key=prefix + "b", Body=b"two")
    head = ["TEST", "-di", "--skip_upload", "--mode", "head"]
    sample = head[:-1] + ["sample=100%"]
    t.run(*head, expect=4).says("2 corrupt")
    t.run(*head, expect=4).says("2 corrupt")
    os.unlink(t.path("a"))
    os.unlink(t.path("b"))
    t.put("--delete", "--max-delete", "100%", deleted=0)
    for _ in range(2):
        t.run(*head).says("2 objects under the prefix are not in the catalog")
        t.run("TEST", "-di", "--skip_upload")
        t.run(*sample)
    # What is as it was put is that object again.
    t.s3.put_object(Bucket=t.bucket, Key=prefix + "b", Body=b"one")
    t.run(*head).says("1 objects under the prefix are not in the catalog")
    t.s3.delete_object(Bucket=t.bucket, Key=prefix + "a")
    t.run(*head)
    t.run("TEST", "-di", "--skip_upload")


def test_integrity_other_parts(t):
    """Objects replaced by multipart ones of other parts, and the other way:
    damage is found by each mode, and the same bytes are corrupt for none."""
    t.random_file("parts", 20 * MIB)
    t.random_file("cut", 20 * MIB)
    t.random_file("same", 20 * MIB)
    t.random_file("single", 6 * MIB)
    t.random_file("joined", 20 * MIB)
    t.put(moved=5)
    wrong = bytearray(read(t, "parts"))
    wrong[7 * MIB] ^= 0x40
    half = 10 * MIB
    in_parts(t, "parts", [bytes(wrong[:half]), bytes(wrong[half:])])
    in_parts(t, "cut", [read(t, "cut")[:half], read(t, "cut")[half:-1]])
    in_parts(t, "same", [read(t, "same")[:half], read(t, "same")[half:]])
    wrong = bytearray(read(t, "single"))
    wrong[-1] ^= 1
    in_parts(t, "single", [bytes(wrong[: 5 * MIB]), bytes(wrong[5 * MIB :])])
    wrong = bytearray(read(t, "joined"))
    wrong[0] ^= 1
    overwrite(t, "joined", bytes(wrong))
    damaged = {"parts", "cut", "single", "joined"}
    r = integrity(t, mode="head", expect=4, found=5, moved=0, failed=5)
    found = verdicts(t, r)
    assert set(found) == damaged | {"same"}, found
    assert found["cut"] == "corrupt" and found["same"] == "unreadable", found
    for mode in ("full", "sample=100%"):
        r = integrity(t, mode=mode, expect=4, found=5, moved=1, failed=4)
        assert verdicts(t, r) == dict.fromkeys(damaged, "corrupt"), r
    t.put(found=5)
    for name in damaged | {"same"}:
        got = t.s3.get_object(Bucket=t.bucket, Key=key(t, name))
        assert got["Body"].read() == read(t, name), name
    integrity(t, mode="full", found=5, moved=5)


def test_integrity_new_target(t):
    """A store that the catalog may know by another endpoint is asked about; as
    a second endpoint it is the same."""
    t.settings["s3_storage"] = {"name": None}
    t.conf()
    n = fill(t)
    other = t.endpoint.replace("127.0.0.1", "localhost")
    t.conf(s3_storage={"endpoint": [other, t.endpoint]})
    for mode in MODES:
        integrity(t, mode=mode, found=n, moved=n)
    t.conf(s3_storage={"endpoint": other})
    r = t.run("TEST", "-di", "-su", "--mode", "head", expect=2)
    r.says(t.endpoint, "--new-target")


def test_integrity_head_asks_for_pages(t):
    """head: pages of 1,000 keys, and no object; full: each once. --debug
    names what was found."""
    proxy = t.proxy()
    t.small_files(2300)
    t.put(moved=2300)
    asked = len(proxy.requests())
    integrity(t, mode="head", found=2300, moved=2300)
    requests = proxy.requests()[asked:]
    pages = [r for r in requests if "list-type=2" in r[1]]
    assert 3 <= len(pages) <= 6, pages
    others = [r for r in requests if r not in pages]
    assert all(r[0] == "HEAD" for r in others) and len(others) <= 3, others
    asked = len(proxy.requests())
    overwrite(t, "d1/f1", b"broken")
    r = integrity(
        t, "--debug", mode="full", expect=4, found=2300, moved=2299, failed=1
    )
    reads = [
        target
        for method, target, _ in proxy.requests()[asked:]
        if method == "GET" and "list-type" not in target
    ]
    # The listing says already that one has another size.
    assert len(set(reads)) == len(reads) == 2299, len(reads)
    lines = [line for line in r.err.decode().splitlines() if "verdict" in line]
    assert len(lines) == 1, lines
    assert "corrupt: " + key(t, "d1/f1") in lines[0], lines


def test_integrity_in_doubt(t):
    """Killed between the store's work and its answer: what the bucket holds
    is not known, and not called corrupt."""
    proxy = t.proxy()
    test = ("TEST", "--data_integrity", "--skip_upload", "--json")
    for name in ("f", "good", "bad"):
        t.write(name, "one")
    t.put(moved=3)
    t.write("f", "another")
    for order in (
        "match PUT,/f swallow-reply 1",
        "match PUT,/f drop",
        "match HEAD,/f drop",
    ):
        proxy.order(order)
    process = t.start("PUT")
    key = t.server + t.share + "/f"
    t.eventually(lambda: t.objects()[key][0] == 7, what="it is stored")
    process.kill()
    process.wait()
    proxy.order("pass")
    for mode in (("--mode", "head"), ("--mode", "full"), ()):
        result = t.run(*test, *mode).counted(found=3, moved=2, excluded=1)
        result.says("PASSED: 1 doubt", "2 objects are what was put")
    doubt = "SELECT path FROM verifications WHERE outcome = 'doubt'"
    assert t.query(doubt) == [(key,)] * 3
    t.s3.put_object(
        Bucket=t.bucket, Key=t.server + t.share + "/bad", Body=b"two"
    )
    result = t.run(*test, expect=4).counted(moved=1, failed=1, excluded=1)
    result.says("FAILED: 1 corrupt, 1 doubt")
    t.put(moved=2, unchanged=1)
    t.run(*test).counted(found=3, moved=3)


def test_integrity_other_file_system(t):
    """The share isn't mounted: what is in its place says nothing of the
    objects, neither that their files are gone nor that they differ."""
    t.conf(fs_config={"mounted": "yes"}, nfs=[(t.server, [t.tree])])
    prefix = t.server + t.tree + "/"
    for name in ("late", "later"):
        t.write(name, "below the mount")
    with tmpfs(t.tree):
        t.small_files(10)
        t.put(moved=10)
        # The catalog doesn't know them: their files must tell.
        for name in ("late", "later"):
            t.write(name, name)
            t.s3.put_object(Bucket=t.bucket, Key=prefix + name, Body=name)
        integrity(t, mode="full", found=12, moved=12)
        subprocess.run(["umount", t.tree], check=True)
        os.unlink(t.path("later"))
        r = integrity(t, mode="full", expect=4, found=12, moved=10, failed=2)
        r.says("another file system", "mounted")
        for name in ("late", "later"):
            assert verdicts(t, r)[name] == "unreadable", verdicts(t, r)
        # PUT takes what is there; no object of it is compared with less.
        r = integrity(t, skip=False, found=12, moved=11, excluded=1)
        r.says("another file system", "--accept-filesystem")
        assert "gone" not in t.states().values(), t.states()


def test_integrity_unmounted_meanwhile(t):
    """Between its PUT and the comparison: the files of another file system
    aren't those that were put, and none of them has changed."""
    proxy = t.proxy(
        fs_config={"mounted": "yes"}, nfs=[(t.server, [t.tree])]
    )
    for i in range(10):
        t.write("d%d/f%d" % (i % 4, i), "below the mount")
    with tmpfs(t.tree):
        t.small_files(10)
        t.put(moved=10)
        # Its listing comes after its PUT.
        proxy.order("match GET,list-type=2 delay 600000 1")
        process = t.start("TEST", "--data_integrity")
        t.eventually(lambda: proxy.stats()["faults"] > 0, what="TEST lists")
        subprocess.run(["umount", "-l", t.tree], check=True)
        proxy.order("refuse")
        proxy.order("pass")
        process.wait(timeout=60)
    text = t.started_text()
    assert process.returncode == 4, text
    assert "10 unreadable" in text and "mounted" in text, text


def test_corrupt_and_gone(t):
    """An object that TEST found to be another one is failed as long as its
    file is there; not after a PUT that has found the file gone."""
    t.write("a", "1")
    t.write("b", "1")
    t.put(moved=2)
    root = t.server + t.share
    t.s3.put_object(Bucket=t.bucket, Key=root + "/a", Body=b"stranger's")
    test = ("TEST", "-di", "-su", "--mode", "head")
    t.run(*test, expect=4)
    t.run("DEL", "--yes")
    ask = "SELECT run, path FROM failures"
    assert t.query(ask) == [(2, root + "/a")], t.query(ask)
    os.unlink(t.path("a"))
    t.put("--delete", "--max-delete", "100%", moved=1)
    assert t.query(ask) == [], t.query(ask)
    assert t.query("SELECT run FROM failure_log") == [(2,)]
    t.run(*test)
