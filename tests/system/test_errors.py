"""Bad input and missing things: a clear error and the right exit status."""
import os

import stack
from case import limit


def test_no_config(t):
    t.config = os.path.join(t.dir, "none.conf")
    t.run("PUT", expect=2).says("none.conf")


def config_error(t, raw, *words):
    """The text after the config is wrong; the error names file and line."""
    t.conf(raw=raw)
    with open(t.config) as f:
        count = len(f.read().splitlines())
    t.run("PUT", expect=2).says("datamover.conf:%d" % count, *words)


def test_unknown_key(t):
    config_error(t, "[logging]\nlvel = INFO\n", "lvel")


def test_unknown_section(t):
    t.conf(raw="[loging]\nlevel = INFO\n")
    t.run("PUT", expect=2).says("datamover.conf:", "loging")


def test_key_twice(t):
    config_error(t, "[catalog]\npath = /x\n", "path")


def test_value_out_of_range(t):
    config_error(t, "[message]\nport_index = 99999\n", "port_index")


def test_not_a_number(t):
    config_error(t, "[master]\nworkers = many\n", "workers")


def test_line_too_long(t):
    config_error(t, "[master]\nworkers = " + "1" * 70000 + "\n")


def test_long_value(t):
    """A value of 500 bytes isn't cut: the share isn't there, by its name."""
    share = "/exp/" + "s" * 490
    t.conf(nfs=[(t.server, [share])])
    t.run("PUT", expect=3).says("sssss")


def test_unknown_json_key(t):
    t.config = os.path.join(t.dir, "config.json")
    with open(t.config, "w") as f:
        f.write('{\n  "master": {\n    "wrokers": 1\n  }\n}\n')
    t.run("PUT", expect=2).says("config.json", "master.wrokers")


def test_broken_json(t):
    t.config = os.path.join(t.dir, "config.json")
    with open(t.config, "w") as f:
        f.write('{\n  "master": {\n')
    t.run("PUT", expect=2).says("config.json:")


def test_nothing_configured(t):
    """No bucket, no endpoint, no share: each says what to do."""
    t.conf(s3_storage={"bucket": None})
    t.run("PUT", expect=2).says("bucket")
    t.conf(s3_storage={"endpoint": None})
    t.run("PUT", expect=2).says("endpoint")
    t.conf(nfs=[])
    t.run("PUT", expect=2).says("share")


def test_no_bucket(t):
    t.conf(s3_storage={"bucket": "not-there-at-all"})
    t.run("status", expect=2).says("there is none yet")
    t.run("PUT", expect=3).says("not-there-at-all", "no such bucket")


def test_wrong_secret(t):
    t.write("f", "1")
    t.conf(s3_storage={"secret_key": "wrong"})
    result = t.run("PUT", "--json", expect=3)
    assert result.json["error"], result
    result.says("credential")
    assert not t.objects()
    t.conf()
    t.put(moved=1)


def test_unknown_access_key(t):
    t.write("f", "1")
    t.conf(s3_storage={"access_key": "nobody"})
    t.run("PUT", expect=3)


def test_missing_bucket(t):
    t.write("f", "1")
    t.conf(s3_storage={"bucket": "no-such-bucket"})
    t.run("PUT", expect=3).says("no-such-bucket")


@limit(120)
def test_s3_down(t):
    """The first request is tried for as long as retry_for says, and for 30 s
    at most."""
    t.write("f", "1")
    down = {"endpoint": "http://127.0.0.1:1"}
    for more, least, most in (
        ({"retry_for": 0}, 0, 25),
        ({"retry_for": 2}, 1.9, 25),
        ({}, 29, 60),
    ):
        t.conf(s3_storage=dict(down, **more))
        result = t.run("PUT", expect=3).says("127.0.0.1:1")
        assert least < result.seconds < most, result.seconds
    t.conf()
    t.put(moved=1)


@limit(120)
def test_s3_silent(t):
    """Something accepts and never answers."""
    proxy = t.proxy()
    proxy.order("drop")
    t.write("f", "1")
    result = t.run("PUT", expect=3)
    assert result.seconds < 90, result.seconds


