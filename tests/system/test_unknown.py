"""What a server or a file system can't say of a file, or can't hold: its
mtime, its owner. It is left out and said, and never another value."""
import os

import stack
from case import limit

SECOND = 10**9
TIMES = {
    "1902": -2145916800,
    "1960": -315619200,
    "1969": -1,
    "1970": 0,
    "2026": 1790000000,
    "2037": 2114380800,
    "2050": 2524608000,
    "2105": 4260211200,
    "2107": 4323283200,
    "2250": 8835955200,
    "2300": 10413792000,
    "2400": 13569465600,
}
# What one that was left out has as metadata.
NOTHING = (None, None)


def write_times(t, but=()):
    """A file of each time; {name: ns} as the disk has them."""
    written = {}
    for name, seconds in TIMES.items():
        if name in but:
            continue
        path = t.write(name, name.encode())
        os.utime(path, ns=(seconds * SECOND + 7, seconds * SECOND + 7))
        if os.stat(path).st_mtime_ns == seconds * SECOND + 7:
            written[name] = seconds * SECOND + 7
    assert len(written) >= 3, "the file system of the test holds no times"
    return written


def stored(t, key):
    meta = t.s3.head_object(Bucket=t.bucket, Key=key)["Metadata"]
    return meta.get("file-mtime"), meta.get("mtime")


def mtime_of(ns):
    sign = "-" if ns < 0 else ""
    whole, rest = divmod(abs(ns), SECOND)
    return "%dns" % ns, "%s%d.%09d" % (sign, whole, rest)


def times(t, share, unknown, but=(), **fs_config):
    """All times arrive, but those: they are left out, with one warning."""
    written = write_times(t, but)
    count = len(TIMES) - len(but)
    t.conf(nfs=[(t.server, [share])], fs_config=fs_config)
    r = t.put(moved=count)
    for name, ns in written.items():
        wanted = NOTHING if name in unknown else mtime_of(ns)
        have = stored(t, t.server + share + "/" + name)
        assert have == wanted, (name, have, wanted)
    rows = t.query("SELECT mtime_ns, mtime FROM objects")
    assert rows.count((None, None)) == len(unknown), rows
    warned = r.err.decode().count("without file-mtime")
    assert warned == (1 if unknown else 0), r
    t.put(moved=0, unchanged=count)


def test_unknown_times_v3(t):
    """32 unsigned bits, and low bits of what doesn't fit: what may have been
    before 1970 isn't known. (From 2106 on a server gives the bits of another
    date, which nobody can see.)"""
    times(
        t,
        t.share,
        {"1902", "1960", "1969", "2050", "2105"},
        but=("2107", "2250", "2300", "2400"),
        nfs_version="3",
    )


def test_unknown_times_v4(t):
    times(t, t.share, {"2300", "2400"}, nfs_version="4")


def test_unknown_times_mounted(t):
    times(t, t.tree, {"2300", "2400"}, mounted="yes")


def test_unknown_time_of_stored(t):
    """The bytes are there: their object keeps the date of before, and the
    warning says so."""
    path = t.write("f", b"bytes")
    os.utime(path, ns=(TIMES["2026"] * SECOND, TIMES["2026"] * SECOND))
    t.conf(nfs=[(t.server, [t.share])], fs_config={"nfs_version": "3"})
    t.put(moved=1)
    os.utime(path, ns=(TIMES["1960"] * SECOND, TIMES["1960"] * SECOND))
    r = t.put(moved=0, unchanged=1)
    assert r.err.decode().count("keeps the one that it has") == 1, r
    have = stored(t, t.server + t.share + "/f")
    assert have == mtime_of(TIMES["2026"] * SECOND), have


def back(t, dest, where, lost):
    """GET: the same times, or one warning and not another date."""
    written = write_times(t)
    t.conf(nfs=[(t.server, [t.tree])], fs_config={"mounted": "yes"})
    t.put(moved=len(TIMES))
    nfs = {"mounted": "no", "nfs_version": "3" if lost else "4"}
    t.conf(nfs=[(t.server, [t.tree])], fs_config=nfs)
    r = t.run("GET", "--dest_path", dest, "--json")
    r.counted(found=len(TIMES), moved=len(TIMES))
    begun = 1577836800 * SECOND
    for name, ns in written.items():
        path = where + "/" + t.server + t.tree + "/" + name
        have = os.stat(path).st_mtime_ns
        if name in lost or name in ("2300", "2400"):
            assert have > begun and have < 1956528000 * SECOND, (name, have)
        else:
            assert have == ns, (name, have, ns)
    assert r.err.decode().count("mtime can't be set") == bool(lost), r


