"""What works on one machine works on several: a master and three clients."""
import json
import os
import random
import time

from case import MIB, limit
from hosts import Hosts
from test_del import delete
from test_get import back, get, same_tree
from test_integrity import integrity, overwrite, verdicts
from test_names import odd_tree


def fill(t, small=600, large=3):
    """Small files in many directories, and some of several parts."""
    t.small_files(small, directories=20, size=400)
    for i in range(large):
        t.random_file("large%d" % i, (17 + i) * MIB + i)
    return small + large


def shares(t, what="moved"):
    """What each client did of the last run, as the catalog has it."""
    rows = t.query(
        "SELECT host, %s FROM clients "
        "WHERE run = (SELECT max(run) FROM clients)" % what
    )
    return dict(rows)


@limit(60)
def test_clients_put(t):
    """PUT over three clients, all of which are started; what a second run
    finds unchanged is sent by nobody."""
    hosts = Hosts(t)
    count = fill(t)
    proxy = t.proxy(master={"max_index_size": 50})
    # Who comes last finds work.
    proxy.order("match PUT delay 3000")
    process = t.start("PUT", "--json")
    hosts.at_work(process)
    hosts.all_join()
    proxy.order("pass")
    hosts.finished(process, moved=count)
    hosts.quiet()
    t.same()
    assert len(shares(t)) == 3 and all(shares(t).values()), shares(t)
    assert sum(shares(t).values()) == count, shares(t)
    proxy.order("pass")
    t.put(found=count, moved=0, unchanged=count)
    for i in range(0, 100, 7):
        t.write("d%d/f%d" % (i % 20, i), "changed")
    t.put(moved=15, unchanged=count - 15)
    t.same()
    hosts.quiet()


@limit(60)
def test_clients_odd_names(t):
    """Names are bytes on their way to a client, too."""
    hosts = Hosts(t)
    odd_tree(t)
    too_long = {k for k in t.wanted() if len(k.encode()) > 1024}
    t.put(failed=len(too_long), expect=1)
    t.same({k: f for k, f in t.wanted().items() if k not in too_long})
    hosts.quiet()


@limit(60)
def test_clients_get(t):
    """GET over three clients into a directory that they share."""
    hosts = Hosts(t)
    count = fill(t)
    t.put(moved=count)
    get(t, found=count, moved=count)
    same_tree(t)
    get(t, found=count, moved=0, unchanged=count)
    hosts.quiet()


@limit(60)
def test_clients_get_nowhere(t):
    """A destination that no client has is a wrong command."""
    hosts = Hosts(t)
    t.small_files(50)
    t.put(moved=50)
    nowhere = os.path.join(t.dir, "no", "such")
    wrong = t.run("GET", "--json", "--dest_path", nowhere, expect=2)
    wrong.says("client1: the destination must be a directory", nowhere)
    hosts.quiet()


@limit(60)
def test_clients_del(t):
    hosts = Hosts(t)
    count = fill(t, small=1500, large=1)
    t.put(moved=count)
    keys = set(t.objects())
    prefix = t.server + t.share + "/d1/"
    some = {k for k in keys if k.startswith(prefix)}
    delete(t, "--prefix", prefix, found=len(some), moved=len(some))
    assert set(t.objects()) == keys - some
    delete(t, moved=count - len(some))
    assert not t.objects()
    hosts.quiet()
    t.put(moved=count)
    t.same()


@limit(60)
def test_clients_test(t):
    """TEST finds over three clients what it finds alone."""
    hosts = Hosts(t)
    count = fill(t)
    integrity(t, skip=False, found=count, moved=count)
    overwrite(t, "d3/f3", b"something else")
    size = os.path.getsize(t.path("large1"))
    overwrite(t, "large1", bytes(size))
    t.s3.delete_object(
        Bucket=t.bucket, Key=t.server + t.share + "/d4/f4"
    )
    for mode in ("head", "full"):
        r = integrity(t, mode=mode, expect=4, found=count)
        assert set(verdicts(t, r)) == {"f3", "large1", "f4"}, verdicts(t, r)
    hosts.quiet()


@limit(60)
def test_clients_list(t):
    """LIST, also --distributed."""
    hosts = Hosts(t)
    t.small_files(1200, directories=9)
    t.put(moved=1200)
    keys = sorted(t.objects())
    for more in ([], ["--distributed"]):
        out = t.run("LIST", "--json", *more).out.decode()
        rows = [json.loads(line) for line in out.splitlines()]
        found = sorted(r["key"] for r in rows if r.get("type") == "key")
        assert found == keys, (len(found), len(keys))
    hosts.quiet()


@limit(60)
def test_clients_mirror(t):
    """PUT --delete with clients removes what is gone from the tree."""
    hosts = Hosts(t)
    count = fill(t, small=300, large=0)
    t.put(moved=count)
    for i in range(20):
        os.unlink(t.path("d%d/f%d" % (i, i)))
    t.put("--delete", found=count - 20)
    t.same()
    hosts.quiet()


