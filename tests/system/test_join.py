"""Clients that something else than the master has started."""
import base64
import json
import os
import subprocess

from case import MIB, Skip
from test_get import back, files, get, same_tree

PORTS = (16000, 16001)


def make_key(t):
    path = os.path.join(t.dir, "key")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
        f.write(base64.b64encode(os.urandom(48)))
    return path


class Clients:
    """Some that join, on this host, until they end by themselves."""

    def __init__(self, t, count, **s3):
        self.t = t
        self.key = make_key(t)
        t.conf(
            master={"key_file": self.key, "host_or_ip_address": "127.0.0.1"},
            message={"port_index": PORTS[0], "port_status": PORTS[1]},
            s3_storage=s3,
        )
        self.logs = []
        self.processes = [self.join() for _ in range(count)]

    def join(self, *prefix):
        log = open(
            os.path.join(self.t.dir, "client-%d" % len(self.logs)), "wb"
        )
        self.logs.append(log.name)
        return subprocess.Popen(
            list(prefix) + self.t.command(
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

    def texts(self):
        return [open(log).read() for log in self.logs]

    def text(self):
        return "".join(self.texts())

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


def test_join_slurm(t):
    """The script for Slurm, with an srun that starts three clients here."""
    t.small_files(300)
    bin_dir = os.path.join(t.dir, "bin")
    os.mkdir(bin_dir)
    srun = os.path.join(bin_dir, "srun")
    with open(srun, "w") as f:
        f.write(
            "#!/bin/bash\n"
            'for i in 1 2 3; do "$@" & done\n'
            "trap 'kill -TERM $(jobs -p)' TERM\n"
            "wait; wait\n"
        )
    os.chmod(srun, 0o755)
    script = os.path.join(
        os.path.dirname(__file__), "../../contrib/datamover.sbatch"
    )
    env = t.environment(
        {
            "DATAMOVER": t.command()[-1],
            "SLURMD_NODENAME": "127.0.0.1",
            "HOME": t.dir,
        }
    )
    env["PATH"] = bin_dir + ":" + env["PATH"]

    def job(*arguments):
        return subprocess.run(
            ["bash", script, *arguments, "--config", t.config],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=55,
        )

    done = job("PUT", "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout.splitlines()[-1])["moved"] == 300, done
    assert "works for" in done.stderr, done
    t.same()
    # The status is the master's; nothing of the key is left.
    done = job("PUT", "--prefix", "elsewhere/")
    assert done.returncode == 2, done
    assert not [n for n in os.listdir(t.dir) if n.startswith(".datamover")]


def test_join_killed(t):
    """One of three is killed; the others do its work, and it counts once."""
    for i in range(40):
        t.random_file("f%d" % i, 3 * MIB)
    proxy = t.proxy()
    proxy.order("delay 100")
    clients = Clients(t, 3, endpoint=proxy.url)
    try:
        master = t.start("PUT", "--json")
        t.eventually(lambda: len(t.objects()) > 2, what="some objects")
        clients.processes[0].kill()
        clients.processes[0].wait()
        assert master.wait(50) == 0, t.started_text()
        t.same()
        total = t.query("SELECT found, moved, failed FROM runs")
        assert total == [(40, 40, 0)], total
    finally:
        clients.kill()


def test_join_master_killed(t):
    """The master is killed in the middle of a GET: its clients stop, nothing
    half-written stays, and another run ends it."""
    for i in range(6):
        t.random_file("large%d" % i, 8 * MIB)
    t.small_files(200)
    t.put(moved=206)
    proxy = t.proxy()
    proxy.order("rate 4000000")
    clients = Clients(t, 2, endpoint=proxy.url)
    try:
        master = t.start("GET", "--dest_path", back(t))
        t.eventually(lambda: parts(t), what="a file on its way")
        master.kill()
        master.wait()
        t.eventually(
            lambda: all(
                "trying for" in text.split("works for")[-1]
                for text in clients.texts()
            ),
            what="both clients without a master",
        )
        assert not parts(t), parts(t)
        for process in clients.processes:
            process.terminate()
            assert process.wait(20) == 143, clients.text()
    finally:
        clients.kill()
    t.conf()
    get(t, found=206)
    same_tree(t)


def parts(t):
    return [name for name in files(back(t)) if name.endswith(b".part")]


def test_join_key_open_to_others(t):
    """A setting to be mended, on both sides, as it is for other secrets."""
    t.write("f", "1")
    clients = Clients(t, 0)
    os.chmod(clients.key, 0o644)
    t.run("PUT", expect=2).says(clients.key, "open to others")
    where = ["--join", "127.0.0.1:%d:%d" % PORTS, "--key-file", clients.key]
    t.run("client", *where, expect=2, config=False).says("open to others")
    t.conf(client={"host": "nobody", "password_file": clients.key})
    t.run("PUT", expect=2).says(clients.key, "open to every user")
    t.conf(s3_storage={"secret_key": None, "secret_key_file": clients.key})
    t.run("PUT", expect=2).says(clients.key, "open to every user")


def test_join_too_little(t):
    """Clients that may have too little end at once, with the reason, and the
    master names them; the others do the work."""
    if t.world.slowness > 1:
        raise Skip("a sanitizer takes more addresses than the limit leaves")
    t.small_files(300)
    clients = Clients(t, 1)
    try:
        for what, limit in (("--as", 60000000), ("--nofile", 64)):
            few = clients.join("prlimit", "%s=%d" % (what, limit))
            clients.processes.append(few)
        process = t.start("PUT", "--json")
        for few, said in zip(clients.processes[1:], ("ulimit -v", "ulimit -n")):
            assert few.wait(60) == 1, clients.text()
            assert said in clients.text(), clients.text()
        assert process.wait(60) == 0, t.started_text()
        t.same()
        for said in ("ulimit -v", "ulimit -n"):
            assert said in t.started_text(), t.started_text()
    finally:
        clients.kill()
