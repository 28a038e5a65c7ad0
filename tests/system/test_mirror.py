"""PUT --delete: what is gone at the source goes in the bucket, and nothing
else, however the source looks."""
import json
import os
import shutil
import signal
import subprocess

import stack
from case import Skip, limit


def mirror(t, *arguments, expect=0, **counts):
    arguments = ("PUT", "--json", "--delete") + arguments
    return t.run(*arguments, expect=expect).counted(**counts)


def key(t, name):
    return t.server + t.share + "/" + name


def remove(t, *names):
    for name in names:
        os.unlink(t.path(name))


def fill(t, count=40, directories=4):
    t.small_files(count, directories)
    t.put(moved=count)
    return sorted(t.objects())


def test_mirror_deletes(t):
    """A file, a directory; the catalog says who is gone; PUT alone doesn't."""
    fill(t)
    remove(t, "d0/f0")
    t.put(found=39, gone=1, deleted=0)
    assert len(t.objects()) == 40
    result = mirror(t, found=39, unchanged=39, moved=0, deleted=1)
    result.says("deleted")
    t.same()
    assert t.states()[key(t, "d0/f0")] in ("gone", "deleted")
    shutil.rmtree(t.path("d1"))
    t.write("new", "1")
    mirror(t, "--max-delete", "30%", found=30, moved=1, deleted=10)
    t.same()
    mirror(t, found=30, unchanged=30, deleted=0)
    t.write("d0/f0", "back")
    mirror(t, found=31, moved=1, deleted=0)
    t.same()


def test_mirror_others_stay(t):
    """Objects that this catalog didn't put stay, wherever they lie."""
    fill(t)
    theirs = ["foreign", key(t, "d0/theirs"), key(t, "no/dir/theirs")]
    for name in theirs:
        t.s3.put_object(Bucket=t.bucket, Key=name, Body=b"theirs")
    remove(t, "d0/f0")
    mirror(t, deleted=1)
    left = t.objects()
    assert all(name in left for name in theirs), left
    assert key(t, "d0/f0") not in left


def test_mirror_prefix(t):
    """With --prefix only what lies under it."""
    fill(t)
    remove(t, "d0/f0", "d1/f1")
    mirror(t, "--prefix", key(t, "d1/"), found=9, deleted=1)
    assert key(t, "d0/f0") in t.objects()
    assert key(t, "d1/f1") not in t.objects()
    mirror(t, deleted=1)
    t.same()


def test_mirror_excluded_stay(t):
    """A file that a filter leaves out isn't gone."""
    fill(t)
    mirror(t, "--exclude", "d0/", deleted=0)
    mirror(t, "--exclude", "f1", deleted=0)
    assert len(t.objects()) == 40


def test_mirror_max_delete(t):
    """Above the limit nothing is deleted; exit 5; raising it goes on."""
    keys = fill(t)
    remove(t, *["d0/f%d" % i for i in range(0, 20, 4)])
    result = mirror(t, expect=5, found=35, unchanged=35, deleted=0)
    result.says("--max-delete", "nothing was deleted", "5 of 40", "12%")
    assert sorted(t.objects()) == keys
    mirror(t, "--max-delete", "4", expect=5, deleted=0)
    mirror(t, "--max-delete", "0", expect=5, deleted=0)
    mirror(t, "--max-delete", "0%", expect=5, deleted=0)
    mirror(t, "--max-delete=12%", expect=5, deleted=0)
    assert sorted(t.objects()) == keys
    mirror(t, "--max-delete", "13%", deleted=5)
    t.same()
    remove(t, "d1/f1")
    mirror(t, "--max-delete", "1", deleted=1)
    t.same()


def test_mirror_options(t):
    t.write("f", "1")
    for wrong in ("101%", "x", "-1", "1%%", "", "1.5"):
        t.run("PUT", "--delete", "--max-delete=" + wrong, expect=2)
    t.run("PUT", "--max-delete", "5", expect=2).says("--delete")
    names = os.path.join(t.dir, "names")
    with open(names, "w") as f:
        f.write("f\n")
    t.run("PUT", "--delete", "--files-from", names, expect=2)
    t.run("PUT", "--delete", "--retry-failed", expect=2)


