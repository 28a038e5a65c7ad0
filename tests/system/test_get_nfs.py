"""GET writes to an NFS server, nothing mounted. What must come out is what
test_get.py expects of a directory; the server's disk is looked at."""
import os
import random
import signal
import subprocess
import time

import stack
from case import MIB, Proxy, Skip, limit
from test_get import files, gets, read, same_tree
from test_names import ODD, odd_tree
from test_team import Team


def there(t):
    """The directory of the other export that files come back to."""
    path = os.path.join(t.world.second_export, t.name)
    os.makedirs(path, exist_ok=True)
    return path


def url(t, more=""):
    return "nfs://%s/exp2/%s%s" % (t.server, t.name, more)


def get(t, *arguments, dest=None, expect=0, **counts):
    there(t)
    result = t.run(
        "GET", "--dest_path", dest or url(t), "--json", *arguments,
        expect=expect,
    )
    return result.counted(**counts)


def same(t, **options):
    """What came back is what the export has, and nothing else is there."""
    link = os.path.join(t.dir, "back")
    if not os.path.islink(link):
        os.symlink(there(t), link)
    same_tree(t, **options)


def tree(t, version):
    """A tree goes and comes back, with mode, mtime and owner; a second GET
    fetches nothing; what differs is fetched again."""
    t.conf(fs_config={"nfs_version": version})
    t.small_files(120)
    t.write("empty", b"")
    t.write("/".join("deep%d" % i for i in range(30)) + "/file", b"deep")
    t.write("old", b"x" * 5000, mtime=10**17 + 123456789)
    os.chmod(t.path("old"), 0o751)
    os.chown(t.path("old"), 1234, 4321)
    os.chmod(t.path("d1/f1"), 0o4755)
    t.put(moved=123)
    proxy = t.proxy(fs_config={"nfs_version": version})
    get(t, found=123, moved=123)
    same(t)
    asked = len(gets(proxy))
    get(t, found=123, moved=0, unchanged=123)
    assert len(gets(proxy)) == asked
    top = os.path.join(there(t), t.server) + t.share
    path = os.path.join(top, "d1/f1")
    data = bytearray(read(path))
    data[3] ^= 1
    with open(path, "wb") as f:
        f.write(data)
    # Not removed: nfs-ganesha may hold it open and not see that.
    os.truncate(os.path.join(top, "old"), 100)
    os.chmod(os.path.join(top, "empty"), 0o600)
    os.utime(os.path.join(top, "d2/f2"), ns=(5, 5))
    os.chown(os.path.join(top, "d3/f3"), 77, 78)
    get(t, found=123, moved=2, unchanged=121)
    same(t)


def test_get_nfs_tree_v3(t):
    tree(t, "3")


def test_get_nfs_tree_v4(t):
    tree(t, "4")


def odd(t, version):
    """All names come back byte for byte."""
    t.conf(fs_config={"nfs_version": version})
    odd_tree(t)
    wanted = t.wanted()
    too_long = {k for k in wanted if len(k.encode()) > 1024}
    t.put(failed=len(too_long), expect=1)
    for key in too_long:
        os.unlink(wanted[key].path)
    get(t, moved=2 * len(ODD) - len(too_long))
    same(t)


def test_get_nfs_odd_names_v3(t):
    odd(t, "3")


def test_get_nfs_odd_names_v4(t):
    odd(t, "4")


def sizes(t, version):
    """Sizes around what one WRITE takes, and around the ranges."""
    t.conf(fs_config={"nfs_version": version})
    for size in (0, 1, 3583, 3584, 3585, 64 * 3584 + 1, MIB - 1, MIB,
                 MIB + 1, 8 * MIB + 1, 64 * MIB, 64 * MIB + 1,
                 150 * MIB + 7):
        t.random_file("s%d" % size, size)
    t.put(moved=13)
    get(t, moved=13)
    same(t)
    get(t, unchanged=13)


@limit(240)
def test_get_nfs_sizes_v3(t):
    sizes(t, "3")


@limit(240)
def test_get_nfs_sizes_v4(t):
    sizes(t, "4")


