"""server_as_prefix no: a key that several names of the catalog may mean, of
two servers, or of one server under two names."""
import hashlib
import os

import stack
from case import MIB, limit

NO_SERVER = {"server_as_prefix": "no"}
OTHER = "localhost"


def settings(t, server=None):
    """The share of this server, without the server in the keys."""
    t.conf(nfs=[(server or t.server, [t.share])], fs_config=NO_SERVER)


def by_proxy(t):
    """All runs of the test go by this proxy, so that the target is one."""
    proxy = t.proxy()
    t.settings = {"s3_storage": {"endpoint": proxy.url}}
    return proxy


def wanted(t):
    return t.wanted(prefix=t.share[1:])


def exchange(t, aside):
    """The share's directory d goes aside, and what was there comes back: the
    files keep all that stat says of them."""
    saved = t.tree + "-" + aside
    if os.path.exists(t.path("d")):
        os.rename(t.path("d"), t.tree + "-d")
    if os.path.exists(saved):
        os.rename(saved, t.path("d"))
    os.rename(t.tree + "-d", saved)


def delete(t, key):
    t.s3.delete_object(Bucket=t.bucket, Key=key)


def mirror(t, **counts):
    arguments = ("PUT", "--json", "--delete", "--max-delete", "100%")
    return t.run(*arguments).counted(**counts)


def idle(t, proxy, server, found):
    """Nothing is sent, nothing asked but whether the bucket is there."""
    settings(t, server)
    before = len(proxy.requests())
    t.put(found=found, unchanged=found)
    asked = proxy.requests()[before:]
    assert not [r for r in asked if t.share in r[1]], asked


def two_servers(t):
    """Files of one server, then others of another one with the same keys."""
    proxy = by_proxy(t)
    settings(t)
    t.write("d/f", b"A" * 100)
    t.write("d/same", b"same", mtime=10**18)
    t.put(moved=2)
    exchange(t, "a")
    settings(t, OTHER)
    t.write("d/f", b"B" * 100)
    t.write("d/same", b"same", mtime=10**18)
    t.put(found=2, failed=0)
    t.same(wanted(t))
    exchange(t, "a")
    return proxy


def test_same_keys_overwritten(t):
    """The object was put for another server since: it is put again."""
    proxy = two_servers(t)
    settings(t)
    t.put(found=2, moved=1, unchanged=1)
    t.same(wanted(t))
    idle(t, proxy, t.server, 2)
    exchange(t, "a")
    settings(t, OTHER)
    t.put("--checksum", found=2, moved=1, unchanged=1)
    t.same(wanted(t))
    idle(t, proxy, OTHER, 2)


def test_same_keys_checksum(t):
    two_servers(t)
    settings(t)
    t.put("--checksum", found=2, moved=1, unchanged=1)
    t.same(wanted(t))


def two_names(t, count=4):
    """The same server under two names: both have put its files."""
    proxy = by_proxy(t)
    settings(t)
    t.small_files(count)
    t.put(moved=count)
    settings(t, OTHER)
    t.put(found=count, failed=0)
    idle(t, proxy, OTHER, count)
    idle(t, proxy, t.server, count)
    return proxy


def verify(t, mode, expect=0, **counts):
    test = ("TEST", "--data_integrity", "--skip_upload", "--json", "--mode")
    result = t.run(*test, mode, expect=expect).counted(**counts)
    return {
        path[-5:]: verdict
        for path, verdict in t.query(
            "SELECT path, outcome FROM verifications WHERE run = ? AND"
            " outcome <> 'ok'", result.json["run"],
        )
    }


