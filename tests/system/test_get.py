"""GET: objects come back as files, proved, or they don't come back."""
import hashlib
import os
import random
import signal
import stat
import subprocess
import time

from case import MIB, Skip, limit
from test_names import ODD, odd_tree


def back(t):
    path = os.path.join(t.dir, "back")
    os.makedirs(path, exist_ok=True)
    return path


def get(t, *arguments, expect=0, **counts):
    result = t.run(
        "GET", "--dest_path", back(t), "--json", *arguments, expect=expect
    )
    return result.counted(**counts)


def files(root):
    """{path below root: lstat} of what is no directory."""
    root = os.fsencode(root)
    found = {}
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, root)] = os.lstat(path)
    return found


def read(path):
    with open(path, "rb") as f:
        return f.read()


def same_tree(t, metadata=True):
    """What came back is what the export has, byte for byte."""
    top = os.path.join(back(t), t.server) + t.share
    want, have = files(t.tree), files(top)
    assert set(want) == set(have), (
        sorted(set(want) ^ set(have))[:10],
        len(want),
        len(have),
    )
    for name, status in want.items():
        source = os.path.join(os.fsencode(t.tree), name)
        copy = os.path.join(os.fsencode(top), name)
        assert have[name].st_size == status.st_size, name
        if status.st_size < 8 * MIB:
            assert read(source) == read(copy), name
        else:
            a = hashlib.file_digest(open(source, "rb"), "md5").digest()
            b = hashlib.file_digest(open(copy, "rb"), "md5").digest()
            assert a == b, name
        if metadata:
            assert have[name].st_mtime_ns == status.st_mtime_ns, name
            for field in ("st_mode", "st_uid", "st_gid"):
                assert getattr(have[name], field) == getattr(
                    status, field
                ), (name, field)
    everything = files(back(t))
    assert len(everything) == len(have), sorted(everything)[:10]


def gets(proxy, status=("200", "206")):
    return [
        r
        for r in proxy.requests()
        if r[0] == "GET" and r[2] in status and "list-type" not in r[1]
        and "?" not in r[1]
    ]


def test_get_tree(t):
    """A tree goes and comes back, with mode, mtime and owner; a second GET
    fetches nothing; what differs is fetched again."""
    t.small_files(300)
    t.write("empty", b"")
    t.write("old", b"x" * 5000, mtime=10**17 + 5)
    os.chmod(t.path("old"), 0o751)
    os.chown(t.path("old"), 1234, 4321)
    os.chmod(t.path("d1/f1"), 0o4755)
    t.put(moved=302)
    proxy = t.proxy()
    get(t, found=302, moved=302)
    same_tree(t)
    asked = len(gets(proxy))
    get(t, found=302, moved=0, unchanged=302)
    assert len(gets(proxy)) == asked
    top = os.path.join(back(t), t.server) + t.share
    path = os.path.join(top, "d1/f1")
    data = bytearray(read(path))
    data[3] ^= 1
    with open(path, "wb") as f:
        f.write(data)
    os.unlink(os.path.join(top, "old"))
    os.chmod(os.path.join(top, "empty"), 0o600)
    os.utime(os.path.join(top, "d2/f2"), ns=(5, 5))
    get(t, found=302, moved=2, unchanged=300)
    same_tree(t)


def test_get_odd_names(t):
    """All names come back byte for byte."""
    odd_tree(t)
    wanted = t.wanted()
    too_long = {k for k in wanted if len(k.encode()) > 1024}
    t.put(failed=len(too_long), expect=1)
    for key in too_long:
        os.unlink(wanted[key].path)
    get(t, moved=2 * len(ODD) - len(too_long))
    # A path that was too long may leave nothing behind in its directory.
    top = os.path.join(back(t), t.server) + t.share
    assert set(files(top)) == set(files(t.tree))
    same_tree(t)


# Large enough for ranges and parts, and so for temporary files that last.
ODD_LARGE = [
    b"large\nline\\back\xff" + b"z" * 200,
    b"y" * 255,
    b"\xe9" * 150,
    ("\u65e5" * 85).encode(),
]


