"""Names are bytes: all arrive, and no two of them in one key."""
import os
import socket
import stat

from case import limit

ODD = [
    b" ",
    b"two  blanks",
    b" before",
    b"after ",
    b"tab\there",
    b"new\nline",
    b"carriage\rreturn",
    b"bell\x07",
    b"one\x01two",
    b"delete\x7f",
    b"escape\x1b[31m",
    b"'quote'",
    b'"double"',
    b"back\\slash",
    b"back\\nslash",
    b"`tick` $(touch x) ; & | < > * ? [a-z] {b} ~ ! #",
    b"percent%25%",
    b"plus+plus",
    b"a=b&c=d",
    b"question?mark#hash",
    b"semi;colon:colon,comma",
    b"<xml>&amp;</xml>",
    b"]]>",
    b"-rf",
    b"--prefix",
    b"...",
    b"..a",
    b".hidden",
    b"~",
    b"nul",
    "gr\u00fc\u00df".encode(),
    "u\u0308 is not \u00fc".encode(),
    "\u65e5\u672c\u8a9e".encode(),
    "\U0001f600".encode(),
    "\ufffd".encode(),
    "\ufffdFF".encode(),
    "\ufeff".encode(),
    "\u2028".encode(),
    "\uffff".encode(),
    b"latin\xe9",
    b"\xff",
    b"\xff\xfe\xfd",
    b"cut\xe2\x82",
    b"long\xf8\x88\x80\x80\x80",
    b"surrogate\xed\xa0\x80",
    b"overlong\xc0\xaf",
    b"beyond\xf4\x90\x80\x80",
    b"x" * 255,
    b"\xc3\xa9" * 127,
    b"\xe9" * 255,
]


def odd_tree(t):
    for number, name in enumerate(ODD):
        t.write(name, b"file %d" % number)
        t.write(b"dir/" + name[:250] + b".d/" + name[:200], b"%d" % number)
    return 2 * len(ODD)


def long_keys(t):
    """Keys of 255 bad bytes in a directory of 200 are too long for S3."""
    wanted = t.wanted()
    return {k for k in wanted if len(k.encode()) > 1024}


def odd_names(t, version):
    t.conf(fs_config={"nfs_version": version})
    count = odd_tree(t)
    too_long = long_keys(t)
    assert too_long
    t.put(
        expect=1,
        found=count,
        moved=count - len(too_long),
        failed=len(too_long),
    )
    wanted = t.wanted()
    for key in too_long:
        del wanted[key]
    t.same(wanted)
    t.put(
        expect=1,
        found=count,
        moved=0,
        unchanged=count - len(too_long),
        failed=len(too_long),
    )


@limit(120)
def test_odd_names_v3(t):
    odd_names(t, "3")


@limit(120)
def test_odd_names_v4(t):
    odd_names(t, "4")


def test_odd_names_mounted(t):
    t.conf(nfs=[("h", [t.tree])], fs_config={"mounted": "yes"})
    for number, name in enumerate(ODD[:-1]):
        t.write(name, b"%d" % number)
    t.put(found=len(ODD) - 1, moved=len(ODD) - 1, failed=0)
    t.same(t.wanted(prefix="h" + t.tree))


def test_odd_prefix(t):
    """--prefix as a shell completes it, in bytes, or as LIST shows it."""
    name = b"bad\xff"
    t.write(name + b"/f", "1")
    t.write("other/f", "2")
    top = os.fsencode(t.server + t.share) + b"/"
    for prefix in (name, "bad\ufffdFF".encode()):
        option = ("--prefix", top + prefix + b"/")
        t.put(*option, found=1, moved=1)
        assert list(t.objects()) == [(top + b"bad\xef\xbf\xbdFF/f").decode()]
        r = t.run("GET", "--dest_path", t.dir, "--json", *option)
        r.counted(found=1)
        with open(os.path.join(os.fsencode(t.dir), top, name, b"f")) as f:
            assert f.read() == "1"
        assert t.run("LIST", *option).out.count(b"\n") == 1
        t.run("DEL", "--yes", "--json", *option).counted(moved=1)
        assert not t.objects()


def test_prefix_that_no_key_has(t):
    """A directory named U+FFFD: its files have one key, however the prefix
    was meant."""
    t.write("\ufffd/f", "1")
    top = os.fsencode(t.server + t.share) + b"/"
    result = t.run(
        "PUT", "--prefix", top + "\ufffd/".encode(), expect=2
    )
    result.says("U+FFFD")
    prefix = top + "\ufffdEF\ufffdBF\ufffdBD/".encode()
    t.put("--prefix", prefix, found=1, moved=1)
    t.put(found=1, unchanged=1)
    assert list(t.objects()) == [(prefix + b"f").decode()]


