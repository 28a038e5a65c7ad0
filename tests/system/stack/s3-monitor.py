"""s3-monitor.py osd UUID | pools: tell a new Ceph monitor what it serves.

One process and librados, as each call of the ceph program takes half a second.
"""
import json
import os
import sys

import rados

POOLS = (
    ".rgw.root",
    "default.rgw.log",
    "default.rgw.control",
    "default.rgw.meta",
    "default.rgw.buckets.index",
    "default.rgw.buckets.data",
    "default.rgw.buckets.non-ec",
)


def main():
    cluster = rados.Rados(conffile=os.environ["CEPH_CONF"], name="client.admin")
    cluster.connect(timeout=30)

    def tell(prefix, **arguments):
        command = json.dumps(dict(prefix=prefix, format="json", **arguments))
        status, _, text = cluster.mon_command(command, b"")
        if status < 0:
            sys.exit("%s: %d %s" % (command, status, text))

    if sys.argv[1] == "osd":
        tell("osd create", uuid=sys.argv[2], id=0)
        return
    for pool in POOLS:
        count = 16 if pool.endswith((".data", ".index")) else 4
        # Ceph 18 makes a pool whose name begins with a dot only for those who
        # mean it.
        tell(
            "osd pool create",
            pool=pool,
            pg_num=count,
            pgp_num=count,
            yes_i_really_mean_it=True,
        )
        tell("osd pool application enable", pool=pool, app="rgw")


main()
