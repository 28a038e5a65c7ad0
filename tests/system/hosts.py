"""Several hosts for one test: a master and three clients, each with its own
address, processes, name, home and sshd, and servers that all of them reach.

After Hosts(t), datamover runs on the master: t.run, t.put and t.start, and
t.conf writes what it needs to find its clients. A test ends with quiet(),
which says that no process is left on any host.
"""
import glob
import json
import os
import shutil
import signal
import subprocess
import time

import sanitizer
import stack
from case import Case, Result, Skip


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def is_sshd(name):
    """OpenSSH 10 has sshd-session and sshd-auth, too."""
    return name.split("-")[0] == "sshd"


def system(*arguments):
    done = subprocess.run(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert done.returncode == 0, "%s: %s" % (" ".join(arguments), done.stdout)
    return done.stdout


class Process:
    """A command on a host. The child of ours is nsenter, which hands its
    status on; the process is nsenter's child."""

    def __init__(self, popen, host, deadline=10):
        self.popen = popen
        self.pid = None
        end = time.monotonic() + deadline
        children = "/proc/%d/task/%d/children" % (popen.pid, popen.pid)
        while self.pid is None and time.monotonic() < end:
            try:
                with open(children) as f:
                    pids = f.read().split()
            except OSError:
                pids = []
            if pids:
                self.pid = int(pids[0])
            elif popen.poll() is not None:
                return
        assert self.pid, "nsenter has no child on " + host.name

    def send_signal(self, number):
        if self.popen.poll() is not None or self.pid is None:
            return
        os.kill(self.pid, number)
        if number == signal.SIGCONT:
            # It stopped with its child.
            os.kill(self.popen.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def poll(self):
        return self.popen.poll()

    def wait(self, timeout=None):
        return self.popen.wait(timeout)

    @property
    def returncode(self):
        return self.popen.returncode


class Host:
    def __init__(self, directory, name, setting):
        self.name = name
        self.address, pid = setting.split()
        self.init = int(pid)
        self.off = False
        self.directory = os.path.join(directory, "net", name)
        self.home = os.path.join(self.directory, "home")
        self.mark = os.path.join(self.directory, "meddled")
        space = "/proc/%d/ns/pid" % self.init
        self.space = link(space)
        # While it is open, a host of somebody else can't get its number, not
        # even when this one is off.
        self.space_open = os.open(space, os.O_RDONLY)

    def prefix(self, *more):
        """What stands before a command that is to run there."""
        return ["nsenter", "-t", str(self.init), "-m", "-u", "-n", "-p"] + [
            *more,
            "--",
        ]

    def command(self, *arguments, env=None, timeout=60, **options):
        """Run it there to its end; the CompletedProcess."""
        return subprocess.run(
            self.prefix() + list(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(
                {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.home},
                **(env or {})
            ),
            cwd=self.home,
            text=True,
            timeout=timeout,
            **dict({"stdin": subprocess.DEVNULL}, **options)
        )

    def new_home(self):
        """As net-up made it."""
        template = os.path.join(os.path.dirname(self.directory), "home")
        shutil.rmtree(self.home)
        shutil.copytree(template, self.home)

    def ssh_file(self, name):
        return os.path.join(self.home, ".ssh", name)

    # --- its processes; the ids are the machine's ---

    def all_processes(self):
        """{pid: (name, parent)}, without process 1 and without zombies."""
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == self.init:
                continue
            if link("/proc/%s/ns/pid" % entry) != self.space:
                continue
            fields = stack.stat_fields(int(entry))
            if fields and fields[1] not in "ZX":
                found[int(entry)] = (fields[0], fields[2])
        return found

    def processes(self):
        """{pid: name} of all that isn't the host's own, and not sshd's."""
        return {
            pid: name
            for pid, (name, parent) in self.all_processes().items()
            if not is_sshd(name)
            and not (name == "sleep" and parent == self.init)
        }

    def sessions(self):
        """The sshds that serve somebody."""
        return [
            pid
            for pid, (name, parent) in self.all_processes().items()
            if is_sshd(name) and parent != self.init
        ]

    def datamovers(self):
        return [
            pid
            for pid, name in self.processes().items()
            if name == "datamover"
        ]

    def signal(self, number):
        """To each datamover there; how many there were."""
        pids = self.datamovers()
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        return len(pids)

    def kill(self):
        return self.signal(signal.SIGKILL)

    def freeze(self):
        return self.signal(signal.SIGSTOP)

    def thaw(self):
        return self.signal(signal.SIGCONT)

    def clear(self):
        """Kill whatever a test left there."""
        for pid in [*self.processes(), *self.sessions()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def power_off(self):
        """All its processes are gone at once, and nobody is told. The next
        test finds it running."""
        self.off = True
        os.kill(self.init, signal.SIGKILL)
        end = time.monotonic() + 10
        while stack.program_of(self.init) and time.monotonic() < end:
            time.sleep(0.01)

    # --- its network ---

    def inside(self, *arguments):
        system("nsenter", "-t", str(self.init), "-n", "--", *arguments)

    def cut(self):
        """Pull its cable."""
        self.meddled()
        system("ip", "link", "set", "h-" + self.name, "down")

    def join(self):
        system("ip", "link", "set", "h-" + self.name, "up")

    def slow(self, rate, burst="256k"):
        """Limit what it sends and what it receives, e.g. 50mbit; so many
        bytes go at once."""
        self.meddled()
        limit = ["root", "tbf", "rate", rate, "burst", burst]
        limit += ["latency", "100ms"]
        system("tc", "qdisc", "replace", "dev", "h-" + self.name, *limit)
        self.inside("tc", "qdisc", "replace", "dev", "eth0", *limit)

    def drop(self, peer):
        """What it sends to this address is lost."""
        self.meddled()
        self.inside("ip", "route", "replace", "blackhole", peer + "/32")

    def reset(self, peer):
        """Reset all its connections with this address."""
        self.inside("ss", "--kill", "--tcp", "dst", peer)

    def meddled(self):
        """From now on its network has to be healed, also by the next test if
        this one doesn't get to it."""
        open(self.mark, "w").close()

    def heal(self):
        if not os.path.exists(self.mark):
            return
        self.join()
        outside = "tc qdisc del dev h-%s root 2>/dev/null" % self.name
        inside = (
            "tc qdisc del dev eth0 root 2>/dev/null; "
            "ip route flush type blackhole"
        )
        subprocess.run(["sh", "-c", outside])
        self.inside("sh", "-c", inside)
        os.unlink(self.mark)


class Hosts:
    def __init__(self, t):
        if not stack.private_network():
            raise Skip("no network namespaces: unshare --net fails here")
        self.t = t
        self.directory = t.world.stack + "-hosts"
        self.reports = os.path.join(self.directory, "reports")
        os.makedirs(self.reports, exist_ok=True)
        os.chmod(self.reports, 0o777)
        options = sanitizer.options(self.reports)
        settings = t.world.hosts_up(
            " ".join("%s=%s" % pair for pair in options.items())
        )
        self.password = settings["NET_PASSWORD"]
        hosts = [
            Host(self.directory, key[len("NET_HOST_") :], value)
            for key, value in settings.items()
            if key.startswith("NET_HOST_")
        ]
        self.all = hosts
        self.master = hosts[0]
        self.clients = hosts[1:]
        for host in hosts:
            host.clear()
            host.heal()
            host.new_home()
        self.gateway = settings["NET_GATEWAY"]
        self.adopt()

    def adopt(self):
        """The test's datamover runs on the master from now on."""
        t = self.t
        t.hosts = self
        t.server = t.listen = self.gateway
        t.endpoint = "http://%s:%s" % (self.gateway, t.world.s3["S3_PORT"])
        t.home = self.master.home
        t.prefix = self.master.prefix("--wdns=" + t.dir)
        t.settings = {
            "client": {
                "host": [c.name for c in self.clients],
                "path": t.command()[-1],
            }
        }
        t.start = lambda *arguments, **more: Process(
            Case.start(t, *arguments, **more), self.master
        )
        t.conf()

    def close(self):
        """What sanitizers said on the hosts goes to the test's."""
        if os.path.exists(os.path.join(self.t.dir, "started.err")):
            print(self.t.started_text()[-3000:])
        for host in self.all:
            host.clear()
            if not host.off:
                host.join()
        for path in glob.glob(os.path.join(self.reports, "report.*")):
            name = "report.host." + os.path.basename(path)
            shutil.move(path, os.path.join(self.t.reports, name))

    def at_work(self, process):
        """Wait until datamover runs on every client."""

        def all_work():
            assert process.poll() is None, self.t.started_text()
            return all(client.datamovers() for client in self.clients)

        self.t.eventually(all_work, what="datamover on every client")

    def all_join(self):
        """Wait until every client has joined the first run of the test."""
        log = os.path.join(self.t.logs, "datamover.log")

        def joined():
            with open(log) as f:
                return f.read().count('"client_joined"') == len(self.clients)

        self.t.eventually(joined, what="every client joined")

    def all_working(self):
        """Wait until every client has been told what to do. One that is cut
        off before that dials its master for minutes."""

        def working():
            rows = self.t.query(
                "SELECT count(*) FROM client WHERE state = 'working' AND"
                " run = (SELECT max(id) FROM run)"
            )
            return rows[0][0] == len(self.clients)

        self.t.eventually(working, what="every client works")

    def finished(self, process, expect=0, **counts):
        """Wait for what t.start began; its Result, with closed totals."""
        t = self.t
        status = process.wait(timeout=100 * t.world.slowness)
        out = t.started_text().encode()
        result = Result(["(started)"], status, b"", out, 0)
        assert status == expect, "expected %s: %s" % (expect, result)
        for line in reversed(out.splitlines()):
            if line.startswith(b'{"operation"'):
                result.json = json.loads(line)
                return result.counted(**counts)
        raise AssertionError("no line of JSON: %s" % result)

    def left(self, sessions=False):
        """"HOST: NAME PID" of all that still runs on any host."""
        return [
            "%s: %s %d" % (host.name, name, pid)
            for host in self.all
            for pid, name in host.processes().items()
        ] + [
            "%s: sshd %d" % (host.name, pid)
            for host in self.all
            if sessions
            for pid in host.sessions()
        ]

    def quiet(self, seconds=5, sessions=True):
        """Assert that within so many seconds nothing of a run is left on
        any host. A host that was cut off may have an SSH session for hours:
        sessions=False."""
        end = time.monotonic() + seconds * self.t.world.slowness
        while self.left(sessions) and time.monotonic() < end:
            time.sleep(0.05)
        left = self.left(sessions)
        assert not left, "left: " + ", ".join(left)
