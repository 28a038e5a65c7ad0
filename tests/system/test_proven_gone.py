"""Nothing is taken for gone that isn't: PUT --delete asks the source again,
by path, just before it deletes; what a run leaves out stays; an export that is
empty or another file system proves nothing."""
import os
import shutil
import subprocess

from case import limit


def mirror(t, *arguments, expect=0, **counts):
    put = ("PUT", "--json", "--delete", "--max-delete", "100%")
    return t.run(*put, *arguments, expect=expect).counted(**counts)


def key(t, name):
    return t.server + t.share + "/" + name


def aside(t, name):
    """Move it away, out of the tree; where to."""
    place = os.fsencode(t.tree + "-aside-" + name.replace("/", "-"))
    os.rename(t.path(name), place)
    return place


class Held:
    """A PUT --delete that has crawled all, and waits for S3 to take a file."""

    def __init__(self, t, proxy, dirs, *arguments):
        self.t = t
        self.proxy = proxy
        self.proxy.order("match PUT,/held 503")
        t.write("d3/held", "new")
        self.process = t.start(
            "PUT", "--delete", "--max-delete", "100%", *arguments
        )
        t.eventually(lambda: self.read() == dirs, what="the crawl is over")

    def read(self):
        return self.t.query(
            "SELECT count(*) FROM dirs WHERE state = 'read' AND run ="
            " (SELECT max(run) FROM runs WHERE state = 'running')"
        )[0][0]

    def go_on(self, status):
        self.proxy.order("pass")
        assert self.process.wait(timeout=60) == status, self.t.started_text()


def test_gone_present_again(t):
    """Away while the crawl read its directory, and back when it counts."""
    proxy = t.proxy()
    t.small_files(40)
    t.put(moved=40)
    file, directory = aside(t, "d0/f0"), aside(t, "d1")
    os.unlink(t.path("d2/f2"))
    held = Held(t, proxy, 4)
    os.rename(file, t.path("d0/f0"))
    os.rename(directory, t.path("d1"))
    held.go_on(0)
    left = t.objects()
    assert key(t, "d2/f2") not in left
    assert len(left) == 40, sorted(left)
    t.run("PUT")
    t.same()
    mirror(t, found=40, unchanged=40, deleted=0)


@limit(120)
def test_gone_killed(t):
    """Killed after a file was seen to be away: the same command again."""
    proxy = t.proxy()
    t.small_files(40)
    t.put(moved=40)
    file = aside(t, "d0/f0")
    held = Held(t, proxy, 5)
    held.process.kill()
    held.process.wait()
    os.rename(file, t.path("d0/f0"))
    t.write("d0/f4", "changed")
    proxy.order("pass")
    mirror(t, deleted=0)
    assert key(t, "d0/f0") in t.objects()
    t.run("PUT")
    t.same()


def denied(t, version, name, mode):
    """What can't be looked at any more is kept, and has failed."""
    t.settings = {
        "fs_config": {"uid": "1234", "gid": "1234", "nfs_version": version}
    }
    proxy = t.proxy()
    t.small_files(40)
    t.put(moved=40)
    os.unlink(t.path("d0/f0"))
    os.unlink(t.path("d1/f1"))
    held = Held(t, proxy, 5)
    os.chmod(t.path(name), mode)
    held.go_on(1)
    os.chmod(t.path(name), 0o755)
    left = t.objects()
    assert key(t, "d0/f0") in left
    assert (key(t, "d1/f1") in left) == (name == ".")
    rows = t.query("SELECT path, reason FROM failures")
    assert rows[0][0] == key(t, "d0/f0"), rows
    assert "kept" in rows[0][1] and len(rows) == 1 + (name == "."), rows
    mirror(t, deleted=1 + (name == "."))
    assert not t.query("SELECT * FROM failures")
    t.same()


def test_gone_denied_v3(t):
    denied(t, "3", "d0", 0o000)


