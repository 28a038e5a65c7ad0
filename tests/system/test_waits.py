"""A store or a filer that does not answer is named after 5 s, on the terminal
and in the log, and named again when it answers."""
import os

from case import limit
from test_absence import shim
from test_faults import nfs_proxies
from test_verbs import log_of


def named(t, process, name, release):
    """The running process names the server; it goes on after release."""
    t.eventually(
        lambda: "warn waiting for " + name in t.started_text(),
        what=name + " is named",
    )
    assert "answers again" not in t.started_text()
    release()
    assert process.wait(timeout=60 * t.world.slowness) == 0, t.started_text()
    assert "warn answers " + name in t.started_text(), t.started_text()
    waiting, answers = log_of(t, "waiting", "answers")
    assert waiting["server"] == answers["server"] == name, waiting
    assert waiting["run"] == answers["run"] >= 1, waiting
    assert answers["seconds"] >= waiting["seconds"] >= 5, answers
    t.same()


@limit(120)
def test_waits_for_s3(t):
    """A store that is silent in the middle; requests and retries are in the
    log at debug."""
    t.small_files(200)
    proxy = t.proxy(logging={"level": "DEBUG"})
    proxy.order("match PUT,/f1 delay 20")
    proxy.order("match PUT,/f7 503 1")
    process = t.start("PUT", "--bwlimit", "10K")
    t.eventually(lambda: proxy.stats()["PUT"] > 20, what="PUT began")
    proxy.order("drop")
    named(t, process, "S3 " + proxy.url, proxy.release)
    requests = log_of(t, "request")
    puts = [r for r in requests if r["request"] == "put"]
    assert len([r for r in puts if r["status"] == 200]) == 200, len(puts)
    assert puts[0]["path"].startswith("/" + t.server), puts[0]
    assert puts[0]["endpoint"] == proxy.url, puts[0]
    retries = log_of(t, "retry")
    assert retries and retries[0]["attempts"] == 1, retries
    assert t.secret not in open(t.logs + "/datamover.log").read()


@limit(120)
def test_waits_for_s3_down(t):
    """A store that refuses each connection at once."""
    t.small_files(200)
    proxy = t.proxy()
    process = t.start("PUT", "--bwlimit", "10K")
    t.eventually(lambda: proxy.stats()["PUT"] > 20, what="PUT began")
    proxy.order("refuse")
    named(t, process, "S3 " + proxy.url, lambda: proxy.order("pass"))


def waits_for_nfs(t, version, order):
    t.small_files(300)
    proxy = nfs_proxies(t, nfs_version=version)
    process = t.start("PUT", "--bwlimit", "10K")
    t.eventually(lambda: len(t.objects()) > 20, what="PUT began")
    proxy.order(order)
    named(t, process, "NFS server " + t.server, lambda: proxy.order("pass"))


@limit(120)
def test_waits_for_nfs_v3(t):
    waits_for_nfs(t, 3, "drop")


@limit(120)
def test_waits_for_nfs_v4_down(t):
    waits_for_nfs(t, 4, "refuse")


@limit(120)
def test_waits_for_directory(t):
    """A mounted directory whose server does not answer: a thread hangs."""
    t.conf(nfs=[(t.server, [t.tree])], fs_config={"mounted": "yes"})
    t.small_files(20)
    hang = os.path.join(t.dir, "hang")
    open(hang, "w").close()
    env = dict(shim(t, ("read", "/f7", -2, -1)), FAULT_HANG=hang)
    process = t.start("PUT", env=env)
    name = "directory " + t.tree
    t.eventually(
        lambda: "warn waiting for " + name in t.started_text(),
        what=name + " is named",
    )
    os.unlink(hang)
    assert process.wait(timeout=60 * t.world.slowness) == 0, t.started_text()
    waiting, answers = log_of(t, "waiting", "answers")
    assert waiting["server"] == answers["server"] == name, waiting


def waits_for_destination(t, rule):
    t.small_files(20)
    t.put(moved=20)
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    hang = os.path.join(t.dir, "hang")
    open(hang, "w").close()
    env = dict(shim(t, ("open", back + rule, -2, -1)), FAULT_HANG=hang)
    process = t.start("GET", "--dest_path", back, env=env)
    name = "directory " + back
    t.eventually(
        lambda: "warn waiting for " + name in t.started_text(),
        what=name + " is named",
    )
    os.unlink(hang)
    assert process.wait(timeout=60 * t.world.slowness) == 0, t.started_text()
    waiting, answers = log_of(t, "waiting", "answers")
    assert waiting["server"] == answers["server"] == name, waiting
    assert sum(len(f) for _, _, f in os.walk(back)) == 20


@limit(120)
def test_waits_for_destination(t):
    """A destination that hangs when a file is to be written."""
    waits_for_destination(t, "/%s%s/d1" % (t.server, t.share))


@limit(120)
def test_waits_for_destination_at_once(t):
    """The same at the beginning, in the main thread."""
    waits_for_destination(t, "/.")


def test_waits_in_vain(t):
    """Neither a store nor a filer is named that is slow."""
    t.small_files(100)
    proxy = t.proxy()
    proxy.order("match PUT delay 1500")
    t.put(moved=100)
    assert not log_of(t, "waiting", "answers")
