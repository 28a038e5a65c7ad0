"""What all verbs have in common: one log of begin and end, one answer to a
signal."""
import json
import os
import signal

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
        expected += ["begin", "run", "end", "begin", "end"]
        runs = log_of(t, "run")
        assert len(runs) == number, runs
        assert runs[-1]["msg"].startswith("%d begins: " % number), runs
    seen = [line["event"] for line in log_of(t, "begin", "run", "end")]
    assert seen == expected, seen


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
