"""A signal ends it wherever it waits, and a wait has one limit."""
import os
import signal

from case import MIB, Proxy, limit


def nfs_proxies(t, **sections):
    """Proxies in front of the ports for NFS and for mounting."""
    nfs = Proxy(t, int(t.world.nfs["NFS_PORT"]), raw=True)
    mount = Proxy(t, int(t.world.nfs["MNT_PORT"]), raw=True)
    t.proxies += [nfs, mount]
    settings = {"nfsport": nfs.port, "mountport": mount.port}
    settings.update(sections.pop("fs_config", {}))
    t.conf(fs_config=settings, **sections)
    return nfs, mount


def test_stop_s3_silent_at_start(t):
    t.write("a", "1")
    proxy = t.proxy()
    proxy.order("drop")
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["connections"] > 0, what="connected")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15 * t.world.slowness) == 130
    proxy.order("pass")
    t.put(found=1, moved=1)


def test_stop_nfs_silent_at_start(t):
    t.write("a", "1")
    nfs, mount = nfs_proxies(t)
    nfs.order("drop")
    mount.order("drop")
    process = t.start("PUT")
    t.eventually(lambda: mount.stats()["connections"] > 0, what="connected")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=15 * t.world.slowness) == 143
    nfs.order("pass")
    mount.order("pass")
    t.put(found=1, moved=1)


@limit(120)
def test_silent_exports_have_one_limit(t):
    """Three exports that don't answer are out of reach after the time limit
    of one, not after that of each."""
    for name in ("a", "b", "c"):
        t.write(name + "/f", "1")
    shares = [t.share + "/" + name for name in ("a", "b", "c")]
    nfs, mount = nfs_proxies(
        t, nfs=[(t.server, shares)], fs_config={"timeout": 10}
    )
    nfs.order("drop")
    mount.order("drop")
    process = t.start("PUT")
    assert process.wait(timeout=25) == 3, t.started_text()


@limit(120)
def test_mount_fails_in_the_run(t):
    """Mounting worked when the run began: a fault of it later passes."""
    t.write("a", "1")
    t.write("d/b", "2")
    nfs, mount = nfs_proxies(t, fs_config={"nfs_version": 3})
    mount.order("delay 0 1")
    mount.order("reset-after 0 3")
    t.put(found=2, moved=2, failed=0)
    assert mount.stats()["connections"] >= 5, mount.stats()
    t.same()


@limit(120)
def test_stop_while_a_thread_mounts(t):
    """The server goes silent while the crawl, or a worker, mounts."""
    t.write("a", "1")
    for before in (1, 2):
        nfs, mount = nfs_proxies(t, fs_config={"nfs_version": 3})
        mount.order("delay 0 %d" % before)
        mount.order("drop")
        process = t.start("PUT", "--thread", "1")
        t.eventually(
            lambda: mount.stats()["connections"] > before, what="it mounts"
        )
        process.send_signal(signal.SIGINT)
        got = process.wait(timeout=20 * t.world.slowness)
        assert got == 130, (got, t.started_text())
    t.conf()
    t.put(found=1)
    t.same()


@limit(120)
def test_stop_while_uploads_are_aborted(t):
    """What is left of an upload is aborted at the end; a silent S3 does not
    hold a signal up, and the next run aborts it."""
    proxy = t.proxy()
    for i in range(3):
        t.random_file("large%d" % i, 20 * MIB)
    proxy.order("match PUT,partNumber=3 drop")
    process = t.start("PUT")
    t.eventually(lambda: len(t.uploads()) == 3, what="three uploads")
    process.kill()
    process.wait()
    for i in range(3):
        os.unlink(t.path("large%d" % i))
    t.write("a", "1")
    proxy.order("pass")
    proxy.order("zero")
    proxy.order("match DELETE drop")
    process = t.start("PUT", "--max-size", "1G")
    t.eventually(lambda: proxy.stats()["DELETE"] >= 3, what="aborts")
    process.send_signal(signal.SIGINT)
    got = process.wait(timeout=15 * t.world.slowness)
    assert got == 130, (got, t.started_text())
    assert len(t.uploads()) == 3
    proxy.order("pass")
    t.put("--max-size", "1G", failed=0)
    t.same()
