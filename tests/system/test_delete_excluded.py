"""PUT --delete --delete-excluded: objects of files that the run leaves out go
when the files are proven gone, below directories too that it doesn't read."""
import os
import shutil
import subprocess

RULES = ("--exclude", "archive/", "--exclude", "*.tmp", "--max-size", "4000")


def mirror(t, *arguments, expect=0, **counts):
    arguments = ("PUT", "--json", "--delete", "--max-delete=100%") + arguments
    return t.run(*arguments, expect=expect).counted(**counts)


def fill(t, **conf):
    """Files to be left out, by their own names and sizes and by those of
    directories above them; then some of them are removed."""
    t.conf(**conf)
    fs = dict(conf.get("fs_config", {}))
    t.conf(**dict(conf, fs_config=dict(fs, skip_dir="")))
    t.small_files(40)
    for name in (
        "archive/f", "archive/stays", "archive/deep/g", "archive/deep/h",
        "d1/snap/k", "d1/snap/stays", "d1/x.tmp", "d1/y.tmp",
    ):
        t.write(name, "1")
    t.write("d1/large", "1" * 5000)
    t.put(moved=49)
    t.conf(**dict(conf, fs_config=dict(fs, skip_dir="snap")))
    for name in ("archive/f", "d1/snap/k", "d1/x.tmp", "d1/large"):
        os.unlink(t.path(name))
    shutil.rmtree(t.path("archive/deep"))


def left_out(t, prefix=None, **conf):
    fill(t, **conf)
    found = {"found": 43, "unchanged": 40, "excluded": 3, "moved": 0}
    mirror(t, *RULES, gone=2, deleted=0, **found)
    rules = ("--delete-excluded",) + RULES
    result = mirror(t, "--dryrun", *rules, deleted=6)
    for name in (b"archive/f", b"archive/deep/g", b"d1/snap/k", b"x.tmp"):
        assert name + b'"' in result.out, result.out
    assert b"stays" not in result.out and len(t.objects()) == 49
    mirror(t, *rules, "--max-delete=5", expect=5, gone=4, deleted=0, **found)
    assert len(t.objects()) == 49
    mirror(t, *rules, gone=0, deleted=6, **found)
    t.same(t.wanted(prefix=prefix))
    mirror(t, *rules, gone=0, deleted=0, **found)
    # What was left out is known as before.
    t.conf(**conf)
    mirror(t, found=43, unchanged=43, gone=0, deleted=0)


def test_delete_excluded_v3(t):
    left_out(t, fs_config={"nfs_version": "3"})


def test_delete_excluded_v4(t):
    left_out(t, fs_config={"nfs_version": "4"})


def test_delete_excluded_mounted(t):
    left_out(
        t, prefix=t.server + t.tree, fs_config={"mounted": "yes"},
        nfs=[(t.server, [t.tree])],
    )


def denied(t, version):
    """What can't be looked at is kept, and has failed."""
    t.settings = {"fs_config": {"uid": "1234", "gid": "1234"}}
    fill(t, fs_config={"nfs_version": version})
    rules = ("--delete-excluded",) + RULES
    os.chmod(t.path("archive"), 0)
    mirror(t, *rules, expect=1, failed=4, excluded=3, gone=1 + 2, deleted=3)
    os.chmod(t.path("archive"), 0o755)
    rows = t.query("SELECT path, reason FROM failures ORDER BY path")
    assert len(rows) == 4, rows
    for path, reason in rows:
        assert "/archive/" in path and "kept" in reason, rows
    mirror(t, *rules, failed=0, gone=3, deleted=3)
    assert not t.query("SELECT * FROM failures")
    t.same()


def test_delete_excluded_denied_v3(t):
    denied(t, "3")


def test_delete_excluded_denied_v4(t):
    denied(t, "4")


def test_delete_excluded_not_mounted(t):
    """A file system below a directory that is left out isn't mounted, then
    its mount point is gone too: its files are kept, and have failed."""
    t.conf(nfs=[(t.server, [t.tree])], fs_config={"mounted": "yes"})
    t.small_files(40)
    t.write("archive/f", "1")
    volume = t.path("archive/vol")
    os.mkdir(volume)
    tmpfs = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", volume]
    subprocess.run(tmpfs, check=True)
    try:
        t.write("archive/vol/g", "1")
        t.put(moved=42)
    finally:
        subprocess.run(["umount", volume], check=True)
    rules = ("--delete-excluded", "--exclude", "archive/")
    mirror(t, *rules, expect=1, failed=1, gone=0, deleted=0)
    os.rmdir(volume)
    os.unlink(t.path("archive/f"))
    mirror(t, *rules, expect=1, failed=1, gone=1, deleted=1)
    rows = t.query("SELECT path, reason FROM failures")
    assert len(rows) == 1 and "file system" in rows[0][1], rows
    assert len(t.objects()) == 41


def test_delete_excluded_inner_share(t):
    """A share inside a directory that the outer share leaves out is crawled by
    itself, and isn't looked at once more."""
    inner = t.tree + "/archive/inner"
    t.conf(
        nfs=[(t.server, [t.tree, inner])], fs_config={"mounted": "yes"}
    )
    t.small_files(40)
    t.write("archive/f", "1")
    t.write("archive/inner/g", "1")
    t.write("archive/inner/h", "1")
    t.put(moved=43)
    os.unlink(t.path("archive/inner/g"))
    os.unlink(t.path("archive/f"))
    rules = ("--exclude", "archive/")
    mirror(t, *rules, gone=1, deleted=1)
    mirror(t, "--delete-excluded", *rules, gone=1, deleted=1)
    t.same(t.wanted(prefix=t.server + t.tree))


def test_delete_excluded_in_doubt(t):
    """The answer to a PUT was lost, the file is gone, and its directory is
    left out from then on."""
    proxy = t.proxy()
    t.small_files(40)
    t.put(moved=40)
    proxy.order("match PUT,archive/f swallow-reply")
    t.write("archive/f", "1")
    process = t.start("PUT")
    t.eventually(
        lambda: len(t.objects()) == 41, what="the store has the object"
    )
    process.kill()
    process.wait()
    proxy.order("pass")
    os.unlink(t.path("archive/f"))
    rules = ("--delete-excluded", "--exclude", "archive/")
    mirror(t, *rules, gone=1, deleted=1)
    t.same()
