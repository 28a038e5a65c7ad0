"""kill -9 by the hundred, over PUT, PUT --delete, GET and DEL, alone and with
clients: a few in each run of the system tests, and as many as KILLS says with
"make check-kills". SEED in the environment chooses other histories.

The tree changes between the runs. A third of the kills come within 5 ms after
a request left, a third within 5 ms after the catalog committed, the rest at
any moment; where the run waits first, as an earlier one's master has died,
they come when that is over. After each kill, and again when the same command
has been run to its end, the bucket is compared with what the tree holds and
held.
"""
import hashlib
import os
import random
import time

from case import MIB, limit
from hosts import Hosts

WAIT = 60  # seconds that a run may take
SILENCE = 5  # seconds after which master and clients take each other for lost


class History:
    """A tree, all that its files ever held, and what the bucket has."""

    def __init__(self, t, seed):
        self.t = t
        self.random = random.Random(seed)
        self.made = 0
        self.held = {}  # name: the digests of what it held, oldest first
        self.seen = {}  # key: which of those the bucket had at last
        self.kills = {"request": 0, "commit": 0, "any": 0}
        self.ended = 0
        self.late = 0  # seconds that the next run waits before it begins

    def key(self, name):
        return "%s%s/%s" % (self.t.server, self.t.share, name)

    def alive(self):
        return sorted(n for n in self.held if os.path.exists(self.t.path(n)))

    # --- the tree ---

    def rewrite(self, name):
        self.made += 1
        size = self.random.randrange(1, 5000)
        if self.random.random() < 0.01:
            size = self.random.randrange(9 * MIB, 18 * MIB)
        data = hashlib.md5(b"%d" % self.made).digest() * (size // 16 + 1)
        self.t.write(name, data[:size])
        digests = self.held.setdefault(name, [])
        digests.append(hashlib.md5(data[:size]).hexdigest())

    def change(self):
        """Some files come, change and go."""
        names = self.alive()
        for name in self.random.sample(names, min(len(names), 6)):
            if self.random.random() < 0.5:
                os.unlink(self.t.path(name))
            else:
                self.rewrite(name)
        for _ in range(self.random.randrange(4, 20)):
            self.rewrite(
                "d%d/f%d"
                % (self.random.randrange(6), self.random.randrange(60))
            )

    # --- the bucket ---

    def version(self, key, etag, name):
        """Which of the file's contents this object is."""
        if "-" in etag:
            body = self.t.s3.get_object(Bucket=self.t.bucket, Key=key)
            etag = hashlib.md5(body["Body"].read()).hexdigest()
        digests = self.held[name]
        assert etag in digests, "%s holds what the file never held" % key
        return len(digests) - 1 - digests[::-1].index(etag)

    def look(self, asked=()):
        """No object of an existing file went, but for names that DEL was
        asked for, and none went back to older bytes."""
        while True:
            objects = self.t.objects()
            try:
                return self.compare(objects, asked)
            except self.t.s3.exceptions.NoSuchKey:
                pass  # a request of the killed run has just arrived

    def compare(self, objects, asked):
        alive = {self.key(name) for name in self.alive()}
        now = {}
        for name in self.held:
            key = self.key(name)
            if key in objects:
                now[key] = self.version(key, objects[key][1], name)
                before = self.seen.get(key, 0)
                assert now[key] >= before, "%s: older bytes came back" % key
            elif key in self.seen and key in alive:
                assert key in asked, "%s of an existing file is gone" % key
        self.seen = now

    # --- a run ---

    def committed(self):
        """Changes with each commit of the catalog."""
        try:
            status = os.stat(self.t.catalog + "-wal")
        except FileNotFoundError:
            return None
        return status.st_size, status.st_mtime_ns

    def wait_late(self, process):
        end = time.monotonic() + self.late
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)

    def wait(self, process, kind, proxy, longest):
        """Until the moment for the kill; False if the run ended before."""
        self.wait_late(process)
        self.before += self.requests(proxy)
        moment = self.random.uniform(0, longest)
        after = self.random.randrange(1, 12)
        begun = time.monotonic()
        last, seen = self.committed(), 0
        while process.poll() is None:
            assert time.monotonic() - begun < WAIT, "the run hangs"
            now = time.monotonic() - begun
            if kind == "any" and now >= moment:
                return True
            if kind == "request" and self.requests(proxy) >= after:
                break
            if self.committed() != last:
                last = self.committed()
                seen += 1
            if kind == "commit" and seen >= 1 + after % 4:
                break
            time.sleep(0.0005)
        time.sleep(self.random.uniform(0, 0.005))
        return process.poll() is None

    def requests(self, proxy):
        """Requests that have left in this run."""
        stats = proxy.stats()
        return sum(v for k, v in stats.items() if k.isupper()) - self.before

    def killed(self, arguments, kill, proxy, longest=0.4):
        """Run it and kill it: its status, or None if it was killed. kill
        says for how long the next run waits then; None: nothing was there
        to be killed."""
        least = min(self.kills.values())
        kinds = [k for k in sorted(self.kills) if self.kills[k] == least]
        kind = self.random.choice(kinds)
        self.before = 0
        self.before = self.requests(proxy)
        process = self.t.start(*arguments)
        late = None
        if self.wait(process, kind, proxy, longest):
            late = kill(process)
        if late is None:
            self.ended += 1
        else:
            self.kills[kind] += 1
        self.late = late or 0
        status = process.wait(timeout=WAIT)
        assert status != 4, self.t.started_text()
        return status if status >= 0 and status != 137 else None

    def finished(self, *arguments):
        """The same command once more, to its end."""
        self.late = 0
        return self.t.run(*arguments, "--json")

    def total(self):
        return sum(self.kills.values())

    def tell(self):
        print("%d kills: %s; %d runs not killed" % (
            self.total(), self.kills, self.ended))


