"""A client that sees another tree than the master."""
import os
import shutil

from case import limit
from hosts import Hosts
from test_clients_lost import paced


@limit(60)
def test_other_tree(t):
    """Below one directory it has an older copy in which files are missing:
    what it says of them doesn't count, and it is named."""
    hosts = Hosts(t)
    t.small_files(1200, directories=4)
    copy = os.path.join(t.dir, "copy")
    shutil.copytree(os.path.join(t.tree, "d1"), copy)
    for i in range(1, 1200, 8):
        os.unlink(os.path.join(copy, "f%d" % i))
    t.small_files(1200, directories=4, size=300)
    one = hosts.clients[0]
    one.command(
        "mount", "--bind", copy, os.path.join(t.tree, "d1")
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
        one.command("umount", os.path.join(t.tree, "d1"))
    text = t.started_text()
    assert "client_other_tree" in text and "host=client1" in text, text
    t.same(t.wanted(prefix="filer" + t.tree))