def test_s3_unknown_host(t):
    t.write("f", "1")
    t.conf(
        s3_storage={
            "endpoint": "http://no-such-host.invalid",
            "retry_for": 2,
        }
    )
    t.run("PUT", expect=3).says("no-such-host.invalid")


@limit(120)
def test_nfs_down(t):
    t.conf(fs_config={"nfsport": 1, "mountport": 1})
    result = t.run("PUT", "--json", expect=3)
    assert result.seconds < 60, result.seconds
    result.says(t.server)


@limit(120)
def test_nfs_down_v4(t):
    t.conf(fs_config={"nfsport": 1, "nfs_version": "4"})
    t.run("PUT", "--json", expect=3).says(t.server)


def test_export_missing(t):
    t.conf(nfs=[(t.server, ["/exp/nothing-here"])])
    t.run("PUT", expect=3).says("/exp/nothing-here")


def test_mounted_path_missing(t):
    t.conf(
        nfs=[("h", [os.path.join(t.dir, "no/such")])],
        fs_config={"mounted": "yes"},
    )
    t.run("PUT", expect=3).says("no/such")


def one_export_missing(t, version):
    t.conf(
        nfs=[(t.server, [t.share, "/exp/nothing-here"])],
        fs_config={"nfs_version": version},
    )
    t.small_files(20)
    result = t.run("PUT", "--json", expect=1).says("nothing-here")
    assert result.json["moved"] == 20, result
    assert result.json["failed"] >= 1, result
    result.counted()
    t.same()


def test_one_export_missing_v3(t):
    one_export_missing(t, "3")


def test_one_export_missing_v4(t):
    one_export_missing(t, "4")


@limit(180)
def test_one_server_down(t):
    """Two servers, one of them dead: the other's files move; nothing of
    the dead one's counts as removed."""
    other = os.path.join(t.dir, "stack2")
    tree = os.path.join(t.dir, "other")
    os.mkdir(tree)
    settings = {
        "STACK": other,
        "NFS_EXPORTS": tree,
        "NFS_ADDR": "127.0.0.3",
        "NFS_PORT": t.world.nfs["NFS_PORT"],
        "MNT_PORT": t.world.nfs["MNT_PORT"],
    }
    stack.script("nfs-up", **settings)
    with open(os.path.join(tree, "far"), "w") as f:
        f.write("1")
    t.write("near", "1")
    t.conf(nfs=[(t.server, [t.share]), ("127.0.0.3", ["/other"])])
    t.put(found=2, moved=2)
    stack.down([other])
    t.write("near2", "1")
    result = t.run("PUT", "--json", expect=1).says("127.0.0.3")
    assert result.json["moved"] == 1, result
    assert t.states()["127.0.0.3/other/far"] == "stored"
    stack.script("nfs-up", **settings)
    t.put(found=3, moved=0, unchanged=3)


def permission_denied(t, version):
    t.conf(fs_config={"uid": 1000, "gid": 1000, "nfs_version": version})
    t.small_files(20)
    t.write("closed/f", "1")
    os.chmod(t.path("closed"), 0o700)
    t.write("file", "1")
    os.chmod(t.path("file"), 0o600)
    t.put(expect=1, found=22, moved=20, failed=2).says("closed")
    rows = dict(t.query("SELECT path, reason FROM failures"))
    root = t.server + t.share
    assert any(p.rstrip("/") == root + "/closed" for p in rows), rows
    assert root + "/file" in rows, rows
    # The run says which they are, to people too.
    t.run("PUT", expect=1).says(root + "/file", "closed")


def test_permission_denied_v3(t):
    permission_denied(t, "3")


def test_permission_denied_v4(t):
    permission_denied(t, "4")


def test_denied_is_not_gone(t):
    """A directory that was readable and isn't: nothing in it is gone."""
    t.conf(fs_config={"uid": 1000, "gid": 1000})
    t.write("d/f", "1")
    t.put(moved=1)
    os.chmod(t.path("d"), 0o700)
    t.run("PUT", expect=1)
    assert t.states()[t.server + t.share + "/d/f"] == "stored"
    os.chmod(t.path("d"), 0o755)
    t.put(found=1, moved=0, unchanged=1)
