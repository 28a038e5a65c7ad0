"""Clients that die, freeze, are cut off, are slow, and masters that die:
nothing is lost, nothing counted twice, and nothing is left running."""
import ctypes
import os
import random
import signal
import time

from case import MIB, limit
from hosts import Hosts
from test_clients import fill
from test_get import back, get, same_tree
from test_resume import stored_twice

# The shortest silence after which a peer counts as lost.
SILENCE = 5

# Requests that one client has under way: each may have been stored although
# the client died, after the one who came next had looked for it.
UNDER_WAY = 32 * min(os.cpu_count(), 16)


def paced(t, rate=20000000, **sections):
    """Everything in some seconds, and not before a test can disturb it."""
    silence = {"socket_options": {"recv_timeout": SILENCE}}
    proxy = t.proxy(**dict(silence, **sections))
    proxy.order("rate %d" % rate)
    return proxy


def stored(requests):
    """The keys that were acknowledged as whole objects."""
    return {
        target
        for method, target, status in requests
        if method == "PUT" and status == "200" and "?" not in target
    }


def put_begins(t, hosts, proxy, objects=60):
    process = t.start("PUT", "--json")
    hosts.at_work(process)
    sent = proxy.stats()["PUT"] + objects
    t.eventually(lambda: proxy.stats()["PUT"] >= sent, what="PUT began")
    return process


@limit(60)
def test_client_killed(t):
    """kill -9 of one client and then of another, at any moment."""
    hosts = Hosts(t)
    dice = random.Random(os.environ.get("SEED", "1"))
    proxy = paced(t)
    count = 0
    for round in range(2):
        t.small_files(500, directories=20, size=400)
        for i in range(3):
            t.random_file("r%d/large%d" % (round, i), (17 + i) * MIB + i)
        count = 500 + 3 * (round + 1)
        begun = len(proxy.requests())
        process = put_begins(t, hosts, proxy, dice.randrange(1, 200))
        one, two = dice.sample(hosts.clients, 2)
        assert one.kill() == 1
        time.sleep(dice.uniform(0, 1))
        two.kill()
        hosts.finished(process, found=count, failed=0)
        hosts.quiet()
        t.same(whole=3)
        twice = stored_twice(proxy.requests()[begun:])
        assert len(twice) <= 2 * UNDER_WAY, "%d sent twice" % len(twice)


@limit(60)
def test_client_power_off(t):
    """A host that vanishes says nothing: it is missed."""
    hosts = Hosts(t)
    count = fill(t)
    proxy = paced(t)
    process = put_begins(t, hosts, proxy)
    hosts.clients[1].power_off()
    hosts.finished(process, found=count, failed=0)
    t.same()
    hosts.quiet()


@limit(60)
def test_client_frozen(t):
    """Frozen for longer than the silence, thawed while the others work: it
    counts as lost, and what it says late changes nothing."""
    hosts = Hosts(t)
    count = fill(t, small=1500, large=6)
    proxy = paced(t, rate=12000000)
    process = put_begins(t, hosts, proxy)
    one = hosts.clients[0]
    assert one.freeze() == 1
    time.sleep(SILENCE + 2)
    assert process.poll() is None, t.started_text()
    one.thaw()
    hosts.finished(process, found=count, failed=0)
    t.same()
    hosts.quiet(SILENCE + 10)


@limit(60)
def test_client_frozen_to_the_end(t):
    """The run doesn't wait for it; thawed afterwards, it ends by itself and
    begins to write nothing."""
    hosts = Hosts(t)
    count = fill(t)
    proxy = paced(t)
    process = put_begins(t, hosts, proxy)
    one = hosts.clients[2]
    assert one.freeze() == 1
    hosts.finished(process, found=count, failed=0)
    t.same()
    for name in ("d1/f1", "d2/f2"):
        t.write(name, "changed")
    t.put("--standalone", moved=2)
    asked = len(proxy.requests())
    one.thaw()
    hosts.quiet(SILENCE + 10)
    late = [r for r in proxy.requests()[asked:] if r[0] in ("PUT", "POST")]
    # A thread that was frozen in the middle of sending one ends that.
    assert len(late) <= min(os.cpu_count(), 16), late
    t.same()


@limit(60)
def test_client_frozen_shortly(t):
    """Shorter than the silence: nothing happens."""
    hosts = Hosts(t)
    count = fill(t)
    proxy = paced(t)
    process = put_begins(t, hosts, proxy)
    for client in hosts.clients:
        client.freeze()
    time.sleep(1)
    for client in hosts.clients:
        client.thaw()
    hosts.finished(process, moved=count)
    t.same()
    assert "client_lost" not in t.started_text(), t.started_text()
    hosts.quiet()