def resume(t, version):
    """kill -9 in the middle of a large object: the next run fetches only the
    ranges that aren't there."""
    t.conf(fs_config={"nfs_version": version})
    t.random_file("large", 200 * MIB)
    t.put(moved=1)
    there(t)
    proxy = t.proxy(fs_config={"nfs_version": version})
    proxy.order("match GET,/large delay 0 2")
    proxy.order("match GET,/large delay 600000")
    process = t.start("GET", "--dest_path", url(t))

    def done():
        for name in files(there(t)):
            assert name.endswith(b".part"), name
            # Behind the data the file has a flag for each range.
            with open(os.path.join(os.fsencode(there(t)), name), "rb") as f:
                f.seek(max(os.fstat(f.fileno()).st_size - 4, 0))
                return f.read().count(1) == 2
        return False

    t.eventually(done, seconds=60, what="two ranges")
    process.kill()
    process.wait()
    before = len(gets(proxy, ("206",)))
    proxy.order("pass")
    get(t, moved=1)
    same(t)
    again = len(gets(proxy, ("206",))) - before
    assert again == 2, again


@limit(240)
def test_get_nfs_resume_v3(t):
    resume(t, "3")


@limit(240)
def test_get_nfs_resume_v4(t):
    resume(t, "4")


@limit(240)
def test_get_nfs_kill(t):
    """Killed at any moment, many times: in the end all is there, once."""
    t.small_files(600)
    for i in range(2):
        t.random_file("big%d" % i, 70 * MIB)
    t.put(moved=602)
    there(t)
    rng = random.Random(7)
    for _ in range(6):
        process = t.start("GET", "--dest_path", url(t))
        time.sleep(rng.random() * 0.9)
        process.send_signal(signal.SIGKILL)
        process.wait()
    r = get(t, found=602)
    assert r.json["moved"] + r.json["unchanged"] == 602
    same(t)
    get(t, unchanged=602)


def places(t, version):
    """A file or a symlink where a directory must be, a directory or a
    symlink where the file must be."""
    t.conf(fs_config={"nfs_version": version})
    t.small_files(40)
    t.put(moved=40)
    top = os.path.join(there(t), t.server) + t.share
    away = os.path.join(t.world.second_export, t.name, "away")
    os.makedirs(away)
    os.makedirs(os.path.join(top, "d1/f1"))
    os.symlink(away, os.path.join(top, "d3"))
    os.symlink(os.path.join(away, "f0"), os.path.join(top, "link"))
    os.makedirs(os.path.join(top, "d0"))
    os.symlink(os.path.join(away, "f0"), os.path.join(top, "d0/f0"))
    with open(os.path.join(top, "d2"), "w"):
        pass
    get(t, expect=1, found=40, moved=19, failed=21)
    assert not os.listdir(away)
    assert not os.path.islink(os.path.join(top, "d0/f0"))
    assert read(os.path.join(top, "d0/f0")) == read(t.path("d0/f0"))
    reasons = [r for r, in t.query("SELECT reason FROM failures")]
    assert sum("symlink" in r for r in reasons) == 10, reasons
    assert sum("where a directory must be" in r for r in reasons) == 10
    assert sum("directory is where the file" in r for r in reasons) == 1


def test_get_nfs_places_v3(t):
    places(t, "3")


def test_get_nfs_places_v4(t):
    places(t, "4")


def strangers(t, version):
    """What has the temporary name and isn't ours isn't written to."""
    t.conf(fs_config={"nfs_version": version})
    t.random_file("large", 130 * MIB)
    t.put(moved=1)
    proxy = t.proxy(fs_config={"nfs_version": version})
    proxy.order("rate 50000000")
    there(t)
    process = t.start("GET", "--dest_path", url(t))
    t.eventually(lambda: files(there(t)), what="the temporary file")
    process.kill()
    process.wait()
    proxy.order("pass")
    part = os.path.join(os.fsencode(there(t)), *files(there(t)))
    victim = os.path.join(there(t), "victim")
    for plant in (os.symlink, os.link):
        with open(victim, "wb") as f:
            f.write(b"mine")
        if os.path.lexists(part):
            os.unlink(part)
        plant(victim, part)
        get(t, moved=1)
        assert read(victim) == b"mine"
        os.unlink(victim)
        same(t)
        os.truncate(
            os.path.join(there(t), t.server) + t.share + "/large", 1)


