"""The catalog: guarded, asked in SQL, never silently replaced."""
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess

from case import MIB, Skip, limit


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def refused(t, *words):
    """The catalog is refused and stays as it is."""
    before = digest(t.catalog)
    t.run("PUT", expect=2).says(t.catalog, *words)
    assert digest(t.catalog) == before, "the catalog was changed"
    assert not t.objects()


def test_not_a_catalog(t):
    t.write("f", "1")
    with open(t.catalog, "w") as f:
        f.write("These are notes of mine.\n" * 1000)
    refused(t)


def test_foreign_database(t):
    t.write("f", "1")
    db = sqlite3.connect(t.catalog)
    db.execute("CREATE TABLE mine (x)")
    db.commit()
    db.close()
    refused(t)


def test_newer_catalog(t):
    t.write("f", "1")
    t.run("PUT", "--bucket", t.bucket)
    db = sqlite3.connect(t.catalog)
    db.execute("PRAGMA user_version = 999")
    db.commit()
    db.close()
    before = digest(t.catalog)
    t.run("PUT", expect=2).says("newer")
    assert digest(t.catalog) == before


def damaged(t, damage):
    t.small_files(500)
    t.put(moved=500)
    with open(t.catalog, "r+b") as f:
        damage(f, os.path.getsize(t.catalog))
    for end in ("-wal", "-shm"):
        if os.path.exists(t.catalog + end):
            os.unlink(t.catalog + end)
    count = len(t.objects())
    before = digest(t.catalog)
    t.run("PUT", expect=2).says(t.catalog, "damaged")
    assert len(t.objects()) == count
    assert digest(t.catalog) == before


def test_damaged_header(t):
    def damage(f, size):
        f.seek(16)
        f.write(os.urandom(1000))

    damaged(t, damage)


def test_damaged_pages(t):
    def damage(f, size):
        for at in range(8192, size - 4096, 8192):
            f.seek(at)
            f.write(b"\xa5" * 3000)

    damaged(t, damage)


