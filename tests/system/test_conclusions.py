"""What a PUT concludes from what it sees in the place of files it has put:
links, what isn't moved, and directories that are gone."""
import os


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