def test_mirror_dryrun(t):
    """Prints the plan of the real catalog, and touches nothing."""
    fill(t)
    # Files so young are read a second time, and are the same.
    remove(t, "d0/f0", "d1/f1")
    t.write("new", "1")
    before = t.query("SELECT max(run) FROM runs")
    result = mirror(t, "--dryrun", found=39, moved=1, deleted=2)
    rows = [json.loads(r) for r in result.out.decode().splitlines()[:-1]]
    assert [r["key"] for r in rows] == [key(t, "d0/f0"), key(t, "d1/f1")]
    result.says("would be deleted")
    out = t.run("PUT", "--delete", "--dryrun").out.decode().splitlines()
    assert out == [key(t, "d0/f0"), key(t, "d1/f1")], out
    mirror(t, "--dryrun", "--max-delete", "1", expect=5, deleted=2)
    assert len(t.objects()) == 40
    assert t.query("SELECT max(run) FROM runs") == before
    mirror(t, found=39, moved=1, deleted=2)
    t.same()
    assert not t.run("PUT", "--delete", "--dryrun").out


def test_mirror_first_dryrun(t):
    """No catalog is there yet, and none is made."""
    t.write("f", "1")
    mirror(t, "--dryrun", found=1, moved=1, deleted=0)
    assert not os.path.exists(t.catalog)


def test_mirror_root_empty(t):
    """The export isn't mounted: an empty directory. Nothing is deleted."""
    keys = fill(t)
    aside = t.tree + "-aside"
    os.mkdir(aside)
    for name in os.listdir(t.tree):
        os.rename(t.path(name), os.path.join(os.fsencode(aside), name.encode()))
    for _ in range(2):
        result = t.run("PUT", "--delete", "--max-delete", "100%", expect=3)
        result.says("empty", t.share)
        assert sorted(t.objects()) == keys
    for name in os.listdir(aside):
        os.rename(os.path.join(os.fsencode(aside), name.encode()), t.path(name))
    mirror(t, deleted=0)
    t.same()


def test_mirror_snapshot_only(t):
    """An empty root with a snapshot directory is empty."""
    keys = fill(t)
    for d in range(4):
        shutil.rmtree(t.path("d%d" % d))
    os.mkdir(t.path(".snapshot"))
    result = t.run("PUT", "--delete", "--max-delete", "100%", expect=3)
    result.says("empty")
    assert sorted(t.objects()) == keys


def test_mirror_other_file_system(t):
    """Another file system where the export was: nothing is deleted."""
    keys = fill(t)
    t.conf(fs_config={"mounted": "yes"}, nfs=[(t.server, [t.tree])])
    for k in keys:
        t.s3.delete_object(Bucket=t.bucket, Key=k)
    t.put(moved=40)
    keys = sorted(t.objects())
    tmpfs = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", t.tree]
    subprocess.run(tmpfs, check=True)
    try:
        t.write("d0/f0", "another disk")
        result = mirror(t, "--max-delete", "100%", expect=5, deleted=0)
        result.says("file system", t.tree)
        assert sorted(t.objects()) == keys
    finally:
        subprocess.run(["umount", "-l", t.tree], check=True)


def test_mirror_unreachable(t):
    """One export of two is out of reach: its objects stay."""
    second = os.path.join(t.world.second_export, t.name)
    os.mkdir(second)
    shares = [t.share, "/exp2/" + t.name]
    t.conf(nfs=[(t.server, shares)])
    t.small_files(20)
    with open(os.path.join(second, "f"), "w") as f:
        f.write("1")
    t.put(moved=21)
    remove(t, "d0/f0")
    shutil.rmtree(second)
    result = mirror(t, expect={1, 5}, deleted=1)
    assert t.server + "/exp2/" + t.name + "/f" in t.objects(), result
    assert key(t, "d0/f0") not in t.objects()


def test_mirror_unreadable(t):
    """A directory that can't be read keeps its children, and those below."""
    t.small_files(40)
    t.write("d0/deep/er/f", "1")
    t.put(moved=41)
    t.conf(fs_config={"uid": "1234", "gid": "1234"})
    remove(t, "d0/f0", "d0/deep/er/f", "d1/f1")
    os.chmod(t.path("d0"), 0)
    try:
        mirror(t, expect=1, deleted=1)
    finally:
        os.chmod(t.path("d0"), 0o755)
    left = t.objects()
    assert key(t, "d0/f0") in left and key(t, "d0/deep/er/f") in left
    assert key(t, "d1/f1") not in left
    mirror(t, deleted=2)
    t.same()