@limit(60)
def test_clients_dryrun(t):
    hosts = Hosts(t)
    count = fill(t, small=200, large=1)
    t.put("--dryrun")
    assert not t.objects() and not t.uploads()
    t.put(moved=count)
    hosts.quiet()


@limit(60)
def test_clients_standalone(t):
    """--standalone asks no client."""
    hosts = Hosts(t)
    for client in hosts.clients:
        client.cut()
    t.small_files(100)
    t.put("--standalone", moved=100)
    t.same()
    hosts.quiet()


@limit(60)
def test_clients_one_large_file(t):
    """The parts of one file are sent by all clients, under one upload."""
    hosts = Hosts(t)
    t.random_file("large", 200 * MIB + 12345)
    proxy = t.proxy()
    for client in hosts.clients:
        client.slow("400mbit")
    t.put(moved=1)
    t.same()
    sent = sorted(shares(t, "bytes").values())
    assert len(sent) == 3 and sent[1] > 16 * MIB, sent
    posts = [
        r
        for r in proxy.requests()
        if r[0] == "POST" and "uploads" in r[1] and r[2] == "200"
    ]
    assert len(posts) == 1, posts
    get(t, moved=1)
    same_tree(t)
    # The CRC of the file, joined from theirs, is that of the file sent alone.
    os.link(t.path("large"), t.path("again"))
    t.put("--standalone", moved=1, unchanged=1)
    (one,), (other,) = t.query("SELECT crc64 FROM objects")
    assert one == other and len(one) == 16, (one, other)
    hosts.quiet()


@limit(60)
def test_clients_limits(t):
    """--bwlimit holds for all clients together."""
    hosts = Hosts(t)
    for i in range(4):
        t.random_file("f%d" % i, 4 * MIB)
    begun = time.monotonic()
    t.put("--bwlimit", "8M", moved=4)
    # 16 MiB; the first second's may be sent at once.
    assert time.monotonic() - begun > 0.9
    hosts.quiet()


@limit(60)
def test_clients_mounted(t):
    """The share is a path on each client."""
    hosts = Hosts(t)
    count = fill(t, small=200, large=1)
    t.conf(
        nfs=[("filer", [t.tree])], fs_config={"mounted": "yes"}
    )
    t.put(moved=count)
    t.same(t.wanted(prefix="filer" + t.tree))
    hosts.quiet()


@limit(60)
def test_clients_nfs4(t):
    """Several clients with equal process ids at one NFSv4 server."""
    hosts = Hosts(t)
    count = fill(t, small=300, large=2)
    t.conf(fs_config={"nfs_version": 4})
    t.put(moved=count)
    t.same()
    hosts.quiet()


def words_of(pid):
    """What anybody on the host can see of a process, or its owner."""
    seen = b""
    for name in ("cmdline", "environ"):
        try:
            with open("/proc/%d/%s" % (pid, name), "rb") as f:
                seen += f.read()
        except OSError:
            pass
    return seen


@limit(60)
def test_clients_secrets(t):
    """Neither the S3 secret nor the SSH password stands in the arguments or
    the environment of a process on any host, or in a log."""
    hosts = Hosts(t)
    secret = os.path.join(t.dir, "ssh-password")
    with open(secret, "w") as f:
        f.write(hosts.password + "\n")
    os.chmod(secret, 0o600)
    fill(t, small=300, large=2)
    proxy = t.proxy(client={"password_file": secret})
    proxy.order("rate 15000000")
    os.unlink(hosts.master.ssh_file("id_ed25519"))
    process = t.start("PUT", "--json")
    hosts.at_work(process)
    t.eventually(lambda: proxy.stats()["PUT"] > 20, what="PUT began")
    seen = b""
    for host in hosts.all:
        for pid in [*host.processes(), *host.sessions()]:
            seen += words_of(pid)
    hosts.finished(process)
    seen += t.started_text().encode()
    for name in os.listdir(t.logs):
        with open(os.path.join(t.logs, name), "rb") as f:
            seen += f.read()
    with open(t.catalog, "rb") as f:
        seen += f.read()
    assert b"datamover" in seen
    for word in (t.secret, hosts.password):
        assert word.encode() not in seen
    hosts.quiet()
    t.same()


@limit(60)
def test_clients_seed(t):
    """A tree of any sizes around the limits of parts and leases."""
    hosts = Hosts(t)
    dice = random.Random(os.environ.get("SEED", "1"))
    t.settings["master"] = {"max_index_size": 7, "size": "1MiB"}
    t.conf()
    for i in range(150):
        size = dice.choice([0, 1, 100, 5000, MIB - 1, MIB, MIB + 1])
        t.random_file("s%d/f%d" % (dice.randrange(30), i), size)
    t.random_file("p8", 8 * MIB)
    t.random_file("p16", 16 * MIB + 1)
    t.put(moved=152)
    t.same()
    os.makedirs(back(t), exist_ok=True)
    get(t, moved=152)
    same_tree(t)
    hosts.quiet()