def test_truncated(t):
    damaged(t, lambda f, size: f.truncate(size // 2))


def test_empty_catalog_file(t):
    """A file of no bytes is a catalog that was lost, for every verb."""
    t.write("f", "1")
    open(t.catalog, "w").close()
    refused(t, "empty", "remove")
    for verb in (["PUT", "--delete"], ["PUT", "--delete", "--dryrun"],
                 ["status"], ["report"], ["sql", "SELECT 1"],
                 ["TEST", "--data_integrity"]):
        t.run(*verb, expect=2).says(t.catalog, "empty")
    t.run("check", expect=3).says(t.catalog, "empty")
    assert os.path.getsize(t.catalog) == 0
    os.unlink(t.catalog)
    t.put(moved=1)
    assert not os.path.exists(t.catalog + ".new")


def test_directory_missing(t):
    t.write("f", "1")
    where = os.path.join(t.dir, "no", "such")
    t.conf(catalog={"path": os.path.join(where, "catalog.db")})
    t.run("PUT", expect=2).says(where)
    assert not os.path.exists(os.path.join(t.dir, "no"))


def test_catalog_mode(t):
    """Not for everybody to read: it has names."""
    t.write("f", "1")
    t.put(moved=1)
    assert os.stat(t.catalog).st_mode & 0o007 == 0


def slow_put_with(t, *arguments):
    """A PUT that has put some files, and ends only after finish."""
    proxy = t.proxy()
    proxy.order("match PUT,/exp/ delay 0 100")
    proxy.order("match PUT,/exp/ delay 600000")
    t.small_files(3000)
    process = t.start("PUT", *arguments)
    t.eventually(lambda: proxy.stats()["PUT"] > 100, what="PUT is held")
    return process, proxy


def slow_put(t):
    return slow_put_with(t)


def finish(t, process, proxy):
    proxy.release()
    assert process.wait(timeout=120) == 0, t.started_text()
    t.same(whole=3)


@limit(150)
def test_second_master(t):
    process, proxy = slow_put(t)
    t.run("PUT", expect={2, 3}).says(t.catalog, "another")
    assert process.poll() is None, t.started_text()
    finish(t, process, proxy)


@limit(150)
def test_status_and_sql_while_running(t):
    process, proxy = slow_put(t)
    t.run("status")
    result = t.run("sql", "SELECT count(*) FROM objects")
    assert result.out.strip(), result
    assert process.poll() is None, t.started_text()
    finish(t, process, proxy)
    t.run("status").says("3000")


def test_status_without_catalog(t):
    t.run("status", expect=2)
    t.run("sql", "SELECT 1", expect=2)
    assert not os.path.exists(t.catalog), "looking made a catalog"


def test_sql(t):
    t.write("f", "hello")
    t.put(moved=1)
    result = t.run("sql", "SELECT path, size, md5 FROM objects")
    result.says(t.server + t.share + "/f", "5")
    result.says(hashlib.md5(b"hello").hexdigest())


def test_sql_lists_the_views(t):
    t.write("f", "hello")
    t.put(moved=1)
    views = "SELECT name FROM sqlite_schema WHERE type = 'view'"
    names = [name for (name,) in t.query(views)]
    rows = json.loads(t.run("sql", "--format", "json").out)
    assert [r["view"] for r in rows] == sorted(names), rows
    assert all(len(r["shows"]) > 10 for r in rows), rows
    assert not any("VIEW" in r["shows"] for r in rows), rows


def test_sql_from_a_file(t):
    t.write("f", "hello")
    t.put(moved=1)
    query = os.path.join(t.dir, "query.sql")
    with open(query, "w") as f:
        f.write("-- how many\nSELECT count(*) + 41\nFROM objects;\n")
    t.run("sql", "--file", query).says("42")
    with open(query) as f:
        t.run("sql", "-f", "-", stdin=f).says("42")
    t.run("sql", "--file", query, "SELECT 1", expect=2)
    t.run("sql", "--file", query + ".none", expect=2)
    for text in (b"", b"SELECT 1\0", b"-- " + b"x" * (1 << 20)):
        with open(query, "wb") as f:
            f.write(text)
        t.run("sql", "--file", query, expect=2)


def test_sql_attach(t):
    """Two catalogs in one query; neither can be changed."""
    t.write("f", "hello")
    t.put(moved=1)
    other = os.path.join(t.dir, "other.db")
    db = sqlite3.connect(t.catalog)
    db.execute("VACUUM INTO ?", (other,))
    db.close()
    t.write("g", "world")
    t.put(moved=1, unchanged=1)
    only_here = (
        "SELECT path FROM objects EXCEPT SELECT path FROM other.objects"
    )
    result = t.run("sql", "--attach", other, only_here)
    result.says(t.server + t.share + "/g")
    assert b"/f" not in result.out, result
    for statement in (
        "DELETE FROM other.object",
        "ATTACH '%s' AS third" % other,
        "DETACH other",
    ):
        t.run("sql", "--attach", other, statement, expect=2)
    t.run("sql", "--attach", other + ".none", "SELECT 1", expect=2)
    t.run("sql", "--attach", t.config, "SELECT 1", expect=2)


def test_sql_is_read_only(t):
    t.write("f", "1")
    t.put(moved=1)
    other = os.path.join(t.dir, "other.db")
    for statement in (
        "INSERT INTO objects (path) VALUES ('x')",
        "DELETE FROM object",
        "UPDATE object SET size = 0",
        "DROP VIEW objects",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "ATTACH '%s' AS o" % other,
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = 1",
        "VACUUM INTO '%s'" % other,
        "BEGIN IMMEDIATE",
        "SELECT 1; DELETE FROM object",
        "SELECT load_extension('x')",
        "SELECT no_such_column FROM objects",
        "",
    ):
        t.run("sql", statement, expect=2)
    assert not os.path.exists(other)
    assert t.states() == {t.server + t.share + "/f": "stored"}


def test_sql_as_reader(t):
    """Who may only read the files may ask, also after the run ended."""
    t.write("f", "1")
    t.put(moved=1)
    for entry in os.scandir(t.dir):
        if entry.name.startswith("catalog.db"):
            os.chown(entry.path, 0, 65534)
            os.chmod(entry.path, 0o640)
    t.conf(s3_storage={"access_key": None, "secret_key": None})
    os.chmod(t.config, 0o644)
    os.chmod(t.dir, 0o755)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        + [t.world.program, "sql", "SELECT count(*) FROM objects"]
        + ["--config", t.config],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=t.environment(),
    )
    assert done.returncode == 0 and b"1" in done.stdout, done


def test_copy_with_a_wal_as_reader(t):
    """A -wal without its -shm can't be read where nothing can be made; an
    empty one says nothing."""
    t.write("f", "1")
    t.put(moved=1)
    place = os.path.join(t.dir, "place")
    os.mkdir(place)
    copy = os.path.join(place, "copy.db")
    t.run("catalog", "backup", copy)
    db = sqlite3.connect(copy)
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    with open(copy + "-wal", "wb") as f:
        f.write(b"x" * 32)
    os.chmod(copy, 0o644)
    os.chmod(t.dir, 0o755)

    def ask():
        return subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            + [t.world.program, "diff", copy, copy],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=t.environment(),
        )

    done = ask()
    assert done.returncode == 3 and b"copy both files" in done.stdout, done
    os.truncate(copy + "-wal", 0)
    done = ask()
    assert done.returncode == 0 and b"1 equal" in done.stdout, done
    assert sorted(os.listdir(place)) == ["copy.db", "copy.db-wal"]