@limit(60)
def test_client_cut_off(t):
    """No word from it, and none to it: both sides give up by themselves. It
    ends although nobody can tell it to."""
    hosts = Hosts(t)
    count = fill(t, small=1500, large=4)
    proxy = paced(t, rate=12000000)
    process = put_begins(t, hosts, proxy)
    hosts.all_working()
    one = hosts.clients[1]
    one.cut()
    t.eventually(lambda: not one.datamovers(), 40, "it ends by itself")
    one.join()
    hosts.finished(process, found=count, failed=0)
    t.same()
    hosts.quiet(sessions=False)


@limit(60)
def test_client_cut_shortly(t):
    """A cable that is plugged in again within the silence."""
    hosts = Hosts(t)
    count = fill(t, small=1500, large=4)
    proxy = paced(t)
    process = put_begins(t, hosts, proxy)
    one = hosts.clients[1]
    one.cut()
    time.sleep(1)
    one.join()
    hosts.finished(process, found=count, failed=0)
    t.same()
    hosts.quiet()


@limit(60)
def test_client_half_cut(t):
    """The master hears it, but it doesn't hear the master."""
    hosts = Hosts(t)
    count = fill(t, small=1500, large=4)
    proxy = paced(t, rate=12000000)
    process = put_begins(t, hosts, proxy)
    one = hosts.clients[0]
    hosts.master.drop(one.address)
    hosts.finished(process, found=count, failed=0)
    t.same()
    hosts.quiet(SILENCE + 15, sessions=False)


@limit(60)
def test_client_reset(t):
    """All its connections with the master are reset."""
    hosts = Hosts(t)
    count = fill(t)
    proxy = paced(t)
    process = put_begins(t, hosts, proxy)
    hosts.clients[0].reset(hosts.master.address)
    hosts.finished(process, found=count, failed=0)
    t.same()
    hosts.quiet()


@limit(60)
def test_all_clients_killed(t):
    """Nobody is left: exit 3, and the same command goes on."""
    hosts = Hosts(t)
    count = fill(t)
    proxy = paced(t)
    process = put_begins(t, hosts, proxy)
    for client in hosts.clients:
        client.kill()
    status = process.wait(timeout=60 * t.world.slowness)
    assert status == 3, (status, t.started_text())
    hosts.quiet()
    proxy.order("pass")
    t.put(found=count, failed=0)
    t.same()
    hosts.quiet()


@limit(60)
def test_client_without_servers(t):
    """A client that the master can reach and that can reach neither NFS nor
    S3: the others do its work, and nothing counts as failed or gone. A file
    in parts is not done twice: it is taken from that client, long before it
    would have given up."""
    hosts = Hosts(t)
    count = fill(t, small=300, large=4)
    t.put("--standalone", moved=count)
    fill(t, small=300, large=4)
    proxy = paced(t, rate=40000000)
    proxy.order("match PUT delay 200")
    hosts.clients[1].drop(t.server)
    t.put(found=count, failed=0, moved=count)
    t.same()
    assert set(t.states().values()) == {"stored"}, t.states()
    hosts.quiet()


@limit(120)
def test_client_slow(t):
    """A client with a twentieth of the others' line doesn't hold the run
    up: what it has is given to others at the end."""
    hosts = Hosts(t)
    for client in hosts.clients[1:]:
        client.slow("100mbit")
    hosts.clients[0].slow("5mbit")
    t.conf(
        socket_options={"recv_timeout": SILENCE},
        master={"size": "16MiB"},
    )
    t.small_files(900, directories=20, size=400)
    for i in range(12):
        t.random_file("large%d" % i, 5 * MIB + i)
    begun = time.monotonic()
    t.put(moved=912)
    # One of them alone would take 100 s for a third of it.
    assert time.monotonic() - begun < 60 * t.world.slowness
    t.same(whole=3)
    hosts.quiet()


# ptrace(2), as nothing else stops some threads of a process.
DETACH, SEIZE, INTERRUPT = 17, 0x4206, 0x4207
EVERY_THREAD = 0x40000000  # __WALL of waitpid(2)
# poll, ppoll, nanosleep and clock_nanosleep, of x86-64 and of arm64.
WAITS = ("7", "271", "35", "230", "73", "101", "115")


