"""client_lib = dss_client: a store of several clusters, here buckets of one
radosgw behind some proxies, whose logs tell what went where."""
import json
import os
import socket

from case import MIB, Proxy, limit
from test_team import Team

MASK = (1 << 64) - 1


def mix(v):
    return v ^ (v >> 47)


def string_hash(data):
    """MurmurHash64A, as the store's own client has it."""
    m = 0xC6A4A7935BD1E995
    h = 0xC70F6907 ^ (len(data) * m & MASK)
    whole = len(data) & ~7
    for i in range(0, whole, 8):
        k = int.from_bytes(data[i : i + 8], "little")
        h = (h ^ (mix(k * m & MASK) * m & MASK)) * m & MASK
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & MASK
    return mix(mix(h) * m & MASK)


def cluster_of(key, count):
    weights = [
        string_hash(str(i).encode() + os.fsencode(key)) & 0xFFFFFFFF
        for i in range(count)
    ]
    return weights.index(max(weights))


class Store:
    """A discovery endpoint, and clusters with so many endpoints each."""

    settings = {
        "client_lib": "dss_client",
        "bucket": None,
        "retry_for": 20,
    }

    def __init__(self, t, endpoints=(2, 1)):
        self.t = t
        self.clusters = []
        self.empty("dss")
        for count in endpoints:
            self.add_cluster(count)
        t.conf(s3_storage=self.settings)
        self.write_map()

    def empty(self, bucket):
        s3 = self.t.s3
        s3.create_bucket(Bucket=bucket)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for page in list(pages):
            for one in page.get("Contents", ()):
                s3.delete_object(Bucket=bucket, Key=one["Key"])

    def add_cluster(self, endpoints=1):
        self.empty("dss%d" % len(self.clusters))
        proxies = []
        for _ in range(endpoints):
            proxies.append(Proxy(self.t, int(self.t.world.s3["S3_PORT"])))
            self.t.proxies.append(proxies[-1])
        self.clusters.append([(p.port, p) for p in proxies])
        return proxies

    def write_map(self):
        text = {
            "version": 1.0,
            "init_time": 5,
            "transport_type": "minio",
            "clusters": [
                {
                    "id": number,
                    "endpoints": [
                        {"ipv4": "127.0.0.1", "port": port}
                        for port, _ in cluster
                    ],
                }
                for number, cluster in enumerate(self.clusters)
            ],
        }
        self.t.s3.put_object(
            Bucket="dss", Key="conf.json", Body=json.dumps(text).encode()
        )

    def objects(self, cluster):
        pages = self.t.s3.get_paginator("list_objects_v2").paginate(
            Bucket="dss%d" % cluster
        )
        return {
            one["Key"]: one["ETag"]
            for page in pages
            for one in page.get("Contents", ())
        }

    def placed(self, keys):
        """Each cluster has its keys, and no others."""
        count = len(self.clusters)
        for cluster in range(count):
            wanted = {k for k in keys if cluster_of(k, count) == cluster}
            assert wanted, "no key for cluster %d: the test is weak" % cluster
            there = set(self.objects(cluster))
            assert there == wanted, "cluster %d: %r" % (
                cluster,
                sorted(there ^ wanted)[:5],
            )

    def requests(self, cluster, *methods):
        """What its endpoints were asked."""
        return [
            r
            for _, proxy in self.clusters[cluster]
            if proxy is not None
            for r in proxy.requests()
            if not methods or r[0] in methods
        ]


def keys_of(result):
    return [r.decode() for r in result.out.splitlines()]


def fill(t, count=60):
    t.small_files(count)
    t.write("empty")
    t.put(moved=count + 1)
    return sorted(t.wanted())


def read(path):
    with open(path, "rb") as f:
        return f.read()