def test_odd_share(t):
    """The export's own path has blanks and bytes that aren't UTF-8."""
    t.write("a b \u00fc/f", "1")
    t.write("plain/f", "2")
    t.conf(nfs=[(t.server, [t.share + "/a b \u00fc"])])
    t.put(found=1, moved=1)
    assert list(t.objects()) == [t.server + t.share + "/a b \u00fc/f"]


def test_key_too_long(t):
    """A failed row with the reason, and the rest moves."""
    name = "/".join(["d" * 200] * 5) + "/" + "f" * 200
    t.write(name, "1")
    t.write("short", "2")
    t.put(expect=1, found=2, moved=1, failed=1)
    rows = t.query("SELECT path, reason FROM failures")
    assert len(rows) == 1 and rows[0][0].endswith("f" * 200), rows
    assert "1024" in rows[0][1] or "1,024" in rows[0][1], rows


def special_files(t):
    t.write("file", "1")
    t.write("dir/file", "2")
    os.mkfifo(t.path("fifo"))
    socket.socket(socket.AF_UNIX).bind(t.path("socket").decode())
    os.mknod(t.path("device"), stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.symlink("file", t.path("link"))
    os.symlink("dir", t.path("dirlink"))
    os.symlink("nowhere", t.path("dangling"))
    os.symlink(".", t.path("loop"))


def test_special_files(t):
    """FIFO, socket, device and links are rows with the reason."""
    special_files(t)
    t.put(found=9, moved=2, excluded=7, failed=0)
    t.same()
    rows = t.query(
        "SELECT path, state FROM objects WHERE state = 'excluded'"
    )
    names = {path.rsplit("/", 1)[1] for path, _ in rows}
    assert names == {
        "fifo",
        "socket",
        "device",
        "link",
        "dirlink",
        "dangling",
        "loop",
    }, rows
    t.put(found=9, moved=0, unchanged=2, excluded=7, failed=0)


def test_special_files_v4(t):
    t.conf(fs_config={"nfs_version": "4"})
    special_files(t)
    t.put(found=9, moved=2, excluded=7, failed=0)
    t.same()


def follow_links(t, key_root):
    t.write("file", "content")
    t.write("dir/inner", "inside")
    os.symlink("file", t.path("link"))
    os.symlink("../file", t.path("dir/up"))
    os.symlink("dir", t.path("dirlink"))
    os.symlink("nowhere", t.path("dangling"))
    os.symlink("loop2", t.path("loop1"))
    os.symlink("loop1", t.path("loop2"))
    os.symlink("..", t.path("dir/parent"))
    result = t.run("PUT", "--json", "--links", "follow", expect={0, 1})
    result.counted()
    objects = t.objects()
    for key in ("file", "link", "dir/inner", "dir/up", "dirlink/inner"):
        assert key_root + key in objects, (key, sorted(objects), result)
    size, _ = objects[key_root + "link"]
    assert size == len("content")
    assert not any("dangling" in k or "loop" in k for k in objects)
    assert len(objects) < 50, "a loop was followed: %d" % len(objects)


def test_links_follow(t):
    follow_links(t, t.server + t.share + "/")


def test_links_follow_mounted(t):
    t.conf(nfs=[("h", [t.tree])], fs_config={"mounted": "yes"})
    follow_links(t, "h" + t.tree + "/")


def test_link_followed_no_more(t):
    """What a followed link led to is left out with the link by a run that
    doesn't follow links; it is not gone."""
    t.write("d/f", "1")
    t.write("was/g", "2")
    os.symlink("d", t.path("ld"))
    t.put("--links", "follow", found=3, moved=3)
    both = t.objects()
    for options in ((), ("--delete", "--max-delete", "100%")):
        t.put(*options, found=3, unchanged=2, excluded=1, gone=0)
    rows = t.query("SELECT DISTINCT state FROM objects WHERE path LIKE '%/f'")
    assert rows == [("stored",)], rows
    assert t.objects() == both
    prefix = ("--prefix", t.server + t.share + "/ld/")
    for options in ((), ("--delete", "--max-delete", "100%")):
        t.put(*prefix, *options, expect=1, failed=1, gone=0, deleted=0)
    assert t.objects() == both
    t.put("--links", "follow", found=3, unchanged=3)
    os.unlink(t.path("ld"))
    t.put("--delete", "--max-delete", "100%", found=2, gone=1, deleted=1)
    t.same()


def test_link_outside(t):
    """A link that leads out of the export isn't a way to the server's or
    this machine's other files."""
    t.write("file", "1")
    os.symlink("/etc/hostname", t.path("absolute"))
    os.symlink("../" * 20 + "etc/hostname", t.path("relative"))
    t.run("PUT", "--json", "--links", "follow", expect={0, 1}).counted(moved=1)
    t.same()
