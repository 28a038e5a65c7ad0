"""LIST: to standard output, to a file, for people and for programs."""
import json
import os


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