def test_mirror_server_as_prefix_no(t):
    t.conf(fs_config={"server_as_prefix": "no"})
    t.small_files(20)
    t.put(moved=20)
    remove(t, "d0/f0")
    mirror(t, deleted=1)
    t.same(t.wanted(prefix=t.share[1:]))


def test_mirror_server_renamed(t):
    """The keys have no server, and the server is known by another name now:
    what is known of the old name doesn't keep the objects for ever."""
    t.conf(fs_config={"server_as_prefix": "no"})
    t.small_files(20)
    t.put(moved=20)
    t.conf(nfs=[("localhost", [t.share])],
           fs_config={"server_as_prefix": "no"})
    t.run("PUT", "--json").counted(found=20, failed=0)
    remove(t, "d0/f0")
    mirror(t, found=19, unchanged=19, deleted=1)
    t.same(t.wanted(prefix=t.share[1:]))


@limit(120)
def test_mirror_many(t):
    t.small_files(3500)
    t.put(moved=3500)
    shutil.rmtree(t.path("d1"))
    shutil.rmtree(t.path("d2"))
    shutil.rmtree(t.path("d3"))
    t.write("kept", "1")
    mirror(t, "--max-delete", "80%", found=876, moved=1, deleted=2625)
    t.same(whole=3)


def test_mirror_versioned(t):
    t.s3.put_bucket_versioning(
        Bucket=t.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    t.small_files(20)
    t.put(moved=20)
    remove(t, "d0/f0")
    mirror(t, deleted=1)
    marker = t.s3.list_object_versions(Bucket=t.bucket)["DeleteMarkers"][0]
    rows = t.query(
        "SELECT marker_id FROM objects WHERE path = ?", key(t, "d0/f0")
    )
    assert rows == [(marker["VersionId"],)], rows


def test_mirror_deleted_by_others(t):
    """Somebody else has deleted the object: it counts as deleted, without a
    request, which might leave a second marker in a bucket with versions."""
    proxy = t.proxy()
    t.small_files(20)
    t.put(moved=20)
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "d0/f0"))
    remove(t, "d0/f0")
    mirror(t, deleted=1)
    assert proxy.stats()["POST"] == 0, proxy.stats()
    assert proxy.stats()["DELETE"] == 0, proxy.stats()
    rows = t.query(
        "SELECT state FROM objects WHERE path = ?", key(t, "d0/f0")
    )
    assert rows == [("deleted",)], rows
    mirror(t, deleted=0)


@limit(120)
def test_mirror_refused(t):
    """What S3 doesn't delete is a failed row, and tried again next time."""
    fill(t)
    remove(t, "d0/f0", "d1/f1")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:DeleteObject"],
        "Resource": ["arn:aws:s3:::%s/%s" % (t.bucket, key(t, "d0/*"))],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    t.s3.put_bucket_policy(Bucket=t.bucket, Policy=policy)
    mirror(t, expect=1, found=39, unchanged=38, failed=1, deleted=1)
    assert key(t, "d0/f0") in t.objects()
    t.s3.delete_bucket_policy(Bucket=t.bucket)
    mirror(t, found=38, deleted=1)
    t.same()


@limit(180)
def test_mirror_kill(t):
    """Killed while it deletes: the same command finishes."""
    proxy = t.proxy()
    t.small_files(3000)
    t.put(moved=3000)
    shutil.rmtree(t.path("d1"))
    shutil.rmtree(t.path("d2"))
    proxy.order("match POST delay 500")
    process = t.start("PUT", "--delete", "--max-delete", "60%")
    t.eventually(lambda: proxy.stats()["POST"] > 0, what="deletion began")
    process.kill()
    process.wait()
    proxy.order("pass")
    t.run("PUT", "--delete", "--max-delete", "60%")
    t.eventually(lambda: len(t.objects()) == 1500, what="the server is quiet")
    t.same(whole=3)


