"""Listings that are cut, and directories that go while the crawl looks."""
import os
import shutil

from case import Proxy, limit


def nfs_proxy(t, **sections):
    """A proxy in front of the NFS port; mounting goes past it."""
    proxy = Proxy(t, int(t.world.nfs["NFS_PORT"]), raw=True)
    t.proxies.append(proxy)
    t.conf(fs_config={"nfsport": proxy.port}, **sections)
    return proxy


@limit(120)
def test_listing_begins_again(t):
    """The connection breaks in a large known directory: no entry of it
    counts twice, neither new nor excluded nor unchanged ones."""
    for i in range(2500):
        t.write("d/f%05d" % i, "1")
    for i in range(500):
        os.symlink("nowhere", t.path("d/s%05d" % i))
    t.put(found=3000, moved=2500, excluded=500)
    for i in range(2500):
        t.write("d/g%05d" % i, "2")
    for i in range(500):
        os.symlink("nowhere", t.path("d/t%05d" % i))
    nfs = nfs_proxy(t)
    nfs.order("truncate-reply 500000 3")
    t.put(
        found=6000, moved=2500, unchanged=2500, excluded=1000, failed=0
    )
    assert nfs.stats()["faults"] >= 1, "the fault didn't happen"
    nfs.order("pass")
    t.same()
    t.put(found=6000, moved=0, unchanged=5000, excluded=1000)


@limit(120)
def test_directories_vanish(t):
    """Directories that are removed before the crawl comes to them are no
    failures, and what the catalog knew of them is gone."""
    for i in range(300):
        t.write("d%03d/e/f" % i, "1")
    t.put(found=300, moved=300)
    nfs = nfs_proxy(t)
    nfs.order("rate 30000")
    process = t.start("PUT", "--json")
    read = "SELECT count(*) FROM dir WHERE run = 2"
    t.eventually(lambda: t.query(read)[0][0] > 20, what="the crawl began")
    left = t.query("SELECT path FROM dir WHERE run = 1 AND path LIKE '%/e'")
    for path, in left[::2]:
        below = path[len(t.server + t.share) + 1:]
        shutil.rmtree(t.path(os.path.dirname(below)))
    nfs.order("pass")
    assert process.wait(timeout=100) == 0, t.started_text()
    failed = t.query("SELECT failed, found FROM runs WHERE run = 2")[0]
    assert failed[0] == 0 and 100 < failed[1] <= 200, failed
    t.put(failed=0)
    gone = t.query("SELECT count(*) FROM objects WHERE state = 'gone'")
    assert gone[0][0] == len(left[::2]), gone


def test_prefix_missing(t):
    """The directory that was asked for must be there, or be known and gone."""
    t.write("a/1", "1")
    t.write("stays", "1")
    t.put(moved=2)
    shutil.rmtree(t.path("a"))
    root = t.server + t.share
    t.put("--prefix", root + "/a/", found=0, gone=1)
    t.put("--prefix", root + "/b/", expect=1, failed=1)


@limit(120)
def test_retry_below_failed(t):
    """A failed object below a directory that is read again is one object."""
    deep = "/".join(["x" * 200] * 3) + "/" + "y" * 160
    t.write(deep + "/" + "z" * 250, "too long a key")
    t.write(deep + "/C/bad", "bad")
    proxy = t.proxy(s3_storage={"retry_for": 2})
    proxy.order("match PUT,bad 503")
    t.put(expect=1, found=2, failed=2)
    proxy.order("pass")
    t.put("--retry-failed", expect=1, found=2, moved=1, failed=1)


@limit(120)
def test_listing_with_two_faults(t):
    """retry_for is how long a listing may come no further, not how far two
    faults may be apart."""
    for i in range(6000):
        os.symlink("nowhere", t.path("s%05d" % i))
    nfs = nfs_proxy(t, s3_storage={"retry_for": 3})
    # The check before the run, and the crawl's first connection; then its
    # second one, seconds later.
    nfs.order("truncate-reply 200000 2")
    nfs.order("truncate-reply 700000 1")
    nfs.order("rate 150000")
    t.put(found=6000, excluded=6000, failed=0)
    assert nfs.stats()["connections"] >= 4, nfs.stats()