def test_views(t):
    """The views and their columns are a public interface."""
    t.write("f", "1")
    os.symlink("f", t.path("link"))
    t.put(moved=1)
    t.query(
        "SELECT path, path_raw, size, mtime_ns, md5, etag, state, target,"
        " run FROM objects"
    )
    for view in (
        "runs",
        "failures",
        "dirs",
        "uploads",
        "verifications",
        "clients",
    ):
        t.query("SELECT * FROM %s" % view)
    assert len(t.query("SELECT * FROM runs")) == 1


def test_path_is_fast(t):
    """path = '...' uses an index."""
    t.write("f", "1")
    t.put(moved=1)
    plan = t.query("EXPLAIN QUERY PLAN SELECT * FROM objects WHERE path='x'")
    text = " / ".join(str(row[-1]) for row in plan)
    assert "SEARCH" in text, text


@limit(150)
def test_disk_full(t):
    """The catalog's disk is full: a clear error; with room it goes on."""
    disk = os.path.join(t.dir, "disk")
    os.mkdir(disk)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", disk]
    if subprocess.run(mount).returncode:
        raise Skip("tmpfs cannot be mounted here")
    t.catalog = os.path.join(disk, "catalog.db")
    t.conf(catalog={"path": t.catalog})
    for i in range(6000):
        t.write("d%d/%s%d" % (i % 20, "n" * 150, i))
    result = t.run("PUT", "--json", expect={1, 2, 3})
    assert "full" in result.text or "space" in result.text, result
    assert "error" in result.json, result
    subprocess.run(["mount", "-o", "remount,size=64M", disk], check=True)
    t.put(found=6000, failed=0)
    t.same(whole=3)


def secrets_in(data, t):
    return [s for s in (t.secret,) if s.encode() in data]


def test_secrets(t):
    """Not in the log, the catalog, the output, the list of processes."""
    proxy = t.proxy()
    proxy.order("match PUT delay 20")
    t.small_files(100)
    t.random_file("large", 20 * MIB)
    process = t.start("PUT", "--debug", "--json")
    t.eventually(lambda: proxy.stats()["PUT"] > 5, what="PUT began")
    for name in ("cmdline", "environ"):
        with open("/proc/%d/%s" % (process.pid, name), "rb") as f:
            assert not secrets_in(f.read(), t), name
    assert process.wait(timeout=60) == 0, t.started_text()
    t.conf(s3_storage={"access_key": "nobody"})
    t.run("PUT", "--debug", expect=3)
    looked = 0
    for directory, _, files in os.walk(t.dir):
        for name in files:
            path = os.path.join(directory, name)
            if path == t.config:
                continue
            with open(path, "rb") as f:
                data = f.read()
            looked += 1
            assert not secrets_in(data, t), path
            assert b"Signature=" not in data, path
    assert looked >= 3
    result = t.run("conf", expect=None)
    assert not secrets_in(result.out + result.err, t), result


@limit(120)
def test_interrupt_kept_by_catalog(t):
    """What was finished before SIGTERM is recorded; exit 143."""
    process, proxy = slow_put(t)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 143, t.started_text()
    stored = t.query("SELECT count(*) FROM objects WHERE state='stored'")
    assert stored[0][0] == len(t.objects()), (stored, len(t.objects()))
    proxy.order("pass")
    t.put(found=3000)
    t.same(whole=3)


# --- kept ---

