"""One large object is fetched by several clients into one file."""
import os
import signal
import subprocess
import time

import stack
from case import MIB, Skip, limit
from hosts import Hosts
from test_clients import shares
from test_clients_lost import SILENCE, paced
from test_get import back, files, get, gets, same_tree
from test_get_nfs import get as get_nfs
from test_get_nfs import same as same_nfs
from test_get_nfs import there, url

SIZE = 150 * MIB + 12345
SHARED = ("--dest_shared", "yes")


def put_large(t, size=SIZE, **sections):
    """One file is in the store; how it is cut is up to the settings."""
    hosts = Hosts(t)
    t.random_file("large", size)
    if sections:
        t.conf(**sections)
    t.put("--standalone", moved=1)
    return hosts


def watched(t, **more):
    """What goes to the store is seen; who is silent is soon lost."""
    return t.proxy(socket_options={"recv_timeout": SILENCE}, **more)


def temporary(t):
    return [
        os.path.join(directory, name)
        for directory, _, names in os.walk(back(t))
        for name in names
        if name.startswith(".datamover-")
    ]


def recorded(t):
    """How many ranges the temporary file says are whole."""
    for path in temporary(t):
        with open(path, "rb") as f:
            f.seek((SIZE + 65535) // 65536 * 65536 + 512)
            return f.read().count(b"\1")
    return 0


def all_fetch(t, hosts, *arguments, dest=None):
    """GET is at work, and not before all are there did anybody bring much."""
    for client in hosts.clients:
        client.slow("20mbit")
    process = t.start(
        "GET", "--dest_path", dest or back(t), "--json", *arguments
    )
    hosts.all_join()
    for client in hosts.clients:
        client.slow("200mbit")
    return process


def started(t, hosts, ranges=3):
    """GET is at work, and so many ranges of the file are whole."""
    process = all_fetch(t, hosts, *SHARED)

    def some():
        assert process.poll() is None, t.started_text()
        return recorded(t) >= ranges

    t.eventually(some, what="ranges are whole")
    return process


def fetched_by(t):
    return sorted(shares(t, "bytes").values())


@limit(60)
def test_split_together(t):
    """Several have brought some of it, and nobody all; the second run finds
    the file right."""
    hosts = put_large(t)
    os.chmod(t.path("large"), 0o640)
    proxy = watched(t)
    hosts.finished(all_fetch(t, hosts, *SHARED), moved=1)
    same_tree(t, metadata=False)
    assert len(gets(proxy)) >= 16, len(gets(proxy))
    by = fetched_by(t)
    assert len(by) == 3 and by[1] > 16 * MIB and sum(by) == SIZE, by
    asked = len(gets(proxy))
    get(t, *SHARED, moved=0, unchanged=1)
    assert len(gets(proxy)) == asked
    hosts.quiet()


@limit(60)
def test_split_of_one_part(t):
    """An object that was put as a whole has one MD5: it is read once more
    before it counts."""
    hosts = put_large(
        t, size=70 * MIB + 1, s3_storage={"part_size": "128M"}
    )
    watched(t)
    hosts.finished(all_fetch(t, hosts, *SHARED), moved=1)
    same_tree(t)
    by = fetched_by(t)
    assert len(by) == 3 and by[1] > 0, by
    hosts.quiet()


@limit(60)
def test_split_not_asked_for(t):
    """Clients that may not see one directory don't write to one file."""
    hosts = put_large(t, size=70 * MIB)
    watched(t)
    get(t, moved=1)
    same_tree(t)
    by = fetched_by(t)
    assert by[:2] == [0, 0] and by[2] == 70 * MIB, by
    hosts.quiet()


def nfs(t, version):
    hosts = put_large(t, fs_config={"nfs_version": version})
    t.conf(fs_config={"nfs_version": version})
    there(t)
    hosts.finished(all_fetch(t, hosts, dest=url(t)), moved=1)
    same_nfs(t)
    by = fetched_by(t)
    assert len(by) == 3 and by[1] > 16 * MIB and sum(by) == SIZE, by
    get_nfs(t, moved=0, unchanged=1)
    hosts.quiet()


@limit(60)
def test_split_nfs3(t):
    """A destination on an NFS server is one for all."""
    nfs(t, 3)


@limit(60)
def test_split_nfs4(t):
    nfs(t, 4)


@limit(60)
def test_split_client_killed(t):
    hosts = put_large(t)
    watched(t)
    process = started(t, hosts)
    hosts.clients[1].kill()
    hosts.finished(process, moved=1)
    same_tree(t)
    hosts.quiet()


@limit(60)
def test_split_client_frozen(t):
    """One that is frozen in the middle holds nobody up; thawed, it writes
    nothing into the file, which is in its place by then."""
    hosts = put_large(t)
    watched(t)
    process = started(t, hosts)
    one = hosts.clients[2]
    assert one.freeze() == 1
    hosts.finished(process, moved=1)
    same_tree(t)
    time.sleep(SILENCE)
    one.thaw()
    hosts.quiet(SILENCE + 10)
    same_tree(t)


@limit(60)
def test_split_master_killed(t):
    """The next master's clients go on with what is there."""
    hosts = put_large(t)
    proxy = watched(t)
    process = started(t, hosts)
    process.kill()
    process.wait()
    hosts.quiet(SILENCE + 10)
    assert len(temporary(t)) == 1
    asked = len(gets(proxy))
    get(t, *SHARED, moved=1)
    same_tree(t)
    by = fetched_by(t)
    # The last range, which is shorter, may be one of the three.
    assert sum(by) <= SIZE - 2 * 8 * MIB - SIZE % (8 * MIB), by
    assert len(gets(proxy)) > asked
    hosts.quiet()


@limit(60)
def test_split_damaged(t):
    """What an earlier run left is proved like what comes now."""
    hosts = put_large(t)
    watched(t)
    process = started(t, hosts)
    process.kill()
    process.wait()
    hosts.quiet(SILENCE + 10)
    with open(temporary(t)[0], "r+b") as f:
        for at in range(0, SIZE, MIB):
            f.seek(at)
            f.write(b"damaged" * 10)
    get(t, *SHARED, moved=1)
    same_tree(t)
    hosts.quiet()


@limit(60)
def test_split_interrupted(t):
    hosts = put_large(t)
    watched(t)
    process = started(t, hosts)
    process.send_signal(signal.SIGINT)
    hosts.finished(process, expect=130)
    hosts.quiet()
    get(t, *SHARED, moved=1)
    same_tree(t)


@limit(60)
def test_split_replaced(t):
    """The object becomes another meanwhile: that one comes."""
    hosts = put_large(t)
    # Each client asks for one range at a time: most are not begun when the
    # object is replaced. What is under way ends with the bytes of before.
    watched(t, client={"workers": 1}, s3_storage={"max_inflight": 1})
    process = started(t, hosts)
    for client in hosts.clients:
        client.slow("5mbit")
    t.random_file("large", SIZE + MIB)
    with open(t.path("large"), "rb") as f:
        t.s3.upload_fileobj(
            f, t.bucket, next(iter(t.objects()))
        )
    for client in hosts.clients:
        client.heal()
    hosts.finished(process, moved=1)
    same_tree(t, metadata=False)
    hosts.quiet()


@limit(60)
def test_split_no_room(t):
    """No room for the object: that is said, and what was written of it does
    not stay to take the room of others."""
    hosts = put_large(t)
    export = there(t)
    own = os.path.join(t.dir, "stack")
    mount = ["mount", "-t", "tmpfs", "-o", "size=100M", "tmpfs", export]
    if subprocess.run(mount, check=False).returncode:
        raise Skip("tmpfs cannot be mounted here")
    try:
        settings = stack.script(
            "nfs-up", STACK=own, NFS_EXPORTS=export, NFS_ADDR=t.server
        )
        t.conf(
            fs_config={
                "nfsport": settings["NFS_PORT"],
                "mountport": settings["MNT_PORT"],
            }
        )
        dest = "nfs://%s/%s" % (t.server, t.name)
        get_nfs(t, dest=dest, expect=1, failed=1)
        kinds = t.query("SELECT kind FROM failures")
        left = files(export)
    finally:
        stack.down([own])
        subprocess.run(["umount", "-l", export], check=False)
    assert kinds == [("resource",)], kinds
    assert not left, left
    hosts.quiet()


@limit(60)
def test_split_not_shared(t):
    """It is said that they share the directory, and they don't: nothing is
    put together from files on two hosts."""
    hosts = put_large(t)
    watched(t)
    back(t)
    for client in hosts.clients[1:]:
        client.command("mount", "-t", "tmpfs", "tmpfs", back(t))
    try:
        hosts.finished(all_fetch(t, hosts, *SHARED), moved=1)
    finally:
        found = [
            c.command(
                "sh", "-c", "cmp $(find %s -name large) %s && echo same"
                % (back(t), os.fsdecode(t.path("large")))
            ).stdout
            for c in hosts.clients
        ]
        for client in hosts.clients[1:]:
            client.command("umount", back(t))
    assert "get_alone" in t.started_text(), t.started_text()
    assert found.count("same\n") == 1, found
    hosts.quiet()
