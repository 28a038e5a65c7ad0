"""An NFS server that fails over: its handles are others, or it is found at
another address."""
import json
import os

import stack
from case import limit


def own_server(t, **more):
    """An nfs-ganesha of the test's own over its tree."""
    return stack.script(
        "nfs-up",
        STACK=os.path.join(t.dir, "stack2"),
        NFS_EXPORTS=t.tree,
        **more
    )


def settings_of(server, **more):
    return dict(
        {"nfsport": server["NFS_PORT"], "mountport": server["MNT_PORT"]},
        **more
    )


def other_export_id(t, version):
    """In the middle of a PUT the server comes back with another export id:
    the handle of the root is stale, and so are all others."""
    t.small_files(1500, directories=50)
    server = own_server(t)
    t.share = "/" + os.path.basename(t.tree)
    proxy = t.proxy(fs_config=settings_of(server, nfs_version=version))
    proxy.order("match PUT delay 100")
    process = t.start("PUT", "--thread", "2")
    t.eventually(lambda: proxy.stats()["PUT"] > 20, what="PUT began")
    stack.script("nfs-down", STACK=os.path.join(t.dir, "stack2"))
    own_server(
        t,
        NFS_FIRST_ID="77",
        NFS_PORT=server["NFS_PORT"],
        MNT_PORT=server["MNT_PORT"],
    )
    assert process.wait() == 0, t.started_text()
    t.same()
    t.put(moved=0, unchanged=1500)


@limit(120)
def test_failover_v3(t):
    other_export_id(t, "3")


@limit(120)
def test_failover_v4(t):
    other_export_id(t, "4")


def with_names(t, *lines):
    """datamover sees these lines as /etc/hosts."""
    hosts = os.path.join(t.dir, "hosts")
    with open(hosts, "w") as f:
        f.write("".join(line + "\n" for line in lines))
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    t.prefix = ["unshare", "--mount", "sh", "-c", script, hosts]


def test_address_refuses(t):
    """Nobody is at one of the addresses of the name."""
    t.small_files(40)
    for names in (("::1", "127.0.0.1"), ("127.0.0.7", "127.0.0.1")):
        with_names(t, *(a + " filer" for a in names))
        for version in ("3", "4", "auto"):
            t.conf(
                nfs=[("filer", [t.share])], fs_config={"nfs_version": version}
            )
            t.run("check")
            r = t.put("--thread", "4", expect=0)
            assert r.json["failed"] == 0, r
    t.same(t.wanted(prefix="filer" + t.share))


@limit(120)
def test_address_lost(t):
    """Two servers of one name share the connections; one dies in the middle
    of a PUT, and the other does the rest."""
    t.small_files(1500, directories=50)
    first = own_server(t)
    there = os.path.join(t.dir, "stack3")
    stack.script(
        "nfs-up",
        STACK=there,
        NFS_EXPORTS=t.tree,
        NFS_ADDR="127.0.0.9",
        NFS_PORT=first["NFS_PORT"],
        MNT_PORT=first["MNT_PORT"],
    )
    with_names(t, "127.0.0.1 filer", "127.0.0.9 filer")
    t.share = "/" + os.path.basename(t.tree)
    proxy = t.proxy(
        nfs=[("filer", [t.share])], fs_config=settings_of(first)
    )
    proxy.order("match PUT delay 100")
    process = t.start("PUT", "--thread", "4")
    t.eventually(lambda: proxy.stats()["PUT"] > 20, what="PUT began")
    stack.script("nfs-down", STACK=there)
    assert process.wait() == 0, t.started_text()
    t.same(t.wanted(prefix="filer" + t.share))


def gone_for_good(t, version):
    """A server dies in the middle and doesn't come back: its share ends as a
    whole after retry_for, with one reason; another share moves; what is left
    stays for the next run, and nothing is deleted meanwhile."""
    t.small_files(3000, directories=100)
    near = os.path.join(t.world.second_export, t.name)
    os.mkdir(near)
    with open(os.path.join(near, "near"), "w") as f:
        f.write("1")
    server = own_server(t, NFS_ADDR="127.0.0.5",
                        NFS_PORT=t.world.nfs["NFS_PORT"],
                        MNT_PORT=t.world.nfs["MNT_PORT"])
    far = "/" + os.path.basename(t.tree)
    proxy = t.proxy(
        nfs=[("127.0.0.5", [far]), (t.server, ["/exp2/" + t.name])],
        fs_config=settings_of(server, nfs_version=version, timeout=5),
        s3_storage={"retry_for": "2"},
    )
    proxy.order("match PUT delay 50")
    process = t.start("PUT", "--delete", "--json")
    t.eventually(lambda: proxy.stats()["PUT"] > 100, what="PUT began")
    stack.script("nfs-down", STACK=os.path.join(t.dir, "stack2"))
    assert process.wait() == 1, t.started_text()
    text = t.started_text()
    last = json.loads(text.splitlines()[-1])
    left = last["found"] - last["moved"] - 1
    assert last["failed"] == 1 and last["pending"] == left > 100, last
    assert last["deleted"] == 0, last
    assert text.count("the rest is left for the next run") == 1, text
    failures = t.query("SELECT path, reason FROM failures")
    assert len(failures) == 1 and failures[0][0] == "127.0.0.5" + far
    assert t.states()[t.server + "/exp2/" + t.name + "/near"] == "stored"
    own_server(t, NFS_ADDR="127.0.0.5", NFS_PORT=server["NFS_PORT"],
               MNT_PORT=server["MNT_PORT"])
    r = t.put("--delete", found=3001, failed=0)
    assert r.json["moved"] >= last["pending"], (r, last)
    assert t.query("SELECT count(*) FROM failures") == [(0,)]
    t.same(
        dict(
            t.wanted(prefix="127.0.0.5" + far),
            **t.wanted(near, t.server + "/exp2/" + t.name)
        )
    )


@limit(240)
def test_gone_for_good_v3(t):
    gone_for_good(t, "3")


@limit(240)
def test_gone_for_good_v4(t):
    gone_for_good(t, "4")


def back_to_other_export_id(t, version):
    """In the middle of a GET the server that the files go to comes back with
    another export id."""
    t.small_files(1500, directories=50)
    t.put(moved=1500)
    there = os.path.join(t.world.second_export, t.name)
    os.makedirs(there + "/in")
    stack2 = {
        "STACK": os.path.join(t.dir, "stack2"),
        "NFS_EXPORTS": there,
    }
    server = stack.script("nfs-up", **stack2)
    proxy = t.proxy(fs_config=settings_of(server, nfs_version=version))
    proxy.order("match GET delay 50")
    dest = "nfs://%s/%s/in" % (t.server, t.name)
    process = t.start("GET", "--thread", "2", "--dest_path", dest)
    t.eventually(lambda: proxy.stats()["GET"] > 50, what="GET began")
    stack.script("nfs-down", STACK=stack2["STACK"])
    ports = {k: server[k] for k in ("NFS_PORT", "MNT_PORT")}
    stack.script("nfs-up", NFS_FIRST_ID="77", **stack2, **ports)
    assert process.wait() == 0, t.started_text()
    for key, f in t.wanted().items():
        with open(os.path.join(there, "in", key), "rb") as back:
            with open(f.path, "rb") as data:
                assert back.read() == data.read(), key


@limit(120)
def test_failover_back_v3(t):
    back_to_other_export_id(t, "3")


@limit(120)
def test_failover_back_v4(t):
    back_to_other_export_id(t, "4")
