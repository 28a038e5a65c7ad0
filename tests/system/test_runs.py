"""Each attempt has its row: who, what, and how it ended."""
import hashlib
import os
import pwd
import signal
import socket
import sqlite3
import subprocess

from case import limit

LAST = (
    "SELECT operation, state, begun, exit_status, reason FROM runs"
    " ORDER BY run DESC LIMIT 1"
)


def last(t, *wanted):
    """The last row is this, and its reason has these words."""
    row = t.query(LAST)[0]
    *wanted, words = wanted
    assert row[:4] == tuple(wanted), row
    if words is None:
        assert row[4] is None, row
    else:
        assert words in row[4], row


def test_who(t):
    """Who ran it, where, with which settings; the digest is that of what
    datamover conf prints."""
    t.write("f", "1")
    t.run("PUT", env={"SUDO_USER": "somebody"})
    row = t.query(
        "SELECT user, sudo_user, host, version, settings FROM runs"
    )[0]
    version = t.run("--version", config=False).out.decode().split()[1]
    printed = t.run("conf").out
    assert row == (
        pwd.getpwuid(os.getuid()).pw_name,
        "somebody",
        socket.gethostname(),
        version,
        hashlib.sha256(printed).hexdigest(),
    ), row
    assert t.secret.encode() not in printed
    t.run("PUT", "--bwlimit", "10M")
    digests = t.query("SELECT DISTINCT settings FROM runs")
    assert len(digests) == 2, digests


def test_attempts(t):
    """Attempts that can't begin have rows, and change nothing: the cut run
    goes on."""
    t.small_files(40)
    t.put(moved=40)
    last(t, "PUT", "complete", 1, 0, None)
    t.conf(s3_storage={"secret_key": "wrong"})
    for verb in (
        ("PUT",),
        ("GET", "--dest_path", t.dir),
        ("DEL", "--yes"),
        ("TEST", "--data_integrity", "--skip_upload"),
    ):
        t.run(*verb, expect=3)
        last(t, verb[0], "failed", 0, 3, "credentials are refused")
    t.run("TEST", "--data_integrity", expect=3)
    last(t, "PUT", "failed", 0, 3, "credentials are refused")
    t.conf(fs_config={"nfsport": 1, "mountport": 1})
    t.run("PUT", expect=3)
    last(t, "PUT", "failed", 0, 3, t.server)
    t.conf()
    t.run("PUT", "--dryrun")
    t.run("LIST")
    rows = t.query("SELECT count(*), max(run) FROM runs")
    assert rows == [(7, 7)], rows
    t.put(unchanged=40)
    last(t, "PUT", "complete", 1, 0, None)


def test_new_target_attempt(t):
    """A mistake in the settings makes no target known."""
    t.conf(s3_storage={"bucket": "not-there-at-all"})
    t.run("PUT", expect=3)
    last(t, "PUT", "failed", 0, 3, "not-there-at-all")
    assert t.query("SELECT target FROM runs") == [(None,)]
    assert t.query("SELECT count(*) FROM target") == [(0,)]
    for form in ("text", "json", "csv", "html"):
        t.run("report", "--format", form).says("failed")


def test_attempt_locked(t):
    """Who doesn't get the catalog has no row, and the run goes on."""
    proxy = t.proxy()
    t.write("f", "1")
    proxy.order("drop")
    process = t.start("PUT")
    t.eventually(
        lambda: os.path.exists(t.catalog)
        and t.query("SELECT state, begun FROM runs") == [("running", 0)]
    )
    t.run("PUT", expect=3).says("in use")
    assert t.query("SELECT count(*) FROM runs") == [(1,)]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    last(t, "PUT", "interrupted", 0, 143, "interrupted")


def test_attempt_killed(t):
    """Killed while it waits for the store: dead, and the run before goes
    on."""
    t.small_files(30)
    proxy = t.proxy()
    proxy.order("match PUT,/f delay 60000")
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["PUT"] > 3, what="PUT began")
    process.kill()
    process.wait()
    proxy.release()
    proxy.order("drop")
    process = t.start("PUT")
    t.eventually(
        lambda: t.query("SELECT max(run) FROM runs") == [(2,)]
    )
    process.kill()
    process.wait()
    proxy.release()
    t.run("PUT").says("goes on with run 1")
    rows = t.query(
        "SELECT state, begun, crawl, exit_status FROM runs ORDER BY run"
    )
    assert rows == [
        ("dead", 1, 1, None),
        ("dead", 0, None, None),
        ("complete", 1, 1, 0),
    ], rows
    t.same()