def test_unknown_times_back_v3(t):
    where = os.path.join(t.world.second_export, t.name)
    os.makedirs(where)
    dest = "nfs://%s/exp2/%s" % (t.server, t.name)
    back(t, dest, where, {"1902", "1960", "1969", "2107", "2250"})


def test_unknown_times_back_v4(t):
    where = os.path.join(t.world.second_export, t.name)
    os.makedirs(where)
    back(t, "nfs://%s/exp2/%s" % (t.server, t.name), where, set())


def test_unknown_times_back_files(t):
    where = os.path.join(t.dir, "back")
    os.mkdir(where)
    back(t, where, where, set())


# --- owners ---


def named(t, owners):
    """An nfs-ganesha of the test's own; settings that lead to it."""
    export = os.path.join(t.world.export, t.name)
    server = stack.script(
        "nfs-up",
        STACK=os.path.join(t.dir, "stack-named"),
        NFS_EXPORTS=export,
        NFS_OWNERS=owners,
    )
    t.share = "/" + t.name
    return {"nfsport": server["NFS_PORT"], "mountport": server["MNT_PORT"]}


def owners_of(t, name):
    key = t.server + t.share + "/" + name
    meta = t.s3.head_object(Bucket=t.bucket, Key=key)["Metadata"]
    return meta.get("file-owner"), meta.get("file-group")


@limit(120)
def test_unknown_owners(t):
    """Over v4 with owners by name: what this host knows arrives as a number,
    what nobody knows is left out, and no owner that was known is replaced by
    another or by none, though the version changes from night to night."""
    owned = {"root": (0, 0), "daemon": (1, 1), "number": (54321, 54322)}
    owned["nobody"] = (65534, 65534)
    for name, (uid, gid) in owned.items():
        os.chown(t.write(name, name.encode()), uid, gid)
    settings = named(t, "names")
    t.conf(fs_config=dict(settings, nfs_version="3"))
    t.put(moved=4)
    right = {n: tuple(map(str, owned[n])) for n in owned}
    assert {n: owners_of(t, n) for n in owned} == right
    # A night over v4: nothing is rewritten.
    t.conf(fs_config=dict(settings, nfs_version="4"))
    t.put(moved=0, unchanged=4)
    assert {n: owners_of(t, n) for n in owned} == right
    # What changed is brought up to date, and the owner stays.
    os.chmod(t.path("nobody"), 0o600)
    t.put(moved=0, unchanged=4)
    t.conf(fs_config=dict(settings, nfs_version="3"))
    t.put(moved=0, unchanged=4)
    assert {n: owners_of(t, n) for n in owned} == right
    # And a bucket that has nothing yet.
    t.conf(
        fs_config=dict(settings, nfs_version="4"),
        catalog={"path": os.path.join(t.dir, "other.db")},
    )
    r = t.put(moved=4)
    for name in owned:
        have = owners_of(t, name)
        assert have in (right[name], (None, None)), (name, have)
    assert owners_of(t, "daemon") == ("1", "1")
    assert owners_of(t, "nobody") == (None, None)
    t.catalog = os.path.join(t.dir, "other.db")
    rows = t.query("SELECT path FROM objects WHERE uid IS NULL")
    assert len(rows) == 1 and rows[0][0].endswith("/nobody"), rows
    assert r.err.decode().count("without file-owner") == 1, r


@limit(120)
def test_unknown_owners_refused(t):
    """GET to a server that takes no numbers: the files arrive, and one
    warning says that their owners don't."""
    for i in range(20):
        os.chown(t.write("f%d" % i, b"%d" % i), 1000 + i, 100)
    t.put(moved=20)
    keys = t.server + t.share
    os.mkdir(t.path("back"))
    settings = named(t, "only-names")
    t.conf(
        nfs=[(t.server, ["/exp/" + t.name])],
        fs_config=dict(settings, nfs_version="4"),
    )
    dest = "nfs://%s%s/back" % (t.server, t.share)
    r = t.run("GET", "--dest_path", dest, "--json")
    r.counted(found=20, moved=20)
    for i in range(20):
        with open(t.path("back/%s/f%d" % (keys, i))) as f:
            assert f.read() == str(i)
    assert r.err.decode().count("its owner can't be set") == 1, r
    r.says("takes no numbers as owners")
