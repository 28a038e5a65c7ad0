"""What all verbs have in common: one log of begin and end, one answer to a
signal."""
import json
import os
import re
import signal
import socket

from case import limit


def commands(t):
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    return [
        ["PUT"],
        ["GET", "--dest_path", back],
        ["TEST", "-di", "-su"],
        ["DEL", "--yes"],
    ]


def log_of(t, *events):
    """The lines of the log about these events."""
    with open(os.path.join(t.logs, "datamover.log")) as f:
        lines = [json.loads(line) for line in f]
    return [line for line in lines if line["event"] in events]


def test_verbs_log(t):
    """Each run has one line for its begin, with its number, and one for its
    end; so has a run that can't begin."""
    t.small_files(5)
    expected = []
    for number, command in enumerate(commands(t), 1):
        t.run(*command)
        t.run(*command, "--bucket", "no-such-bucket", expect=3)
        expected += ["begin", "run_begin", "run_end", "end"]
        expected += ["begin", "run_end", "end"]
        runs = log_of(t, "run_begin")
        assert len(runs) == number, runs
        assert runs[-1]["run"] == 2 * number - 1, runs
        assert runs[-1]["operation"] == command[0], runs
        good, bad = log_of(t, "run_end")[-2:]
        assert good["status"] == 0 and "reason" not in good, good
        assert good["found"] == good["moved"] + good["unchanged"] == 5, good
        assert bad["run"] == 2 * number and bad["status"] == 3, bad
        assert "no such bucket" in bad["reason"], bad
        end = log_of(t, "end")[-1]
        assert end["status"] == 3 and end["pid"] == bad["pid"], end
        assert end["host"] == socket.gethostname(), end
    seen = [
        line["event"]
        for line in log_of(t, "begin", "run_begin", "run_end", "end")
    ]
    assert seen == expected, seen
    t.run("LIST")
    begin, end = log_of(t, "run_begin", "run_end")[-2:]
    assert begin["operation"] == end["operation"] == "LIST"
    assert "run" not in end and end["found"] == 0, end


def test_verbs_log_names_failures(t):
    """Each failed object has a line with path and reason, in the file alone;
    no field is k=v text in another one."""
    t.small_files(6)
    proxy = t.proxy(s3_storage={"retry_for": 1})
    proxy.order("match PUT,/f1 503")
    proxy.order("match PUT,/f2 503")
    result = t.run("PUT", expect=1)
    failed = log_of(t, "failed")
    rows = t.query("SELECT path, kind, reason, attempts FROM failures")
    assert len(rows) == 2, rows
    assert sorted(rows) == sorted(
        (f["path"], f["kind"], f["reason"], f["attempts"]) for f in failed
    ), failed
    assert all(f["level"] == "warn" and f["run"] == 1 for f in failed)
    assert b"warn failed" not in result.err, result
    assert log_of(t, "run_end")[0]["failed"] == 2
    with open(os.path.join(t.logs, "datamover.log")) as f:
        lines = [json.loads(line) for line in f]
    for line in lines:
        assert not re.search(r"\b(client|path|status|port)=", line["msg"])


def test_verbs_log_errors(t):
    """A log of errors alone has what somebody must act upon, and standard
    error has it once."""
    t.conf(logging={"level": "ERROR"})
    t.write("f", "1")
    t.run("PUT")
    r = t.run("PUT", "--bucket", "no-such-bucket", expect=3)
    assert r.err.count(b"no such bucket") == 1, r
    lines = log_of(t, "begin", "end", "run_begin", "not_begun", "run_end")
    told = [(line["event"], line["level"]) for line in lines]
    assert told == [("run_end", "error"), ("not_begun", "error")], told


@limit(120)
def test_verbs_signal_at_start(t):
    """A run that has not begun ends with the status of the signal."""
    t.write("a", "1")
    t.put(moved=1)
    proxy = t.proxy()
    proxy.order("drop")
    for command in commands(t):
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            before = proxy.stats()["connections"]
            process = t.start(*command)
            t.eventually(
                lambda: proxy.stats()["connections"] > before,
                what="connected",
            )
            process.send_signal(number)
            ended = process.wait(timeout=15 * t.world.slowness)
            assert ended == status, (command, ended)


def test_verbs_test_ends_what_is_on_the_way(t):
    """Objects that are being read when a signal comes are verified."""
    for i in range(3):
        t.write("f%d" % i, "1")
    t.put(moved=3)
    proxy = t.proxy()
    proxy.order("match GET delay 1500")
    process = t.start("TEST", "-di", "-su")
    t.eventually(
        lambda: proxy.stats().get("GET", 0) >= 4, what="three are read"
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20 * t.world.slowness) == 130
    assert "may end within 5 s" in t.started_text(), t.started_text()
    verified = t.query("SELECT count(*) FROM verifications")
    assert verified == [(3,)], verified
