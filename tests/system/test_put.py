"""PUT over every way to the files and to the bucket."""
import os
import subprocess

import stack
import truth
from case import MIB, Skip, limit


def some_files(t):
    t.write("one", "1" * 1000)
    t.write("dir/two", "2" * 5000)
    t.write("dir/deeper/three", "3" * 70000)
    t.write("dir/deeper/empty")
    return 4


def put_and_compare(t):
    count = some_files(t)
    t.put(found=count, moved=count, unchanged=0, failed=0, excluded=0)
    t.same()
    t.put(found=count, moved=0, unchanged=count)


def test_put_v3(t):
    t.conf(fs_config={"nfs_version": "3"})
    put_and_compare(t)


def test_put_v4(t):
    t.conf(fs_config={"nfs_version": "4"})
    put_and_compare(t)


def test_put_auto(t):
    t.conf(fs_config={"nfs_version": "auto"})
    put_and_compare(t)


def test_put_mounted(t):
    """A mounted path; the key has the server as it does over NFS."""
    count = some_files(t)
    t.conf(nfs=[("filer", [t.tree])], fs_config={"mounted": "yes"})
    t.put(found=count, moved=count)
    t.same(t.wanted(prefix="filer" + t.tree))
    t.put(found=count, moved=0, unchanged=count)


def test_put_https(t):
    count = some_files(t)
    endpoint = "https://127.0.0.1:" + t.world.s3["S3_TLS_PORT"]
    ca = t.world.s3["S3_CA"]
    t.conf(s3_storage={"endpoint": endpoint, "ca_file": ca})
    t.random_file("large", 20 * MIB + 1)
    t.put(found=count + 1, moved=count + 1)
    t.same()


def test_put_https_unknown_ca(t):
    """A certificate that nobody vouches for: nothing is sent."""
    some_files(t)
    endpoint = "https://127.0.0.1:" + t.world.s3["S3_TLS_PORT"]
    t.conf(s3_storage={"endpoint": endpoint})
    t.run("PUT", expect=2).says("certificate", "ca_file")
    assert not t.objects()


def test_put_https_no_certificates(t):
    """A ca_file that is not there, or holds none, is named."""
    some_files(t)
    endpoint = "https://127.0.0.1:" + t.world.s3["S3_TLS_PORT"]
    t.conf(s3_storage={"endpoint": endpoint, "ca_file": "/nonexistent.pem"})
    t.run("PUT", expect=2).says("ca_file", "/nonexistent.pem")
    t.conf(s3_storage={"endpoint": endpoint, "ca_file": "/etc/hostname"})
    t.run("PUT", expect=2).says("ca_file")
    assert not t.objects()


def test_put_virtual_host(t):
    count = some_files(t)
    endpoint = "http://localhost:" + t.world.s3["S3_PORT"]
    t.conf(s3_storage={"endpoint": endpoint, "path_style": "no"})
    t.put(found=count, moved=count)
    t.same()


def test_put_signed_payload(t):
    count = some_files(t)
    t.conf(s3_storage={"sign_payload": "yes"})
    t.random_file("large", 20 * MIB + 1)
    t.put(found=count + 1, moved=count + 1)
    t.same()


def test_put_several_endpoints(t):
    """Two doors to one store: both are used."""
    first = t.proxy()
    other = t.proxy()
    t.conf(s3_storage={"endpoint": [first.url, other.url]})
    t.small_files(200)
    t.put(found=200, moved=200)
    t.same()
    assert first.stats()["PUT"] > 20 and other.stats()["PUT"] > 20


def test_put_empty_tree(t):
    t.put(found=0, moved=0, failed=0, excluded=0)
    os.makedirs(t.path("a/b/c"))
    t.put(found=0, moved=0, failed=0, excluded=0)
    assert not t.objects()