def test_gone_denied_v4(t):
    denied(t, "4", "d0", 0o644)


def test_gone_denied_root(t):
    denied(t, "3", ".", 0o644)


def test_gone_after_another_kind(t):
    """A file becomes a fifo, another a link: their objects stay while those
    are there, and go when they are gone."""
    t.write("stays", "1")
    t.write("b", "1")
    t.write("c", "2")
    t.put(moved=3)
    os.unlink(t.path("b"))
    os.mkfifo(t.path("b"))
    os.unlink(t.path("c"))
    os.symlink("stays", t.path("c"))
    mirror(t, excluded=2, deleted=0)
    assert len(t.objects()) == 3
    os.unlink(t.path("b"))
    os.unlink(t.path("c"))
    mirror(t, deleted=2)
    t.same()


def test_gone_left_out(t):
    """What a filter leaves out stays when it is gone, alone or with its
    directory; --delete-excluded deletes it."""
    t.small_files(40)
    t.write("archive/deep/f", "1")
    t.write("d1/a.tmp", "1")
    t.write("d1/large", "1" * 5000)
    t.write("d1/.snapshot/old", "1")
    t.conf(fs_config={"skip_dir": ""})
    t.put(moved=44)
    t.conf()
    rules = ("--exclude", "archive/", "--exclude", "*.tmp")
    rules += ("--max-size", "4000")
    mirror(t, *rules, found=44, unchanged=40, excluded=4, deleted=0)
    shutil.rmtree(t.path("archive"))
    shutil.rmtree(t.path("d1"))
    result = mirror(t, "--dryrun", *rules, deleted=10)
    assert b"archive" not in result.out and b"tmp" not in result.out
    mirror(t, *rules, deleted=10)
    left = [
        key(t, name)
        for name in (
            "archive/deep/f", "d1/.snapshot/old", "d1/a.tmp", "d1/large"
        )
    ]
    gone = sorted(set(t.objects()) - set(t.wanted()))
    assert gone == left, gone
    t.run("PUT", "--delete-excluded", expect=2).says("--delete")
    mirror(t, "--delete-excluded", *rules, deleted=4)
    t.same()


def test_gone_removed_directory(t):
    """With all below it, and a file where another was a directory."""
    t.small_files(40)
    for i in range(50):
        t.write("big/s%d/f" % i, "1")
    t.write("other/f", "1")
    t.put(moved=91)
    shutil.rmtree(t.path("big"))
    shutil.rmtree(t.path("other"))
    t.write("other", "1")
    os.unlink(t.path("d0/f0"))
    t.write("d0/f0/in", "1")
    mirror(t, moved=2, deleted=52)
    t.same()


def empty_out(t):
    """All that is in the tree goes aside; a function brings it back."""
    place = t.tree + "-aside"
    os.mkdir(place)
    names = os.listdir(t.tree)
    for name in names:
        os.rename(os.path.join(t.tree, name), os.path.join(place, name))

    def bring_back():
        for name in names:
            os.rename(os.path.join(place, name), os.path.join(t.tree, name))
        os.rmdir(place)

    return bring_back


def test_gone_empty_export(t):
    """Exit 3 and no tombstones, for every kind of PUT."""
    t.small_files(40)
    t.put(moved=40)
    names = os.path.join(t.dir, "names")
    with open(names, "w") as f:
        f.write("d0/f0\n")
    bring_back = empty_out(t)
    os.mkdir(t.path(".snapshot"))
    for more in (
        (), ("--delete",), ("--retry-failed",), ("--files-from", names),
        ("--dryrun",), ("--prefix", key(t, "d1/")),
    ):
        t.run("PUT", *more, expect=3).says("empty", "--accept-empty", t.share)
        assert set(t.states().values()) == {"stored"}
    assert len(t.objects()) == 40
    os.rmdir(t.path(".snapshot"))
    bring_back()
    t.put(found=40, unchanged=40, gone=0)
    bring_back = empty_out(t)
    t.put("--accept-empty", found=0, gone=40)
    t.put(found=0, gone=0)
    mirror(t, expect=5, deleted=0).says("empty")
    t.conf(raw="[nfs n0]\nmay_be_empty = yes\n")
    mirror(t, deleted=40)
    assert not t.objects()
    t.conf()
    bring_back()
    t.put(moved=40)
    t.same()


