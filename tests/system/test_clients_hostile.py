"""Strangers at the master's ports: without the key they get nothing and cost
nothing, with it only what the protocol says. STRANGERS in the environment
says how many come at once."""
import base64
import os
import re
import socket
import struct
import subprocess
import time

from case import MIB, limit
from hosts import Hosts
from test_clients import fill

STRANGERS = int(os.environ.get("STRANGERS", "500"))
PORTS = (6000, 6001)
VERSION = "0.1.0"
HEADER = os.path.join(os.path.dirname(__file__), "../../src/wire/wire.h")
with open(HEADER) as header:
    PROTOCOL = int(re.search(r"WIRE_PROTOCOL\s+(\d+)", header.read()).group(1))
NO_KEY = "00" * 48


def resident(pid):
    """KiB of memory."""
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


class Flood:
    """A run that goes on, slowly enough to be disturbed."""

    def __init__(self, t, rate=4000000):
        self.t = t
        self.hosts = Hosts(t)
        self.key_file = os.path.join(t.dir, "run.key")
        self.count = fill(t, small=800, large=1)
        self.proxy = t.proxy(master={"key_file": self.key_file})
        self.proxy.order("rate %d" % rate)
        self.process = t.start("PUT", "--json")
        self.hosts.at_work(self.process)
        t.eventually(lambda: self.proxy.stats()["PUT"] > 20, what="PUT began")
        self.address = self.hosts.master.address
        self.kept = []
        # What the first handshakes need once is not what strangers cost.
        for port in PORTS:
            self.dial(port).close()
        time.sleep(0.5)
        self.resident = resident(self.process.pid)

    def dial(self, port):
        s = socket.create_connection((self.address, port), timeout=10)
        s.settimeout(15)
        self.kept.append(s)
        return s

    def stranger(self, key, data=b"", port=PORTS[0], hold=False):
        """Says something over TLS; (status, answer, stderr)."""
        program = os.path.join(self.t.world.tools, "fault", "stranger")
        process = subprocess.Popen(
            [program, key, "%s:%d" % (self.address, port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if hold:
            process.stdin.write(data)
            process.stdin.flush()
            return process
        out, err = process.communicate(data, timeout=30)
        return process.returncode, out, err.decode()

    def key(self):
        with open(self.key_file) as f:
            return base64.b64decode(f.read()).hex()

    def flat(self):
        """The master lives and is as large as before."""
        assert self.process.poll() is None, self.t.started_text()
        grown = resident(self.process.pid) - self.resident
        if self.t.world.slowness == 1:
            assert grown < 16 * 1024, "%d KiB more" % grown
        many = descriptors(self.process.pid)
        assert many < 400, "%d descriptors" % many

    def ends_right(self):
        self.flat()
        for s in self.kept:
            s.close()
        self.proxy.order("pass")
        self.hosts.finished(self.process, moved=self.count, failed=0)
        self.t.same()
        self.hosts.quiet()


def closed(s):
    """Whether the other side closed it; what it said before."""
    said = b""
    try:
        while True:
            data = s.recv(65536)
            if not data:
                return True, said
            said += data
    except ConnectionError:
        return True, said
    except TimeoutError:
        return False, said


def text(s):
    s = s.encode()
    return struct.pack(">I", len(s)) + s


def frame(kind, payload=b"", length=None):
    if length is None:
        length = 1 + len(payload)
    return struct.pack(">IB", length, kind) + payload


def hello(client=0, channel=0, version=VERSION, protocol=PROTOCOL, pid=4711):
    return frame(
        1,
        struct.pack(">I", protocol)
        + text(version)
        + text("stranger")
        + struct.pack(">QIB", pid, client, channel),
    )


@limit(60)
def test_hostile_no_key(t):
    """Silence, garbage, HTTP, beginnings of TLS: nothing is answered that
    tells anything, the connection is closed, the run ends right."""
    f = Flood(t)
    sayings = [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        os.urandom(20000),
        b"\x16\x03\x01\xff\xff\x01",  # a record of 64 KiB, and no more
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(60),
        b"\xff\xff\xff\xff" + b"\x01" + os.urandom(100),
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ]
    connections = []
    for port in PORTS:
        for saying in sayings:
            s = f.dial(port)
            try:
                s.sendall(saying)
            except ConnectionError:
                pass
            connections.append((s, saying))
    for s, saying in connections:
        gone, said = closed(s)
        assert gone, saying[:20]
        # At most a TLS alert.
        assert len(said) < 64 and b"datamover" not in said, said
    f.ends_right()


@limit(60)
def test_hostile_wrong_key(t):
    f = Flood(t)
    for port in PORTS:
        for data in (b"", hello(), os.urandom(1000)):
            status, out, err = f.stranger(NO_KEY, data, port)
            assert status == 1 and out == b"", (status, out, err)
            assert "handshake" in err, err
    f.ends_right()


@limit(60)
def test_hostile_with_key(t):
    """One who has the key and doesn't keep to the protocol."""
    f = Flood(t)
    key = f.key()
    big = 8 * MIB
    sayings = {
        "4 GiB": frame(1, b"x" * 100, length=0xFFFFFFFF),
        "no length": frame(1, b"", length=0),
        "large before HELLO": frame(1, bytes(8192)),
        "frame before HELLO": frame(6, bytes(12)),
        "unknown frame": frame(200, b""),
        "half a HELLO": frame(1, b"\0\0\0\1\0\0"),
        "long text": frame(1, b"\0\0\0\1\xff\xff\xff\xff"),
        "more than a HELLO": frame(1, hello()[5:] + b"x"),
        "garbage": os.urandom(500),
        "4 GiB after HELLO": hello() + frame(6, b"x", length=0xFFFFFFF0),
        "garbage after HELLO": hello() + frame(5, os.urandom(50)),
        "large after HELLO": hello() + frame(14, bytes(100), length=big + 2),
        "master's frame": hello() + frame(2, bytes(12)),
        "hello again": hello() + hello(),
        "status of nobody": hello(client=999, channel=1),
        "somebody's status": hello(client=1, channel=1),
        "channel 7": hello(channel=7),
        "other protocol": hello(protocol=99),
        "other version": hello(version="9.9.9"),
    }
    for name, data in sayings.items():
        process = f.stranger(key, data, hold=True)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(name + ": not closed")
        out = process.stdout.read()
        if not data.startswith(hello()):
            assert t.secret.encode() not in out, name
        if name.startswith("other "):
            assert VERSION.encode() in out or b"9.9.9" in out, (name, out)
    f.ends_right()


@limit(60)
def test_hostile_half_frame(t):
    """Half a frame and then silence: forgotten after a while, HELLO or not;
    a run doesn't wait for it."""
    f = Flood(t, rate=8000000)
    key = f.key()
    waiting = [
        f.stranger(key, hello()[:9], port, hold=True)
        for port in PORTS
        for _ in range(5)
    ]
    joined = f.stranger(key, hello() + frame(5, b"\0\0")[:6], hold=True)
    f.ends_right()
    for process in waiting + [joined]:
        process.wait(timeout=30)


@limit(60)
def test_hostile_client(t):
    """One who joins, asks for no work, and sends results that nobody can
    read on its status channel."""
    f = Flood(t)
    key = f.key()
    index = f.stranger(key, hello(), hold=True)
    length, kind, number = struct.unpack(">IBI", index.stdout.read(9))
    assert kind == 2 and length > 5, (length, kind)
    status = f.stranger(key, hello(number, 1), PORTS[1], hold=True)
    assert status.stdout.read(5)[4] == 2
    status.stdin.write(frame(14, struct.pack(">qI", 1, 1) + bytes(200)))
    status.stdin.flush()
    for process in (status, index):
        process.wait(timeout=30)
    f.ends_right()


@limit(600)
def test_hostile_many(t):
    """Many connections at once, all silent: the master keeps a few, its
    memory stays, and clients and a good HELLO get through."""
    f = Flood(t)
    refused = 0
    began = time.monotonic()
    for number in range(STRANGERS):
        try:
            s = f.dial(PORTS[number & 1])
            if number % 3 == 0:
                s.sendall(b"\x16\x03\x01\x02\x00\x01")
        except OSError:
            refused += 1
        if len(f.kept) > 900:
            f.kept.pop(0).close()
        if number % 100 == 99:
            f.flat()
    took = time.monotonic() - began
    assert refused < STRANGERS / 10, "%d of %d" % (refused, STRANGERS)
    f.flat()
    status, _, err = f.stranger(f.key(), hello(version="9.9.9"))
    assert status == 0, err
    print("%d strangers in %.1f s" % (STRANGERS, took))
    f.ends_right()