def crc64nvme(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x9A6C9329AC4BC9B5 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFFFFFFFFFF


def test_put_sizes(t):
    """Sizes around what one NFS READ, one part and a few parts hold."""
    edges = (1, 4096, 64 << 10, 128 << 10, 512 << 10, MIB, 8 * MIB, 16 * MIB)
    for size in edges:
        for d in (-1, 0, 1):
            t.random_file("size-%d" % (size + d), size + d)
    t.put(moved=3 * len(edges), failed=0)
    t.same(whole=3 * len(edges))
    for path, crc64 in t.query(
        "SELECT path, crc64 FROM objects WHERE size <= 524288"
    ):
        with open(t.path(os.path.basename(path)), "rb") as file:
            assert crc64 == "%016x" % crc64nvme(file.read()), path


def multipart(t, version):
    t.conf(fs_config={"nfs_version": version})
    t.random_file("large", 40 * MIB + 12345)
    t.put(found=1, moved=1, bytes=40 * MIB + 12345)
    wanted = t.same()
    etag = t.objects()[list(wanted)[0]][1]
    assert "-" in etag, "not multipart: " + etag
    key, file = list(wanted.items())[0]
    md5, stored = t.query("SELECT md5, etag FROM objects")[0]
    if isinstance(md5, bytes):
        md5 = md5.hex()
    assert md5 == file.digest(), "the catalog's md5 is of the whole file"
    assert stored.strip('"') == etag
    # Again in one piece: the CRC of the whole is that of the parts, joined.
    before = t.query("SELECT crc64 FROM objects")
    t.conf(
        fs_config={"nfs_version": version}, s3_storage={"part_size": "64MiB"}
    )
    os.link(t.path("large"), t.path("again"))
    t.put(found=2, moved=1, unchanged=1)
    assert t.query("SELECT crc64 FROM objects") == 2 * before
    os.unlink(t.path("again"))
    t.put(found=1, moved=0, unchanged=1)


def test_put_multipart_v3(t):
    multipart(t, "3")


def test_put_multipart_v4(t):
    multipart(t, "4")


def test_put_metadata(t):
    """mtime to the nanosecond, mode and owner travel with the object."""
    files = {
        "new": 1700000000123456789,
        "old": 86399000000001,
        "whole": 1500000000000000000,
    }
    for name, mtime in files.items():
        path = t.write(name, name)
        os.chmod(path, 0o640)
        os.chown(path, 1234, 5678)
        os.utime(path, ns=(mtime, mtime))
    path = t.random_file("large", 20 * MIB)
    os.chmod(path, 0o4711)
    t.put(moved=4)
    for key, file in t.wanted().items():
        truth.check_metadata(t.s3, t.bucket, key, file)


def test_put_several_servers(t):
    """Two servers, three exports, one run; v3 and v4."""
    other = os.path.join(t.dir, "stack2")
    tree = os.path.join(t.dir, "other")
    os.mkdir(tree)
    stack.script(
        "nfs-up",
        STACK=other,
        NFS_EXPORTS=tree,
        NFS_ADDR="127.0.0.2",
        NFS_PORT=t.world.nfs["NFS_PORT"],
        MNT_PORT=t.world.nfs["MNT_PORT"],
    )
    second = os.path.join(t.world.second_export, t.name)
    os.mkdir(second)
    count = some_files(t)
    for root, text in ((second, "second"), (tree, "other")):
        with open(os.path.join(root, "one"), "w") as f:
            f.write(text)
    wanted = t.wanted()
    wanted.update(t.wanted(second, "127.0.0.1/exp2/" + t.name))
    wanted.update(t.wanted(tree, "127.0.0.2/other"))
    nfs = [
        ("127.0.0.1", [t.share, "/exp2/" + t.name]),
        ("127.0.0.2", ["/other"]),
    ]
    t.conf(nfs=nfs, fs_config={"nfs_version": "3"})
    t.put(found=count + 2, moved=count + 2)
    t.same(wanted)
    t.conf(nfs=nfs, fs_config={"nfs_version": "4"})
    t.put(found=count + 2, moved=0, unchanged=count + 2)


def test_put_server_as_prefix_no(t):
    count = some_files(t)
    t.conf(fs_config={"server_as_prefix": "no"})
    t.put(found=count, moved=count)
    t.same(t.wanted(prefix=t.share[1:]))


def test_put_server_as_prefix_option(t):
    """The option goes before the file, and the keys are other objects."""
    count = some_files(t)
    t.put("--server-as-prefix", "no", moved=count)
    t.same(t.wanted(prefix=t.share[1:]))


@limit(120)
def test_put_many(t):
    """More files than a page, a lease or a batch holds."""
    t.small_files(6000, directories=30, size=20)
    for i in range(3000):
        t.write("wide/%05d" % i, "x")
    t.conf(master={"workers": 4})
    t.put(found=9000, moved=9000)
    t.same(whole=5)
    t.put(found=9000, moved=0, unchanged=9000)


def test_put_deep(t):
    """A path of 900 bytes: 100 directories deep."""
    name = "/".join(["abcdefgh"] * 100) + "/f"
    t.write(name, "deep")
    t.put(found=1, moved=1)
    t.same()


def test_put_snapshots_left_out(t):
    t.write("f", "1")
    t.write(".snapshot/hourly/f", "old")
    t.write("d/.zfs/snapshot/x/f", "old")
    result = t.put(moved=1, failed=0)
    t.same(t.wanted(skip=(b".snapshot", b".zfs")))
    assert result.json["excluded"] in (0, 2), result


def test_sizes_beyond_numbers(t):
    """Three sparse files whose sizes together are more than a number holds:
    each fails for itself, and no run is hurt, then or later."""
    disk = os.path.join(t.dir, "disk")
    os.mkdir(disk)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", disk]
    if subprocess.run(mount).returncode:
        raise Skip("tmpfs cannot be mounted here")
    try:
        for name in ("a", "b", "c", "small"):
            with open(os.path.join(disk, name), "w") as f:
                f.truncate(1 if name == "small" else 13 << 59)
        t.conf(nfs=[("filer", [disk])], fs_config={"mounted": "yes"})
        t.put(expect=1, found=4, moved=1, failed=3)
        t.put(expect=1, found=4, unchanged=1, failed=3)
        t.run("PUT", "--retry-failed", expect=1)
        t.run("report", "--output", os.path.join(t.dir, "report.html"))
        for name in ("a", "b", "c"):
            os.unlink(os.path.join(disk, name))
        t.put(found=1, unchanged=1, failed=0)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
