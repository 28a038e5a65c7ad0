"""Times that can hide a change are not trusted."""
import contextlib
import os
import shutil
import subprocess

import stack
from case import Skip, limit


@contextlib.contextmanager
def whole_seconds(t):
    """An export whose files have times of whole seconds; its directory."""
    image = os.path.join(t.dir, "image")
    export = os.path.join(t.dir, "coarse")
    own = os.path.join(t.dir, "stack-coarse")
    os.mkdir(export)
    with open(image, "wb") as f:
        f.truncate(8 << 20)
    make = ["mkfs.ext4", "-q", "-I", "128", image]
    mount = ["mount", "-o", "loop", image, export]
    if subprocess.run(make, check=False, stderr=subprocess.DEVNULL).returncode:
        raise Skip("no ext4 can be made")
    if subprocess.run(mount, check=False).returncode:
        raise Skip("no loop device can be mounted")
    try:
        settings = stack.script(
            "nfs-up", STACK=own, NFS_EXPORTS=export, NFS_ADDR=t.server
        )
        yield export, settings
    finally:
        stack.down([own])
        subprocess.run(["umount", "-l", export], check=False)


def by_nfs(t, settings, version):
    t.conf(
        nfs=[(t.server, ["/coarse"])],
        fs_config={
            "nfsport": settings["NFS_PORT"],
            "mountport": settings["MNT_PORT"],
            "nfs_version": version,
        },
    )


def by_path(t, export):
    t.conf(nfs=[("filer", [export])], fs_config={"mounted": "yes"})


def bytes_of(t, key):
    return t.s3.get_object(Bucket=t.bucket, Key=key)["Body"].read()


def same_second(t, path, key):
    """Stored, then changed in the same second, at once: two times, where the
    second is long enough."""
    for attempt in range(50):
        first = b"first %04d" % attempt
        with open(path, "wb") as f:
            f.write(first)
        was = os.stat(path).st_ctime_ns
        t.put(failed=0)
        if bytes_of(t, key) != first:
            continue
        with open(path, "r+b") as f:
            f.write(b"other")
        if os.stat(path).st_ctime_ns == was:
            return
    raise AssertionError("no run ends in the second in which it began")


def one_way(t, path, key, again):
    same_second(t, path, key)
    with open(path, "rb") as f:
        now = f.read()
    # It may be in the same second: whoever reads then reads once more.
    t.put(moved=1)
    assert bytes_of(t, key) == now
    again()


@limit(120)
def test_same_second(t):
    with whole_seconds(t) as (export, settings):
        path = os.path.join(export, "f")
        shutil.rmtree(os.path.join(export, "lost+found"))

        def test():
            """Nothing is rotten: it has changed, and PUT has taken it."""
            result = t.run("TEST", "-di", "--json")
            assert "bit rot" not in result.text, result

        for version in (3, 4):
            by_nfs(t, settings, version)
            one_way(t, path, t.server + "/coarse/f", test)
        by_path(t, export)
        one_way(t, path, "filer%s/f" % export, test)


def test_read_once_more(t):
    """One more reading, no request for it, and then no more of either."""
    proxy = t.proxy(fs_config={"clock_skew": "0s"})
    path = t.write("f", "1")
    t.put(moved=1)
    before = len(proxy.requests())
    for _ in range(3):
        t.put(found=1, unchanged=1)
    mine = [r for r in proxy.requests()[before:] if r[1].endswith("/f")]
    assert not mine, mine
    assert t.query("SELECT count(*) FROM transfers WHERE run > 2") == [(0,)]
    os.utime(path)
    t.put(found=1, unchanged=1)
    t.same()


def test_ctime_ignored(t):
    """Hard links of all files (cp -al) change their ctimes alone."""
    proxy = t.proxy(fs_config={"ctime": "ignore"})
    t.small_files(200)
    t.put(moved=200)
    t.put(unchanged=200)
    copy = os.path.join(os.path.dirname(t.tree), t.name + "-links")
    subprocess.run(["cp", "-al", t.tree, copy], check=True)
    try:
        before = len(proxy.requests())
        t.put(unchanged=200)
        asked = [
            r
            for r in proxy.requests()[before:]
            if r[1].startswith("/" + t.bucket + "/d")
        ]
        assert not asked, asked[:5]
        assert t.query("SELECT count(*) FROM transfers WHERE run = 3") == [
            (0,)
        ]
        t.write("d0/f0", "another size")
        t.put(moved=1, unchanged=199)
    finally:
        shutil.rmtree(copy)
    t.same()
