"""What follows the end of a run: after_run, and metrics_file."""
import json
import os
import signal
import time

from case import limit
from test_metrics import parse
from test_verbs import log_of


def program(t, text, name="after"):
    path = os.path.join(t.dir, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def test_after_run(t):
    """It gets the summary of each run, also of one that could not begin, with
    no argument and no secret; the catalog is free."""
    got = os.path.join(t.dir, "got")
    after = program(
        t,
        'echo "args $#" >>%s; cat >>%s; env >%s.env\n'
        "echo out; echo err >&2\n"
        "%s status --config %s >/dev/null || exit 9\n"
        % (got, got, got, t.world.program, t.config),
    )
    env = {"AWS_SECRET_ACCESS_KEY": "hidden", "SOME_TOKEN": "hidden"}
    t.conf(general={"after_run": after})
    t.small_files(5)
    result = t.run("PUT", "--json", env=env).says("err")
    assert result.json["moved"] == 5 and result.json["exit_status"] == 0
    assert b"out" not in result.out and b"out" in result.err, result
    with open(got + ".env") as f:
        text = f.read()
    assert "hidden" not in text and "PATH=" in text, text
    t.conf(general={"after_run": after}, s3_storage={"secret_key": "wrong"})
    t.run("PUT", expect=3)
    t.run("TEST", "--data_integrity", expect=3)
    t.conf(general={"after_run": after})
    t.run("TEST", "--data_integrity")
    t.run("PUT", "--dryrun")
    t.run("LIST")
    t.run("DEL", expect=2).says("--yes")
    with open(got) as f:
        lines = f.read().splitlines()
    assert lines[::2] == ["args 0"] * 4, lines
    sums = [json.loads(line) for line in lines[1::2]]
    assert sums[0] == result.json, sums
    assert [(s["operation"], s["exit_status"]) for s in sums] == [
        ("PUT", 0), ("PUT", 3), ("PUT", 3), ("TEST", 0),
    ], sums
    assert "credentials" in sums[1]["error"], sums
    assert sums[1]["run"] == 2, sums
    assert not log_of(t, "after_run")


def test_after_run_prints_much(t):
    """What is too much is left out, and does not stop the program."""
    t.conf(general={"after_run": program(
        t, "head -c 3000000 /dev/zero | tr '\\0' x; exit 7\n"
    )})
    err = t.run("PUT").says("left out", "exit status 7").err
    assert 256 * 1024 <= err.count(b"x") < 257 * 1024, err.count(b"x")


@limit(120)
def test_after_run_fails(t):
    """What becomes of it changes nothing, and is said."""
    t.write("f", "1")

    def warns(words, **general):
        t.conf(general=general)
        t.run("PUT").says("warn after_run", words)
        assert words in log_of(t, "after_run")[-1]["reason"]

    warns("exit status 7", after_run=program(t, "exit 7\n"))
    warns("No such file", after_run="/no/such/program")
    pid = os.path.join(t.dir, "pid")
    slow = program(t, "trap '' TERM\nsleep 1000 &\necho $! >%s\nwait\n" % pid)
    warns("after 1 s", after_run=slow, after_run_timeout="1s")
    with open(pid) as f:
        child = int(f.read())
    t.eventually(lambda: not alive(child), what="its child is gone")
    t.conf(general={"after_run": "after"})
    t.run("PUT", expect=2).says("absolute")
    t.conf(general={"after_run": slow})
    os.unlink(pid)
    process = t.start("PUT")
    t.eventually(lambda: os.path.exists(pid), what="it runs")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0, t.started_text()
    assert "a signal came" in t.started_text()


def test_ended_checked(t):
    """check looks at both."""
    after = program(t, "exit 0\n")
    t.conf(general={"after_run": after, "metrics_file": t.dir + "/d.prom"})
    t.run("check").says(after + ": can be run", "d.prom: can be written")
    os.chmod(after, 0o644)
    t.run("check", expect=3).says("after_run in [general]")
    t.conf(general={"metrics_file": "/no/such/d.prom"})
    t.run("check", expect=3).says("metrics_file in [general]")


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_metrics_file(t):
    """The figures of the last run stay, with the last success and attempt of
    each operation, also after runs that could not begin."""
    path = os.path.join(t.dir, "datamover.prom")
    t.conf(general={"metrics_file": path})
    begun = int(time.time())
    t.small_files(5)
    t.put(moved=5)

    def figures():
        with open(path) as f:
            return parse(f.read())

    v = figures()
    put = '{operation="PUT"}'
    assert v["datamover_objects_moved_total"] == 5, v
    assert v["datamover_s3_requests_total"] >= 5, v
    assert v["datamover_s3_sent_bytes_total"] > 500, v
    assert v["datamover_run_info" + put] == 1, v
    assert v["datamover_last_exit_status" + put] == 0, v
    success = v["datamover_last_success_timestamp_seconds" + put]
    assert begun <= success <= time.time() + 1, v
    assert v["datamover_last_attempt_timestamp_seconds" + put] == success
    t.run("GET", "--dest_path", t.dir)
    t.conf(general={"metrics_file": path}, s3_storage={"secret_key": "wrong"})
    t.run("PUT", expect=3)
    v = figures()
    assert v["datamover_last_exit_status" + put] == 3, v
    assert v["datamover_last_success_timestamp_seconds" + put] == success, v
    assert v["datamover_last_attempt_timestamp_seconds" + put] >= success, v
    assert v['datamover_last_exit_status{operation="GET"}'] == 0, v
    assert v["datamover_objects_moved_total"] == 0, v
    assert os.listdir(t.dir).count("datamover.prom") == 1
    assert not [n for n in os.listdir(t.dir) if n.endswith(".new")]
    t.conf(general={"metrics_file": t.dir + "/none/d.prom"})
    t.put(unchanged=5)
    assert log_of(t, "metrics_file"), "nothing is said"
    t.conf(general={"metrics_file": "d.prom"})
    t.run("PUT", expect=2).says("metrics_file", "absolute")


def test_metrics_file_locked(t):
    """An attempt that doesn't get the catalog is the last one too."""
    path = os.path.join(t.dir, "datamover.prom")
    t.write("f", "1")
    proxy = t.proxy(general={"metrics_file": path})
    proxy.order("drop")
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["connections"] > 0, what="it waits")
    t.run("PUT", expect=3)
    with open(path) as f:
        v = parse(f.read())
    assert v['datamover_last_exit_status{operation="PUT"}'] == 3, v
    assert v['datamover_last_success_timestamp_seconds{operation="PUT"}'] == 0
    proxy.release()
    assert process.wait(timeout=60) == 0, t.started_text()
    with open(path) as f:
        v = parse(f.read())
    assert v['datamover_last_exit_status{operation="PUT"}'] == 0, v
    assert v["datamover_objects_moved_total"] == 1, v