@limit(120)
def test_get_nfs_strangers_v3(t):
    strangers(t, "3")


@limit(120)
def test_get_nfs_strangers_v4(t):
    strangers(t, "4")


def test_get_nfs_url(t):
    """Which server, which export; what can't be is told at once."""
    t.small_files(5)
    t.put(moved=5)
    odd_name = "a b%25 \xe9"
    os.makedirs(os.path.join(there(t), "a b% \xe9"))
    get(t, dest=url(t, "/" + odd_name), moved=5)
    get(t, dest=url(t, "//a%20b%25%20%c3%a9/"), unchanged=5)
    get(t, dest="NFS://%s:%s/exp2/%s/a b%%25 \xe9" % (
        t.server, t.world.nfs["NFS_PORT"], t.name), unchanged=5)
    with open(os.path.join(there(t), "file"), "w"):
        pass
    for bad, status, words in (
        (url(t, "/none"), 2, "directory"),
        (url(t, "/file"), 2, "directory"),
        (url(t, "/a?version=3"), 2, "fs_config"),
        (url(t, "/../x"), 2, ".."),
        ("nfs://%s" % t.server, 2, "path"),
        ("nfs://%s:0/exp2" % t.server, 2, "port"),
        ("nfs://::1/exp2", 2, "brackets"),
        ("nfs://%s:1/exp2" % t.server, 3, "port 1"),
        ("nfs://no.such.host.invalid/exp2", 3, "resolve"),
    ):
        t.run("GET", "--dest_path", bad, expect=status).says(words)
    for version in ("3", "4"):
        t.conf(fs_config={"nfs_version": version})
        dest = "nfs://%s/nothing/here" % t.server
        t.run("GET", "--dest_path", dest, expect={2, 3}).says("/nothing")


def test_get_nfs_share(t):
    """A configured share of the server is where its path is split."""
    t.small_files(5)
    t.put(moved=5)
    share = "/exp2/" + t.name
    t.conf(nfs=[(t.server, [t.share, share])])
    get(t, "--prefix", t.server + t.share + "/", dest=url(t), moved=5)
    os.makedirs(os.path.join(there(t), "sub"))
    get(t, "--prefix", t.server + t.share + "/", dest=url(t, "/sub"), moved=5)


def test_get_nfs_dryrun(t):
    """--dryrun writes nothing."""
    t.small_files(10)
    t.put(moved=10)
    get(t, "--dryrun", found=10, moved=10)
    assert not os.listdir(there(t))


def read_only(t, version):
    """A read-only export: failed rows that say so."""
    t.small_files(6)
    t.put(moved=6)
    other = os.path.join(t.dir, "stack")
    export = os.path.join(t.world.second_export, t.name)
    os.makedirs(export)
    settings = stack.script(
        "nfs-up", STACK=other, NFS_EXPORTS=export, NFS_ACCESS="RO"
    )
    try:
        t.conf(fs_config={
            "nfs_version": version,
            "nfsport": settings["NFS_PORT"],
            "mountport": settings["MNT_PORT"],
        })
        get(t, dest="nfs://%s/%s" % (t.server, t.name), expect=1,
            found=6, failed=6)
    finally:
        stack.down([other])
    rows = t.query("SELECT kind, reason FROM failures")
    assert {kind for kind, _ in rows} == {"denied"}, rows
    assert not os.listdir(export)


def test_get_nfs_read_only_v3(t):
    read_only(t, "3")


def test_get_nfs_read_only_v4(t):
    read_only(t, "4")