def test_same_keys_verified(t):
    """TEST by another name than the objects were put by: they are compared
    with what was put, not with the files as they are now; what is missing is
    found too."""
    settings(t)
    t.small_files(4)
    t.put(moved=4)
    t.write("d0/f0", "changed")
    os.unlink(t.path("d1/f1"))
    settings(t, OTHER)
    for mode in ("head", "full", "sample=100%"):
        assert not verify(t, mode, found=4, moved=4, verified=4)
    key = t.share[1:] + "/d1/f1"
    t.s3.put_object(Bucket=t.bucket, Key=key, Body=b"?")
    delete(t, t.share[1:] + "/d2/f2")
    bad = {"d1/f1": "corrupt", "d2/f2": "missing"}
    assert verify(t, "full", 4, found=4, moved=2, failed=2) == bad
    # No run by the other name will come to put it again.
    bad = {"d1/f1": "corrupt"}
    for mode in ("head", "full"):
        assert verify(t, mode, 4, found=3, moved=2, failed=1) == bad
    t.put(found=3, moved=3)
    assert verify(t, "full", 4, found=4, moved=3, failed=1) == bad


def test_same_keys_missing(t):
    """TEST finds, by one name, that an object is missing: the other name puts
    it again."""
    two_names(t)
    settings(t, OTHER)
    delete(t, t.share[1:] + "/d0/f0")
    t.run("TEST", "--data_integrity", "--skip_upload", expect=4)
    settings(t)
    t.put(found=4, moved=1)
    t.same(wanted(t))


def test_same_keys_missing_twice(t):
    """What TEST found by one name, it tells by the other one too."""
    two_names(t)
    settings(t, OTHER)
    delete(t, t.share[1:] + "/d0/f0")
    for server in (OTHER, t.server):
        settings(t, server)
        r = t.run(
            "TEST", "--data_integrity", "--skip_upload", "--json", expect=4
        )
        r.counted(found=4, failed=1)


def test_same_keys_corrupt(t):
    two_names(t)
    settings(t, OTHER)
    key = t.share[1:] + "/d0/f0"
    t.s3.put_object(Bucket=t.bucket, Key=key, Body=b"other")
    t.run("TEST", "--data_integrity", "--skip_upload", expect=4)
    settings(t)
    t.put(found=4, moved=1)
    t.same(wanted(t))


def killed(t, proxy, requests, *arguments):
    """The first of these requests is served, nobody hears of it, and the run
    by the other name is killed."""
    key = t.share[1:] + "/d0/f0"
    before = t.objects()[key]
    proxy.order("match %s swallow-reply 1" % requests)
    proxy.order("match %s drop" % requests)
    settings(t, OTHER)
    process = t.start("PUT", *arguments)
    t.eventually(lambda: t.objects().get(key) != before, what="a change")
    process.kill()
    process.wait()
    proxy.order("pass")


@limit(120)
def test_same_keys_killed(t):
    """A run by the other name has overwritten the object, and was killed: S3
    is asked."""
    proxy = two_names(t)
    os.rename(t.path("d0"), t.tree + "-d0")
    t.write("d0/f0", b"of the other server")
    killed(t, proxy, "PUT,d0")
    os.unlink(t.path("d0/f0"))
    os.rmdir(t.path("d0"))
    os.rename(t.tree + "-d0", t.path("d0"))
    settings(t)
    t.put(found=4, moved=1)
    t.same(wanted(t))


@limit(120)
def test_same_keys_killed_deleting(t):
    proxy = two_names(t)
    os.rename(t.path("d0"), t.tree + "-d0")
    killed(t, proxy, "POST", "--delete", "--max-delete", "100%")
    os.rename(t.tree + "-d0", t.path("d0"))
    settings(t)
    t.put(found=4, moved=1)
    t.same(wanted(t))


def test_same_keys_one_gone(t):
    """Removed between the last run by the old name and the first by the new
    one: its object is deleted as any other's, and nothing else."""
    proxy = by_proxy(t)
    settings(t)
    t.small_files(8)
    t.put(moved=8)
    os.unlink(t.path("d0/f0"))
    os.unlink(t.path("d1/f1"))
    os.unlink(t.path("d1/f5"))
    os.rmdir(t.path("d1"))
    settings(t, OTHER)
    t.put(found=5, failed=0)
    t.run(
        "PUT", "--delete", "--dryrun", "--max-delete", "100%", "--json"
    ).counted(deleted=3)
    mirror(t, found=5, deleted=3)
    t.same(wanted(t))
    mirror(t, found=5, deleted=0)
    idle(t, proxy, OTHER, 5)