def test_dss_all_operations(t):
    store = Store(t, (2, 1, 1))
    keys = fill(t)
    t.random_file("large", 20 * MIB)
    t.put(moved=1, unchanged=len(keys))
    keys = sorted(t.wanted())
    store.placed(keys)
    # All endpoints of a cluster are used.
    for port, proxy in store.clusters[0]:
        assert proxy.requests(), port
    t.put(unchanged=len(keys), moved=0)
    # One listing of all, in order.
    assert keys_of(t.run("LIST")) == keys
    t.run("TEST", "--data_integrity", "--json").counted(moved=len(keys))
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    t.run("GET", "--dest_path", back, "--json").counted(moved=len(keys))
    root = t.server + t.share + "/"
    for key in keys:
        name = key[len(root) :]
        assert read(os.path.join(back, key)) == read(t.path(name)), key
    out = t.run("DEL", "--yes", "--json", "--prefix", root + "d1/")
    gone = [k for k in keys if k.startswith(root + "d1/")]
    out.counted(moved=len(gone))
    left = [k for k in keys if k not in gone]
    store.placed(left)
    t.run("DEL", "--yes", "--json").counted(moved=len(left))
    assert not any(store.objects(i) for i in range(3))
    assert "astray" not in t.run("LIST").text


def test_dss_multipart_lies_whole(t):
    """Parts, their list and the end of an upload meet in one cluster."""
    store = Store(t, (1, 1))
    for number in range(4):
        t.random_file("large%d" % number, 9 * MIB)
    t.put(moved=4)
    for cluster in range(2):
        for method, target, status in store.requests(cluster):
            assert status in ("200", "204"), (method, target, status)
        uploads = t.s3.list_multipart_uploads(Bucket="dss%d" % cluster)
        assert not uploads.get("Uploads"), uploads
    store.placed(t.wanted())
    t.run("TEST", "--data_integrity", "--json").counted(moved=4)


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_dss_endpoint_down(t):
    """The other endpoint of the cluster takes over."""
    store = Store(t, (1, 1))
    store.clusters[0].insert(0, (closed_port(), None))
    store.clusters[1].append((closed_port(), None))
    store.write_map()
    keys = fill(t)
    store.placed(keys)
    assert keys_of(t.run("LIST")) == keys
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    t.run("GET", "--dest_path", back, "--json").counted(moved=len(keys))
    t.run("TEST", "--data_integrity", "--json").counted(moved=len(keys))
    t.run("DEL", "--yes", "--json").counted(moved=len(keys))
    # The discovery endpoint may be one of several, too.
    t.conf(
        s3_storage={
            "client_lib": "dss_client",
            "bucket": None,
            "endpoint": ["http://127.0.0.1:%d" % closed_port(), t.endpoint],
        }
    )
    assert keys_of(t.run("LIST")) == []


@limit(120)
def test_dss_cluster_down(t):
    """All endpoints of one are down: that is said at the start."""
    store = Store(t, (1, 1))
    keys = fill(t)
    store.clusters[1] = [(closed_port(), None)]
    store.write_map()
    t.write("more", b"1")
    t.conf(s3_storage=dict(store.settings, retry_for=2))
    t.run("PUT", expect=3).says("cluster 1", "dss1")
    t.run("check", expect=3).says("%d: bucket dss1" % store.clusters[1][0][0])
    assert len(store.objects(0)) + len(store.objects(1)) == len(keys)


