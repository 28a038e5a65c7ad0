"""server_as_prefix and mounted, yes and no, with several servers and shares,
through all operations, with and without --prefix."""
import os
import stat

from case import limit

# Names of shares of which one is the beginning of another.
NAMES = {
    "first": ("one", ["f", "deep/er/g", "deep/h", "deeper/i", "empty"]),
    "second": ("one1", ["f", "deep/h"]),
    "other": ("two", ["f", "deep/j"]),
}
FOREIGN = ["foreign/f", "one/f", "127.0.0.2/x"]


class Shares:
    """Two shares of one server, one of another; what keys they have."""

    def __init__(self, t, mounted, prefixed):
        self.t = t
        self.files = {}
        self.prefixes = {}
        other = os.path.join(t.world.second_export, t.name)
        os.mkdir(other)
        servers = {}
        for which, (name, files) in NAMES.items():
            server = "localhost" if which == "other" else t.server
            top, export = (
                (other, "/exp2/" + t.name)
                if which == "other"
                else (t.tree, t.share)
            )
            directory = os.path.join(top, name)
            share = directory if mounted else export + "/" + name
            prefix = (server + share if prefixed else share[1:]) + "/"
            servers.setdefault(server, []).append(share)
            self.prefixes[which] = prefix
            for file in files:
                path = os.path.join(directory, file)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                data = b"" if file == "empty" else (which + file).encode()
                with open(path, "wb") as f:
                    f.write(data)
                self.files[prefix + file] = data
        t.conf(
            nfs=list(servers.items()),
            fs_config={
                "mounted": "yes" if mounted else "no",
                "server_as_prefix": "yes" if prefixed else "no",
            },
        )
        for key in FOREIGN:
            t.s3.put_object(Bucket=t.bucket, Key=key, Body=b"foreign")

    def below(self, prefix):
        return {k: v for k, v in self.files.items() if k.startswith(prefix)}

    def stored(self):
        """What the bucket has of ours."""
        there = sorted(self.t.objects())
        assert set(there) >= set(FOREIGN), there
        return [k for k in there if k not in FOREIGN]


def listed(t, *arguments):
    return t.run("LIST", *arguments).out.decode().splitlines()


def fetch(t, name, *arguments):
    """GET; {key: bytes} of what came back."""
    target = os.path.join(t.dir, name)
    os.mkdir(target)
    t.run("GET", "--dest_path", target, "--json", *arguments)
    found = {}
    for directory, _, files in os.walk(target):
        for file in files:
            path = os.path.join(directory, file)
            assert stat.S_ISREG(os.lstat(path).st_mode), path
            with open(path, "rb") as f:
                found[os.path.relpath(path, target)] = f.read()
    return found


def through_all(t, mounted, prefixed):
    shares = Shares(t, mounted, prefixed)
    everything = sorted(shares.files)
    part = shares.prefixes["first"] + "deep/"
    some = sorted(shares.below(part))
    assert len(some) == 2 and len(everything) == 9
    test = ("TEST", "--data_integrity", "--json")

    t.put("--prefix", part, found=2, moved=2)
    assert shares.stored() == some
    assert listed(t) == some
    t.put(found=9, moved=7, unchanged=2)
    assert shares.stored() == everything
    for key, data in shares.files.items():
        body = t.s3.get_object(Bucket=t.bucket, Key=key)["Body"].read()
        assert body == data, key

    assert sorted(listed(t)) == everything
    assert listed(t, "--prefix", part) == some
    for prefix in shares.prefixes.values():
        below = sorted(shares.below(prefix))
        assert listed(t, "--prefix", prefix) == below, prefix

    assert fetch(t, "all") == shares.files
    assert fetch(t, "some", "--prefix", part) == shares.below(part)

    t.run(*test).counted(found=9, moved=9)
    t.run(*test, "--prefix", part).counted(found=2, moved=2)
    t.s3.put_object(Bucket=t.bucket, Key=some[0], Body=b"x")
    t.run(*test, "--skip_upload", expect=4).counted(moved=8, failed=1)
    t.run(
        *test, "--skip_upload", "--prefix", shares.prefixes["other"]
    ).counted(found=2, moved=2)

    for prefix in (part[:-1], "/" + part, "nowhere/", part + "../"):
        for verb in ("PUT", "LIST", "TEST", "DEL"):
            more = {"TEST": ["--data_integrity"], "DEL": ["--yes"]}
            t.run(verb, *more.get(verb, []), "--prefix", prefix, expect=2)

    t.run("DEL", "--yes", "--json", "--prefix", part).counted(moved=2)
    left = [k for k in everything if k not in some]
    assert shares.stored() == left
    # All shares, and nothing but shares.
    t.run("DEL", "--yes", "--json").counted(moved=7)
    assert shares.stored() == []
    # The catalog knows that they are gone.
    t.put(found=9, moved=9)
    assert shares.stored() == everything


@limit(120)
def test_shares_with_server(t):
    through_all(t, mounted=False, prefixed=True)


@limit(120)
def test_shares_without_server(t):
    through_all(t, mounted=False, prefixed=False)


@limit(120)
def test_shares_mounted_with_server(t):
    through_all(t, mounted=True, prefixed=True)


