"""A client that sees another tree than the master, and files that change
between the crawl and the sending."""
import os
import shutil
import threading

from case import limit
from hosts import Hosts
from test_clients_lost import SILENCE, paced


@limit(60)
def test_other_tree(t):
    """Its directories are older copies in which files are missing: what it
    says of them doesn't count, and it is named."""
    hosts = Hosts(t)
    t.small_files(1200, directories=4)
    copy = os.path.join(t.dir, "copy")
    shutil.copytree(t.tree, copy)
    for i in range(0, 1200, 2):
        os.unlink(os.path.join(copy, "d%d" % (i % 4), "f%d" % i))
    t.small_files(1200, directories=4, size=300)
    one = hosts.clients[0]
    names = sorted(os.listdir(copy))
    for name in names:
        one.command(
            "mount", "--bind", os.path.join(copy, name), t.path(name)
        ).check_returncode()
    try:
        proxy = paced(
            t,
            nfs=[("filer", [t.tree])],
            fs_config={"mounted": "yes"},
        )
        proxy.order("match PUT delay 1000")
        process = t.start("PUT", "--json")
        hosts.finished(process, found=1200, moved=1200, gone=0, failed=0)
    finally:
        for name in names:
            one.command("umount", t.path(name))
    text = t.started_text()
    assert "client_other_tree" in text and "host=client1" in text, text
    t.same(t.wanted(prefix="filer" + t.tree))


@limit(90)
def test_other_tree_newer(t):
    """In the place of the share it has a tree with newer versions of the
    files. Alone it stores none of them, and the rows name it; with others the
    true ones are stored, each once."""
    hosts = Hosts(t)
    t.small_files(40, directories=4)
    mounted = {
        "nfs": [("filer", [t.tree])],
        # Else the root's number tells that it is another tree.
        "fs_config": {"mounted": "yes", "inode": "ignore"},
        "socket_options": {"recv_timeout": SILENCE},
    }
    one = hosts.clients[0]
    proxy = paced(t, **mounted)
    t.put(moved=40)
    before = t.objects()
    t.small_files(40, directories=4, size=300)
    copy = os.path.join(t.dir, "copy")
    shutil.copytree(t.tree, copy)
    for i in range(40):
        with open(os.path.join(copy, "d%d" % (i % 4), "f%d" % i), "ab") as f:
            f.write(b"newer")
    one.command("mount", "--bind", copy, t.tree).check_returncode()
    try:
        names = t.settings["client"]["host"]
        t.settings["client"]["host"] = [one.name]
        t.conf(s3_storage={"endpoint": proxy.url}, **mounted)
        puts = proxy.stats()["PUT"]
        result = t.put(expect=1, found=40, failed=40, moved=0)
        result.says("client_other_tree", "host=" + one.name)
        reasons = t.query("SELECT DISTINCT reason FROM failures")
        assert all("(%s)" % one.name in r[0] for r in reasons), reasons
        assert t.objects() == before
        assert proxy.stats()["PUT"] == puts, proxy.requests()
        t.settings["client"]["host"] = names
        t.conf(s3_storage={"endpoint": proxy.url}, **mounted)
        t.put(found=40, moved=40, failed=0)
        assert proxy.stats()["PUT"] == puts + 40, proxy.requests()
    finally:
        one.command("umount", t.tree)
    t.same(t.wanted(prefix="filer" + t.tree))
    hosts.quiet()


@limit(120)
def test_other_tree_tested(t):
    """TEST compares with the files that the master sees. Of a client that has
    another tree in the place of the share no "changed" counts, and no "gone":
    it is named, and others read the files."""
    hosts = Hosts(t)
    t.small_files(12, directories=4)
    mounted = {
        "nfs": [("filer", [t.tree])],
        # Else the root's number tells that it is another tree.
        "fs_config": {"mounted": "yes", "inode": "ignore"},
        "socket_options": {"recv_timeout": SILENCE},
    }
    proxy = t.proxy(**mounted)
    t.put(moved=12)
    copy = os.path.join(t.dir, "copy")
    shutil.copytree(t.tree, copy)
    for i in range(12):
        with open(os.path.join(copy, "d%d" % (i % 4), "f%d" % i), "ab") as f:
            f.write(b"newer")
    one = hosts.clients[0]
    names = t.settings["client"]["host"]
    verdicts = """SELECT outcome, count(*), max(reason) FROM verifications
        WHERE run = (SELECT max(run) FROM verifications) GROUP BY 1"""
    one.command("mount", "--bind", copy, t.tree).check_returncode()
    try:
        t.settings["client"]["host"] = [one.name]
        t.conf(s3_storage={"endpoint": proxy.url}, **mounted)
        result = t.run("TEST", "-di", "--json", expect=4)
        result.says("client_other_tree", "host=" + one.name)
        rows = t.query(verdicts)
        assert [r[:2] for r in rows] == [("unreadable", 12)], rows
        assert "(%s)" % one.name in rows[0][2], rows
        t.settings["client"]["host"] = names
        t.conf(s3_storage={"endpoint": proxy.url}, **mounted)
        # Most likely the client takes part.
        proxy.order("match GET delay 300")
        for i in range(0, 12, 2):
            os.unlink(os.path.join(copy, "d%d" % (i % 4), "f%d" % i))
        result = t.run("TEST", "-di", "--json", expect=0)
    finally:
        one.command("umount", t.tree)
    # Whether it got any of them depends on how fast the others are.
    rows = t.query(verdicts)
    assert [r[:2] for r in rows] == [("ok", 12)], rows
    hosts.quiet()


@limit(90)
def test_changes_before_sent(t):
    """Files that change between the crawl and the sending are stored as they
    are then: once, and with nobody blamed."""
    hosts = Hosts(t)
    t.small_files(300, directories=4)
    for i in range(300):
        os.utime(t.path("d%d/f%d" % (i % 4, i)), (1, 1))
    t.settings["client"]["host"] = t.settings["client"]["host"][:1]
    proxy = paced(t)
    proxy.order("match PUT delay 2000")
    process = t.start("PUT", "--json", "-t", "1")
    t.eventually(
        lambda: os.path.exists(t.catalog)
        and t.query("SELECT 1 FROM objects WHERE state = 'leased'"),
        what="files are leased",
    )
    t.small_files(300, directories=4, size=200)
    proxy.order("pass")
    hosts.finished(process, found=300, moved=300, failed=0)
    assert "client_other_tree" not in t.started_text(), t.started_text()
    t.put(failed=0)
    t.same()
    hosts.quiet()


@limit(90)
def test_grows(t):
    """A file that never stops growing ends well: it is stored as it was at
    one moment, or fails. The others don't wait for it."""
    hosts = Hosts(t)
    t.small_files(300, directories=4)
    path = t.write("log", "0\n")
    over = threading.Event()

    def grow():
        for i in range(1, 100000):
            with open(path, "a") as f:
                f.write("%d\n" % i)
            if over.wait(0.02):
                return

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        result = t.put(expect={0, 1}, found=301)
    finally:
        over.set()
        writer.join()
    assert result.json["moved"] >= 300, result
    assert "client_other_tree" not in result.text, result
    key = t.server + t.share + "/log"
    if result.json["failed"]:
        assert "it changed" in t.query("SELECT reason FROM failures")[0][0]
    else:
        lines = t.s3.get_object(Bucket=t.bucket, Key=key)["Body"].read()
        wanted = "".join("%d\n" % i for i in range(lines.count(b"\n")))
        assert lines == wanted.encode(), lines[-100:]
    t.put(failed=0)
    t.same()
    hosts.quiet()