@limit(120)
def test_dss_cluster_added(t):
    """Keys that belong to the new cluster are found where they are."""
    store = Store(t, (1, 1))
    keys = fill(t, 90)
    t.random_file("large", 20 * MIB)
    t.put(moved=1)
    keys = sorted(t.wanted())
    before = [store.objects(0), store.objects(1)]
    store.add_cluster()
    store.write_map()
    moved = {k for k in keys if cluster_of(k, 3) == 2}
    assert 10 < len(moved) < len(keys)
    said = "%d keys are in another cluster" % len(moved)
    # Unchanged files are not sent again, nor is anything asked for.
    t.put(unchanged=len(keys), moved=0)
    assert store.objects(2) == {}
    asked = store.requests(2, "PUT", "POST", "GET")
    assert not asked, asked
    result = t.run("LIST")
    assert keys_of(result) == keys
    result.says(said)
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    result = t.run("GET", "--dest_path", back, "--json")
    result.counted(moved=len(keys)).says(said)
    root = t.server + t.share + "/"
    for key in keys:
        name = key[len(root) :]
        assert read(os.path.join(back, key)) == read(t.path(name)), key
    result = t.run("TEST", "--data_integrity", "--json")
    result.counted(moved=len(keys)).says("another cluster")
    # A file that changes goes to the new cluster, and is what counts.
    old = sorted(k for k in moved if not k.endswith("large"))[0]
    t.write(old[len(root) :], b"new bytes")
    t.put(moved=1, unchanged=len(keys) - 1)
    assert list(store.objects(2)) == [old]
    assert old in before[0] or old in before[1]
    rows = t.run("LIST", "--json").out.decode().splitlines()
    rows = [json.loads(r) for r in rows[:-1]]
    assert [r["key"] for r in rows] == keys
    assert [r["size"] for r in rows if r["key"] == old] == [9]
    t.run("GET", "--dest_path", back, "--json")
    assert read(os.path.join(back, old)) == b"new bytes"
    # New metadata is kept where the object is.
    other = sorted(k for k in moved if not k.endswith("large"))[1]
    os.utime(t.path(other[len(root) :]), (1, 1))
    t.put(unchanged=len(keys), moved=0)
    assert list(store.objects(2)) == [old]
    # What is deleted is deleted wherever it is.
    t.run("DEL", "--yes", "--json").counted(moved=len(keys))
    assert not any(store.objects(i) for i in range(3))


def test_dss_mirror_after_added(t):
    """PUT --delete deletes what it put, also at its old place."""
    store = Store(t, (1, 1))
    keys = fill(t, 40)
    store.add_cluster()
    store.write_map()
    moved = sorted(k for k in keys if cluster_of(k, 3) == 2)
    root = t.server + t.share + "/"
    os.unlink(t.path(moved[0][len(root) :]))
    t.put("--delete", unchanged=len(keys) - 1)
    left = [k for i in range(3) for k in store.objects(i)]
    assert sorted(left) == [k for k in keys if k != moved[0]]


def test_dss_upload_goes_on_after_added(t):
    """An upload that was cut goes on, and ends, in the cluster where it
    began."""
    store = Store(t, (1, 1))
    names = ["large%d" % i for i in range(30)]
    root = t.server + t.share + "/"
    name = [
        n
        for n in names
        if cluster_of(root + n, 3) == 2 and cluster_of(root + n, 2) == 0
    ][0]
    t.random_file(name, 40 * MIB)
    proxy = store.clusters[0][0][1]
    t.conf(
        s3_storage={
            "client_lib": "dss_client",
            "bucket": None,
            "max_inflight": 1,
        },
        general={"bwlimit": "16MiB"},
    )
    running = t.start("PUT", "--thread", "1")

    def parts():
        return len([r for r in proxy.requests() if "partNumber=" in r[1]])

    # They needn't come in their order.
    t.eventually(lambda: parts() >= 2, what="two parts")
    running.kill()
    running.wait()
    store.add_cluster()
    store.write_map()
    sent = parts()
    t.put(moved=1)
    again = parts()
    assert 0 < again - sent <= 3, (sent, again)
    asked = store.requests(2, "PUT")
    assert not asked, asked
    assert store.objects(2) == {}
    assert list(store.objects(0)) == [root + name]
    for cluster in range(3):
        uploads = t.s3.list_multipart_uploads(Bucket="dss%d" % cluster)
        assert not uploads.get("Uploads"), uploads
    t.run("TEST", "--data_integrity", "--json").counted(moved=1)


