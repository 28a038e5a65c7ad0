"""The tools that the other tests judge with are right themselves."""
import os

import truth
from case import s3_client

CASES = {
    b"plain": "plain",
    b"gr\xc3\xbcn": "gr\u00fcn",
    b"\xff": "\ufffdFF",
    b"a\xe2\x82b": "a\ufffdE2\ufffd82b",
    b"\xed\xa0\x80": "\ufffdED\ufffdA0\ufffd80",
    b"\xc0\xaf": "\ufffdC0\ufffdAF",
    b"\xf4\x90\x80\x80": "\ufffdF4\ufffd90\ufffd80\ufffd80",
    b"\xef\xbf\xbd": "\ufffdEF\ufffdBF\ufffdBD",
}


def test_truth_keys(t):
    for name, key in CASES.items():
        assert truth.key_of(name) == key, (name, truth.key_of(name))


def fails(action):
    try:
        action()
    except AssertionError:
        return True
    return False


def test_truth_compare(t):
    """An equal bucket is found equal; each kind of difference is seen."""
    for number, name in enumerate(CASES):
        t.write(b"d/" + name, b"%d" % number)
    path = t.random_file("large", 20 << 20)
    for key, file in t.wanted().items():
        t.s3.upload_file(os.fsdecode(file.path), t.bucket, key)
    wanted = t.same()
    key = t.server + t.share + "/d/plain"
    t.write("d/plain", "x")
    assert fails(t.same), "other content of the same size"
    t.write("d/plain", "0")
    t.same()
    t.write("new", "1")
    assert fails(t.same), "missing object"
    os.unlink(t.path("new"))
    with open(path, "r+b") as f:
        f.seek(9 << 20)
        byte = f.read(1)[0]
        f.seek(9 << 20)
        f.write(bytes([byte ^ 1]))
    assert fails(t.same), "other content in a part"
    t.s3.delete_object(Bucket=t.bucket, Key=t.server + t.share + "/large")
    os.unlink(path)
    t.same()
    t.s3.create_multipart_upload(Bucket=t.bucket, Key="open")
    assert fails(t.same), "open upload"
    assert fails(
        lambda: truth.check_metadata(t.s3, t.bucket, key, wanted[key])
    )


def test_proxy_counts(t):
    """The tool that the other tests count with counts right itself."""
    proxy = t.proxy()
    s3 = s3_client(t.world, proxy.url)
    for i in range(5):
        s3.put_object(Bucket=t.bucket, Key="k%d" % i, Body=b"x" * i)
    s3.head_object(Bucket=t.bucket, Key="k1")
    assert len(truth.objects_in(s3, t.bucket)) == 5
    stats = proxy.stats()
    assert (stats["PUT"], stats["HEAD"], stats["GET"]) == (5, 1, 1), stats
    assert [r[0] for r in proxy.requests()].count("PUT") == 5


def test_nfs_server_closes(t):
    """A file that is deleted on the disk after a client has read it leaves
    the disk: nfs-ganesha doesn't keep it open."""
    path = t.random_file("f", 1 << 20)
    t.conf(fs_config={"nfs_version": "3"})
    t.put(moved=1)
    os.unlink(path)
    opened = "/proc/%d/fd" % t.server_pid("ganesha")
    gone = path + b" (deleted)"

    def closed():
        for number in os.listdir(opened):
            try:
                if os.fsencode(os.readlink(opened + "/" + number)) == gone:
                    return False
            except FileNotFoundError:
                pass
        return True

    t.eventually(closed, what="the deleted file is closed")