@limit(120)
def test_same_keys_one_gone_in_doubt(t):
    """The only run by the old name was killed when the object was there, and
    nothing had told it so."""
    proxy = by_proxy(t)
    settings(t)
    t.write("d/f", "1")
    t.write("e", "2")
    proxy.order("match PUT,d/f swallow-reply 1")
    proxy.order("match PUT,d/f drop")
    process = t.start("PUT")
    key = t.share[1:] + "/d/f"
    t.eventually(lambda: key in t.objects(), what="an object")
    process.kill()
    process.wait()
    proxy.order("pass")
    os.unlink(t.path("d/f"))
    settings(t, OTHER)
    t.put(found=1, failed=0)
    mirror(t, found=1, deleted=1)
    t.same(wanted(t))


def test_same_keys_back(t):
    """The name of before is in use again."""
    two_names(t, 8)
    os.unlink(t.path("d0/f0"))
    t.write("d1/f1", b"changed")
    settings(t, OTHER)
    t.put(found=7, moved=1)
    os.unlink(t.path("d1/f1"))
    settings(t)
    mirror(t, found=6, deleted=2)
    t.same(wanted(t))


def test_same_keys_excluded(t):
    """What the run leaves out is kept, by whatever name it was put."""
    settings(t)
    t.write("a/f", "1")
    t.write("b/f", "2")
    t.put(moved=2)
    os.unlink(t.path("a/f"))
    settings(t, OTHER)
    t.put(found=1, failed=0)
    t.run(
        "PUT", "--delete", "--max-delete", "100%", "--exclude", "a/", "--json"
    ).counted(deleted=0)
    assert t.share[1:] + "/a/f" in t.objects()


def leave_upload(t):
    """A run is killed while an upload is open."""
    t.random_file("large", 24 * MIB)
    process = t.start("PUT", "--bwlimit", "2M")
    t.eventually(lambda: t.uploads(), what="an upload is open")
    process.kill()
    process.wait()
    assert t.uploads()


@limit(120)
def test_same_keys_upload_renamed(t):
    settings(t)
    leave_upload(t)
    settings(t, OTHER)
    t.put(moved=1)
    t.same(wanted(t))
    assert not t.query("SELECT * FROM uploads")


@limit(120)
def test_same_keys_upload_prefix_changed(t):
    leave_upload(t)
    settings(t)
    t.put(moved=1)
    t.same(wanted(t))
    assert not t.query("SELECT * FROM uploads")


@limit(120)
def test_same_keys_upload_share_left(t):
    leave_upload(t)
    os.mkdir(t.tree + "-other")
    with open(t.tree + "-other/f", "w") as f:
        f.write("1")
    t.conf(nfs=[(t.server, [t.share + "-other"])])
    t.put(found=1, moved=1)
    assert not t.uploads()


@limit(120)
def test_same_keys_upload_del(t):
    """DEL ends the uploads below its prefix, and no others."""
    t.write("d/f", "1")
    leave_upload(t)
    root = t.server + t.share + "/"
    t.run("DEL", "--yes", "--prefix", root + "d/")
    assert t.uploads()
    t.run("DEL", "--yes")
    assert not t.uploads()
    assert not t.query("SELECT * FROM uploads")
    t.put(moved=2)
    t.same()