@limit(120)
def test_get_odd_names_around(t):
    """Odd names through all that can be done with them, one after another."""
    for number, name in enumerate(ODD[:-1]):
        t.write(name, b"file %d" % number)
    for name in ODD_LARGE:
        with open(t.path(name), "wb") as f:
            f.write(os.urandom(18 * MIB + 5))
    n = len(ODD) - 1 + len(ODD_LARGE)
    t.put(found=n, moved=n)
    for mode in ("head", "full", "sample=100%"):
        t.run(
            "TEST", "--data_integrity", "--skip_upload", "--mode", mode,
            "--json",
        ).counted(found=n, moved=n)
    get(t, found=n, moved=n)
    same_tree(t)
    for name in files(back(t)):
        with open(os.path.join(os.fsencode(back(t)), name), "ab") as f:
            f.write(b"x")
    get(t, found=n, moved=n)
    same_tree(t)
    for name in files(t.tree):
        os.utime(os.path.join(os.fsencode(t.tree), name), ns=(7, 7))
    t.put(found=n, unchanged=n)
    t.put("--checksum", found=n, unchanged=n)
    os.unlink(t.catalog)
    t.put("--adopt", found=n, unchanged=n)
    removed = sorted(files(t.tree))[::2]
    for name in removed:
        os.unlink(os.path.join(os.fsencode(t.tree), name))
    left = n - len(removed)
    options = ("--delete", "--max-delete", "100%")
    t.put(*options, found=left, deleted=len(removed))
    t.same()
    t.run("DEL", "--yes", "--json").counted(found=left, moved=left)
    assert not t.objects()


def test_get_longest_key(t):
    """A key of 1,024 bytes goes and comes back, one more is a failed row."""
    directory = "/".join(["d" * 200] * 4) + "/"
    room = 1024 - len(t.server + t.share + "/" + directory)
    t.write(directory + "f" * room, "1")
    t.write(directory + "g" * (room + 1), "2")
    t.put(expect=1, found=2, moved=1, failed=1)
    os.unlink(t.path(directory + "g" * (room + 1)))
    get(t, found=1, moved=1)
    same_tree(t)
    t.run("DEL", "--yes", "--json").counted(found=1, moved=1)


def test_get_without_server(t):
    """server_as_prefix no: the key is the path."""
    t.conf(fs_config={"server_as_prefix": "no"})
    t.small_files(20)
    t.put(moved=20)
    get(t, found=20, moved=20)
    assert len(files(back(t) + t.share)) == 20
    get(t, unchanged=20)


def test_get_prefix(t):
    """--prefix takes what lies under it; --all the whole bucket."""
    t.small_files(40)
    t.put(moved=40)
    t.s3.put_object(Bucket=t.bucket, Key="else/where", Body=b"abc")
    get(t, "--prefix", t.server + t.share + "/d1/", found=10, moved=10)
    get(t, found=40, moved=30, unchanged=10)
    get(t, "--all", found=41, moved=1, unchanged=40)
    assert read(os.path.join(back(t), "else/where")) == b"abc"
    t.run("GET", "--dest_path", back(t), "--prefix", "else/", expect=2)


def test_get_dryrun(t):
    """--dryrun says what it would do and writes nothing."""
    t.small_files(30)
    t.put(moved=30)
    runs = t.query("SELECT count(*) FROM runs")
    get(t, "--dryrun", found=30, moved=30)
    assert not os.listdir(back(t))
    get(t, "--prefix", t.server + t.share + "/d1/", moved=8)
    before = t.query("SELECT count(*) FROM runs")
    proxy = t.proxy()
    t.conf()
    get(t, "--dryrun", found=30, moved=22, unchanged=8)
    assert not gets(proxy)
    assert before == t.query("SELECT count(*) FROM runs") != runs


def test_get_usage(t):
    """No destination, or none that is a directory."""
    t.run("GET", expect=2).says("--dest_path")
    t.run("GET", "--dest_path", "/nonexistent/x", expect=2).says("directory")