class HungThreads:
    """All threads of a process but its first, as in a file system that
    doesn't answer: where they wait, so that they hold no lock."""

    def __init__(self, pid):
        self.ptrace = ctypes.CDLL(None).ptrace
        self.ptrace.argtypes = [ctypes.c_long] * 2 + [ctypes.c_void_p] * 2
        tasks = [int(task) for task in os.listdir("/proc/%d/task" % pid)]
        self.threads = [task for task in tasks if task != pid]
        for thread in list(self.threads):
            while thread in self.threads and not self.stopped(thread):
                time.sleep(0.01)
        assert self.threads

    def stopped(self, thread):
        if self.ptrace(SEIZE, thread, None, None) != 0:
            self.threads.remove(thread)  # it looked up a name
            return False
        self.ptrace(INTERRUPT, thread, None, None)
        if not os.WIFSTOPPED(os.waitpid(thread, EVERY_THREAD)[1]):
            self.threads.remove(thread)
            return False
        with open("/proc/%d/syscall" % thread) as f:
            if f.read().split()[0] in WAITS:
                return True
        self.ptrace(DETACH, thread, None, None)
        return False

    def ended(self):
        """All of them; their process waits until they are seen off."""
        self.threads = [
            thread
            for thread in self.threads
            if os.waitpid(thread, EVERY_THREAD | os.WNOHANG)[0] == 0
        ]
        return not self.threads


@limit(90)
def test_client_hangs(t):
    """Its heartbeats go on, but its threads hang with files that nobody else
    may write: they are taken from it, and it ends."""
    hosts = Hosts(t)
    count = fill(t)
    t.put("--standalone", moved=count)
    proxy = paced(t, s3_storage={"retry_for": 1})
    process = t.start("GET", "--json", "--dest_path", back(t))
    hosts.at_work(process)
    (pid,) = hosts.clients[1].datamovers()
    tasks = "/proc/%d/task" % pid
    t.eventually(lambda: len(os.listdir(tasks)) > 1, what="it has work")
    hung = HungThreads(pid)
    proxy.order("pass")
    hosts.finished(process, found=count, failed=0)
    assert "not a byte" in t.started_text(), t.started_text()
    t.eventually(hung.ended, 30, "the process ends")
    same_tree(t)
    hosts.quiet()


@limit(60)
def test_get_client_killed(t):
    """GET: what a client leaves half-written is no file of the result."""
    hosts = Hosts(t)
    count = fill(t)
    t.put(moved=count)
    proxy = paced(t)
    process = t.start("GET", "--json", "--dest_path", back(t))
    hosts.at_work(process)
    t.eventually(lambda: proxy.stats()["GET"] > 60, what="GET began")
    hosts.clients[0].kill()
    time.sleep(0.5)
    hosts.clients[1].kill()
    hosts.finished(process, found=count, failed=0)
    same_tree(t)
    hosts.quiet()


@limit(120)
def test_del_client_killed(t):
    hosts = Hosts(t)
    t.small_files(6000, directories=40)
    t.put("--standalone", moved=6000)
    proxy = paced(t)
    proxy.order("match POST delay 500")
    process = t.start("DEL", "--json", "--yes")
    hosts.at_work(process)
    t.eventually(lambda: proxy.stats()["POST"] > 0, what="DEL began")
    hosts.clients[0].kill()
    hosts.finished(process, found=6000, failed=0)
    assert not t.objects()
    hosts.quiet()


@limit(120)
def test_del_clients_ctrl_c(t):
    """What a client has in hand may end; the same command does the rest."""
    hosts = Hosts(t)
    t.small_files(6000, directories=40)
    t.put("--standalone", moved=6000)
    proxy = paced(t)
    proxy.order("match POST delay 1000")
    process = t.start("DEL", "--json", "--yes")
    hosts.at_work(process)
    t.eventually(lambda: proxy.stats()["POST"] > 0, what="DEL began")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130, t.started_text()
    assert time.monotonic() - begun < 15 * t.world.slowness
    hosts.quiet(2)
    proxy.order("pass")
    left = len(t.objects())
    assert left < 6000, left
    t.run("DEL", "--yes")
    assert not t.objects()
    hosts.quiet()


def after_the_master(t, hosts, proxy, count):
    """The clients end by themselves; the same command finishes."""
    hosts.quiet(SILENCE + 10, sessions=False)
    proxy.order("pass")
    t.put(found=count, failed=0)
    t.same()
    twice = stored_twice(proxy.requests())
    assert len(twice) <= 3 * UNDER_WAY, "%d sent twice" % len(twice)
    hosts.quiet(sessions=False)


