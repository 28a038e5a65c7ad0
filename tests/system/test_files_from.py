"""--files-from: the names come from a list, and each is accounted for."""
import os
import signal
import subprocess
import time

from case import Proxy, limit


def test_files_from(t):
    for name in ("a/1", "a/2", "b/3", b"odd \xff\n"):
        t.write(name, name)
    root = t.server + t.share + "/"
    names = os.path.join(t.dir, "names")
    with open(names, "w") as f:
        f.write(root + "a/2\n" + root + "b/3\n")
    t.put("--files-from", names, found=2, moved=2)
    assert sorted(t.objects()) == [root + "a/2", root + "b/3"]
    t.put("--files-from", names, found=2, moved=0, unchanged=2)
    t.put(found=4, moved=2, unchanged=2)
    t.same()


def test_files_from_stdin(t):
    t.write("a/1", "1")
    t.write("a/2", "2")
    line = (t.server + t.share + "/a/1\n").encode()
    t.run("PUT", "--files-from", "-", input=line)
    assert list(t.objects()) == [t.server + t.share + "/a/1"]


def test_files_from_missing(t):
    """A name that isn't there, and a list that isn't."""
    t.write("a", "1")
    root = t.server + t.share + "/"
    names = os.path.join(t.dir, "names")
    with open(names, "w") as f:
        f.write(root + "a\n" + root + "nothing\n")
    t.run("PUT", "--json", "--files-from", names, expect={0, 1}).counted(
        moved=1
    )
    t.run("PUT", "--files-from", names + "x", expect=2)


def test_files_from_stored_and_missing(t):
    """A stored file that isn't there any more has a row with the reason,
    which the summary names."""
    t.write("a", "1")
    t.write("b", "2")
    t.put()
    os.unlink(t.path("a"))
    names = the_list(t, "a")
    query = "SELECT path, reason FROM failures"
    for _ in range(2):
        t.put("--files-from", names, expect=1, found=1, failed=1)
        rows = t.query(query)
        assert rows == [(t.server + t.share + "/a", "no such file")], rows
    t.put("--retry-failed", found=1, unchanged=1, gone=1)
    assert not t.query(query)
    states = dict(t.query("SELECT path, state FROM objects"))
    assert states[t.server + t.share + "/a"] == "gone", states
    t.write("a", "1")
    t.put()
    assert not t.query(query)


def test_files_from_stored_and_back(t):
    """A stored file that was not there for a list, and is there again, is
    compared by the next run, and not sent."""
    t.write("d/a", "1")
    t.write("d/b", "2")
    for again in (("--retry-failed",), ()):
        t.put(failed=0)
        os.rename(t.path("d"), t.path("aside"))
        names = the_list(t, "d/a")
        t.put("--files-from", names, expect=1, found=1, failed=1)
        os.rename(t.path("aside"), t.path("d"))
        t.put(*again, found=2, moved=0, unchanged=2)
        assert not t.query("SELECT 1 FROM failures")
    t.same()


def the_list(t, *lines, end=b"\n"):
    path = os.path.join(t.dir, "the-list")
    with open(path, "wb") as f:
        f.write(b"\n".join(os.fsencode(line) for line in lines) + end)
    return path


def test_files_from_as_find_prints(t):
    """./, // and a slash at the end mean nothing; a name twice is one."""
    t.write("d/a", "1")
    t.write("d/b", "2")
    names = the_list(
        t, "./d/a", "d//b", "d/a/", "d/./b", "/d/a", "", end=b"d/a"
    )
    t.put("--files-from", names, found=2, moved=2)
    t.same()
    root = t.server + t.share
    rows = {path for path, in t.query("SELECT path FROM dirs")}
    assert rows == {root, root + "/d"}, rows
    t.put(found=2, unchanged=2)


