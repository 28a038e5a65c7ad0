"""PUT --adopt: what another tool has put is taken over, and nothing else."""
import os

from boto3.s3.transfer import TransferConfig
from case import MIB


def upload(t, name, part=None):
    """As another tool would: whole, or in parts of this size."""
    config = TransferConfig(
        multipart_threshold=part or 1 << 40,
        multipart_chunksize=part or 1 << 40,
    )
    t.s3.upload_file(
        os.fsdecode(t.path(name)),
        t.bucket,
        t.server + t.share + "/" + name,
        Config=config,
    )


def sent(proxy):
    return [r for r in proxy.requests() if r[0] in ("PUT", "POST")]


def test_adopt(t):
    """Whole and in parts, of our size and of others: all is found, nothing
    is sent, and the catalog can prove it from then on."""
    proxy = t.proxy()
    t.write("small", b"abc")
    t.write("empty", b"")
    t.write("one part", os.urandom(5 * MIB))
    t.random_file("whole", 20 * MIB)
    t.random_file("ours", 20 * MIB + 3)
    t.random_file("theirs", 33 * MIB + 1)
    for name in ("small", "empty", "whole"):
        upload(t, name)
    upload(t, "one part", part=5 * MIB)
    upload(t, "ours", part=8 * MIB)
    upload(t, "theirs", part=6 * MIB)
    t.random_file("few", 20 * MIB)  # 16 MiB is a better guess
    upload(t, "few", part=15 * MIB)
    t.put("--adopt", found=7, moved=0, unchanged=7, bytes=0)
    assert not sent(proxy), sent(proxy)
    before = len(proxy.requests())
    t.put(found=7, moved=0, unchanged=7)
    assert len(proxy.requests()) - before < 10
    rows = t.query("SELECT path, part_size, md5 IS NOT NULL FROM objects")
    parts = {r[0].split("/")[-1]: r[1] for r in rows}
    assert parts["ours"] == 8 * MIB and parts["theirs"] == 6 * MIB, parts
    assert not parts["whole"] and not parts["small"], parts
    assert all(r[2] for r in rows), rows
    r = t.run("TEST", "--data_integrity", "--skip_upload", "--json")
    r.counted(found=7, moved=7)


def test_adopt_differs(t):
    """Other bytes, another size, no object: these are sent."""
    proxy = t.proxy()
    t.write("same", b"abc")
    t.write("other bytes", b"abc")
    t.write("other size", b"abcd")
    t.write("missing", b"abc")
    t.random_file("parts", 20 * MIB)
    for name in ("same", "other bytes", "other size", "parts"):
        upload(t, name, part=8 * MIB)
    t.write("other bytes", b"abd")
    t.write("other size", b"abc")
    with open(t.path("parts"), "r+b") as f:
        f.seek(9 * MIB)
        byte = f.read(1)[0]
        f.seek(9 * MIB)
        f.write(bytes([byte ^ 1]))
    t.put("--adopt", found=5, moved=4, unchanged=1)
    t.same()
    keys = {r[1].split("?")[0].rsplit("/", 1)[-1] for r in sent(proxy)}
    assert "same" not in keys, keys


def test_adopt_no_dryrun(t):
    r = t.run("PUT", "--adopt", "--dryrun", expect=2)
    assert "--dryrun and --adopt" in r.err.decode(), r