@limit(150)
def test_backup_during_a_run(t):
    """A copy is whole, and does not wait for the end of the run."""
    t.write("a", "1")
    t.put(moved=1)
    process, proxy = slow_put(t)
    copy = os.path.join(t.dir, "copy.db")
    stored = "SELECT count(*) FROM objects WHERE state = 'stored'"
    t.eventually(
        lambda: t.query(stored)[0][0] > 100, what="the answers are recorded"
    )
    t.run("catalog", "backup", copy)
    t.run("catalog", "check", copy)
    assert os.listdir(t.dir).count("copy.db") == 1
    assert not os.path.exists(copy + "-wal")
    t.run("catalog", "backup", copy, expect=2).says("--replace")
    t.run("catalog", "backup", "--replace", copy)
    known = t.run("sql", "--catalog", copy, "--format", "csv",
                  stored.replace("count(*)", "count(*) > 100"))
    assert known.out.split()[-1] == b"1", known.out
    t.run("catalog", "restore", "--yes", copy, expect=3).says("in use")
    finish(t, process, proxy)


@limit(150)
def test_restore_after_a_kill(t):
    """The -wal of a killed run never gets into a copy that is put in place,
    by the verb or by hand."""
    t.small_files(50)
    t.put(moved=50)
    copy = os.path.join(t.dir, "copy.db")
    t.run("catalog", "backup", copy)
    process, proxy = slow_put(t)
    process.kill()
    process.wait()
    proxy.release()
    assert os.path.getsize(t.catalog + "-wal") > 0
    shutil.copyfile(copy, t.catalog)
    before = digest(t.catalog), digest(t.catalog + "-wal")
    for verb in (["PUT"], ["status"], ["sql", "SELECT 1"],
                 ["PUT", "--delete", "--dryrun"], ["catalog", "check"],
                 ["catalog", "backup", copy + "2"]):
        t.run(*verb, expect=2).says("catalog restore")
    t.run("check", expect=3).says("catalog restore")
    assert before == (digest(t.catalog), digest(t.catalog + "-wal"))
    t.run("catalog", "restore", copy, expect=2).says("--yes")
    t.run("catalog", "restore", "--yes", copy)
    former = [n for n in os.listdir(t.dir)
              if n.startswith("catalog.db.2") and not n.endswith("-wal")]
    assert len(former) == 1, os.listdir(t.dir)
    t.run("catalog", "check")
    t.run("PUT")
    t.same()


def test_catalog_gone_after_a_kill(t):
    """The last changes of a killed run are not thrown away, though its
    catalog is not there."""
    process, proxy = slow_put(t)
    process.kill()
    process.wait()
    proxy.release()
    away = t.catalog + ".away"
    os.rename(t.catalog, away)
    before = digest(t.catalog + "-wal")
    for verb in (["PUT"], ["GET", "--dest_path", t.dir]):
        t.run(*verb, expect=2).says("-wal")
    assert not os.path.exists(t.catalog)
    assert digest(t.catalog + "-wal") == before
    os.rename(away, t.catalog)
    t.run("PUT")
    t.same()
    os.unlink(t.catalog)
    t.run("PUT")


def test_moved_catalog(t):
    t.write("a", "1")
    t.put(moved=1)
    there = os.path.join(t.dir, "there.db")
    t.run("catalog", "move", there)
    t.write("b", "1")
    t.run("PUT", expect=2).says("moved to " + there)
    t.run("status", expect=2).says("moved to " + there)
    t.conf(catalog={"path": there})
    t.put(moved=1, unchanged=1)


def test_moved_while_read(t):
    """SQLite would remove the -wal of whatever has the old name by then, when
    the reader closes the file."""
    t.write("a", "1")
    t.put(moved=1)
    there = os.path.join(t.dir, "there.db")
    reader = sqlite3.connect(t.catalog)
    assert reader.execute("SELECT count(*) FROM objects").fetchall() == [(1,)]
    t.run("catalog", "move", there, expect=1).says("being read")
    t.put(unchanged=1)
    reader.close()
    t.run("catalog", "move", there)


def test_damaged_copy(t):
    t.small_files(500)
    t.put(moved=500)
    copy = os.path.join(t.dir, "copy.db")
    t.run("catalog", "backup", copy)
    with open(copy, "r+b") as f:
        for at in range(8192, os.path.getsize(copy) - 4096, 8192):
            f.seek(at)
            f.write(b"\xa5" * 3000)
    t.run("catalog", "check", copy, expect=2).says("damaged")
    t.run("catalog", "restore", "--yes", copy, expect=2).says("damaged")
    t.put(unchanged=500)
