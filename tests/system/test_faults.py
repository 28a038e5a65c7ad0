"""Servers and networks that misbehave; in the end all is right."""
import os
import threading
import time

import stack
import truth
from case import MIB, Proxy, Skip, limit


def after(seconds, action):
    """Do something later, while datamover runs."""
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer


def mixed_tree(t):
    t.small_files(300, size=2000)
    t.random_file("large", 30 * MIB + 7)
    return 301


@limit(120)
def test_slowdown_storm(t):
    """Nothing but 503 for three seconds, then half of them, then none."""
    count = mixed_tree(t)
    proxy = t.proxy()
    process = t.start("PUT")
    proxy.order("503")
    time.sleep(3)
    proxy.order("pass")
    proxy.order("503 50%")
    time.sleep(3)
    proxy.order("pass")
    assert process.wait(timeout=100) == 0, t.started_text()
    t.same()
    t.put(found=count, moved=0, unchanged=count)


def survives(t, rule, least=1):
    """PUT through a proxy with this rule: everything arrives."""
    count = mixed_tree(t)
    proxy = t.proxy()
    proxy.order(rule)
    t.put(found=count, moved=count, failed=0)
    assert proxy.stats()["faults"] >= least, "the fault didn't happen"
    t.same()
    proxy.order("pass")
    t.put(found=count, moved=0, unchanged=count)


@limit(120)
def test_slowdown_some(t):
    survives(t, "503 10%", 10)


@limit(120)
def test_reset_in_request(t):
    survives(t, "match PUT reset-after 1500 20", 20)


@limit(120)
def test_reset_in_part(t):
    survives(t, "match partNumber reset-after 3000000 3", 3)


@limit(120)
def test_reset_before_request(t):
    survives(t, "match PUT reset-after 0 20", 20)


@limit(120)
def test_truncated_reply(t):
    survives(t, "match PUT truncate-reply 40 20", 20)


@limit(120)
def test_swallowed_reply(t):
    """The object was stored but the answer never came."""
    survives(t, "match PUT swallow-reply 20", 20)


@limit(120)
def test_swallowed_then_reverted(t):
    """The answer for another version was lost; then the file is again what
    it was, and two nights later --checksum has nothing but the catalog to
    tell it what the bucket holds. The catalog doesn't know."""
    t.write("f", "AAAAAAAA")
    proxy = t.proxy(s3_storage={"retry_for": 1})
    t.put("--checksum", moved=1)
    t.write("f", "BBBBBBBB")
    proxy.order("match PUT swallow-reply")
    t.put("--checksum", expect=1, failed=1)
    t.same()
    t.write("f", "AAAAAAAA")
    proxy.order("pass")
    proxy.order("match /f 503")
    t.put("--checksum", expect=1, failed=1)
    proxy.order("pass")
    t.put("--checksum", moved=1)
    t.same()


@limit(120)
def test_swallowed_create(t):
    """The upload was created, and nobody knows its id."""
    survives(t, "match POST,?uploads swallow-reply 1", 1)


@limit(120)
def test_swallowed_complete(t):
    """The upload was completed but the answer never came."""
    survives(t, "match POST,?uploadId swallow-reply 1", 1)


@limit(120)
def test_corrupt_request(t):
    """Content-MD5 catches what the wire spoiled."""
    survives(t, "match PUT corrupt-request 100 20", 20)


@limit(120)
def test_corrupt_part(t):
    survives(t, "match partNumber corrupt-request 4000000 2", 2)


@limit(120)
def test_corrupt_etag(t):
    """An answer whose ETag isn't that of what was sent is no success."""
    survives(t, "match PUT corrupt-etag 5", 5)


@limit(120)
def test_corrupt_etag_always(t):
    """And if it stays so where ETags were digests, the objects are failed
    rows."""
    t.write("before", "0")
    proxy = t.proxy(s3_storage={"retry_for": 3})
    t.put(moved=1)
    assert t.query("SELECT proof FROM objects") == [("etag",)]
    t.write("f", "1")
    proxy.order("match PUT corrupt-etag")
    proxy.order("match HEAD corrupt-etag")
    t.put(expect=1, found=2, unchanged=1, moved=0, failed=1)
    proxy.order("pass")
    t.run("PUT")
    t.same()


@limit(200)
def test_dropped_request(t):
    """One request is swallowed for good: a limit ends the wait."""
    survives(t, "match PUT drop 2", 2)


@limit(120)
def test_slow_answers(t):
    survives(t, "delay 100 50", 50)


@limit(150)
def test_s3_refuses_for_a_while(t):
    count = mixed_tree(t)
    proxy = t.proxy()
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["PUT"] > 20, what="PUT began")
    proxy.order("refuse")
    time.sleep(5)
    assert process.poll() is None, t.started_text()
    proxy.order("pass")
    assert process.wait(timeout=100) == 0, t.started_text()
    t.same()
    t.put(found=count, moved=0, unchanged=count)


@limit(150)
def test_s3_gone_for_a_while(t):
    """radosgw stops answering in the middle for 10 seconds."""
    mixed_tree(t)
    proxy = t.proxy()
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["PUT"] > 20, what="PUT began")
    t.freeze("radosgw")
    time.sleep(10)
    assert process.poll() is None, t.started_text()
    t.thaw("radosgw")
    assert process.wait(timeout=100) == 0, t.started_text()
    t.same()


