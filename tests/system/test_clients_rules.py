"""What clients may be: started and killed all the time, without a way to the
store, slow, curious, with another directory under the name of the share. The
others do the work."""
import hashlib
import os
import signal
import struct
import subprocess

import test_clients_join
from case import limit
from hosts import Hosts
from test_clients import shares
from test_clients_hostile import PORTS, frame, hello
from test_clients_join import in_hand, join
from test_clients_lost import paced
from test_get import back, same_tree


@limit(90)
def test_rules_killed_again_and_again(t):
    """One healthy client, and another that is killed whenever it has work in
    hand, as a container that is started again and again: no file fails."""
    hosts, proxy = test_clients_join.master(t)
    good, sick = hosts.clients[:2]
    t.small_files(400, directories=20, size=400)
    process = t.start("PUT", "--json")
    key = os.path.join(t.dir, "run.key")
    t.eventually(lambda: os.path.exists(key), what="the key")
    proxy.order("match PUT delay 3000")

    last = [0]

    def has_work():
        """One that came after the last that was seen to have some."""
        rows = t.query(
            "SELECT number FROM client WHERE host = ? AND items > 0 AND"
            " state = 'working' AND number > ?",
            sick.name,
            last[0],
        )
        last[:] = rows[0] if rows else last
        return rows

    for kills in range(10):
        victim = join(t, sick)
        t.eventually(has_work, what="it has work")
        assert process.poll() is None, t.started_text()
        victim.kill()
        victim.wait()
        if kills == 1:
            healthy = join(t, good)
    proxy.order("pass")
    hosts.finished(process, found=400, moved=400, failed=0)
    assert healthy.wait(timeout=20) == 0
    hosts.quiet()
    t.same(whole=3)


@limit(60)
def test_rules_del_without_store(t):
    """DEL: what a client that can't reach the store has in hand is deleted by
    the others."""
    hosts = Hosts(t)
    t.small_files(2000, directories=20)
    t.put("--standalone", moved=2000)
    paced(t, s3_storage={"retry_for": 3})
    hosts.clients[0].drop(t.server)
    process = t.start("DEL", "--json", "--yes")
    hosts.finished(process, found=2000, moved=2000, failed=0)
    assert not t.objects()
    hosts.quiet()


@limit(60)
def test_rules_get_without_store(t):
    """GET: a client loses its way to the store in the middle."""
    hosts = Hosts(t)
    t.small_files(500, directories=20, size=20000)
    t.put("--standalone", moved=500)
    proxy = paced(t, rate=2000000, s3_storage={"retry_for": 3})
    process = t.start("GET", "--json", "--dest_path", back(t))
    hosts.all_working()
    t.eventually(lambda: proxy.stats()["GET"] > 100, what="GET began")
    hosts.clients[0].drop(t.server)
    hosts.finished(process, found=500, moved=500, failed=0)
    same_tree(t)
    hosts.quiet()


@limit(60)
def test_rules_get_slow(t):
    """GET: a client on a slow line keeps what it has begun, and no more. What
    it gets at first would take it two minutes."""
    hosts = Hosts(t)
    t.small_files(400, directories=20, size=300000)
    t.put("--standalone", moved=400)
    paced(
        t, rate=0, client={"workers": 1}, s3_storage={"max_inflight": 4}
    )
    slow = hosts.clients[0]
    slow.slow("1500kbit", burst="16k")
    process = t.start("GET", "--json", "--dest_path", back(t))
    hosts.finished(process, found=400, moved=400, failed=0)
    did = shares(t)
    assert 0 < did[slow.name] < 60, did
    same_tree(t)
    hosts.quiet()