@limit(120)
def test_shares_mounted_without_server(t):
    through_all(t, mounted=True, prefixed=False)


def test_shares_that_meet(t):
    """Without the server, two shares of one path would have the same keys:
    that is refused, not mixed up."""
    for name in (t.server, "localhost"):
        t.write("f", name)
    t.conf(
        nfs=[(t.server, [t.share]), ("localhost", [t.share])],
        fs_config={"server_as_prefix": "no"},
    )
    t.run("PUT", expect=2).says("same keys", "server_as_prefix")
    assert not t.objects()
    t.conf(nfs=[(t.server, [t.share]), ("localhost", [t.share])])
    t.put(found=2, moved=2)


def test_shares_one_from_the_command_line(t):
    """--nfs-server and --nfs-share stand for the whole map, and the keys are
    as the settings have them."""
    other = os.path.join(t.world.second_export, t.name)
    os.mkdir(other)
    with open(os.path.join(other, "g"), "wb") as f:
        f.write(b"g")
    t.write("f", "1")
    share = "/exp2/" + t.name
    port = t.world.nfs["NFS_PORT"]
    t.conf(fs_config={"nfsport": 1})
    t.put("-ns", "localhost", "-nsh", share, "-np", port, moved=1)
    assert list(t.objects()) == ["localhost" + share + "/g"]
    t.put(
        "--nfs-server=localhost",
        "--nfs-share=" + share,
        "--nfs-port=" + port,
        "-sp",
        "no",
        moved=1,
    )
    assert share[1:] + "/g" in t.objects()
    t.run("PUT", "-ns", "localhost", expect=2).says("--nfs-share")
    # DEL takes it, too: that share alone.
    t.conf()
    t.put(moved=1)
    t.run("DEL", "--yes", "-ns", "localhost", "-nsh", share, "-np", port)
    assert sorted(t.objects()) == sorted(
        [t.server + t.share + "/f", share[1:] + "/g"]
    )


def share_in_share(t, mounted):
    """A share inside another one: the outer one leaves it out; what it had
    there passes to the inner one, and back, without a request for it."""
    top = t.tree if mounted else t.share
    for name in ("f", "in/side/g", "in/side/deep/h", "in/i", "inside/k"):
        t.write(name, name)
    inner = top + "/in/side"
    fs = {"mounted": "yes" if mounted else "no"}
    proxy = t.proxy(nfs=[(t.server, [top])], fs_config=fs)
    s3 = {"endpoint": proxy.url}
    everything = sorted(t.server + top + "/" + f for f in
                        ("f", "in/i", "in/side/deep/h", "in/side/g",
                         "inside/k"))
    t.put(found=5, moved=5)
    assert sorted(t.objects()) == everything

    def asked():
        return [r for r in proxy.requests() if r[0] in ("PUT", "POST")]

    before = len(asked())
    for shares in ([top, inner], [inner, top], [top], [inner, top]):
        t.conf(nfs=[(t.server, shares)], fs_config=fs, s3_storage=s3)
        t.put(found=5, unchanged=5, gone=0)
    assert len(asked()) == before, asked()[before:]
    exports = t.query("SELECT DISTINCT share FROM dirs WHERE path GLOB ?",
                      t.server + inner + "*")
    assert exports == [(inner,)], exports
    assert sorted(listed(t)) == everything
    t.run("TEST", "--data_integrity", "--skip_upload", "--json").counted(
        found=5, moved=5)
    assert len(fetch(t, "all")) == 5
    # Of a prefix around it both have a part; below it, the inner one.
    prefix = t.server + top + "/in/"
    t.put("--prefix", prefix, found=3, unchanged=3)
    t.put("--prefix", prefix + "side/", found=2, unchanged=2)
    t.put("--prefix", prefix + "side/deep/", found=1, unchanged=1)
    # A file of either that is gone is deleted once.
    os.unlink(t.path("in/side/deep/h"))
    t.put("--delete", "--max-delete", "9", found=4, deleted=1)
    os.unlink(t.path("in/i"))
    t.put("--delete", "--max-delete", "9", found=3, deleted=1)
    # The outer one takes all over again.
    t.conf(nfs=[(t.server, [top])], fs_config=fs, s3_storage=s3)
    t.put(found=3, unchanged=3)
    os.unlink(t.path("in/side/g"))
    os.rmdir(t.path("in/side/deep"))
    os.rmdir(t.path("in/side"))
    t.put("--delete", "--max-delete", "9", found=2, deleted=1)
    assert len(t.objects()) == 2


@limit(120)
def test_shares_inside_each_other(t):
    share_in_share(t, mounted=False)


@limit(120)
def test_shares_inside_each_other_mounted(t):
    share_in_share(t, mounted=True)


def test_shares_inner_out_of_reach(t):
    """The inner one can't be reached: what is known of it stays."""
    for name in ("f", "in/side/g"):
        t.write(name, name)
    inner = t.tree + "/in/side"
    t.conf(nfs=[(t.server, [t.tree, inner])], fs_config={"mounted": "yes"})
    t.put(found=2, moved=2)
    os.unlink(t.path("in/side/g"))
    for path in ("in/side", "in"):
        os.rmdir(t.path(path))
        t.put("--delete", expect=1, gone=0, deleted=0)
        assert len(t.objects()) == 2
