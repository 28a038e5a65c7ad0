"""LIST: to standard output, to a file, for people and for programs."""
import json
import os
import re
import subprocess
from urllib.parse import unquote

from case import Proxy, limit
from test_names import odd_tree


def fill(t, count=30):
    t.small_files(count, directories=3)
    t.put(moved=count)
    return sorted(t.objects())


def lines(result):
    return result.out.decode().splitlines()


def keys_in(result):
    """The key is a line's last field, whatever stands in front of it."""
    return [line.split()[-1] for line in lines(result) if line.strip()]


def test_list(t):
    keys = fill(t)
    assert sorted(keys_in(t.run("LIST"))) == keys


def test_list_many(t):
    """More than one page of 1,000."""
    keys = fill(t, 2300)
    assert sorted(keys_in(t.run("LIST"))) == keys


def test_list_json(t):
    keys = fill(t)
    rows = [json.loads(line) for line in lines(t.run("LIST", "--json"))]
    assert sorted(r["key"] for r in rows if r.get("type") == "key") == keys
    last = rows[-1]
    assert last["operation"] == "LIST" and last["found"] == len(keys), last
    assert "moved" not in last, last


def test_list_print0(t):
    t.write(b"new\nline", "1")
    t.write(b"bad\xff", "2")
    t.write("plain", "3")
    t.put(moved=3)
    out = t.run("LIST", "--print0").out
    keys = sorted(k.encode() for k in t.objects())
    assert sorted(k for k in out.split(b"\0") if k) == keys, out


def test_list_escapes(t):
    """One line a key, also for a name with a newline in it."""
    t.write(b"new\nline\x1b[31m", "1")
    t.write("plain", "2")
    t.put(moved=2)
    out = t.run("LIST").out
    assert len(out.splitlines()) == 2, out
    assert b"\x1b" not in out, out


def test_list_dest_path(t):
    keys = fill(t)
    target = os.path.join(t.dir, "listing")
    os.mkdir(target)
    for option in ("--dest_path", "--dest-path"):
        t.run("LIST", option, target)
        path = os.path.join(target, "listing_object_keys")
        with open(path) as f:
            assert sorted(f.read().splitlines()) == keys
        os.unlink(path)
    t.run("LIST", "--dest_path", target + "/no/such", expect={2, 3})


def test_list_prefix(t):
    keys = fill(t)
    root = t.server + t.share + "/"
    some = [k for k in keys if k.startswith(root + "d1/")]
    assert sorted(keys_in(t.run("LIST", "--prefix", root + "d1/"))) == some
    assert not keys_in(t.run("LIST", "--prefix", root + "nothing/"))


def test_list_all(t):
    """Without --prefix the configured shares; --all is the whole bucket."""
    keys = fill(t)
    t.s3.put_object(Bucket=t.bucket, Key="foreign/object", Body=b"1")
    assert sorted(keys_in(t.run("LIST"))) == keys
    everything = sorted(keys + ["foreign/object"])
    assert sorted(keys_in(t.run("LIST", "--all"))) == everything


def test_list_odd_keys(t):
    """Keys that XML can only carry encoded."""
    for key in ("a&b", "a<b>c", "a+b c", "\u65e5\u672c", "x%2Fy"):
        t.s3.put_object(Bucket=t.bucket, Key="odd/" + key, Body=b"1")
    rows = t.run("LIST", "--all", "--json").out.decode().splitlines()
    keys = {json.loads(r).get("key") for r in rows[:-1]}
    assert keys == set(t.objects()), keys


def test_list_empty(t):
    assert not keys_in(t.run("LIST"))


def test_list_errors(t):
    t.run("LIST", "--bucket", "no-such-bucket", expect=3).says(
        "no-such-bucket"
    )
    t.conf(s3_storage={"secret_key": "wrong"})
    t.run("LIST", expect=3)


def test_list_counts(t):
    """At the end: how many, and how many bytes."""
    t.write("d/a", b"x" * 1000)
    t.write("d/b", b"x" * 24)
    t.put(moved=2)
    result = t.run("LIST", "--json")
    assert (result.json["found"], result.json["bytes"]) == (2, 1024), result
    result.says("2 keys, 1.0 KiB")
    assert not t.run("LIST", "--quiet").err


def test_list_print0_odd_names(t):
    """Whatever a name holds: the bytes of the keys, each with a NUL after
    it."""
    odd_tree(t)
    wanted = t.wanted()
    fits = sorted(
        (k.encode() for k in wanted if len(k.encode()) <= 1024)
    )
    t.put(expect=1 if len(fits) < len(wanted) else 0, moved=len(fits))
    root = t.server + t.share + "/"
    for more in ((), ("--all",), ("--prefix", root)):
        out = t.run("LIST", "--print0", *more).out
        assert out.endswith(b"\0"), out[-100:]
        assert out[:-1].split(b"\0") == fits, more
    # The same names as text and as JSON: one line each.
    text = t.run("LIST").out.splitlines()
    assert len(text) == len(fits), len(text)
    rows = t.run("LIST", "--json").out.splitlines()[:-1]
    assert [json.loads(r)["key"].encode() for r in rows] == fits


class Sink:
    """The bench's S3 server: fast, and knows no users."""

    def __init__(self, t):
        program = os.path.join(t.world.tools, "bench", "sink")
        self.process = subprocess.Popen(
            [program], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        self.port = int(re.search(r":([0-9]+)", line).group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


@limit(240)
def test_list_ranges(t):
    """Several shares, each in ranges that begin at keys of the catalog, which
    knows the store by its second endpoint: every key once, in order, and
    nothing beside the shares."""
    with Sink(t) as sink:
        proxy = Proxy(t, sink.port)
        t.proxies.append(proxy)
        second = os.path.join(t.world.second_export, t.name)
        shares = [t.share, "/exp2/" + t.name]
        for root in (t.tree, second):
            for i in range(8500):
                name = os.path.join(root, "d%d" % (i % 7), "f%05d" % i)
                os.makedirs(os.path.dirname(name), exist_ok=True)
                open(name, "w").close()
        nfs = [(t.server, shares)]
        t.conf(nfs=nfs, s3_storage={"endpoint": proxy.url})
        t.put(moved=17000)
        foreign = [t.server + t.share + "-2/f", t.server + "/exp", "zz"]
        for key in foreign:
            t.s3.put_object(Bucket=t.bucket, Key=key, Body=b"")
        keys = sorted(t.wanted()) + sorted(
            t.wanted(second, t.server + shares[1])
        )
        other = proxy.url.replace("127.0.0.1", "localhost")
        for endpoints in (proxy.url, [other, proxy.url]):
            t.conf(nfs=nfs, s3_storage={"endpoint": endpoints})
            before = len(proxy.requests())
            assert lines(t.run("LIST")) == keys
            asked = proxy.requests()[before:]
            after = {
                unquote(target.split("start-after=")[1].split("&")[0])
                for _, target, _ in asked
                if "start-after=" in target
            }
            # Half of each is listed from a key that only the catalog can
            # have told.
            for middle in (4250, 8500 + 4250):
                near = keys[middle - 50 : middle + 50]
                assert after & set(near), (endpoints, after)
        # One share by --prefix, and one that the catalog doesn't know.
        result = t.run("LIST", "--prefix", t.server + shares[1] + "/")
        assert lines(result) == keys[8500:]
        os.unlink(t.catalog)
        assert lines(t.run("LIST")) == keys