class Curious:
    """One who has the key, and speaks as a client does."""

    def __init__(self, t, hosts, key):
        self.t = t
        self.address = hosts.master.address
        self.key = key
        self.index = self.dial(0)
        number = struct.unpack(">I", self.read(2, self.index)[:4])[0]
        self.status = self.dial(1, number)
        self.read(2, self.status)
        self.setup = self.read(4, self.index)
        self.say(frame(5, struct.pack(">II", 2, 8)))

    def dial(self, channel, number=0):
        program = os.path.join(
            self.t.world.build, "tools", "fault", "stranger"
        )
        process = subprocess.Popen(
            [program, self.key, "%s:%d" % (self.address, PORTS[channel])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        process.stdin.write(hello(number, channel))
        process.stdin.flush()
        return process

    def say(self, data):
        self.index.stdin.write(data)
        self.index.stdin.flush()

    def read(self, kind, process):
        """The next frame of this kind."""
        while True:
            head = process.stdout.read(5)
            assert len(head) == 5, "it is closed"
            length, found = struct.unpack(">IB", head)
            payload = process.stdout.read(length - 1)
            if found == kind:
                return payload

    def end(self):
        for process in (self.index, self.status):
            process.kill()
            process.wait()


@limit(60)
def test_rules_no_answer_in_the_lease(t):
    """TEST: one who has the key gets objects to verify, and can't tell from
    what it is given what to answer: neither MD5 nor ETag is there."""
    hosts, _ = test_clients_join.master(t)
    secrets = []
    for i in range(20):
        t.write("f%d" % i, "content %d" % i)
        secrets.append(hashlib.md5(b"content %d" % i))
    t.put("--standalone", moved=20)
    process = t.start("TEST", "--data_integrity", "--skip_upload", "--json")
    path = os.path.join(t.dir, "run.key")
    t.eventually(lambda: os.path.exists(path), what="the key")
    t.eventually(
        lambda: in_hand(t) == 0 and listening(hosts), what="it listens"
    )
    with open(path, "rb") as f:
        text = subprocess.run(
            ["base64", "-d"], stdin=f, stdout=subprocess.PIPE, check=True
        ).stdout
    one = Curious(t, hosts, text.hex())
    one.say(frame(6, struct.pack(">IQ", 100, 1 << 40)))
    lease = one.read(8, one.index)
    assert b"/f7" in lease or b"/f1" in lease, lease[:300]
    for secret in secrets:
        assert secret.digest() not in lease
        assert secret.hexdigest().encode() not in lease
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130, t.started_text()
    one.end()
    hosts.quiet()


def listening(hosts):
    out = hosts.master.command("ss", "-Hltn", "sport", "=", ":%d" % PORTS[0])
    return out.stdout != ""


@limit(60)
def test_rules_not_mounted_below(t):
    """mounted = yes: a file system below the share isn't mounted on one
    client, which finds files of the same names, or none. Alone it brings
    nothing and calls nothing gone; the others do its work."""
    hosts = Hosts(t)
    t.write("plain/f", "plain")
    vol = os.path.join(t.tree, "vol")
    other = os.path.join(t.dir, "other")
    os.mkdir(other)
    for i in range(40):
        with open(os.path.join(other, "f%d" % i), "w") as f:
            f.write("true")
        if i % 2 == 0:
            t.write("vol/f%d" % i, "stub")
    settings = {
        "nfs": [("filer", [t.tree])],
        "fs_config": {"mounted": "yes"},
    }
    one, names = hosts.clients[0], t.settings["client"]["host"]
    there = [hosts.master] + hosts.clients[1:]
    for host in there:
        host.command("mount", "--bind", other, vol).check_returncode()
    try:
        t.settings["client"]["host"] = names[:1]
        paced(t, **settings)
        result = t.put(expect=1, moved=1, failed=40, gone=0)
        result.says("file system")
        assert len(t.objects()) == 1
        t.settings["client"]["host"] = names
        paced(t, **settings)
        t.put(moved=40, unchanged=1, gone=0, failed=0)
        assert shares(t).get(one.name, 0) == 0, shares(t)
    finally:
        for host in there:
            host.command("umount", vol)
    for key, (size, *_) in t.objects().items():
        assert size == len("true" if "/vol/" in key else "plain"), key
        body = t.s3.get_object(Bucket=t.bucket, Key=key)["Body"].read()
        assert body in (b"true", b"plain"), key
    hosts.quiet()


@limit(60)
def test_rules_other_root(t):
    """mounted = yes: on one client another directory is at the place of the
    share. It opens nothing of it."""
    hosts = Hosts(t)
    t.small_files(200, directories=4)
    other = os.path.join(t.dir, "other")
    for i in range(0, 200, 2):
        path = os.path.join(other, "d%d" % (i % 4), "f%d" % i)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write("of the other")
    one = hosts.clients[0]
    one.command("mount", "--bind", other, t.tree).check_returncode()
    mounted = {
        "nfs": [("filer", [t.tree])],
        "fs_config": {"mounted": "yes"},
    }
    try:
        names = t.settings["client"]["host"]
        t.settings["client"]["host"] = names[:1]
        paced(t, **mounted)
        t.put(expect=1, found=200, failed=200, gone=0).says(
            "not the directory that PUT has seen"
        )
        assert not t.objects()
        t.settings["client"]["host"] = names
        paced(t, **mounted)
        result = t.put(found=200, moved=200, gone=0, failed=0)
        assert shares(t).get(one.name, 0) == 0, shares(t)
        assert "client_other_tree" not in result.text, result
    finally:
        one.command("umount", t.tree)
    t.same(t.wanted(prefix="filer" + t.tree))
    hosts.quiet()