@limit(120)
def test_s3_gone_for_good(t):
    """After retry_for it ends, with failed rows, and says so."""
    t.small_files(300)
    proxy = t.proxy(s3_storage={"retry_for": 3})
    proxy.order("match PUT delay 20")
    process = t.start("PUT", "--json")
    t.eventually(lambda: proxy.stats()["PUT"] > 20, what="PUT began")
    proxy.order("refuse")
    assert process.wait(timeout=90) in (1, 3), t.started_text()
    proxy.order("pass")
    t.put(found=300, failed=0)
    t.same()


# --- NFS ---


def nfs_proxies(t, **fs_config):
    """Proxies in front of the NFS server's two ports."""
    nfs = Proxy(t, int(t.world.nfs["NFS_PORT"]), raw=True)
    mount = Proxy(t, int(t.world.nfs["MNT_PORT"]), raw=True)
    t.proxies += [nfs, mount]
    settings = {"nfsport": nfs.port, "mountport": mount.port}
    t.conf(fs_config=dict(settings, **fs_config))
    return nfs


def nfs_survives(t, version, rule, least=1):
    count = mixed_tree(t)
    nfs = nfs_proxies(t, nfs_version=version)
    nfs.order(rule)
    t.put(found=count, moved=count, failed=0)
    assert nfs.stats()["faults"] >= least, "the fault didn't happen"
    t.same()


@limit(120)
def test_nfs_reset_v3(t):
    nfs_survives(t, "3", "truncate-reply 200000 3")


@limit(120)
def test_nfs_reset_v4(t):
    nfs_survives(t, "4", "truncate-reply 200000 3")


@limit(120)
def test_nfs_reset_in_call(t):
    nfs_survives(t, "3", "reset-after 5000 3")


@limit(120)
def test_nfs_slow(t):
    nfs_survives(t, "3", "rate 20000000", 0)


def test_nfs_corrupt(t):
    raise Skip("NFS over TCP has no checksum that could tell")


def nfs_stops(t, version):
    """nfs-ganesha is stopped for 5 seconds, then killed and started."""
    t.small_files(2000)
    other = os.path.join(t.dir, "stack2")
    settings = stack.script("nfs-up", STACK=other, NFS_EXPORTS=t.tree)
    share = "/" + os.path.basename(t.tree)
    proxy = t.proxy(
        nfs=[(t.server, [share])],
        fs_config={
            "nfsport": settings["NFS_PORT"],
            "mountport": settings["MNT_PORT"],
            "nfs_version": version,
        },
    )
    proxy.order("match PUT delay 100")
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["PUT"] > 20, what="PUT began")
    pid = stack.stack_pid(other, "ganesha")
    os.kill(pid, 19)
    time.sleep(5)
    os.kill(pid, 18)
    time.sleep(0.3)
    os.kill(pid, 9)
    time.sleep(1)
    stack.script("nfs-down", STACK=other)
    stack.script("nfs-up", **dict(settings, STACK=other, NFS_EXPORTS=t.tree))
    proxy.order("pass")
    assert process.wait(timeout=100) == 0, t.started_text()
    t.same(t.wanted(prefix=t.server + share))


@limit(150)
def test_nfs_server_stops_v3(t):
    nfs_stops(t, "3")


@limit(150)
def test_nfs_server_stops_v4(t):
    nfs_stops(t, "4")


def while_read(t, version, change, in_place=True):
    """Something happens to a file while it is read. What is stored is the
    file as it was at one moment: as it is now or, if it was another file
    that took its place, as the old one was."""
    path = t.random_file("f", 30 * MIB)
    t.write("other", "1")
    key = t.server + t.share + "/f"
    before = t.wanted()[key].digest()
    nfs = nfs_proxies(t, nfs_version=version)
    nfs.order("rate 10000000")
    after(1.2, lambda: change(path))
    result = t.run("PUT", "--json", expect={0, 1}).counted()
    wanted = t.wanted()
    whole = set() if in_place else {before}
    if key in wanted:
        whole.add(wanted[key].digest())
    if key in t.objects():
        digest = truth.body_digest(t.s3, t.bucket, key)
        assert digest in whole, "stored torn: %s" % result
    nfs.order("pass")
    t.run("PUT", "--json").counted(failed=0)
    if key not in wanted:
        t.s3.delete_object(Bucket=t.bucket, Key=key)
    t.same()
    return result


@limit(120)
def test_vanishes_while_read(t):
    while_read(t, "3", os.unlink, in_place=False)
    assert t.states()[t.server + t.share + "/f"] == "gone"


@limit(120)
def test_shrinks_while_read(t):
    while_read(t, "3", lambda path: os.truncate(path, 11 * MIB))


@limit(120)
def test_grows_while_read(t):
    def grow(path):
        with open(path, "ab") as f:
            f.write(b"more" * 1000)

    while_read(t, "3", grow)


def rewrite(path):
    with open(path, "r+b") as f:
        f.write(b"changed")


@limit(120)
def test_changes_while_read_v3(t):
    while_read(t, "3", rewrite)


@limit(120)
def test_changes_while_read_v4(t):
    while_read(t, "4", rewrite)


@limit(120)
def test_replaced_while_read(t):
    def replace(path):
        with open(path + b".new", "wb") as f:
            f.write(b"new" * 100000)
        os.rename(path + b".new", path)

    while_read(t, "3", replace, in_place=False)