def test_get_escape(t):
    """Keys that would leave the destination are failed rows."""
    bad = ["../up", "a/../../up", "/abs", "a//b", "a/./b", "x/.."]
    for key in bad:
        t.s3.put_object(
            Bucket=t.bucket, Key=t.server + t.share + "/" + key, Body=b"x"
        )
    t.s3.put_object(Bucket=t.bucket, Key="../../../outside", Body=b"x")
    t.s3.put_object(Bucket=t.bucket, Key="good", Body=b"x")
    t.s3.put_object(Bucket=t.bucket, Key="marker/", Body=b"")
    before = set(os.listdir(t.dir))
    get(t, "--all", expect=1, found=9, moved=1, failed=7, excluded=1)
    assert set(files(back(t))) == {b"good"}
    assert set(os.listdir(t.dir)) - before <= {
        *(f for f in os.listdir(t.dir) if f.startswith("catalog")), "back"}
    rows = t.query("SELECT count(*) FROM failures")
    assert rows[0][0] == 7, rows


def test_get_two_keys_of_one_name(t):
    """Of two keys that stand for one name only the name's own comes; the
    other one fails each time, and nothing is overwritten."""
    prefix = t.server + t.share + "/"
    own, foreign = "u\u00e9", "u\ufffdC3\ufffdA9"
    t.s3.put_object(Bucket=t.bucket, Key=prefix + own, Body=b"own")
    t.s3.put_object(Bucket=t.bucket, Key=prefix + foreign, Body=b"foreign")
    for moved in (1, 0, 0):
        get(t, expect=1, found=2, moved=moved, failed=1)
        rows = t.query("SELECT path FROM failures")
        assert rows == [(prefix + foreign,)], rows
        assert read(os.path.join(back(t), prefix, own)) == b"own"


def test_get_plain_replacement(t):
    """A U+FFFD that another tool has written as it is: the object comes,
    unless another one has the key of the file's name."""
    prefix = t.server + t.share + "/"
    plain, own = "n\ufffdm", "n\ufffdEF\ufffdBF\ufffdBDm"
    t.s3.put_object(Bucket=t.bucket, Key=prefix + plain, Body=b"plain")
    t.s3.put_object(Bucket=t.bucket, Key=prefix + "other", Body=b"other")
    get(t, "--dryrun", found=2, moved=2)
    get(t, found=2, moved=2)
    get(t, found=2, moved=0, unchanged=2)
    name = os.path.join(back(t), prefix, plain)
    assert read(name) == b"plain"
    t.s3.put_object(Bucket=t.bucket, Key=prefix + own, Body=b"own")
    for moved in (1, 0):
        get(t, expect=1, found=3, moved=moved, failed=1).says(own)
        rows = t.query("SELECT path FROM failures")
        assert rows == [(prefix + plain,)], rows
        assert read(name) == b"own"


def test_get_sizes(t):
    """Sizes around the parts; large ones by ranges."""
    for size in (0, 1, 4095, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1,
                 64 * MIB, 64 * MIB + 1, 150 * MIB + 7):
        t.random_file("s%d" % size, size)
    t.put(moved=9)
    proxy = t.proxy()
    get(t, moved=9)
    same_tree(t)
    assert len(gets(proxy, ("206",))) == 2 + 3, proxy.requests()
    get(t, unchanged=9)


def test_get_foreign(t):
    """Objects of other tools are proved by their ETags, and multipart ones by
    the part size, which is asked for or guessed."""
    prefix = t.server + t.share + "/"
    data = os.urandom(20 * MIB + 5)
    t.s3.put_object(Bucket=t.bucket, Key=prefix + "single", Body=data)
    for part in (5, 8, 16):
        key = prefix + "parts%d" % part
        up = t.s3.create_multipart_upload(Bucket=t.bucket, Key=key)
        done = []
        for n, at in enumerate(range(0, len(data), part * MIB)):
            r = t.s3.upload_part(
                Bucket=t.bucket, Key=key, UploadId=up["UploadId"],
                PartNumber=n + 1, Body=data[at:at + part * MIB])
            done.append({"PartNumber": n + 1, "ETag": r["ETag"]})
        t.s3.complete_multipart_upload(
            Bucket=t.bucket, Key=key, UploadId=up["UploadId"],
            MultipartUpload={"Parts": done})
    get(t, found=4, moved=4)
    for name, _ in files(back(t)).items():
        assert read(os.path.join(os.fsencode(back(t)), name)) == data, name
    get(t, found=4, unchanged=4)


