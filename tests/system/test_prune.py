"""catalog prune: the past goes, what is there stays."""
import os

from test_past import versions


def test_prune(t):
    t.small_files(40)
    t.put(moved=40)
    for night in range(3):
        for i in range(40):
            t.write("d%d/f%d" % (i % 4, i), os.urandom(90 + night))
        t.put(moved=40)
    os.unlink(t.path("d0/f0"))
    t.put("--delete", deleted=1)
    r = t.run("LIST", "--as-of", "2")
    assert len(r.out.split()) == 40, r.out
    size = os.path.getsize(t.catalog)
    t.run("catalog", "prune", expect=2).says("--keep")
    for wrong in ("13", "M", "13m", "-1d"):
        t.run("catalog", "prune", "--keep=" + wrong, expect=2).says("13M")
    # Longer than nanoseconds can tell is all the same.
    for long in ("1d", "350y", "400y", "1000y", "99999y", "99999M"):
        t.run("catalog", "prune", "--keep", long).says("nothing is over")
    t.run("catalog", "prune", "--keep", "0d").says("versions")
    t.run("catalog", "check")
    assert os.path.getsize(t.catalog) < size
    for verb in (["LIST", "--as-of", "2"], ["undo", "--yes", "2"]):
        t.run(*verb, expect=2).says("pruned")
    rows = t.query("SELECT user, versions FROM prunes")
    assert len(rows) == 1 and rows[0][0] and rows[0][1] >= 80, rows
    t.put(moved=0, unchanged=39)
    r = t.run("TEST", "--data_integrity", "--skip_upload", "--json")
    r.counted(found=39, moved=39)


def test_dropped_failures(t):
    """A report of a run whose failures were pruned says so, and by whom."""
    t.write("a", "1")
    t.write("b", "1")
    proxy = t.proxy(s3_storage={"retry_for": "1"})
    proxy.order("match PUT,/b 503")
    t.run("PUT", expect=1)
    proxy.release()
    t.put(moved=1)
    t.run("catalog", "prune", "--keep", "0d")
    for form, word in (("text", "pruned from"), ("html", 'id="pruned"'),
                       ("csv", "failures,all,pruned"),
                       ("json", '"failures_pruned"')):
        r = t.run("report", "--run", "1", "--format", form)
        r.says(word)
        r.says(" by root")
        r = t.run("report", "--run", "2", "--format", form)
        assert word not in r.out.decode(), r.out


def test_verified_nights(t):
    """Verdicts of nights that find what was put are ranges, and the past of
    them goes but for each object's last verdict."""
    t.small_files(40)
    t.put(moved=40)
    for night in range(4):
        t.run("TEST", "-di", "-su", "--mode", "head")
    assert t.query("SELECT run, count(*), min(outcome) FROM verifications "
                   "GROUP BY 1") == [(n, 40, "ok") for n in range(2, 6)]
    ranges = t.query("SELECT count(*) FROM events WHERE kind = 'verified'")
    assert ranges[0][0] <= 16, ranges
    t.run("catalog", "prune", "--keep", "0d")
    assert t.query("SELECT run, count(*), min(outcome) FROM verifications "
                   "GROUP BY 1") == [(4, 40, "ok"), (5, 40, "ok")]


def test_prune_failed_still(t):
    """What is failed still keeps its row, however old; what is not, goes."""
    t.write("bad", "1")
    t.write("mended", "1")
    proxy = t.proxy(s3_storage={"retry_for": "1"})
    proxy.order("match PUT,/bad 503")
    proxy.order("match PUT,/mended 503")
    t.put(expect=1, failed=2)
    proxy.release()
    proxy.order("match PUT,/bad 503")
    t.put(expect=1, failed=1, moved=1)
    t.run("GET", "--dest_path", t.dir)
    ask = "SELECT path, reason, since_run FROM failures"
    failed = t.query(ask)
    assert len(failed) == 1 and failed[0][0].endswith("/bad"), failed
    assert len(t.query("SELECT DISTINCT path FROM failure_log")) == 2
    t.run("catalog", "prune", "--keep", "0d")
    assert t.query(ask) == failed, t.query(ask)
    assert len(t.query("SELECT DISTINCT path FROM failure_log")) == 1


def test_prune_brought_back(t):
    """Who stored what undo has brought back stays known, in the state of now
    and in that of the runs that are kept; and goes when it is over."""
    versions(t)
    t.small_files(4)
    t.put(moved=4)
    t.run("DEL", "--yes", "--json").counted(moved=4)
    t.run("undo", "2", "--yes", "--json").counted(moved=4)
    t.put(moved=0, unchanged=4)
    columns = "SELECT path, stored_run, stored_at, version_id FROM "
    stored = t.query(columns + "objects ORDER BY path")
    assert {row[1] for row in stored} == {1}, stored

    def as_of():
        return t.run("sql", "--as-of", "4", columns + "as_of ORDER BY path").out

    before = as_of()
    for _ in range(2):
        t.run("catalog", "prune", "--keep", "0d")
        assert t.query(columns + "objects ORDER BY path") == stored
        assert as_of() == before
    for i in range(4):
        t.write("d%d/f%d" % (i % 4, i), os.urandom(99))
    t.put(moved=4)
    t.put(unchanged=4)
    t.run("catalog", "prune", "--keep", "0d")
    assert t.query("SELECT DISTINCT run FROM events WHERE kind <> 'pruned'") \
        == [(5,)]