@limit(60)
def test_master_killed(t):
    """kill -9 of the master: its clients end at once, as their standard
    input ends; the next run goes on with what was done."""
    hosts = Hosts(t)
    count = fill(t)
    proxy = paced(t)
    process = put_begins(t, hosts, proxy)
    t.eventually(lambda: t.uploads(), what="an upload")
    process.kill()
    process.wait()
    after_the_master(t, hosts, proxy, count)


@limit(60)
def test_master_power_off(t):
    """The master's host vanishes: nobody tells the clients."""
    hosts = Hosts(t)
    count = fill(t, small=1500, large=6)
    proxy = paced(t, rate=8000000)
    process = put_begins(t, hosts, proxy)
    hosts.master.power_off()
    process.wait()
    clients = hosts.clients
    t.eventually(
        lambda: not any(c.datamovers() for c in clients), 40, "they end"
    )
    hosts = Hosts(t)
    t.conf(s3_storage={"endpoint": proxy.url})
    after_the_master(t, hosts, proxy, count)


@limit(60)
def test_master_frozen(t):
    """The master stops for longer than the silence: the clients end; when it
    goes on it has lost them, and says so by exit 3; the next run goes on."""
    hosts = Hosts(t)
    count = fill(t, small=1500, large=6)
    proxy = paced(t, rate=8000000)
    process = put_begins(t, hosts, proxy)
    hosts.all_working()
    process.send_signal(signal.SIGSTOP)
    t.eventually(
        lambda: not any(c.datamovers() for c in hosts.clients),
        SILENCE + 20,
        "they end",
    )
    process.send_signal(signal.SIGCONT)
    status = process.wait(timeout=60 * t.world.slowness)
    assert status == 3, (status, t.started_text())
    after_the_master(t, hosts, proxy, count)


@limit(60)
def test_master_ctrl_c(t):
    """Ctrl-C ends all of them within seconds, with everything recorded."""
    hosts = Hosts(t)
    count = fill(t, small=1500, large=2)
    proxy = paced(t)
    proxy.order("pass")
    proxy.order("match PUT delay 400")
    process = put_begins(t, hosts, proxy)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130, t.started_text()
    assert time.monotonic() - begun < 15 * t.world.slowness
    hosts.quiet(2)
    done = len(t.objects())
    assert 60 <= done < count, done
    rows = t.query("SELECT count(*) FROM objects WHERE state = 'stored'")
    assert rows[0][0] == done, (rows, done)
    proxy.order("pass")
    first = proxy.requests()
    t.put(found=count, moved=count - done, unchanged=done)
    t.same(whole=3)
    again = stored(first) & stored(proxy.requests()[len(first) :])
    assert not again, again
    hosts.quiet()


@limit(60)
def test_stop_from_another_terminal(t):
    """datamover stop ends the master and all clients."""
    hosts = Hosts(t)
    count = fill(t, small=1500, large=2)
    proxy = paced(t)
    proxy.order("pass")
    proxy.order("match PUT delay 400")
    process = put_begins(t, hosts, proxy)
    t.run("stop")
    assert process.wait(timeout=30) == 143, t.started_text()
    hosts.quiet(2)
    proxy.order("pass")
    t.put(found=count, failed=0)
    t.same(whole=3)
    hosts.quiet()


@limit(60)
def test_get_ctrl_c(t):
    """GET ends as quickly, and is finished by the same command."""
    hosts = Hosts(t)
    count = fill(t)
    t.put("--standalone", moved=count)
    proxy = paced(t, rate=10000000)
    process = t.start("GET", "--json", "--dest_path", back(t))
    hosts.at_work(process)
    t.eventually(lambda: proxy.stats()["GET"] > 60, what="GET began")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143, t.started_text()
    hosts.quiet(2)
    proxy.order("pass")
    get(t, found=count, failed=0)
    same_tree(t)
    hosts.quiet()


@limit(60)
def test_ctrl_c_while_launching(t):
    """A host that doesn't answer SSH holds nothing up."""
    hosts = Hosts(t)
    for client in hosts.clients:
        client.cut()
    t.small_files(20)
    process = t.start("PUT")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) == 130, t.started_text()
    for client in hosts.clients:
        client.join()
    t.put(moved=20)
    hosts.quiet()
