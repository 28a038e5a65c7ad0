"""datamover stop ends the run of another terminal, and no other process."""
import json
import os
import signal
import subprocess

from case import limit
from hosts import Hosts
from test_catalog import slow_put


def stopped(t, *arguments):
    return json.loads(t.run("stop", "--json", *arguments).out.splitlines()[-1])


@limit(150)
def test_stop_ends_a_run(t):
    process, proxy = slow_put(t)
    said = stopped(t)
    assert said["stopped"] and not said["running"], said
    assert said["pid"] == process.pid, said
    # It has ended when stop says so; what it leaves is to be gone on with.
    assert process.wait(timeout=5) == 143, t.started_text()
    assert t.query("SELECT state FROM runs") == [("interrupted",)]
    proxy.order("pass")
    t.put(failed=0, pending=0, found=3000)
    t.same(whole=3)


@limit(150)
def test_stop_now(t):
    """Without the time that what is on the way would have."""
    process, proxy = slow_put(t)
    proxy.order("drop")
    t.run("stop", "--now").says(str(process.pid), "has ended")
    assert process.wait(timeout=5) == 143, t.started_text()
    proxy.order("pass")
    t.put(failed=0, pending=0, found=3000)
    t.same(whole=3)


def test_stop_nothing(t):
    t.run("stop", expect=2).says(t.catalog)
    t.write("f", "1")
    t.put(moved=1)
    t.run("stop").says("no run is going on")
    said = stopped(t)
    assert not said["stopped"] and not said["running"], said
    t.run("stop", "--catalog", t.catalog, config=False)
    os.unlink(t.catalog + ".lock")
    t.run("stop").says("no run is going on")
    t.run("stop", "now", expect=2).says("no option")


@limit(150)
def test_stop_only_ours(t):
    """Not a process whose number stands in the lock by chance; not by
    somebody who may not."""
    process, proxy = slow_put(t)
    with open(t.catalog + ".lock") as f:
        pid = f.read()
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        with open(t.catalog + ".lock", "w") as f:
            f.write("%d\n" % bystander.pid)
        t.run("stop", expect=3).says(str(bystander.pid), "not to be seen")
        with open(t.catalog + ".lock", "w") as f:
            f.write("\n")
        t.run("stop", expect=3)
    finally:
        assert bystander.poll() is None
        bystander.kill()
        bystander.wait()
    with open(t.catalog + ".lock", "w") as f:
        f.write(pid)
    for name in ("", "-wal", "-shm", ".lock"):
        os.chmod(t.catalog + name, 0o644)
    os.chmod(t.dir, 0o755)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        + t.command("stop", "--catalog", t.catalog),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=t.environment(),
    )
    assert done.returncode == 3, done
    assert b"permitted" in done.stdout or b"denied" in done.stdout, done
    assert process.poll() is None, t.started_text()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    proxy.order("pass")


@limit(150)
def test_stop_ends_clients(t):
    """Nothing stays on any host."""
    hosts = Hosts(t)
    for i in range(60):
        t.write("d%d/f%d" % (i % 7, i), bytes([i + 32]) * 60000)
    process = t.start("PUT", "--bwlimit", "300K")

    def moved():
        out = t.run("status", "--json", expect={0, 2}).out or "{}"
        return json.loads(out).get("moved")

    t.eventually(moved, what="moved")
    t.run("stop").says("has ended")
    assert process.wait(timeout=5) == 143, t.started_text()
    hosts.quiet()
    t.put(found=60, failed=0, pending=0)
    t.same()
    hosts.quiet()
