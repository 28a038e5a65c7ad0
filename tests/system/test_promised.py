"""Settings and options that the original had and never went by: each is
ignored at the price of a failed test."""
import os
import sqlite3

from case import MIB

LEASES = (
    "SELECT l.id, count(*), sum(o.size) FROM lease l"
    " JOIN todo t ON t.id BETWEEN l.first AND l.last"
    " JOIN object o ON o.id = t.object GROUP BY l.id"
)


def leases(t, wanted):
    try:
        rows = t.query(LEASES)
    except sqlite3.OperationalError:
        return None  # it is still made
    return rows if len(rows) >= wanted else None


def batches(t, wanted, *arguments, **sections):
    """The batches of work of a PUT that S3 holds up, as (objects, bytes),
    when the catalog has so many of them."""
    proxy = t.proxy(**sections)
    proxy.order("match PUT delay 60000")
    process = t.start("PUT", *arguments)
    try:

        rows = t.eventually(
            lambda: leases(t, wanted), what="%d batches" % wanted
        )
    finally:
        process.kill()
        process.wait()
    return [(count, size) for _, count, size in rows]


def test_promised_master_max_index_size(t):
    t.small_files(100, directories=1)
    found = batches(t, 3, master={"max_index_size": 10})
    assert max(count for count, _ in found) == 10, found


def test_promised_client_max_index_size(t):
    t.small_files(100, directories=1)
    found = batches(
        t, 3, master={"max_index_size": 10}, client={"max_index_size": 7}
    )
    assert max(count for count, _ in found) == 7, found


def test_promised_client_may_leave_it_to_the_master(t):
    t.small_files(100, directories=1)
    found = batches(
        t, 3, master={"max_index_size": 9}, client={"max_index_size": 0}
    )
    assert max(count for count, _ in found) == 9, found


def test_promised_master_size(t):
    """A batch has at most so many bytes; a larger file is one of its own."""
    for number in range(9):
        t.random_file("d/f%d" % number, MIB)
    t.random_file("d/f9", 5 * MIB)
    found = batches(t, 3, master={"size": "3MiB"})
    for count, size in found:
        assert size <= 3 * MIB or count == 1, found
    assert max(count for count, _ in found) == 3, found


def connections(port):
    """How many connections to this port are established."""
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return sum(
        int(r[2].split(":")[1], 16) == port and r[3] == "01" for r in rows
    )


def test_promised_thread(t):
    """So many workers, each with one request when that is all it may have."""
    t.small_files(400, directories=20)
    for number in (1, 7):
        proxy = t.proxy(s3_storage={"max_inflight": 1})
        proxy.order("match PUT delay 60000")
        process = t.start("PUT", "-t", str(number))
        try:
            t.eventually(
                lambda: connections(proxy.port) == number,
                what="%d requests at once" % number,
            )
            # By now all that would begin had the time to.
            t.eventually(
                lambda: os.path.exists(t.catalog)
                and t.query("SELECT count(*) FROM object") == [(400,)],
                what="the crawl",
            )
            assert connections(proxy.port) == number
        finally:
            process.kill()
            process.wait()
        for end in ("", "-wal", "-shm"):
            os.unlink(t.catalog + end)


def test_promised_bucket(t):
    """--bucket, in each operation."""
    other = t.bucket[:50] + "-other"
    t.s3.create_bucket(Bucket=other)
    t.small_files(10)

    def there():
        listing = t.s3.list_objects_v2(Bucket=other)
        return sorted(o["Key"] for o in listing.get("Contents", ()))

    t.put("-b", other, moved=10)
    assert there() == sorted(t.wanted()) and not t.objects()
    listed = t.run("LIST", "-b", other).out.decode().splitlines()
    assert sorted(listed) == there()
    assert not t.run("LIST").out
    test = ("TEST", "-di", "--json", "-su")
    t.run(*test, "-b", other).counted(moved=10)
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    t.run("GET", "-dp", back, "--json").counted(moved=0)
    t.run("GET", "-dp", back, "--json", "-b", other).counted(moved=10)
    t.put(moved=10)
    t.run("DEL", "--yes", "-b", other)
    assert not there() and len(t.objects()) == 10


def test_promised_operations(t):
    """What isn't listed is refused, before anything is looked at."""
    t.small_files(5)
    t.put(moved=5)
    back = os.path.join(t.dir, "back")
    os.mkdir(back)
    runs = {
        "PUT": [],
        "LIST": [],
        "GET": ["--dest_path", back],
        "DEL": ["--yes", "--prefix", t.server + t.share + "/d0/"],
        "TEST": ["--data_integrity"],
    }
    for allowed in (["LIST"], ["PUT", "GET"], ["DEL", "LIST"]):
        t.conf(general={"operation": allowed})
        for verb, more in runs.items():
            may = verb in allowed or (verb == "TEST" and "PUT" in allowed)
            result = t.run(verb, *more, expect=0 if may else 2)
            if not may:
                result.says(verb, "operation")


def test_promised_dryrun_reads(t):
    """Every byte is read, none is sent, and the speed is told."""
    t.conf(fs_config={"uid": 1000, "gid": 1000})
    t.random_file("large", 20 * MIB)
    t.small_files(50)
    size = sum(f.size for f in t.wanted().values())
    proxy = t.proxy(fs_config={"uid": 1000, "gid": 1000})
    result = t.put("--dryrun", moved=51)
    assert result.json["bytes"] == size, result
    result.says("MiB/s")
    assert not proxy.requests() and not t.objects()
    os.chmod(t.path("large"), 0)
    t.put("-dr", expect=1, moved=50, failed=1)
    # It left nothing behind that a later run would believe.
    os.chmod(t.path("large"), 0o644)
    t.put(moved=51)


def test_promised_thread_of_list_and_del(t):
    """So many requests at once; all keys come and go all the same."""
    t.small_files(2500, directories=3)
    t.put(moved=2500)
    keys = sorted(t.objects())
    for number in ("1", "3"):
        listed = t.run("LIST", "-t", number, "-pro", "-dr")
        assert listed.out.decode().splitlines() == keys
    t.run("DEL", "--yes", "-t", "1", "--json").counted(moved=2500)
    assert not t.objects()
