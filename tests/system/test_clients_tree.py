"""A client that sees another tree than the master."""
import os
import shutil

from case import limit
from hosts import Hosts
from test_clients_lost import paced


@limit(60)
def test_other_tree(t):
    """Its directories are older copies in which files are missing: what it
    says of them doesn't count, and it is named."""
    hosts = Hosts(t)
    t.small_files(1200, directories=4)
    copy = os.path.join(t.dir, "copy")
    shutil.copytree(t.tree, copy)
    for i in range(0, 1200, 2):
        os.unlink(os.path.join(copy, "d%d" % (i % 4), "f%d" % i))
    t.small_files(1200, directories=4, size=300)
    one = hosts.clients[0]
    names = sorted(os.listdir(copy))
    for name in names:
        one.command(
            "mount", "--bind", os.path.join(copy, name), t.path(name)
        ).check_returncode()
    try:
        proxy = paced(
            t,
            nfs=[("filer", [t.tree])],
            fs_config={"mounted": "yes"},
        )
        proxy.order("match PUT delay 1000")
        process = t.start("PUT", "--json")
        hosts.finished(process, found=1200, moved=1200, gone=0, failed=0)
    finally:
        for name in names:
            one.command("umount", t.path(name))
    text = t.started_text()
    assert "client_other_tree" in text and "host=client1" in text, text
    t.same(t.wanted(prefix="filer" + t.tree))
