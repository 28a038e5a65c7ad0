"""File systems below a share: what is on one that isn't mounted isn't gone."""
import contextlib
import os
import shutil
import subprocess

import stack
from case import Skip, limit


def is_mounted(point):
    """Also where a bind mount has the device of what is around it."""
    with open("/proc/self/mounts") as table:
        return any(line.split()[1] == point for line in table)


@contextlib.contextmanager
def mounted(*arguments):
    """A mount for the time of the block, unless it was unmounted in it."""
    point = arguments[-1]
    done = subprocess.run(
        ["mount", *arguments], stderr=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise Skip("nothing can be mounted: " + done.stderr.strip())
    try:
        yield
    finally:
        if is_mounted(point):
            subprocess.run(["umount", "-l", point], check=True)


def tmpfs(point):
    return mounted("-t", "tmpfs", "-o", "size=2m", "none", point)


def local(t, **settings):
    """The tree by its path, a file in it and a directory to mount on."""
    t.conf(
        fs_config=dict({"mounted": "yes"}, **settings),
        nfs=[(t.server, [t.tree])],
    )
    t.write("plain/f", "plain")
    os.mkdir(t.path("vol"))


def fill(t, where, count=15):
    for i in range(count):
        t.write("%s/f%d" % (where, i), "%s %d" % (where, i))


def stays(t, objects, **counts):
    """Neither PUT nor a mirror, however often, takes anything away."""
    for _ in range(2):
        for more in ((), ("--delete",), ("--delete", "--max-delete", "99%")):
            result = t.put(
                *more,
                expect=1,
                **dict({"failed": 1, "deleted": 0, "moved": 0}, **counts)
            )
            result.says("vol", "mounted")
            assert sorted(t.objects()) == objects


def test_mounts_unmounted(t):
    """A file system below the share is unmounted: its mount point is empty,
    holds other files, or is gone."""
    local(t)
    vol = os.path.join(t.tree, "vol")
    with tmpfs(vol):
        fill(t, "vol")
        t.put(moved=16)
        t.put(moved=0, unchanged=16)
        objects = sorted(t.objects())
        subprocess.run(["umount", vol], check=True)
    stays(t, objects, found=2)
    # Not what belongs there.
    t.write("vol/f1", "below the mount")
    stays(t, objects, found=2)
    os.unlink(t.path("vol/f1"))
    os.rmdir(vol)
    stays(t, objects, found=2)
    os.mkdir(vol)
    with tmpfs(vol):
        # Another one, with a file of the same name.
        t.write("vol/f1", "another disk")
        stays(t, objects, found=2)


def test_mounts_bound(t):
    """A bind mount of the same file system is none of the directories around
    it; mounted again it is the same."""
    local(t)
    vol = os.path.join(t.tree, "vol")
    other = os.path.join(t.dir, "other")
    os.mkdir(other)
    with mounted("--bind", other, vol):
        fill(t, "vol")
        t.put(moved=16)
        objects = sorted(t.objects())
    stays(t, objects, found=2)
    with mounted("--bind", other, vol):
        t.put(found=16, unchanged=16, failed=0)
        os.unlink(t.path("vol/f3"))
        t.put("--delete", "--max-delete", "50%", found=15, deleted=1)
    # It is gone for good.
    t.put("--accept-filesystem", found=1, gone=14)
    t.put("--delete", "--max-delete", "99%", found=1, deleted=14)
    t.same(t.wanted(prefix=t.server + t.tree))


def test_mounts_over_a_directory(t):
    """A file system is mounted where a directory with files was."""
    local(t)
    vol = os.path.join(t.tree, "vol")
    fill(t, "vol")
    t.put(moved=16)
    objects = sorted(t.objects())
    with tmpfs(vol):
        t.write("vol/f1", "another disk")
        stays(t, objects, found=2)
    t.put(found=16, unchanged=16)
    with tmpfs(vol):
        t.write("vol/f1", "another disk")
        t.put("--accept-filesystem", found=2, moved=1, gone=14)
        t.put("--delete", "--max-delete", "99%", found=2, deleted=14)
        t.same(t.wanted(prefix=t.server + t.tree))


def test_mounts_file(t):
    """A file that is mounted over a file is another file system."""
    local(t)
    t.write("plain/f", "mine")
    vol = os.path.join(t.tree, "vol")
    other = t.write("other", "of the other file system")
    t.put(found=2, moved=2)
    objects = t.objects()
    with tmpfs(vol):
        shutil.copy(os.fsdecode(other), vol)
        with mounted("--bind", vol + "/other", t.path("plain/f")):
            local_again(t, "yes")
            t.put(expect=1, found=3, failed=1, moved=1)
            key = t.server + t.tree + "/plain/f"
            assert t.objects()[key] == objects[key]
            t.put("--accept-filesystem", found=3, moved=1)
            t.put(found=3, unchanged=3)
            objects = t.objects()
            local_again(t, "no")
            t.put("--delete", excluded=2, deleted=0)
            assert t.objects() == objects


def test_mounts_not_crossed(t):
    """cross_mounts = no: they are excluded, with the reason."""
    local(t, cross_mounts="no")
    vol = os.path.join(t.tree, "vol")
    with tmpfs(vol):
        fill(t, "vol")
        t.put(found=2, moved=1, excluded=1)
        key = t.server + t.tree + "/"
        assert sorted(t.objects()) == [key + "plain/f"]
        reason = t.query("SELECT state, reason FROM objects WHERE path = ?",
                         key + "vol")
        assert reason == [("excluded", "another file system")], reason
        # What was moved from there before stays.
        local_again(t, "yes")
        t.put(found=16, moved=15, unchanged=1)
        local_again(t, "no")
        objects = sorted(t.objects())
        os.unlink(t.path("vol/f2"))
        t.put("--delete", found=2, excluded=1, deleted=0)
        assert sorted(t.objects()) == objects


def local_again(t, cross):
    t.conf(
        fs_config={"mounted": "yes", "cross_mounts": cross},
        nfs=[(t.server, [t.tree])],
    )


class Nested:
    """A server with an export, and another one of another file system below
    it, which may be withdrawn."""

    def __init__(self, t, version, **settings):
        self.t = t
        self.stack = os.path.join(t.dir, "nfs")
        self.root = os.path.join(t.dir, "nested")
        self.vol = os.path.join(self.root, "vol")
        self.version = version
        self.settings = settings
        self.env = {}
        os.makedirs(self.vol)
        os.makedirs(os.path.join(self.root, "plain"))
        os.mkdir(self.stack)
        self.write("plain/f")

    def write(self, name):
        with open(os.path.join(self.root, name), "w") as f:
            f.write(name)

    def up(self, *below, refused=""):
        self.down()
        self.env = stack.script(
            "nfs-up",
            STACK=self.stack,
            NFS_EXPORTS=" ".join((self.root,) + below),
            NFS_REFUSED=refused,
            **{k: self.env[k] for k in self.env if k.endswith("PORT")}
        )
        self.conf()

    def conf(self, shares=("/nested",), **more):
        self.t.conf(
            nfs=[(self.env["NFS_ADDR"], list(shares))],
            fs_config=dict(
                {
                    "nfsport": self.env["NFS_PORT"],
                    "mountport": self.env["MNT_PORT"],
                    "nfs_version": self.version,
                },
                **more
            ),
            s3_storage={"retry_for": "3"},
        )

    def down(self):
        if self.env:
            stack.script("nfs-down", STACK=self.stack)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.down()


def through_nested(t, version):
    with Nested(t, version) as n:
        with tmpfs(n.vol):
            for i in range(15):
                n.write("vol/f%d" % i)
            n.up(n.vol)
            t.put(found=16, moved=16)
            t.same(t.wanted(n.root, n.env["NFS_ADDR"] + "/nested"))
            t.put(found=16, unchanged=16)
            objects = sorted(t.objects())
            n.conf(cross_mounts="no")
            t.put(found=2, unchanged=1, excluded=1)
            n.up(n.vol, refused=n.vol)
            result = t.put(expect=1, failed=1, moved=0)
            result.says("vol")
            n.down()
        # What it covered shows.
        n.up()
        stays(t, objects, found=2)
        with tmpfs(n.vol):
            n.write("vol/f0")
            n.up(n.vol)
            stays(t, objects, found=2)


@limit(120)
def test_mounts_nested_export_v3(t):
    through_nested(t, 3)


@limit(120)
def test_mounts_nested_export_v4(t):
    through_nested(t, 4)


def test_mounts_prefix_gone(t):
    """--prefix names a file system that is gone with its mount point; the
    catalog knows nothing of what was around it."""
    local(t)
    prefix = ("--prefix", t.server + t.tree + "/vol/")
    with tmpfs(t.tree + "/vol"):
        fill(t, "vol")
        t.put(*prefix, moved=15)
    os.rmdir(t.path("vol"))
    for more in ((), ("--delete", "--max-delete=100%")):
        t.put(*prefix, *more, expect=1, failed=1, gone=0, deleted=0)
        assert len(t.objects()) == 15
    more = ("--accept-filesystem", "--delete", "--max-delete=100%")
    t.put(*prefix, *more, failed=0, gone=15)


def test_mounts_file_listed(t):
    """A list names files on which others are mounted: that says nothing of
    their directories, be they known or not."""
    local(t)
    t.write("d/f", "one")
    other = os.path.join(t.dir, "other")
    names = os.path.join(t.dir, "names")
    for name, text in ((other, "another"), (names, "d/f\ne/f\n")):
        with open(name, "w") as f:
            f.write(text)
    t.put(moved=2)
    t.write("e/f", "two")
    with mounted("--bind", other, t.tree + "/d/f"):
        with mounted("--bind", other, t.tree + "/e/f"):
            t.put("--files-from", names, moved=2, failed=0)
            t.put(found=3, failed=0)
    t.put("--files-from", names, found=2, failed=0)
    t.put(found=3, failed=0)
    t.same(t.wanted(prefix=t.server + t.tree))


def test_mounts_listed_unmounted(t):
    """A list names files of a file system that is not mounted: they have
    failed until they can be looked at."""
    local(t)
    vol = os.path.join(t.tree, "vol")
    names = os.path.join(t.dir, "names")
    other = os.path.join(t.dir, "other")
    os.mkdir(other)
    with open(names, "w") as f:
        f.write("vol/f1\n")
    with mounted("--bind", other, vol):
        fill(t, "vol", 3)
        t.put(moved=4)
    for stub in (False, True):
        if stub:
            t.write("vol/f1", "below the mount")
        t.put("--files-from", names, expect=1, found=1, failed=1)
        for _ in range(2):
            t.put("--retry-failed", expect=1, gone=0, moved=0)
            assert t.query("SELECT 1 FROM failures")
    assert len(t.objects()) == 4
    with mounted("--bind", other, vol):
        t.put("--retry-failed", failed=0, gone=0)
        assert not t.query("SELECT 1 FROM failures")


def test_mounts_prefix_inside(t):
    """--prefix begins below a file system that is gone, with its mount point
    or without: nothing there is gone. Where it is mounted, what is removed
    is gone."""
    local(t)
    other = os.path.join(t.dir, "other")
    os.mkdir(other)
    prefixes = [
        ("--prefix", "%s%s/vol/%s/" % (t.server, t.tree, name))
        for name in ("d", "d/e")
    ]
    with mounted("--bind", other, t.tree + "/vol"):
        fill(t, "vol/d/e", 5)
        t.put(moved=6)
    for step in (None, "rmdir"):
        for prefix in prefixes:
            for more in ((), ("--delete", "--max-delete=100%")):
                result = t.put(*prefix, *more, expect=1, failed=1, gone=0)
                result.says("file system")
                assert len(t.objects()) == 6
        if step is None:
            os.rmdir(t.path("vol"))
    states = t.query("SELECT DISTINCT state FROM objects")
    assert states == [("stored",)], states
    os.mkdir(t.path("vol"))
    with mounted("--bind", other, t.tree + "/vol"):
        t.put(found=6, unchanged=6)
        shutil.rmtree(t.path("vol/d"))
        t.put(*prefixes[1], found=0, gone=5)
        t.put(*prefixes[0], "--delete", "--max-delete=100%", deleted=5)
    assert len(t.objects()) == 1


def inner_unmounted(t, stub, put, *inner):
    """What the catalog knows of a place counts for a share that begins there
    now: the file system, and the files on it."""
    vol = os.path.join(t.tree, "vol")
    local(t)
    fill(t, "plain")
    with tmpfs(vol):
        fill(t, "vol/d", 3)
        t.put(moved=19)
        objects = sorted(t.objects())
        subprocess.run(["umount", vol], check=True)
    for name in stub:
        t.write(name, "below the mount")
    if not inner:
        t.conf(fs_config={"mounted": "yes"},
               nfs=[(t.server, [t.tree, vol])])
    for more, status in put:
        result = t.put(*inner, *more, expect=status, gone=0, deleted=0)
        result.says("vol")
        assert set(t.objects()) >= set(objects)
    # It is the outer one's again, and isn't mounted yet.
    local_again(t, "yes")
    for _ in range(2):
        t.put("--delete", expect={1, 5}, deleted=0, gone=0)
        assert set(t.objects()) >= set(objects)
    with tmpfs(vol):
        fill(t, "vol/d", 3)
        # The same file system, as far as anybody can tell.
        t.put("--accept-filesystem")
    return objects


MIRRORS = (("--delete", "--max-delete=100%"),) * 2


def test_mounts_inner_share_unmounted(t):
    inner_unmounted(t, ["vol/README"], [(m, 5) for m in MIRRORS])


def test_mounts_inner_share_unmounted_put(t):
    """A plain PUT first."""
    inner_unmounted(t, ["vol/README"],
                    [((), 0)] + [(m, 5) for m in MIRRORS])


def test_mounts_inner_share_unmounted_left_out(t):
    """Nor what a filter leaves out there."""
    more = ("--exclude", "d/", "--delete-excluded")
    inner_unmounted(t, ["vol/README", "vol/d/README"],
                    [(m + more, {1, 5}) for m in MIRRORS])


def test_mounts_inner_share_unmounted_empty(t):
    inner_unmounted(t, [], [((), 1), ((), 1)] + [(m, 1) for m in MIRRORS])


def test_mounts_inner_share_of_the_command_line(t):
    inner_unmounted(t, ["vol/d/README"], [(m, 5) for m in MIRRORS],
                    "-ns", t.server, "-nsh", t.tree + "/vol/d")


def nested_inner(t, version):
    with Nested(t, version) as n:
        for i in range(60):
            n.write("plain/f%d" % i)
        with tmpfs(n.vol):
            os.mkdir(n.vol + "/d")
            for i in range(3):
                n.write("vol/d/f%d" % i)
            n.up(n.vol)
            t.put(moved=64)
            objects = set(t.objects())
            n.down()
        n.write("vol/README")
        n.up()
        n.conf(shares=["/nested", "/nested/vol"])
        for _ in range(2):
            t.put("--delete", expect=5, deleted=0, gone=0)
            assert set(t.objects()) >= objects


@limit(120)
def test_mounts_nested_inner_share_v3(t):
    nested_inner(t, 3)


@limit(120)
def test_mounts_nested_inner_share_v4(t):
    nested_inner(t, 4)


def renamed(t, stub, *names):
    """Without the server in the keys, what is known below the share by the
    server's former name is known by its name of today."""
    vol = os.path.join(t.tree, "vol")
    settings = {"mounted": "yes", "server_as_prefix": "no"}

    def conf(server):
        t.conf(fs_config=settings, nfs=[(server, [t.tree])])

    os.mkdir(vol)
    fill(t, "plain")
    with tmpfs(vol):
        fill(t, "vol/d", 3)
        conf(names[0])
        t.put(moved=18)
        objects = sorted(t.objects())
        subprocess.run(["umount", vol], check=True)
    for name in stub:
        t.write(name, "below the mount")
    if not stub:
        os.rmdir(vol)
    for name in names[1:]:
        conf(name)
        for more in ((), ("--delete",), ("--delete",)):
            # New is the root's file system, too, at first.
            result = t.put(*more, expect={1, 5} if more else 1, deleted=0)
            result.says("vol", "mounted")
            assert sorted(t.objects()) == objects
    for name in stub:
        os.unlink(t.path(name))
    more = ("--delete", "--accept-filesystem", "--max-delete", "50%")
    t.put("--accept-filesystem")
    t.put(*more, expect={0, 5})
    t.put(*more, expect=0)
    t.same(t.wanted(prefix=t.tree[1:]))


def test_mounts_server_renamed(t):
    renamed(t, ["vol/README"], "old", "new", "third")


def test_mounts_server_renamed_and_back(t):
    renamed(t, ["vol/d/README"], "old", "new", "old")


def test_mounts_server_renamed_no_mount_point(t):
    renamed(t, [], "old", "new")


def test_mounts_server_renamed_and_inner_share(t):
    """The inner share has its file system by the former name alone."""
    vol = os.path.join(t.tree, "vol")
    settings = {"mounted": "yes", "server_as_prefix": "no"}
    os.mkdir(vol)
    fill(t, "plain")
    with tmpfs(vol):
        fill(t, "vol/d", 3)
        t.conf(fs_config=settings, nfs=[("old", [t.tree, vol])])
        t.put(moved=18)
        objects = set(t.objects())
    t.write("vol/README", "below the mount")
    for shares in ([t.tree], [t.tree, vol]):
        t.conf(fs_config=settings, nfs=[("new", shares)])
        for _ in range(2):
            t.put("--delete", expect={1, 5}, deleted=0)
            assert set(t.objects()) >= objects


def test_mounts_prefix_then_unmounted(t):
    """Only a directory of a file system was put; a run that finds it gone
    doesn't take the place above for one of another file system."""
    vol = os.path.join(t.tree, "vol")
    local(t)
    prefix = ("--prefix", t.server + vol + "/w/")
    other = os.path.join(t.dir, "other")
    os.mkdir(other)
    with mounted("--bind", other, vol):
        fill(t, "vol/w", 3)
        t.put(*prefix, moved=3)
    for _ in range(2):
        t.put(expect=1, failed=1, gone=0)
    with mounted("--bind", other, vol):
        t.put(found=4, unchanged=4, failed=0)
    t.put(expect=1, failed=1, gone=0)