def denied(t, version):
    """Another user than root, who may write in one directory only."""
    t.small_files(20)
    t.put(moved=20)
    top = os.path.join(there(t), t.server) + t.share
    os.makedirs(os.path.join(top, "d1"))
    os.makedirs(os.path.join(top, "d2"))
    os.chown(os.path.join(top, "d2"), 4711, 4711)
    t.conf(fs_config={"nfs_version": version, "uid": 4711, "gid": 4711})
    get(t, expect=1, found=20, moved=5, failed=15)
    for name, status in files(top).items():
        assert (status.st_uid, status.st_gid) == (4711, 4711), name
    rows = t.query("SELECT kind FROM failures")
    assert {kind for kind, in rows} == {"denied"}, rows


def test_get_nfs_denied_v3(t):
    denied(t, "3")


def test_get_nfs_denied_v4(t):
    denied(t, "4")


def server_restarts(t, version):
    """The server is killed in the middle and comes back: all is there."""
    t.small_files(300)
    for i in range(3):
        t.random_file("big%d" % i, 100 * MIB)
    t.put(moved=303)
    other = os.path.join(t.dir, "stack")
    export = os.path.join(t.world.second_export, t.name)
    os.makedirs(export)
    settings = stack.script("nfs-up", STACK=other, NFS_EXPORTS=export)
    fs_config = {
        "nfs_version": version,
        "nfsport": settings["NFS_PORT"],
        "mountport": settings["MNT_PORT"],
        "timeout": 5,
    }
    try:
        proxy = t.proxy(fs_config=fs_config)
        proxy.order("rate 60000000")
        process = t.start(
            "GET", "--dest_path", "nfs://%s/%s" % (t.server, t.name))
        for least in (50, 150):
            t.eventually(
                lambda: len(gets(proxy)) > least, what="GET went on")
            os.kill(stack.stack_pid(other, "ganesha"), signal.SIGKILL)
            stack.script("nfs-down", STACK=other)
            time.sleep(1)
            stack.script(
                "nfs-up", **dict(settings, STACK=other, NFS_EXPORTS=export))
        proxy.order("pass")
        assert process.wait(timeout=120) == 0, t.started_text()
    finally:
        stack.down([other])
    same(t)


@limit(240)
def test_get_nfs_restarts_v3(t):
    server_restarts(t, "3")


@limit(240)
def test_get_nfs_restarts_v4(t):
    server_restarts(t, "4")


@limit(120)
def test_get_nfs_interrupt(t):
    """Ctrl-C ends it, also while the server doesn't answer."""
    t.small_files(300)
    t.put(moved=300)
    nfs = Proxy(t, int(t.world.nfs["NFS_PORT"]), raw=True)
    t.proxies.append(nfs)
    t.conf(fs_config={"nfsport": nfs.port, "timeout": 20})
    nfs.order("rate 20000")
    there(t)
    process = t.start("GET", "--dest_path", url(t))
    t.eventually(lambda: files(there(t)), what="a file")
    nfs.order("rate 1")
    time.sleep(1)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130, t.started_text()
    assert time.monotonic() - begun < 15 * t.world.slowness
    nfs.order("pass")
    get(t, found=300)
    same(t)


def no_space(t, version):
    """No room on the server for one object: a failed row; the rest goes
    on, and nothing of it takes the room of others."""
    t.small_files(20)
    t.random_file("large", 100 * MIB)
    t.put(moved=21)
    other = os.path.join(t.dir, "stack")
    export = os.path.join(t.world.second_export, t.name)
    os.makedirs(export)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", export]
    if subprocess.run(mount, check=False).returncode:
        raise Skip("tmpfs cannot be mounted here")
    try:
        settings = stack.script("nfs-up", STACK=other, NFS_EXPORTS=export)
        t.conf(fs_config={
            "nfs_version": version,
            "nfsport": settings["NFS_PORT"],
            "mountport": settings["MNT_PORT"],
        })
        dest = "nfs://%s/%s" % (t.server, t.name)
        r = get(t, dest=dest, expect=1, found=21)
        rows = t.query("SELECT path, kind FROM failures")
        assert len(rows) == r.json["failed"], rows
        assert {kind for _, kind in rows} == {"resource"}, rows
        assert any(path.endswith("/large") for path, _ in rows), rows
        for name in range(4):
            get(t, "--prefix", "%s%s/d%d/" % (t.server, t.share, name),
                dest=dest, found=5)
        assert len(files(export)) == 20, sorted(files(export))
    finally:
        stack.down([other])
        subprocess.run(["umount", "-l", export], check=False)


