"""An NFS server that fails over: its handles are others, or it is found at
another address."""
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