def test_guard_row(t):
    """A guard, failed objects, and a failed TEST are in their rows."""
    t.small_files(20, directories=1)
    t.put(moved=20)
    for i in range(15):
        os.unlink(t.path("d0/f%d" % i))
    t.run("PUT", "--delete", "--max-delete", "1", expect=5)
    last(t, "PUT", "complete", 1, 5, "--max-delete")
    t.write("not/readable", "1")
    os.chown(t.path("not"), 0, 0)
    os.chmod(t.path("not"), 0o000)
    result = t.run("PUT", "--json", expect={0, 1})
    if result.status == 1:
        last(t, "PUT", "complete", 1, 1, "1 failed")
    key = t.server + t.share + "/d0/f19"
    t.s3.put_object(Bucket=t.bucket, Key=key, Body=b"other")
    verify = ("TEST", "--data_integrity", "--skip_upload")
    t.run(*verify, expect=4).says("FAILED: 1 ")
    last(t, "TEST", "complete", 1, 4, "FAILED: 1 ")


def status(t, expect, *options):
    """What status --max-age 26h says."""
    result = t.run(
        "status", "--json", "--max-age", "26h", *options, expect=expect
    )
    assert result.json["verdict"] == ("fine", "old", "failed")[expect]
    return result.json


def grow_old(t, hours):
    """All runs ended so many hours earlier."""
    db = sqlite3.connect(t.catalog)
    db.execute("UPDATE run SET ended_ns = ended_ns - ?", (hours * 3600e9,))
    db.commit()
    db.close()


def test_status_max_age(t):
    """0 after a success, 1 when that is old, 2 when the last attempt failed,
    whatever succeeded before."""
    t.small_files(5)
    t.put(moved=5)
    j = status(t, 0)
    assert j["last_success"]["run"] == 1 and j["last_failure"] is None, j
    t.conf(s3_storage={"secret_key": "wrong"})
    t.run("PUT", expect=3)
    j = status(t, 2)
    assert j["last_success"]["run"] == 1, j
    failure = j["last_failure"]
    assert failure["run"] == 2 and failure["exit_status"] == 3, j
    assert failure["operation"] == "PUT", j
    assert "credentials" in failure["reason"], j
    t.run("status").says("last failure", "exit status 3: S3 http", "run 1")
    t.write("big", b"x" * 2048)
    t.conf()
    t.put(moved=1, unchanged=5)
    t.run("status").says("2048   2.0 KiB")
    t.conf(s3_storage={"secret_key": "wrong"})
    t.run("PUT", expect=3)
    t.conf()
    t.put(unchanged=6)
    status(t, 0)
    grow_old(t, 25)
    status(t, 0)
    grow_old(t, 2)
    status(t, 1)
    # The clock was ahead: nobody knows how old the success is.
    grow_old(t, -72)
    status(t, 1)
    grow_old(t, 72)
    t.run("status", "--max-age", "28h").says("fine")
    t.run("status")
    # A GET of now is no PUT of last night.
    t.run("GET", "--dest_path", t.dir)
    status(t, 0)
    status(t, 1, "--operation", "put")
    status(t, 1, "--operation", "TEST")
    for wrong in (("--max-age", "soon"), ("--max-age", "0"),
                  ("--operation", "LIST")):
        t.run("status", *wrong, expect=2).says(wrong[0])


def test_status_killed(t):
    """A run that goes on doesn't count; one that was killed has failed."""
    t.small_files(30)
    proxy = t.proxy()
    t.put(moved=30)
    t.write("more", "1")
    proxy.order("match PUT,/more delay 60000")
    process = t.start("PUT")
    t.eventually(
        lambda: t.query("SELECT max(run), min(begun) FROM runs") == [(2, 1)]
    )
    j = status(t, 0)
    assert j["running"] and j["run"] == 2, j
    process.kill()
    process.wait()
    j = status(t, 2)
    assert j["last_failure"]["run"] == 2, j
    assert "exit_status" not in j["last_failure"], j
    t.run("status").says("PUT run 2, killed")
    proxy.release()
    t.put()
    status(t, 0)


@limit(120)
def test_del_declined(t):
    """A DEL that somebody declines has its row; the catalog is free while it
    asks."""
    t.write("f", "1")
    t.put(moved=1)
    master, slave = os.openpty()
    process = subprocess.Popen(
        t.command("DEL", "--config", t.config),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=t.environment(),
    )
    os.close(slave)
    text = b""
    while b"to delete them" not in text:
        text += os.read(master, 4096)
    t.put(unchanged=1)
    os.write(master, b"no\n")
    assert process.wait(timeout=30) == 5
    os.close(master)
    last(t, "DEL", "failed", 0, 5, "not confirmed")
    assert len(t.objects()) == 1
