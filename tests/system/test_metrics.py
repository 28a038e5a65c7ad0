"""Those who look on see what a run does: metrics, status, report."""
import http.client
import json
import re
import socket

from case import limit
from hosts import Hosts
from test_catalog import finish, slow_put_with

LINE = re.compile(
    r'([a-z0-9_]+)(\{[a-z]+="(?:[^"\\\n]|\\[\\"n])*"'
    r'(?:,[a-z]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (\S+)\Z'
)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def parse(text):
    """{name and labels: value}; the text must be as Prometheus wants it."""
    values, helped, typed = {}, set(), {}
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in helped, "helped twice: " + line
            helped.add(name)
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in ("counter", "gauge"), line
            assert name in helped and name not in typed, line
            assert (kind == "counter") == name.endswith("_total"), line
            typed[name] = kind
            continue
        match = LINE.match(line)
        assert match, line
        assert match[1] in typed, "no type before it: " + line
        assert match[1].startswith("datamover_"), line
        key = match[1] + (match[2] or "")
        assert key not in values, "twice: " + line
        values[key] = float(match[3])
    return values


def fetch(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, answer.status
    kind = answer.getheader("Content-Type")
    assert kind.startswith("text/plain; version=0.0.4"), kind
    return parse(text)


@limit(150)
def test_metrics(t):
    port = free_port()
    process, proxy = slow_put_with(t, "--metrics", str(port))
    t.eventually(
        lambda: fetch(port)["datamover_objects_moved_total"] > 10,
        what="moved in the metrics",
    )
    v = fetch(port)
    assert v['datamover_run_info{operation="PUT"}'] == 1, v
    assert 10 < v["datamover_objects_found_total"] <= 3000, v
    assert v["datamover_objects_failed_total"] == 0, v
    assert v["datamover_s3_requests_total"] > 10, v
    assert v["datamover_moved_bytes_total"] > 0, v
    assert v["datamover_s3_sent_bytes_total"] > 0, v
    assert v["datamover_directories_total"] >= 1, v
    # Whoever connects and says nothing holds up nothing but others of them.
    with socket.create_connection(("127.0.0.1", port)):
        finish(t, process, proxy)
    try:
        fetch(port)
    except ConnectionRefusedError:
        pass
    else:
        raise AssertionError("the port stayed open")


def test_metrics_port_in_use(t):
    t.write("f", "1")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        at = "localhost:%d" % port
        t.run("PUT", "--metrics", at, expect=2).says(at, "in use")
    t.run("PUT", "--metrics", "some:where", expect=2).says("HOST:PORT")
    assert not t.objects()
    t.conf(general={"metrics": "127.0.0.1:%d" % port})
    t.put("--metrics", "[::1]:%d" % port, moved=1)


@limit(150)
def test_clients_are_shown(t):
    """In status, in the view, in the report and as metrics."""
    hosts = Hosts(t)
    # Nothing is stored until each has a batch, and one file not before the
    # test has looked.
    proxy = t.proxy(general={"metrics": "9100"}, master={"max_index_size": 20})
    proxy.order("match PUT,/exp/ delay 600000")
    for i in range(600):
        t.write("d%d/f%d" % (i % 7, i), bytes([i % 200 + 32]) * 10000)
    process = t.start("PUT")

    def clients(column):
        out = t.run("status", "--json", expect={0, 2}).out or "{}"
        rows = json.loads(out).get("clients", [])
        return [r for r in rows if r["state"] == "working" and r[column]]

    def working():
        return clients("moved")

    t.eventually(lambda: len(clients("items")) == 3, what="three have work")
    proxy.order("refuse")
    proxy.order("pass\nmatch PUT,/f77 delay 600000")
    assert proxy.control.readline() == "ok\n"
    t.eventually(
        lambda: sum(r["moved"] for r in working()) == 599,
        what="all but one are stored",
    )
    assert len(working()) == 3, working()
    assert {r["host"] for r in working()} == {c.name for c in hosts.clients}
    t.run("status").says("client1", "client2", "client3", "working")
    page = hosts.master.command(
        "python3",
        "-c",
        "import urllib.request as u;"
        "print(u.urlopen('http://127.0.0.1:9100/metrics').read().decode(),"
        "end='')",
    ).stdout
    v = parse(page)
    for i in (1, 2, 3):
        labels = '{client="%d",host="client%d"}' % (i, i)
        assert v["datamover_client_up" + labels] == 1, v
        assert v["datamover_client_last_heard_seconds" + labels] < 30, v
    proxy.release()
    assert process.wait(timeout=120) == 0, t.started_text()
    rows = t.query(
        "SELECT state, host, moved, failed, bytes FROM clients ORDER BY number"
    )
    assert [r[:2] for r in rows] == [
        ("ended", "client%d" % i) for i in (1, 2, 3)
    ], rows
    assert sum(r[2] for r in rows) == 600, rows
    assert sum(r[4] for r in rows) >= 600 * 10000, rows
    t.run("report").says("clients", "client3")
    t.same()
    hosts.quiet()