def test_files_from_no_names(t):
    """A line that no file can have is a failure, and nothing else is there
    of it; the names after it are moved all the same."""
    t.write("a", "1")
    t.write("d/b", "2")
    names = the_list(
        t, "n" * 70000, "../a", "d/../../a", "a\0b", ".", "x/nothing", "d",
        "a", "d/b"
    )
    result = t.put(
        "--files-from", names, expect=1, found=9, moved=2, failed=6,
        excluded=1
    )
    result.says("no such file", "32768 bytes", "NUL", "..")
    t.same()
    root = t.server + t.share
    rows = {path for path, in t.query("SELECT path FROM dirs")}
    assert rows == {root, root + "/d"}, rows
    rows = {path for path, in t.query("SELECT path FROM objects")}
    assert rows == {root + "/a", root + "/d/b", root + "/d"}, rows
    rows = t.query("SELECT reason FROM failure_log")
    assert len(rows) == 6, rows
    t.put(found=2, unchanged=2)


def test_files_from_skipped_directory(t):
    """Snapshots are left out where a crawl meets them, not where they are
    named; and what was moved stays."""
    t.write("a", "1")
    t.write("d/.snapshot/hour/f", "2")
    t.write("d/.snapshot/day/f", "3")
    top = t.server + t.share + "/"
    t.put(found=2, moved=1, excluded=1)
    t.put(
        "--files-from", the_list(t, "d/.snapshot/hour/f"), found=1, moved=1
    )
    t.put("--prefix", top + "d/.snapshot/day/", found=1, moved=1)
    t.put("--delete", "--max-delete", "100%", found=2, unchanged=1,
          excluded=1, deleted=0)
    t.same()


def test_files_from_links(t):
    """With --links follow, a link in the list is what it points to."""
    t.write("d/a", "1")
    for i in range(100):
        os.symlink("a", t.path("d/l%d" % i))
    os.symlink("nowhere", t.path("d/dangling"))
    os.symlink(".", t.path("d/dir"))
    links = ["d/l%d" % i for i in range(100)]
    names = the_list(t, *links, "d/dangling", "d/dir")
    t.put(
        "--links", "follow", "--files-from", names, found=102, moved=100,
        excluded=2
    )
    assert len(t.objects()) == 100
    t.put("--files-from", names, found=102, excluded=102)


def test_files_from_slow_pipe(t):
    """What stands in the pipe is moved while more may come, and an interrupt
    is not waited for."""
    t.write("a", "1")
    for sign, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = subprocess.Popen(
            t.command("PUT", "--files-from", "-", "--config", t.config),
            stdin=subprocess.PIPE,
            env=t.environment(),
        )
        process.stdin.write(b"a\n")
        process.stdin.flush()
        t.eventually(t.objects, what="the first name moved")
        process.send_signal(sign)
        assert process.wait(timeout=20 * t.world.slowness) == status
        process.stdin.close()
        t.s3.delete_object(Bucket=t.bucket, Key=t.server + t.share + "/a")
        t.write("a", "2" * 20)


def test_files_from_typo_forgets_nothing(t):
    """A list that isn't there starts no run: the cut one is continued."""
    proxy = t.proxy()
    proxy.order("match PUT delay 50")
    t.small_files(600)
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["PUT"] > 50, what="PUT began")
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    proxy.order("pass")
    crawl = t.query("SELECT max(crawl) FROM runs")[0][0]
    t.run("PUT", "--files-from", os.path.join(t.dir, "typo"), expect=2)
    t.run("PUT", "--files-from", t.dir, expect=2)
    t.put(found=600)
    assert t.query("SELECT max(crawl) FROM runs")[0][0] == crawl
    t.same()


@limit(120)
def test_files_from_nfs_fault(t):
    """A name whose look-up meets a fault that passes is looked up again."""
    names = ["d%d/f%d" % (i % 9, i) for i in range(400)]
    for name in names:
        t.write(name, "1")
    nfs = Proxy(t, int(t.world.nfs["NFS_PORT"]), raw=True)
    t.proxies.append(nfs)
    t.conf(fs_config={"nfsport": nfs.port})
    process = subprocess.Popen(
        t.command(
            "PUT", "--json", "--files-from", "-", "--config", t.config
        ),
        stdin=subprocess.PIPE,
        env=t.environment(),
    )
    process.stdin.write("".join(n + "\n" for n in names[:9]).encode())
    process.stdin.flush()
    t.eventually(lambda: len(t.objects()) == 9, what="the first names")
    nfs.order("refuse")
    process.stdin.write("".join(n + "\n" for n in names[9:]).encode())
    process.stdin.close()
    time.sleep(1)
    nfs.order("pass")
    assert process.wait(timeout=100) == 0
    t.same()
