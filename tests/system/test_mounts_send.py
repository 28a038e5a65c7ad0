"""File systems below a share that go, or come, between the crawl and the
sending: a file counts only in the file system in which it was seen."""
import os
import shutil
import sqlite3
import subprocess

from case import limit
from test_mounts import Nested, mounted, tmpfs


def share(t, **settings):
    """The tree by its path behind a proxy of the store, and a directory to
    mount on."""
    t.write("plain/f", "plain")
    os.mkdir(t.path("vol"))
    return t.proxy(
        fs_config=dict({"mounted": "yes"}, **settings),
        nfs=[(t.server, [t.tree])],
        s3_storage={"retry_for": "1", "max_inflight": "1"},
    )


def vol(t):
    return os.path.join(t.tree, "vol")


def umount(t):
    subprocess.run(["umount", "-l", vol(t)], check=True)


def files(t, text, count, where="vol"):
    for i in range(count):
        t.write("%s/f%02d" % (where, i), "%s %d" % (text, i))


def stored(t):
    """The objects of vol: what follows its key, and the bytes."""
    key = t.server + vol(t) + "/"
    return {
        k[len(key) :]: t.s3.get_object(Bucket=t.bucket, Key=k)["Body"].read()
        for k in t.objects()
        if k.startswith(key)
    }


def true_only(t, *texts):
    for name, body in stored(t).items():
        assert body.split()[0].decode() in texts, (name, body)


def whole(t):
    """The file system is back: what is stored is what is there."""
    t.put(failed=0)
    t.same(t.wanted(prefix=t.server + t.tree))


def killed(t, proxy):
    """A PUT that dies with all of vol unsent."""
    proxy.order("match PUT,/vol/ drop")
    process = t.start("PUT", "-t", "1")
    t.eventually(lambda: is_leased(t), what="it is being sent")
    process.kill()
    process.wait()
    proxy.release()


def is_leased(t):
    try:
        return t.query(
            "SELECT 1 FROM objects WHERE state = 'leased' AND"
            " path GLOB '*/vol/*'"
        )
    except sqlite3.OperationalError:
        return False  # it isn't made yet


def while_it_sends(t, stubs):
    """It is unmounted between the crawl and the sending."""
    proxy = share(t)
    other = os.path.join(t.dir, "other")
    os.mkdir(other)
    with mounted("-t", "tmpfs", "none", other):
        with mounted("--bind", other, vol(t)):
            files(t, "old", 20)
            t.put(moved=21)
            files(t, "newer", 20)
            proxy.order("match PUT,/vol/ delay 300")
            process = t.start("PUT", "--json", "-t", "1")
            t.eventually(
                lambda: len(
                    [r for r in proxy.requests() if r[0] == "PUT"]
                ) > 22,
                what="some are sent",
            )
            umount(t)
        if stubs:
            files(t, "stub", 20)
        assert process.wait() == 1, t.started_text()
        proxy.release()
        true_only(t, "old", "newer")
        states = dict(
            t.query("SELECT state, count(*) FROM objects GROUP BY state")
        )
        assert "gone" not in states and states["failed"] > 5, states
        reasons = t.query("SELECT DISTINCT reason FROM failures")
        assert all("file system" in r[0] for r in reasons), reasons
        t.put(expect=1, moved=0, gone=0)
        with mounted("--bind", other, vol(t)):
            whole(t)


@limit(60)
def test_mounts_send_unmounted(t):
    while_it_sends(t, False)


@limit(60)
def test_mounts_send_stubs(t):
    while_it_sends(t, True)


def retried(t, stubs):
    """--retry-failed reads no directory: the file alone says where it is."""
    proxy = share(t)
    other = os.path.join(t.dir, "other")
    os.makedirs(os.path.join(other, "d"))
    with mounted("-t", "tmpfs", "none", other):
        with mounted("--bind", other, vol(t)):
            files(t, "old", 3, "vol/d")
            t.put(moved=4)
            files(t, "newer", 3, "vol/d")
            proxy.order("match PUT,/vol/ 503")
            t.put(expect=1, failed=3)
            proxy.release()
        if stubs:
            files(t, "stub", 3, "vol/d")
        for _ in range(2):
            result = t.put("--retry-failed", expect=1, failed=3, gone=0)
            result.says("file system")
            true_only(t, "old")
        t.put(expect=1, gone=0, moved=0)
        t.put("--delete", "--max-delete=100%", expect=1, deleted=0, moved=0)
        assert len(stored(t)) == 3
        with mounted("--bind", other, vol(t)):
            whole(t)
        # It is gone for good.
        t.put("--accept-filesystem", "--retry-failed", failed=0)