@limit(120)
def test_mirror_ctrl_c(t):
    proxy = t.proxy()
    t.small_files(3000)
    t.put(moved=3000)
    shutil.rmtree(t.path("d1"))
    shutil.rmtree(t.path("d2"))
    # One request takes 1,000 keys.
    proxy.order("match POST delay 0 1")
    proxy.order("match POST delay 600000")
    process = t.start("PUT", "--delete", "--max-delete", "60%")
    t.eventually(lambda: proxy.stats()["POST"] > 1, what="deletion began")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130, t.started_text()
    assert "may end within 5 s" in t.started_text(), t.started_text()
    proxy.order("pass")
    mirror(t, "--max-delete", "60%")
    t.same(whole=3)


def failed_rows(t):
    return t.query("SELECT count(*) FROM failures")[0][0]


def intend(t, count=40):
    """Files are gone; what is asked of the proxy happens to the deletion."""
    proxy = t.proxy()
    fill(t, count)
    remove(t, *["d0/f%d" % i for i in range(0, 20, 4)])
    return proxy


def done(t):
    """The objects are deleted, and there is nothing more to do."""
    mirror(t, "--max-delete", "20", found=35, unchanged=35, deleted=5)
    t.same()
    assert failed_rows(t) == 0
    requests = len(t.proxies[-1].requests())
    mirror(t, found=35, unchanged=35, deleted=0)
    asked = [r[0] for r in t.proxies[-1].requests()[requests:]]
    assert "POST" not in asked and asked.count("HEAD") <= 1, asked


def test_mirror_dropped_and_killed(t):
    """The request never arrives and the run is killed: the next plain PUT
    finds the objects and leaves them, the next PUT --delete does it."""
    proxy = intend(t)
    proxy.order("match POST drop")
    process = t.start("PUT", "--delete", "--max-delete", "20")
    t.eventually(lambda: proxy.stats()["POST"] > 0, what="deletion began")
    process.kill()
    process.wait()
    proxy.order("pass")
    for _ in range(2):
        t.put(found=35, unchanged=35)
        assert failed_rows(t) == 0
    assert len(t.objects()) == 40
    done(t)


def test_mirror_dropped_and_stopped(t):
    proxy = intend(t)
    proxy.order("match POST drop")
    process = t.start("PUT", "--delete", "--max-delete", "20")
    t.eventually(lambda: proxy.stats()["POST"] > 0, what="deletion began")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143, t.started_text()
    assert failed_rows(t) == 5
    proxy.order("pass")
    done(t)


def test_mirror_busy_store(t):
    """503 for longer than retry_for: failed rows, and done the next time."""
    proxy = intend(t)
    t.conf(s3_storage={"retry_for": "2", "endpoint": proxy.url})
    proxy.order("match POST 503")
    mirror(t, "--max-delete", "20", expect=1, failed=5, deleted=0)
    assert failed_rows(t) == 5
    proxy.order("pass")
    done(t)