def test_same_keys_of_another_server(t):
    """Two servers export different directories of one file system as the same
    share: neither deletes the objects of the other's files."""
    exports = os.path.join(t.dir, "other", "exp")
    there = os.path.join(exports, t.name)
    os.makedirs(there)
    directory = os.path.join(t.dir, "stack2")
    stack.script(
        "nfs-up",
        STACK=directory,
        NFS_ADDR="127.0.0.2",
        NFS_PORT=t.world.nfs["NFS_PORT"],
        MNT_PORT=t.world.nfs["MNT_PORT"],
        NFS_EXPORTS=exports,
    )
    try:
        for i in range(9):
            t.write("a%d" % i, "a%d" % i)
            with open(os.path.join(there, "b%d" % i), "w") as f:
                f.write("b%d" % i)
        settings(t, "127.0.0.2")
        t.put(moved=9)
        settings(t)
        t.put(moved=9)
        mirror(t, deleted=0)
        assert len(t.objects()) == 18
    finally:
        stack.down([directory])


def write(path, data):
    with open(path, "w") as f:
        f.write(data)


class Modes:
    """The same keys with and without the server in them: SERVER:/exp/T with,
    127.0.0.2:/SERVER/exp/T without, as a gateway exports the trees of filers
    below their names."""

    def __init__(self, t):
        self.t = t
        exports = os.path.join(t.dir, "other", t.server)
        self.there = exports + t.share
        os.makedirs(self.there)
        self.stack = os.path.join(t.dir, "stack2")
        stack.script(
            "nfs-up",
            STACK=self.stack,
            NFS_ADDR="127.0.0.2",
            NFS_PORT=t.world.nfs["NFS_PORT"],
            MNT_PORT=t.world.nfs["MNT_PORT"],
            NFS_EXPORTS=exports,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stack.down([self.stack])

    def with_server(self):
        self.t.conf()

    def without(self):
        share = "/" + self.t.server + self.t.share
        self.t.conf(nfs=[("127.0.0.2", [share])], fs_config=NO_SERVER)

    def put_both(self, here, there):
        self.t.write("f", here)
        self.t.write("other", "1")
        write(self.there + "/f", there)
        self.with_server()
        self.t.put(moved=2)
        self.without()
        self.t.put(found=1)

    def has(self, data):
        key = self.t.server + self.t.share + "/f"
        assert self.t.objects()[key][1] == hashlib.md5(data).hexdigest()


def test_same_keys_modes_overwritten(t):
    with Modes(t) as m:
        m.put_both("A" * 10, "B" * 10)
        m.has(b"B" * 10)
        m.with_server()
        t.put(found=2, moved=1)
        m.has(b"A" * 10)
        m.without()
        t.put(found=1, moved=1)
        m.has(b"B" * 10)


def test_same_keys_modes_gone(t):
    """The object of a file that is there in the other mode."""
    with Modes(t) as m:
        m.put_both("same", "same")
        os.unlink(t.path("f"))
        m.with_server()
        mirror(t)
        m.has(b"same")
        m.without()
        t.put(found=1)
        m.has(b"same")


def test_same_keys_modes_deleted(t):
    """DEL knows keys alone."""
    with Modes(t) as m:
        m.put_both("same", "same")
        m.with_server()
        t.run("DEL", "--yes")
        m.without()
        t.put(found=1, moved=1)
        m.has(b"same")
        t.run("DEL", "--yes")
        m.with_server()
        t.put(found=2, moved=2)
        m.has(b"same")


def test_same_keys_two_endpoints(t):
    """One store by two endpoints: with a name it is one target. Without, who
    says that they are two stores is believed, and TEST finds what is not
    there."""
    other = t.endpoint.replace("127.0.0.1", "localhost")
    t.small_files(2)
    t.put(moved=2)
    t.conf(s3_storage={"endpoint": other})
    t.put(unchanged=2)
    t.run("DEL", "--yes")
    t.conf()
    t.put(moved=2)
    t.conf(s3_storage={"endpoint": other, "name": None})
    t.put(expect=2)
    t.put("--new-target", moved=2)
    t.run("DEL", "--yes")
    t.conf()
    t.put(unchanged=2)
    t.run("TEST", "--data_integrity", "--mode", "head", expect=4)
    t.put(moved=2)
    t.same()
