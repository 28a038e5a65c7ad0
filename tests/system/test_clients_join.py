"""Clients that something else starts: they come when they come."""
import os
import signal
import subprocess

from case import limit
from hosts import Hosts, Process
from test_clients import fill
from test_clients_lost import SILENCE, UNDER_WAY
from test_resume import stored_twice


def master(t, **sections):
    """Nobody is launched; the key is in a file that all hosts see."""
    hosts = Hosts(t)
    t.settings = {"master": {"key_file": os.path.join(t.dir, "run.key")}}
    proxy = t.proxy(socket_options={"recv_timeout": SILENCE}, **sections)
    return hosts, proxy


def new_key(path):
    with open(path, "w") as f:
        os.chmod(path, 0o600)
        subprocess.run(["openssl", "rand", "-base64", "48"], stdout=f)


def join(t, host, key=None):
    """Start a client there by hand."""
    key = key or os.path.join(t.dir, "run.key")
    out = open(os.path.join(t.dir, "joined.err"), "ab")
    arguments = ["client", "--join", "master", "--key-file", key]
    return Process(
        subprocess.Popen(
            host.prefix("--wdns=" + t.dir) + t.command()[-1:] + arguments,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=dict(t.environment(), HOME=host.home),
        ),
        host,
    )


@limit(60)
def test_join(t):
    """One is there before the master, one comes late, one dies and comes
    back; none needs a config or a catalog."""
    hosts, proxy = master(t)
    one, two, three = hosts.clients
    count = fill(t)
    new_key(os.path.join(t.dir, "run.key"))
    first = join(t, one)
    proxy.order("rate 15000000")
    process = t.start("PUT", "--json")
    t.eventually(lambda: proxy.stats()["PUT"] > 60, what="PUT began")
    second = join(t, two)
    third = join(t, three)
    t.eventually(lambda: proxy.stats()["PUT"] > 150, what="PUT goes on")
    second.kill()
    second.wait()
    again = join(t, two)
    hosts.finished(process, moved=count)
    for client in (first, third, again):
        assert client.wait(timeout=20) == 0, joined(t)
    hosts.quiet()
    t.same()
    assert len(stored_twice(proxy.requests())) <= 2 * UNDER_WAY


def joined(t):
    with open(os.path.join(t.dir, "joined.err")) as f:
        return f.read()


@limit(60)
def test_join_again(t):
    """A client whose connection breaks comes back by itself."""
    hosts, proxy = master(t)
    one = hosts.clients[0]
    count = fill(t, small=400, large=2)
    proxy.order("rate 10000000")
    process = t.start("PUT", "--json")
    key = os.path.join(t.dir, "run.key")
    t.eventually(lambda: os.path.exists(key), what="the key")
    client = join(t, one)
    t.eventually(lambda: proxy.stats()["PUT"] > 60, what="PUT began")
    one.reset(hosts.master.address)
    hosts.finished(process, moved=count)
    assert client.wait(timeout=20) == 0, joined(t)
    hosts.quiet()
    t.same()


def in_hand(t):
    """Tasks that clients have."""
    if not os.path.exists(t.catalog):
        return 0
    return t.query("SELECT coalesce(sum(items), 0) FROM clients")[0][0]


@limit(60)
def test_join_without_servers(t):
    """The first to come reaches neither NFS nor S3, and gets files that are
    not given to two: it does not keep them for as long as it would try."""
    hosts, proxy = master(t)
    one = hosts.clients[0]
    count = fill(t, small=100, large=2)
    one.drop(t.server)
    process = t.start("PUT", "--json")
    key = os.path.join(t.dir, "run.key")
    t.eventually(lambda: os.path.exists(key), what="the key")
    sick = join(t, one)
    t.eventually(lambda: in_hand(t) > 2, what="it has them")
    others = [join(t, client) for client in hosts.clients[1:]]
    hosts.finished(process, moved=count)
    assert "not a byte" in t.started_text(), t.started_text()
    for client in others:
        assert client.wait(timeout=20) == 0, joined(t)
    # It came back, or looks for a master.
    sick.send_signal(signal.SIGTERM)
    assert sick.wait(timeout=20) in (0, 143), joined(t)
    hosts.quiet()
    t.same()


def waits_for(pid, number):
    """Whether it has made itself ready for the signal."""
    with open("/proc/%d/status" % pid) as f:
        lines = dict(line.split(":", 1) for line in f if ":" in line)
    ready = int(lines["SigCgt"], 16) | int(lines["SigBlk"], 16)
    return ready >> (number - 1) & 1


@limit(60)
def test_join_wrong_key(t):
    """Another key, a key that others may read, no master at all."""
    hosts, proxy = master(t)
    one, two = hosts.clients[:2]
    count = fill(t, small=200, large=1)
    proxy.order("rate 5000000")
    process = t.start("PUT", "--json")
    key = os.path.join(t.dir, "run.key")
    t.eventually(lambda: os.path.exists(key), what="the key")
    good = join(t, one)
    other = os.path.join(t.dir, "other.key")
    new_key(other)
    bad = join(t, two, other)
    assert bad.wait(timeout=30) in (2, 3), joined(t)
    os.chmod(other, 0o644)
    assert join(t, two, other).wait(timeout=30) in (2, 3), joined(t)
    assert "chmod" in joined(t)
    hosts.finished(process, moved=count)
    good.wait(timeout=20)
    alone = join(t, two, key)
    t.eventually(
        lambda: waits_for(alone.pid, signal.SIGTERM), what="it is ready"
    )
    alone.send_signal(signal.SIGTERM)
    assert alone.wait(timeout=10) == 143, joined(t)
    hosts.quiet()
    t.same()