def test_get_nfs_no_space_v3(t):
    no_space(t, "3")


def test_get_nfs_no_space_v4(t):
    no_space(t, "4")


@limit(120)
def test_get_nfs_team(t):
    """Clients write to the server that the master's URL names."""
    t.small_files(200)
    t.random_file("large", 70 * MIB)
    t.put(moved=201)
    there(t)
    team = Team(t)
    process = team.start("GET", "--dest_path", url(t))
    team.end(process)
    same(t)
    for number in range(3):
        assert "error" not in team.text(number), team.text(number)


def two_stores(t, settings, sizes):
    """The same files, with another content each, in two stores. The config
    of each."""
    configs = [t.config, t.config + "2"]
    buckets = [t.bucket, t.bucket + "-2"]
    t.s3.create_bucket(Bucket=buckets[1])
    for number in range(2):
        t.config = configs[number]
        t.conf(s3_storage={"bucket": buckets[number]},
               catalog={"path": t.catalog + "2" * number}, **settings)
        for name, size in sizes.items():
            t.random_file(name, size)
        t.put(moved=len(sizes))
    return configs


def two_runs(t, version):
    """Two runs of different stores write the same large file at the same
    time, with another content each: the later one wins, the other says
    so."""
    settings = {"fs_config": {"nfs_version": version}}
    first, second = two_stores(t, settings, {"large": 200 * MIB})
    t.config = first
    proxy = t.proxy(**settings)
    proxy.order("rate 2000000")
    there(t)
    process = t.start("GET", "--dest_path", url(t))
    t.eventually(lambda: files(there(t)), what="the temporary file")
    t.config = second
    get(t, moved=1)
    proxy.order("pass")
    assert process.wait(timeout=90) == 1, t.started_text()
    rows = t.query("SELECT kind FROM failures")
    assert rows == [("retry",)], rows
    same(t)


@limit(180)
def test_get_nfs_two_runs_v3(t):
    two_runs(t, "3")


@limit(180)
def test_get_nfs_two_runs_v4(t):
    two_runs(t, "4")


def two_runs_and_stale(t, version):
    """As above, but the server restarts when the later run has ended: it holds
    the files of the other open no more, and calls on them are stale. They
    aren't begun again over those that are in their place."""
    stack2 = {"STACK": os.path.join(t.dir, "stack2"), "NFS_EXPORTS": there(t)}
    server = stack.script("nfs-up", **stack2)
    ports = {k: server[k] for k in ("NFS_PORT", "MNT_PORT")}
    settings = {"fs_config": {"nfs_version": version}}
    sizes = {"ranges": 70 * MIB, "one": 40 * MIB}
    first, second = two_stores(t, settings, sizes)
    settings["fs_config"].update(
        nfsport=ports["NFS_PORT"], mountport=ports["MNT_PORT"]
    )
    dest = "nfs://%s/%s" % (t.server, t.name)
    t.config = second
    t.conf(s3_storage={"bucket": t.bucket + "-2"},
           catalog={"path": t.catalog + "2"}, **settings)
    t.config = first
    proxy = t.proxy(**settings)
    proxy.order("rate 2000000")
    process = t.start("GET", "--dest_path", dest)
    t.eventually(lambda: len(files(there(t))) == 2, what="temporary files")
    proxy.order("rate 1")
    t.config = second
    get(t, dest=dest, moved=2)
    stack.script("nfs-down", STACK=stack2["STACK"])
    stack.script("nfs-up", **stack2, **ports)
    proxy.order("pass")
    assert process.wait(timeout=90) == 1, t.started_text()
    rows = t.query("SELECT kind FROM failures")
    assert rows == [("retry",)] * 2, rows
    same(t)


@limit(180)
def test_get_nfs_two_runs_and_stale_v3(t):
    two_runs_and_stale(t, "3")


@limit(180)
def test_get_nfs_two_runs_and_stale_v4(t):
    two_runs_and_stale(t, "4")
