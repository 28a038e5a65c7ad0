"""Killed anywhere, the same command finishes, and nothing is done twice."""
import collections
import os
import random
import signal
import sqlite3
import time

from case import MIB, Skip, limit


def stored_twice(requests):
    """Keys that were acknowledged more than once as a whole object."""
    puts = collections.Counter(
        target
        for method, target, status in requests
        if method == "PUT" and status == "200" and "?" not in target
    )
    return {key: n for key, n in puts.items() if n > 1}


def parts_sent(proxy):
    return sum(
        1
        for method, target, status in proxy.requests()
        if method == "PUT" and status == "200" and "partNumber" in target
    )


@limit(120)
def test_ctrl_c(t):
    """SIGINT ends it within seconds with everything recorded, exit 130."""
    proxy = t.proxy()
    proxy.order("match PUT delay 50 200")
    proxy.order("match PUT delay 2000")
    t.small_files(1500)
    process = t.start("PUT", "--json")
    t.eventually(lambda: proxy.stats()["PUT"] > 100, what="PUT began")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130, t.started_text()
    assert time.monotonic() - begun < 10 * t.world.slowness
    done = len(t.objects())
    assert 100 <= done < 1500, done
    rows = t.query("SELECT count(*) FROM objects WHERE state = 'stored'")
    assert rows[0][0] == done, (rows, done)
    proxy.order("pass")
    t.put(found=1500, moved=1500 - done, unchanged=done)
    t.same(whole=3)
    twice = stored_twice(proxy.requests())
    assert not twice, twice


def cut(t, proxy, least):
    """Interrupt a PUT when this many objects have been sent."""
    proxy.order("match PUT delay 50 %d" % least)
    proxy.order("match PUT delay 2000")
    sent = proxy.stats()["PUT"]
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["PUT"] > sent + least, what="PUTs")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130, t.started_text()
    proxy.order("pass")


def older(t, hours):
    """What the catalog knows was seen so much earlier."""
    catalog = sqlite3.connect(t.catalog)
    ns = hours * 3600 * 10**9
    with catalog:
        catalog.execute("UPDATE dir SET read_ns = read_ns - %d" % ns)
        catalog.execute(
            "UPDATE run SET started_ns = started_ns - %d, updated_ns = "
            "updated_ns - %d, ended_ns = ended_ns - %d" % (ns, ns, ns)
        )
    catalog.close()


@limit(120)
def test_cut_for_days(t):
    """Six runs, cut 20 hours apart: what changed in the meantime is in the
    bucket when the last one ends well."""
    proxy = t.proxy()
    t.small_files(1500)
    for night in range(6):
        cut(t, proxy, 100)
        t.write("d0/f", "night %d" % night)
        t.write("d1/new%d" % night, "new")
        older(t, 20)
    result = t.put(failed=0)
    assert result.json["continues"] == 1, result
    assert result.json["continues_since"].endswith("Z"), result
    assert result.json["dirs_taken_over"] >= 0, result
    result.says("it went on with run 1", "goes on with run 1, which was cut")
    t.same()


@limit(120)
def test_cut_and_fresh(t):
    """Within a day what was read counts; --fresh reads it again."""
    proxy = t.proxy()
    t.small_files(1500)
    cut(t, proxy, 100)
    t.write("d0/late", "x")
    t.put("--fresh", found=1501)
    t.same()
    t.small_files(1500, size=7)
    cut(t, proxy, 100)
    t.write("d0/later", "x")
    result = t.put("--quiet", found=1501)
    assert "goes on" not in result.text, result
    assert result.json["dirs_taken_over"] > 0, result
    result = t.put(found=1502, moved=1)
    assert "continues" not in result.json, result
    t.same()