@limit(60)
def test_mounts_send_retry_failed(t):
    retried(t, False)


@limit(60)
def test_mounts_send_retry_failed_stubs(t):
    retried(t, True)


def cut(t, stubs):
    """The first PUT dies with files of it unsent."""
    proxy = share(t)
    other = os.path.join(t.dir, "other")
    os.mkdir(other)
    with mounted("-t", "tmpfs", "none", other):
        with mounted("--bind", other, vol(t)):
            files(t, "true", 3)
            killed(t, proxy)
        if stubs:
            files(t, "stub", 3)
        t.put(expect=1, gone=0)
        true_only(t, "true")
        t.put(expect=1, gone=0)
        true_only(t, "true")
        with mounted("--bind", other, vol(t)):
            whole(t)


@limit(60)
def test_mounts_send_cut(t):
    cut(t, False)


@limit(60)
def test_mounts_send_cut_stubs(t):
    cut(t, True)


@limit(60)
def test_mounts_send_mounted_over(t):
    """A file system is mounted over a directory that was read."""
    proxy = share(t)
    files(t, "true", 10)
    killed(t, proxy)
    with tmpfs(vol(t)):
        files(t, "stub", 5)
        t.put(expect=1, gone=0)
        true_only(t, "true")
    whole(t)


@limit(60)
def test_mounts_send_gone(t):
    """What is removed, with its directories or without, is gone."""
    proxy = share(t)
    with tmpfs(vol(t)):
        for where in ("vol", "vol/a/b", "c/d"):
            files(t, "true", 3, where)
        proxy.order("match PUT 503")
        t.put(expect=1, failed=10)
        proxy.release()
        os.unlink(t.path("vol/f00"))
        shutil.rmtree(t.path("vol/a"))
        shutil.rmtree(t.path("c"))
        t.put("--retry-failed", failed=0, gone=7, moved=3)
        whole(t)


def nested(t, version):
    """An export below the export is withdrawn; what it covered shows."""
    proxy = t.proxy()
    t.settings.setdefault("s3_storage", {})["endpoint"] = proxy.url
    other = os.path.join(t.dir, "other")
    os.mkdir(other)
    with Nested(t, version) as n, mounted("-t", "tmpfs", "none", other):
        with mounted("--bind", other, n.vol):
            for i in range(4):
                n.write("vol/f%d" % i)
            n.up(n.vol)
            proxy.order("match PUT,/vol/ 503")
            t.put(expect=1, failed=4, moved=1)
            proxy.release()
            n.down()
        n.write("vol/f0")
        n.write("vol/f1")
        n.up()
        for _ in range(2):
            result = t.put("--retry-failed", expect=1, failed=4, gone=0)
            result.says("file system")
            assert len(t.objects()) == 1
        with mounted("--bind", other, n.vol):
            n.up(n.vol)
            os.unlink(os.path.join(n.vol, "f3"))
            t.put("--retry-failed", expect=0, gone=1, moved=3)
            n.down()


@limit(60)
def test_mounts_send_nested_v3(t):
    nested(t, 3)


@limit(60)
def test_mounts_send_nested_v4(t):
    nested(t, 4)


def compared(t, stubs):
    """TEST reads the files: those of a file system that isn't mounted."""
    share(t)
    other = os.path.join(t.dir, "other")
    os.makedirs(os.path.join(other, "d"))
    test = ("TEST", "--data_integrity", "--json", "--mode", "full")
    with mounted("-t", "tmpfs", "none", other):
        with mounted("--bind", other, vol(t)):
            files(t, "true", 3, "vol/d")
            t.put(moved=4)
            t.run(*test).counted(moved=4, verified=4)
        if stubs:
            files(t, "stub", 3, "vol/d")
        result = t.run(*test, expect=4).counted(moved=1, failed=3)
        result.says("3 unreadable", "file system")
        rows = t.query(
            "SELECT outcome, reason FROM verifications WHERE run = ?"
            " AND outcome <> 'ok'",
            result.json["run"],
        )
        assert len(rows) == 3, rows
        assert all(r[0] == "unreadable" for r in rows), rows
        assert all("file system" in r[1] for r in rows), rows


@limit(60)
def test_mounts_integrity_unmounted(t):
    compared(t, False)


@limit(60)
def test_mounts_integrity_stubs(t):
    compared(t, True)
