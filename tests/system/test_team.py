"""What a master makes of its clients: they join a run on this machine."""
import os
import re
import subprocess

from case import MIB, limit

JOIN_PORTS = {"port_index": 6100, "port_status": 6101}


class Team:
    """A config with a key file, and clients that use it."""

    def __init__(self, t, **sections):
        self.t = t
        self.key = os.path.join(t.dir, "join.key")
        self.clients = []
        master = {"host_or_ip_address": "127.0.0.1", "key_file": self.key}
        master.update(sections.pop("master", {}))
        self.proxy = t.proxy(master=master, message=JOIN_PORTS, **sections)

    def join(self, *arguments):
        t = self.t
        number = len(self.clients)
        err = open(os.path.join(t.dir, "client%d.err" % number), "ab")
        command = t.command(
            "client",
            "--join",
            "127.0.0.1:%(port_index)d:%(port_status)d" % JOIN_PORTS,
            "--key-file",
            self.key,
            *arguments
        )
        client = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=err,
            stderr=err,
            env=t.environment(),
            cwd=t.dir,
        )
        self.clients.append(client)
        return client

    def text(self, number):
        name = os.path.join(self.t.dir, "client%d.err" % number)
        with open(name, "rb") as f:
            return f.read().decode(errors="backslashreplace")

    def start(self, *arguments, clients=3):
        """A run and its clients."""
        process = self.t.start(*arguments)
        self.t.eventually(lambda: os.path.exists(self.key), what="key file")
        for _ in range(clients):
            self.join()
        return process

    def end(self, process, expect=0, seconds=60):
        status = process.wait(timeout=seconds * self.t.world.slowness)
        assert status == expect, "%d: %s" % (status, self.t.started_text())
        self.gone()

    def gone(self):
        """All clients end by themselves."""
        for number, client in enumerate(self.clients):
            try:
                client.wait(timeout=20 * self.t.world.slowness)
            except subprocess.TimeoutExpired:
                client.kill()
                raise AssertionError(
                    "client %d goes on: %s" % (number, self.text(number))
                )


def moved(t):
    return t.query("SELECT count(*) FROM objects WHERE state = 'stored'")[0][0]


@limit(180)
def test_team_one_is_killed(t):
    """10,000 files, three clients, one of them killed on the way."""
    t.small_files(10000, directories=50)
    team = Team(t)
    process = team.start("PUT", "--json")
    t.eventually(lambda: os.path.exists(t.catalog) and moved(t) > 500)
    team.clients[1].kill()
    team.end(process, seconds=120)
    t.same()
    text = t.started_text()
    assert '"found":10000,"moved":10000,' in text, text
    assert "client_lost" in text, text
    # The next run has nothing to do, alone too.
    t.put("--standalone", found=10000, moved=0, unchanged=10000)


def client_bytes(t):
    """{client: bytes it sent and received} of the last run."""
    return dict(
        t.query(
            "SELECT number, bytes FROM clients WHERE run ="
            " (SELECT max(run) FROM clients)"
        )
    )


@limit(120)
def test_team_large_file(t):
    """One large file is sent by all clients, also when one is killed."""
    t.random_file("large", 120 * MIB + 12345)
    t.small_files(50)
    team = Team(t, general={"bwlimit": "40M"})
    process = team.start("PUT", "--json")
    t.eventually(lambda: t.uploads(), what="upload")
    # Each must have begun: half of it has arrived.
    t.eventually(lambda: parts_sent(t) >= 8, what="parts")
    team.clients[2].kill()
    team.end(process, seconds=90)
    t.same()
    assert sum(n > 5 * MIB for n in client_bytes(t).values()) >= 2
    # Nobody has read all of it; its parts are the proof.
    (md5,) = t.query("SELECT md5 FROM objects WHERE path LIKE '%/large'")[0]
    assert md5 is None
    t.run("TEST", "--data-integrity", "--standalone")
    t.put("--standalone", moved=0, unchanged=51)
    # Its parts tell that it is the same; and now its digest is known.
    t.put("--standalone", "--checksum", moved=0, unchanged=51)
    (md5,) = t.query("SELECT md5 FROM objects WHERE path LIKE '%/large'")[0]
    assert md5 is not None


def parts_there(t):
    """Numbers of the parts of open uploads."""
    numbers = []
    for upload in t.s3.list_multipart_uploads(Bucket=t.bucket).get(
        "Uploads", ()
    ):
        parts = t.s3.list_parts(
            Bucket=t.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        )
        numbers += [part["PartNumber"] for part in parts.get("Parts", ())]
    return numbers


def parts_sent(t):
    return len(parts_there(t))


@limit(120)
def test_team_large_file_changes(t):
    """While it is sent in parts it becomes another file."""
    path = t.random_file("large", 100 * MIB)
    team = Team(t, general={"bwlimit": "30M"})
    process = team.start("PUT", "--json")
    t.eventually(lambda: parts_sent(t) >= 3, what="parts")
    with open(path, "r+b") as f:
        f.seek(50 * MIB)
        f.write(os.urandom(1000))
    team.end(process, seconds=90)
    t.same()


def creations(team):
    """How often a multipart upload was created."""
    return sum(
        method == "POST" and target.endswith("?uploads=")
        for method, target, _ in team.proxy.requests()
    )


def puts_of_parts(requests):
    """The numbers of the parts that were sent."""
    targets = [r[1] for r in requests if r[0] == "PUT"]
    found = [re.search(r"[?&]partNumber=(\d+)", target) for target in targets]
    return [int(number.group(1)) for number in found if number]


@limit(120)
def test_team_large_file_resumed(t):
    """The master dies; the next run goes on with the parts that are there."""
    t.random_file("large", 100 * MIB)
    team = Team(t, general={"bwlimit": "20M"})
    process = team.start("PUT", "--json")
    t.eventually(lambda: parts_sent(t) >= 4, what="parts")
    process.kill()
    process.wait()
    before = team.proxy.requests()
    there = set(parts_there(t)) & set(puts_of_parts(before))
    # The clients come to the next one.
    team.end(t.start("PUT", "--json"), seconds=90)
    t.same()
    assert creations(team) == 1, team.proxy.requests()
    again = puts_of_parts(team.proxy.requests()[len(before) :])
    assert there and not there & set(again), (there, again)