def test_mirror_answer_swallowed_and_killed(t):
    """The store has deleted them, the answer is lost: in a bucket that keeps
    versions no second marker is made."""
    t.s3.put_bucket_versioning(
        Bucket=t.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    proxy = intend(t)
    proxy.order("match POST swallow-reply 1")
    # Before the deletion each of the five is asked for; after it none is.
    proxy.order("match HEAD,exp delay 1 5")
    proxy.order("match HEAD,exp drop")
    process = t.start("PUT", "--delete", "--max-delete", "20")
    t.eventually(lambda: len(t.objects()) == 35, what="they are deleted")
    process.kill()
    process.wait()
    proxy.order("pass")
    mirror(t, "--max-delete", "20", found=35, unchanged=35, deleted=0)
    assert failed_rows(t) == 0
    markers = t.s3.list_object_versions(Bucket=t.bucket)["DeleteMarkers"]
    assert len(markers) == 5, markers
    t.same()


def test_mirror_answer_swallowed(t):
    """The same without a kill: S3 is asked what is there before anything is
    deleted again."""
    t.s3.put_bucket_versioning(
        Bucket=t.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    proxy = intend(t)
    proxy.order("match POST swallow-reply 1")
    mirror(t, "--max-delete", "20", found=35, unchanged=35, deleted=5)
    assert failed_rows(t) == 0
    assert proxy.stats()["POST"] == 1, proxy.stats()
    markers = t.s3.list_object_versions(Bucket=t.bucket)["DeleteMarkers"]
    assert len(markers) == 5, markers
    t.same()


def test_mirror_sent_killed_and_gone(t):
    """New files arrive, their answers don't, the run is killed, the files go:
    their objects are found and deleted."""
    proxy = t.proxy()
    t.write("stays", "1")
    t.put(moved=1)
    # So young a file is read a second time, which is over then.
    t.put(unchanged=1)
    t.small_files(20, 2)
    proxy.order("match PUT swallow-reply")
    process = t.start("PUT")
    t.eventually(lambda: len(t.objects()) == 21, what="all have arrived")
    process.kill()
    process.wait()
    proxy.order("pass")
    shutil.rmtree(t.path("d0"))
    shutil.rmtree(t.path("d1"))
    # The first goes on with the cut crawl and hears that they are gone.
    for _ in range(2):
        mirror(t, "--max-delete", "100%", found=1, unchanged=1)
    t.same()
    mirror(t, found=1, unchanged=1, deleted=0)


class OwnNfs:
    """A server with one export, whose file system can be exchanged."""

    def __init__(self, t):
        self.stack = os.path.join(t.dir, "nfs")
        self.root = os.path.join(t.dir, "vol")
        self.disks = []
        os.mkdir(self.root)
        os.mkdir(self.stack)
        for name in ("one", "two"):
            disk = os.path.join(t.dir, name)
            os.mkdir(disk)
            self.mount("-t", "tmpfs", "-o", "size=4m", "none", disk)
            self.disks.append(disk)
        self.env = {}

    def mount(self, *arguments):
        done = subprocess.run(
            ["mount", *arguments], stderr=subprocess.PIPE, text=True
        )
        if done.returncode:
            raise Skip("no tmpfs can be mounted: " + done.stderr.strip())

    def show(self, disk):
        """Export this one from now on, at the same place."""
        self.hide()
        self.mount("--bind", self.disks[disk], self.root)
        self.env = stack.script(
            "nfs-up",
            STACK=self.stack,
            NFS_EXPORTS=self.root,
            **{k: self.env[k] for k in self.env if k.endswith("PORT")}
        )

    def hide(self):
        if self.env:
            stack.script("nfs-down", STACK=self.stack)
            subprocess.run(["umount", self.root], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stack.script("nfs-down", STACK=self.stack)
        for path in [self.root, *self.disks]:
            subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL)


def mirror_other_export(t, version):
    with OwnNfs(t) as nfs:
        for number, disk in enumerate(nfs.disks):
            os.mkdir(os.path.join(disk, "d"))
            for i in range(10):
                path = os.path.join(disk, "d", "f%d" % (i + number))
                with open(path, "w") as f:
                    f.write("file %d" % i)
                # Not the copy of the other that its names make it seem.
                os.utime(path, (1000 + number, 1000 + number))
        nfs.show(0)

        def configure():
            t.conf(
                nfs=[(t.server, ["/vol"])],
                fs_config={
                    "nfsport": nfs.env["NFS_PORT"],
                    "mountport": nfs.env["MNT_PORT"],
                    "nfs_version": version,
                },
            )

        configure()
        t.put(moved=10)
        keys = sorted(t.objects())
        nfs.show(1)
        configure()
        for more in ((), ("--dryrun",), ()):
            result = mirror(
                t, "--max-delete", "100%", *more, expect=5, deleted=0
            )
            result.says("file system", "/vol")
            assert set(keys) <= set(t.objects()), result
        # The right one again, through a server that was started again. The
        # first plan is without what was seen of the other.
        nfs.show(0)
        configure()
        os.unlink(os.path.join(nfs.disks[0], "d", "f3"))
        mirror(t, "--max-delete", "100%", found=9)
        keys.remove(t.server + "/vol/d/f3")
        assert sorted(t.objects()) == keys
        # Exchanged on purpose: said so once.
        nfs.show(1)
        configure()
        t.put("--accept-filesystem", found=10)
        mirror(t, "--max-delete", "100%", found=10, deleted=1)
        assert sorted(t.objects()) == [
            "%s/vol/d/f%d" % (t.server, n)
            for n in sorted(range(1, 11), key=str)
        ]


@limit(120)
def test_mirror_other_export_v3(t):
    """The file system behind an export was exchanged for another one."""
    mirror_other_export(t, 3)


@limit(120)
def test_mirror_other_export_v4(t):
    mirror_other_export(t, 4)
