"""What a PUT concludes from what it sees in the place of files it has put:
links, what isn't moved, and directories that are gone."""
import os
import shutil


def mirror(t, *arguments, expect=0, **counts):
    arguments = ("PUT", "--json", "--delete", "--max-delete=100%") + arguments
    return t.run(*arguments, expect=expect).counted(**counts)


def key(t, name):
    return t.server + t.share + "/" + name


def links(t, root):
    """What was below a followed link goes with the link's target, or with
    the link; what a link hides stays."""
    for i in range(3):
        t.write("a/f%d" % i, "a%d" % i)
        t.write("b/f%d" % i, "b%d" % i)
        t.write("c/f%d" % i, "c%d" % i)
    t.write("file", "1")
    for name in ("a", "b", "c", "file"):
        os.symlink(name, t.path("to-" + name))
    follow = ("--links", "follow")
    t.put(*follow, moved=20)
    # The target goes.
    shutil.rmtree(t.path("a"))
    mirror(t, *follow, deleted=6, failed=0)
    assert not [k for k in t.objects() if "/to-a/" in k or "/a/" in k]
    # The target goes, and then the link.
    shutil.rmtree(t.path("b"))
    os.unlink(t.path("file"))
    t.put(*follow)
    os.unlink(t.path("to-b"))
    os.unlink(t.path("to-file"))
    mirror(t, *follow, deleted=8, failed=0)
    left = ["%s/f%d" % (name, i) for name in ("c", "to-c") for i in range(3)]
    assert sorted(t.objects()) == [t.server + root + "/" + n for n in left]
    # A link that leads out of the share, or in a circle, hides them.
    kept = sorted(t.objects())
    for target in ("/nowhere", "to-c", "../../nowhere"):
        os.unlink(t.path("to-c"))
        os.symlink(target, t.path("to-c"))
        result = mirror(t, *follow, deleted=0, gone=0, failed=0)
        assert sorted(t.objects()) == kept, result


def test_conclusions_links(t):
    links(t, t.share)


def test_conclusions_links_mounted(t):
    t.conf(nfs=[(t.server, [t.tree])], fs_config={"mounted": "yes"})
    links(t, t.tree)


def test_conclusions_failed_then_link(t):
    """A file that failed, and was replaced by what isn't moved, has no
    failure any more."""
    proxy = t.proxy(s3_storage={"retry_for": "1"})
    t.write("other", "1")
    for name in ("bad-link", "bad-fifo", "bad-excluded"):
        t.write(name, "1")
    proxy.order("match PUT,/bad- 503")
    t.put(expect=1, moved=1, failed=3)
    assert len(t.query("SELECT path FROM failures")) == 3
    proxy.order("pass")
    os.unlink(t.path("bad-link"))
    os.symlink("other", t.path("bad-link"))
    os.unlink(t.path("bad-fifo"))
    os.mkfifo(t.path("bad-fifo"))
    for _ in range(2):
        t.put("--exclude", "bad-excluded", failed=0)
        assert not t.query("SELECT path, reason FROM failures")


def test_conclusions_prefix_gone(t):
    """The directory of --prefix is gone: its parent says so."""
    t.small_files(40)
    t.put(moved=40)
    shutil.rmtree(t.path("d1"))
    mirror(t, "--prefix", key(t, "d1/"), deleted=10, failed=0, gone=10)
    t.same()
    mirror(t, "--prefix", key(t, "d1/"), deleted=0, failed=0)
    mirror(t, found=30, unchanged=30, deleted=0)
    # A directory that the catalog never knew may be misspelt.
    for _ in range(2):
        mirror(t, "--prefix", key(t, "nowhere/"), expect=1, failed=1)
    # The guards hold.
    shutil.rmtree(t.path("d2"))
    arguments = ("PUT", "--delete", "--prefix", key(t, "d2/"))
    t.run(*arguments, expect=5).says("nothing was deleted", "10 of 10")
    assert len(t.objects()) == 30
    t.run(*arguments, "--max-delete=10")
    t.same()


def test_conclusions_prefix_alone(t):
    """The same with a catalog that knows nothing else of the export."""
    t.small_files(20)
    prefix = ("--prefix", key(t, "d1/"))
    t.put(*prefix, moved=5)
    shutil.rmtree(t.path("d1"))
    t.put(*prefix, found=0, gone=5)
    mirror(t, *prefix, deleted=5, failed=0, gone=0)
    assert not t.objects()


def test_conclusions_prefix_denied(t):
    """A directory that can't be looked at is not gone."""
    t.conf(fs_config={"uid": "1234", "gid": "1234"})
    t.write("a/b/f", "1")
    prefix = ("--prefix", key(t, "a/b/"))
    t.put(*prefix, moved=1)
    os.rename(t.path("a/b"), t.path("away"))
    os.chmod(t.path("a"), 0)
    mirror(t, *prefix, expect=1, failed=1, deleted=0, gone=0)
    os.chmod(t.path("a"), 0o755)
    os.rename(t.path("away"), t.path("a/b"))
    mirror(t, *prefix, unchanged=1, deleted=0)
    t.same()


def test_conclusions_overwritten(t):
    """What somebody else has put under the key of a file that is gone stays;
    seen in a listing, and by HEAD where few keys are asked for."""
    t.small_files(80, 2)
    t.write("one/f", "1")
    t.write("one/g", "1")
    t.put(moved=82)
    theirs = [key(t, name) for name in ("d0/f0", "d1/f79", "one/f")]
    for name in theirs:
        t.s3.put_object(Bucket=t.bucket, Key=name, Body=b"theirs")
    # The same bytes, copied over it: they are what was put.
    data = t.s3.get_object(Bucket=t.bucket, Key=key(t, "d0/f2"))["Body"].read()
    t.s3.put_object(Bucket=t.bucket, Key=key(t, "d0/f2"), Body=data)
    t.s3.delete_object(Bucket=t.bucket, Key=key(t, "d0/f4"))
    t.write("kept", "1")
    for name in ("d0", "d1", "one"):
        shutil.rmtree(t.path(name))
    result = mirror(t, "--dryrun", deleted=79)
    assert theirs[0] not in result.out.decode()
    result = mirror(t, moved=1, deleted=79, failed=0)
    result.says("3 objects", "none that this catalog put")
    assert sorted(t.objects()) == sorted(theirs + [key(t, "kept")])
    mirror(t, deleted=0, failed=0)
    assert not t.query("SELECT path FROM failures")
    assert len(t.objects()) == 4


def test_conclusions_unanswered(t):
    """A store that doesn't say what it holds: the object is kept."""
    proxy = t.proxy(s3_storage={"retry_for": "1"})
    t.write("f", "1")
    t.write("g", "1")
    t.put(moved=2)
    os.unlink(t.path("f"))
    os.unlink(t.path("g"))
    t.write("kept", "1")
    proxy.order("match HEAD,/f 503")
    proxy.order("match HEAD,/g 503")
    mirror(t, expect=1, moved=1, failed=1, deleted=0)
    assert len(t.objects()) == 3
    proxy.order("pass")
    mirror(t, failed=0, deleted=2)
    t.same()