@limit(120)
def test_cut_and_other_settings(t):
    """A crawl that skipped a directory, or didn't compare ctime, is begun
    anew where the settings say otherwise."""
    proxy = t.proxy()
    store = {"endpoint": proxy.url}
    t.write("d0/changed", "old", mtime=10**18)
    t.put()
    time.sleep(6)
    t.write("d0/changed", "new", mtime=10**18)
    for setting, other in (("ctime", "ignore"), ("skip_dir", "skipped")):
        t.write("d0/skipped/" + setting, "x")
        t.small_files(300, size=len(setting))
        t.conf(fs_config={setting: other}, s3_storage=store)
        cut(t, proxy, 60)
        t.conf(s3_storage=store)
        result = t.put(failed=0)
        assert "continues" not in result.json, (setting, result)
        t.same()


@limit(120)
def test_ctrl_c_multipart(t):
    """The parts that arrived before Ctrl-C aren't sent again. What may still
    end after it, in five seconds, is far from the whole file."""
    proxy = t.proxy()
    t.random_file("large", 160 * MIB)
    proxy.order("rate 8000000")
    process = t.start("PUT")
    t.eventually(lambda: parts_sent(proxy) >= 6, what="six parts")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130, t.started_text()
    proxy.order("pass")
    t.put(found=1, moved=1)
    t.same()
    assert parts_sent(proxy) <= 21, "%d parts for 20" % parts_sent(proxy)


@limit(120)
def test_kill_multipart(t):
    """kill -9: the upload goes on with the parts that the server has."""
    proxy = t.proxy()
    t.random_file("large", 160 * MIB)
    proxy.order("match PUT,partNumber delay 0 6")
    proxy.order("match PUT,partNumber delay 600000")
    process = t.start("PUT")
    t.eventually(lambda: parts_sent(proxy) >= 6, what="six parts")
    process.kill()
    process.wait()
    assert len(t.uploads()) == 1
    proxy.order("pass")
    t.put(found=1, moved=1)
    t.same()
    creates = [r for r in proxy.requests() if r[1].endswith("?uploads=")
               or r[1].endswith("?uploads")]
    posts = [r for r in creates if r[0] == "POST"]
    assert len(posts) == 1, posts
    assert parts_sent(proxy) <= 22, "%d parts for 20" % parts_sent(proxy)


@limit(120)
def test_kill_multipart_file_changed(t):
    """The file is another one now: its old parts are of no use."""
    proxy = t.proxy()
    t.random_file("large", 80 * MIB)
    proxy.order("rate 20000000")
    process = t.start("PUT")
    t.eventually(lambda: parts_sent(proxy) >= 3, what="three parts")
    process.kill()
    process.wait()
    proxy.order("pass")
    t.random_file("large", 80 * MIB)
    t.put(found=1, moved=1)
    t.same()


@limit(120)
def test_kill_among_orphans(t):
    """The answer of CreateMultipartUpload was lost, another upload was begun,
    and the kill comes while the first is looked for: none stays open."""
    proxy = t.proxy()
    t.random_file("large", 12 * MIB)
    proxy.order("match POST,?uploads swallow-reply 1")
    proxy.order("match GET,uploads drop")
    listed = proxy.stats()["GET"]
    process = t.start("PUT")
    t.eventually(lambda: len(t.uploads()) == 2, what="two uploads")
    t.eventually(lambda: proxy.stats()["GET"] > listed, what="the listing")
    time.sleep(0.5)  # what was said so far is committed
    process.kill()
    process.wait()
    proxy.order("pass")
    t.put(found=1, moved=1)
    t.same()
    assert t.uploads() == []
    assert t.query("SELECT count(*) FROM uploads") == [(0,)]


def test_foreign_upload_stays(t):
    """An upload that isn't ours isn't aborted."""
    key = t.server + t.share + "/large"
    made = t.s3.create_multipart_upload(Bucket=t.bucket, Key=key)
    time.sleep(1.1)
    t.random_file("large", 20 * MIB)
    t.put(moved=1)
    t.put(unchanged=1)
    assert t.uploads() == [key]
    t.s3.abort_multipart_upload(
        Bucket=t.bucket, Key=key, UploadId=made["UploadId"]
    )
    t.same()