def test_dss_map_is_wrong(t):
    store = Store(t, (1,))
    t.small_files(3)
    for body, status, words in (
        (b"{", 2, "cluster map dss/conf.json:1:"),
        (b'{"clusters": []}', 2, "no \"clusters\""),
        (b'{"clusters": [{"id": 1}]}', 2, "from 0 to 0"),
        (b" " * (MIB + 1), 2, "over 1 MiB"),
    ):
        t.s3.put_object(Bucket="dss", Key="conf.json", Body=body)
        for verb in (["PUT"], ["LIST"], ["check"]):
            expect = 3 if verb == ["check"] else status
            t.run(*verb, expect=expect).says(words)
    t.s3.delete_object(Bucket="dss", Key="conf.json")
    t.run("PUT", expect=3).says("conf.json", "missing", "discovery endpoint")
    store.write_map()
    t.run("PUT", "--bucket", "other", expect=2).says("--bucket")
    t.put(moved=3)


def test_dss_check(t):
    store = Store(t, (2, 1))
    result = t.run("check")
    result.says("2 clusters", "bucket dss0 is there", "bucket dss1 is there")
    for cluster in store.clusters:
        for port, _ in cluster:
            result.says("127.0.0.1:%d" % port)
    assert not store.objects(0) and not store.objects(1)


def test_dss_config_json(t):
    """The original's file names it, and a bucket that means nothing."""
    store = Store(t, (1, 1))
    t.small_files(20)
    path = os.path.join(t.dir, "config.json")
    host = t.endpoint.replace("http://", "")
    settings = {
        "fs_config": {
            "nfs": {t.server: [t.share]},
            "nfsport": int(t.world.nfs["NFS_PORT"]),
            "mountport": int(t.world.nfs["MNT_PORT"]),
            "server_as_prefix": "yes",
        },
        "s3_storage": {
            "minio": {
                "url": host,
                "access_key": t.key,
                "secret_key": t.secret,
            },
            "bucket": "bucket",
            "client_lib": "dss_client",
        },
        "catalog": {"path": t.catalog},
        "logging": {"path": t.logs},
    }
    with open(path, "w") as f:
        json.dump(settings, f)
    os.chmod(path, 0o600)
    result = t.run("PUT", "--json", "--config", path, config=False)
    result.counted(moved=20).says("bucket: passed over")
    store.placed(t.wanted())


@limit(120)
def test_dss_client_hosts(t):
    """A client gets the map from the master. One, as a second might come when
    the run is over."""
    store = Store(t, (1, 1))
    t.small_files(300)
    t.random_file("large", 40 * MIB)
    keys = sorted(t.wanted())
    team = Team(t, s3_storage=store.settings)
    team.end(team.start("PUT", "--json", clients=1))
    store.placed(keys)
    assert '"found":301,"moved":301,' in t.started_text(), t.started_text()
    for cluster in range(2):
        uploads = t.s3.list_multipart_uploads(Bucket="dss%d" % cluster)
        assert not uploads.get("Uploads"), uploads
    # Objects that lie where they belonged before are fetched and deleted.
    store.add_cluster()
    store.write_map()
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    team.end(team.start("GET", "--dest_path", back, "--json", clients=1))
    root = t.server + t.share + "/"
    for key in keys:
        name = key[len(root) :]
        assert read(os.path.join(back, key)) == read(t.path(name)), key
    team.end(team.start("DEL", "--yes", clients=1))
    assert not any(store.objects(i) for i in range(3))
    text = "".join(team.text(i) for i in range(len(team.clients)))
    assert text.count("client DEL: works for") == 1, text


def test_dss_adopt(t):
    """What the original stored is taken over, also where a cluster came
    later."""
    store = Store(t, (1, 1))
    t.small_files(40)
    keys = t.wanted()
    for key, file in keys.items():
        t.s3.put_object(
            Bucket="dss%d" % cluster_of(key, 2), Key=key, Body=read(file.path)
        )
    store.add_cluster()
    store.write_map()
    t.put("--adopt", found=40, moved=0, unchanged=40)
    assert store.objects(2) == {}
    t.put(found=40, moved=0, unchanged=40)
    t.run("TEST", "--data_integrity", "--json").counted(moved=40)
