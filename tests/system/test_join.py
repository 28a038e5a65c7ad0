"""Clients that something else than the master has started."""
import os
import subprocess

from case import MIB
from test_get import get, same_tree

PORTS = (16000, 16001)


class Clients:
    """Some that join, on this host, until they end by themselves."""

    def __init__(self, t, count):
        self.t = t
        self.key = os.path.join(t.dir, "key")
        t.conf(
            master={"key_file": self.key, "host_or_ip_address": "127.0.0.1"},
            message={"port_index": PORTS[0], "port_status": PORTS[1]},
        )
        self.logs = []
        self.processes = [self.join() for _ in range(count)]

    def join(self):
        log = open(
            os.path.join(self.t.dir, "client-%d" % len(self.logs)), "wb"
        )
        self.logs.append(log.name)
        return subprocess.Popen(
            self.t.command(
                "client",
                "--join",
                "127.0.0.1:%d:%d" % PORTS,
                "--key-file",
                self.key,
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=self.t.environment(),
        )

    def text(self):
        return "".join(open(log).read() for log in self.logs)

    def end(self):
        """Those who came in time have ended; one that did not still tries
        to reach a master."""
        worked = 0
        for process, log in zip(self.processes, self.logs):
            if "works for" not in open(log).read():
                process.terminate()
                process.wait(60)
                continue
            worked += 1
            status = process.wait(60)
            assert status == 0, (status, self.text())
        assert worked > 0, self.text()
        assert self.t.secret not in self.text()

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


def test_join_every_operation(t):
    t.small_files(500)
    t.random_file("large", 40 * MIB + 7)
    key = os.path.join(t.dir, "key")
    subprocess.run(
        "umask 077; head -c 48 /dev/urandom | base64 -w0 >%s" % key,
        shell=True,
        check=True,
    )
    clients = Clients(t, 3)
    try:
        t.put(found=501, moved=501, failed=0)
        clients.end()
        t.same()
        clients = Clients(t, 3)
        get(t, found=501, moved=501)
        clients.end()
        same_tree(t)
        # The PUT that comes first, then the proof: both times with clients.
        t.write("one more", "1")
        clients = Clients(t, 2)
        result = t.run("TEST", "--data_integrity", "--json")
        result.counted(found=502, moved=502)
        result.says("PASSED")
        clients.end()
        clients = Clients(t, 2)
        t.run("DEL", "--yes", "--json").counted(found=502, moved=502)
        clients.end()
        assert not t.objects()
    finally:
        clients.kill()