def test_get_corrupt(t):
    """What is not what the file had stays out of the destination."""
    t.small_files(10)
    t.put(moved=10)
    proxy = t.proxy()
    proxy.order("match GET,/f corrupt-reply 20")
    get(t, expect={1, 4})
    assert not files(back(t))


def test_get_changed_object(t):
    """An object that another tool replaced is proved by its own ETag."""
    t.small_files(10)
    t.put(moved=10)
    key = t.server + t.share + "/d1/f1"
    t.s3.put_object(Bucket=t.bucket, Key=key, Body=b"other")
    get(t, moved=10)
    assert read(os.path.join(back(t), key)) == b"other"


def test_get_places(t):
    """A file where a directory must be, a directory where the file must be:
    failed rows, the rest goes on."""
    t.small_files(40)
    t.put(moved=40)
    top = os.path.join(back(t), t.server) + t.share
    os.makedirs(os.path.join(top, "d1/f1"))
    with open(os.path.join(top, "d2"), "w"):
        pass
    get(t, expect=1, found=40, moved=29, failed=11)
    rows = t.query("SELECT path, kind, reason FROM failures")
    assert len(rows) == 11, rows


def test_get_denied(t):
    """Not root, and no permission: failed rows."""
    t.small_files(20)
    t.put(moved=20)
    top = os.path.join(back(t), t.server) + t.share
    os.makedirs(os.path.join(top, "d1"))
    os.chmod(os.path.join(top, "d1"), 0o555)
    for d in (t.dir, t.logs):
        os.chmod(d, 0o777)
    for path in [back(t), os.path.join(back(t), t.server), top,
                 os.path.dirname(top)]:
        os.chmod(path, 0o777)
    os.chmod(t.config, 0o644)
    for name in os.listdir(t.logs):
        os.chmod(os.path.join(t.logs, name), 0o666)
    for name in os.listdir(t.dir):
        if name.startswith("catalog"):
            os.chmod(os.path.join(t.dir, name), 0o666)
    t.run(
        "GET", "--dest_path", back(t), "--json", expect=1,
        user=65534, group=65534, extra_groups=[],
    ).counted(found=20, moved=15, failed=5)


def test_get_resume(t):
    """kill -9 in the middle of a large object: the next run fetches only the
    ranges that aren't there."""
    t.random_file("large", 200 * MIB)
    t.put(moved=1)
    proxy = t.proxy()
    proxy.order("match GET,/large delay 0 2")
    proxy.order("match GET,/large delay 600000")
    process = t.start("GET", "--dest_path", back(t))

    def done():
        for name in files(back(t)):
            assert name.endswith(b".part"), name
            # Behind the data the file has a flag for each range.
            flags = read(os.path.join(os.fsencode(back(t)), name))[-4:]
            return flags.count(1) == 2
        return False

    t.eventually(done, what="two ranges")
    process.kill()
    process.wait()
    assert not os.path.exists(
        os.path.join(back(t), t.server) + t.share + "/large")
    before = len(gets(proxy, ("206",)))
    proxy.order("pass")
    get(t, moved=1)
    same_tree(t)
    again = len(gets(proxy, ("206",))) - before
    assert again == 2, again


@limit(240)
def test_get_kill(t):
    """Killed at any moment, many times: in the end all is there, once."""
    t.small_files(1500)
    for i in range(3):
        t.random_file("big%d" % i, 70 * MIB)
    t.put(moved=1503)
    rng = random.Random(7)
    for _ in range(8):
        process = t.start("GET", "--dest_path", back(t))
        time.sleep(rng.random() * 0.7)
        process.send_signal(signal.SIGKILL)
        process.wait()
    r = get(t, found=1503)
    assert r.json["moved"] + r.json["unchanged"] == 1503
    same_tree(t)
    get(t, unchanged=1503)


def test_get_interrupt(t):
    """Ctrl-C ends it within seconds, 130; the next run goes on."""
    t.small_files(1500)
    t.put(moved=1500)
    proxy = t.proxy()
    proxy.order("match GET delay 50 100")
    proxy.order("match GET delay 2000")
    process = t.start("GET", "--dest_path", back(t))
    t.eventually(lambda: len(gets(proxy)) > 50, what="GET began")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130, t.started_text()
    assert time.monotonic() - begun < 10 * t.world.slowness
    proxy.order("pass")
    r = get(t, found=1500)
    assert r.json["unchanged"] >= 50
    same_tree(t)