@limit(120)
def test_settled_after_kill(t):
    """What S3 acknowledged before the kill isn't sent again, even if the
    kill came before it was recorded, or two of them came."""
    proxy = t.proxy()
    proxy.order("match PUT delay 5")
    for kills in (1, 1, 1, 2, 2, 3):
        t.small_files(800, size=500)
        begun = len(proxy.requests())
        for _ in range(kills):
            sent = proxy.stats()["PUT"] + 30
            process = t.start("PUT")
            t.eventually(lambda: proxy.stats()["PUT"] >= sent, what="PUT")
            process.kill()
            process.wait()
        t.put(found=800, failed=0)
        t.same(whole=2)
        twice = stored_twice(proxy.requests()[begun:])
        # What was under way in the moment of the kill may have been
        # stored after the next run looked for it.
        assert len(twice) <= 8 * kills, "%d after %d kills" % (
            len(twice),
            kills,
        )


@limit(240)
def test_thirty_kills(t):
    """kill -9 at 30 moments of one PUT with small and multipart files; SEED
    in the environment chooses others."""
    proxy = t.proxy()
    proxy.order("rate 25000000")
    t.small_files(2500, directories=25, size=500)
    for i in range(6):
        t.random_file("large%d" % i, (17 + i) * MIB + i)
    moments = random.Random(os.environ.get("SEED", "1"))
    survived = 0
    for kill in range(30):
        process = t.start("PUT")
        time.sleep(moments.uniform(0.02, 0.35) * t.world.slowness)
        if process.poll() is None:
            process.kill()
        elif process.returncode == 0:
            survived += 1
        assert process.wait() in (0, -signal.SIGKILL), t.started_text()
    assert survived < 15, "it was done too soon for %d kills" % survived
    proxy.order("pass")
    t.put(found=2506, failed=0)
    t.same()
    t.put(found=2506, moved=0, unchanged=2506)
    twice = stored_twice(proxy.requests())
    assert len(twice) <= 30, "%d objects were sent twice" % len(twice)


@limit(200)
def test_kills_in_the_crawl(t):
    """Killed while it still crawls: the crawl goes on where it was."""
    for i in range(3000):
        t.write("d%d/e%d/f%d" % (i % 10, i % 100, i), str(i))
    for delay in (0.01, 0.02, 0.04, 0.08, 0.12, 0.16, 0.2):
        process = t.start("PUT")
        time.sleep(delay * t.world.slowness)
        process.kill()
        process.wait()
    t.put(found=3000, failed=0)
    t.same(whole=3)


@limit(120)
def test_kill_then_change(t):
    """What changed, came and went between the kill and the next run."""
    proxy = t.proxy()
    proxy.order("match PUT delay 50")
    t.small_files(600)
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["PUT"] > 100, what="PUT began")
    process.kill()
    process.wait()
    proxy.order("pass")
    before = t.wanted()
    for i in range(0, 600, 3):
        t.write("d%d/f%d" % (i % 4, i), "changed %d" % i)
    for i in range(1, 600, 3):
        os.unlink(t.path("d%d/f%d" % (i % 4, i)))
    t.write("new", "1")
    for _ in range(2):
        t.run("PUT", "--json").counted(failed=0)
    wanted = t.wanted()
    have = set(t.objects())
    assert have <= set(wanted) | set(before), have - set(before)
    # What was sent before it was removed from the tree stays.
    for key in have - set(wanted):
        t.s3.delete_object(Bucket=t.bucket, Key=key)
    t.same(wanted)


@limit(300)
def test_memory(t):
    """A large file with --limit-memory 64M: resident memory stays below."""
    if t.world.slowness > 1:
        raise Skip("a sanitizer's memory says nothing")
    path = t.path("large")
    with open(path, "wb") as f:
        for i in range(512):
            f.write(bytes([i & 255]) * MIB)
    process = t.start("PUT", "--limit-memory", "64M")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, t.started_text()
    assert usage.ru_maxrss < 64 * 1024, "%d KiB resident" % usage.ru_maxrss
    t.same()