def mirror(h, kill, proxy):
    """PUT or PUT --delete, killed once or more, then PUT --delete."""
    h.change()
    for _ in range(h.random.randrange(1, 4)):
        arguments = ["PUT"]
        if h.random.random() < 0.6:
            arguments += ["--delete", "--max-delete", "100%"]
        h.killed(arguments, kill, proxy)
        h.look()
        if h.random.random() < 0.3:
            h.change()
    # The first goes on where the killed run stopped, and doesn't read again
    # the directories that it had read; the second reads them all.
    h.finished("PUT", "--delete", "--max-delete", "100%")
    h.look()
    h.finished("PUT", "--delete", "--max-delete", "100%")
    h.t.same(whole=3)
    h.look()
    again = h.finished("PUT", "--delete", "--max-delete", "100%")
    again.counted(moved=0, failed=0, deleted=0)


def fetch(h, kill, proxy):
    """GET, killed, then to its end: the files, and nothing beside them."""
    back = os.path.join(h.t.dir, "back")
    arguments = ["GET", "--dest_path", back]
    os.makedirs(back, exist_ok=True)
    for _ in range(h.random.randrange(1, 4)):
        h.killed(arguments, kill, proxy)
    h.finished(*arguments)
    for directory, _, names in os.walk(back):
        for name in names:
            path = os.path.join(directory, name)
            key = os.path.relpath(path, back)
            assert key in h.seen, "%s is not in the bucket" % path
            with open(path, "rb") as f:
                digest = hashlib.md5(f.read()).hexdigest()
            name = key[len(h.key("")) :]
            assert digest == h.held[name][h.seen[key]], path
            os.unlink(path)
            h.seen.pop(key)
    assert not h.seen, "not brought: %r" % h.seen
    h.look()


def delete(h, kill, proxy):
    """DEL of a directory, killed, then to its end; PUT brings it again."""
    prefix = h.key("d%d/" % h.random.randrange(6))
    arguments = ["DEL", "--yes", "--prefix", prefix]
    for _ in range(h.random.randrange(1, 3)):
        h.killed(arguments, kill, proxy)
        h.look(asked=[k for k in h.seen if k.startswith(prefix)])
    h.finished(*arguments)
    left = [k for k in h.t.objects() if k.startswith(prefix)]
    assert not left, left
    h.look(asked=[k for k in h.seen if k.startswith(prefix)])
    h.finished("PUT")
    h.t.same(whole=3)
    h.look()


def histories(t, kills, kill):
    seed = int(os.environ.get("SEED", "1"))
    h = History(t, seed)
    # A run after a killed master waits for so long.
    proxy = t.proxy(socket_options={"recv_timeout": 5})
    proxy.order("delay 5")
    h.change()
    h.finished("PUT")
    h.look()
    try:
        while h.total() < kills:
            step = h.random.choice([mirror, mirror, mirror, fetch, delete])
            step(h, kill, proxy)
    finally:
        h.tell()
    assert t.query("PRAGMA integrity_check") == [("ok",)]


KILLS = int(os.environ.get("KILLS", "0"))


@limit(max(120, 5 * KILLS))
def test_kills_alone(t):
    def kill(process):
        process.kill()
        return 0

    histories(t, KILLS - KILLS // 3 or 12, kill)


@limit(max(180, 10 * KILLS))
def test_kills_clients(t):
    """The master, a client or two are killed."""
    hosts = Hosts(t)
    t.settings["socket_options"] = {"recv_timeout": SILENCE}
    t.conf()
    choose = random.Random(os.environ.get("SEED", "1"))

    def kill(process):
        if choose.random() < 0.5:
            process.kill()
            return SILENCE
        some = choose.sample(hosts.clients, choose.choice([1, 2]))
        return 0 if sum(client.kill() for client in some) > 0 else None

    histories(t, KILLS // 3 or 4, kill)
    hosts.quiet(10)
