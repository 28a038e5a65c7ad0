"""catalog prune: the past goes, what is there stays."""
import os


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