def test_get_put_again(t):
    """GET leaves what PUT knows as it is."""
    t.small_files(50)
    t.put(moved=50)
    get(t, moved=50)
    t.put(found=50, unchanged=50)
    assert stat.S_ISDIR(os.stat(back(t)).st_mode)


def test_get_no_space(t):
    """No room for one object: a failed row; the rest goes on."""
    disk = os.path.join(t.dir, "back")
    os.mkdir(disk)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", disk]
    if subprocess.run(mount, check=False).returncode:
        raise Skip("tmpfs cannot be mounted here")
    t.small_files(20)
    t.random_file("large", 100 * MIB)
    t.put(moved=21)
    r = get(t, expect=1, found=21)
    rows = t.query("SELECT path, kind FROM failures")
    assert len(rows) == r.json["failed"], rows
    assert {kind for _, kind in rows} == {"resource"}, rows
    assert any(path.endswith("/large") for path, _ in rows), rows
    # Nothing of it takes the room of others, who may have met a full disk.
    for name in range(4):
        get(t, "--prefix", "%s%s/d%d/" % (t.server, t.share, name), found=5)
    assert len(files(disk)) == 20, sorted(files(disk))


def test_get_corrupt_keeps_old(t):
    """A file that differs is replaced only by one that was proved: exit 4,
    a row that says so, and the old file as it was."""
    t.small_files(10)
    t.random_file("large", 70 * MIB)
    proxy = t.proxy()
    t.put(moved=11)
    get(t, moved=11)
    top = os.path.join(back(t), t.server) + t.share
    old = {}
    for name in ("d1/f1", "large"):
        old[name] = b"what was here before"
        with open(os.path.join(top, name), "wb") as f:
            f.write(old[name])
    proxy.order("match GET,/f1 corrupt-reply 20")
    proxy.order("match GET,/large corrupt-reply 1000")
    get(t, expect=4, found=11, moved=0, unchanged=9, failed=2)
    for name, data in old.items():
        assert read(os.path.join(top, name)) == data, name
    rows = t.query("SELECT path, kind FROM failures ORDER BY path")
    assert [kind for _, kind in rows] == ["corrupt", "corrupt"], rows
    assert len(files(back(t))) == 11, "something was left behind"
    proxy.order("pass")
    get(t, moved=2, unchanged=9)
    same_tree(t)


def test_get_dryrun_second_endpoint(t):
    """The catalog's knowledge counts whichever endpoint it was put by: S3 is
    asked for no object."""
    first = t.proxy()
    t.random_file("large", 30 * MIB)
    t.put(moved=1)
    get(t, moved=1)
    second = t.proxy()
    for endpoints in (first.url, [second.url, first.url]):
        t.conf(s3_storage={"endpoint": endpoints})
        asked = [len(p.requests()) for p in (first, second)]
        get(t, "--dryrun", found=1, moved=0, unchanged=1)
        requests = first.requests()[asked[0] :] + second.requests()[asked[1] :]
        about = [r for r in requests if "/large" in r[1]]
        assert requests and not about, about


@limit(120)
def test_get_full_destination(t):
    """A destination without room ends the run with one reason, not with a
    failure for each object; with room the same command brings the rest."""
    t.small_files(1500, size=16 * 1024)
    t.put(moved=1500)
    dest = os.path.join(t.dir, "small")
    os.mkdir(dest)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", dest]
    if subprocess.run(mount, check=False).returncode:
        raise Skip("tmpfs cannot be mounted here")
    t.conf(s3_storage={"max_inflight": "8"})
    few = ("--thread", "2")
    r = t.run("GET", "--dest_path", dest, "--json", *few, expect=1)
    assert "the destination is full" in r.json["error"], r
    assert 1 <= r.json["failed"] <= 300, r
    assert r.json["moved"] > 100, r
    subprocess.run(["mount", "-o", "remount,size=64m", dest], check=True)
    r = t.run("GET", "--dest_path", dest, "--json", *few)
    r.counted(found=1500, failed=0)