def test_gone_empty_beside_others(t):
    """Exit 1: the other export moves."""
    second = os.path.join(t.world.second_export, t.name)
    os.mkdir(second)
    t.conf(nfs=[(t.server, [t.share, "/exp2/" + t.name])])
    t.small_files(20)
    with open(os.path.join(second, "f"), "w") as f:
        f.write("1")
    t.put(moved=21)
    os.unlink(os.path.join(second, "f"))
    t.write("new", "1")
    t.put(expect=1, moved=1, unchanged=20, failed=1, gone=0)
    assert t.states()[t.server + "/exp2/" + t.name + "/f"] == "stored"
    with open(os.path.join(second, "g"), "w") as f:
        f.write("1")
    t.put(moved=1, gone=1)


def test_gone_not_mounted(t):
    """mounted = yes: the mount point is empty, or has something else."""
    t.conf(fs_config={"mounted": "yes"}, nfs=[(t.server, [t.tree])])
    t.write("stray", "1")
    tmpfs = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", t.tree]
    subprocess.run(tmpfs, check=True)
    try:
        t.small_files(40)
        t.put(moved=40)
        subprocess.run(["umount", t.tree], check=True)
        for _ in range(2):
            t.put(found=1, gone=0).says("another file system")
        mirror(t, expect=5, found=1, gone=0, deleted=0).says("file system")
        os.unlink(t.path("stray"))
        t.run("PUT", expect=3).says("empty")
        assert len(t.objects()) == 41
        t.write("stray", "1")
        mirror(t, "--accept-filesystem", found=1, gone=40, deleted=40)
        t.same(t.wanted(prefix=t.server + t.tree))
        mirror(t, found=1, gone=0, deleted=0)
    finally:
        subprocess.run(
            ["umount", "-l", t.tree], stderr=subprocess.DEVNULL
        )


def test_gone_other_nfs_version(t):
    """The server numbers its file system differently over NFS 3 and over NFS
    4: nothing is lost, and the message says what may be the reason."""
    t.small_files(40)
    t.conf(fs_config={"nfs_version": "3"})
    t.put(moved=40)
    t.conf(fs_config={"nfs_version": "4"})
    mirror(t, expect=5, found=40, gone=0, deleted=0).says("nfs_version")
    mirror(t, found=40, moved=0, failed=0, gone=0, deleted=0)
    t.conf(fs_config={"nfs_version": "3"})
    mirror(t, "--accept-filesystem", found=40, moved=0, gone=0, deleted=0)
    t.same()


def test_gone_copied_file_system(t):
    """A copy on another disk becomes the known one by itself, when it was
    crawled whole."""
    t.conf(fs_config={"mounted": "yes"}, nfs=[(t.server, [t.tree])])
    t.small_files(40)
    t.put(moved=40)
    copy = os.path.join(t.dir, "copy")
    shutil.copytree(t.tree, copy)
    tmpfs = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", t.tree]
    subprocess.run(tmpfs, check=True)
    try:
        subprocess.run(["cp", "-a", copy + "/.", t.tree], check=True)
        for name in ("d0/f0", "d1/f1", "d2/f2"):
            os.unlink(t.path(name))
        d3 = t.server + t.tree + "/d3/"
        mirror(t, "--prefix", d3, expect=5, found=10, deleted=0)
        result = mirror(t, expect=5, found=37, gone=0, deleted=0)
        result.says("file system")
        mirror(t, found=37, unchanged=37, gone=3, deleted=3)
    finally:
        subprocess.run(["umount", "-l", t.tree], check=True)
