#!/usr/bin/python3
"""Stores of all kinds: one story (put, put again, list, get, verify, adopt,
delete, a kill in the middle) told to a stand-in whose traits are switched.

    stores.py [--build=DIRECTORY]            each trait, and sets of them in
                                             which every pair comes up
    stores.py --pairs                        each pair by itself: a long sweep
    stores.py --seed=N                       other sets
    stores.py --table                        print the table of the manual
    stores.py TRAIT[,TRAIT...] ...           these

The stand-in is tests/bench/sink.c, its traits are in sink_traits.h, each with
the page or thread that tells of it. What a run cannot do on such a store is in
CANNOT; datamover-stores(7) has the table, which is compared with this one.
"""
import concurrent.futures
import itertools
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MIB = 1 << 20
SHARE = "share"

STEPS = {
    "check": "check",
    "put": "PUT",
    "resume": "a killed PUT goes on with the parts that are there",
    "paced": "PUT --bwlimit",
    "again": "PUT again: nothing is sent",
    "list": "LIST",
    "get": "GET with the catalog",
    "alone": "GET without the catalog",
    "head": "TEST --mode head",
    "full": "TEST --mode full",
    "sample": "TEST --mode sample",
    "adopt": "PUT --adopt of what the bucket has",
    "refresh": "new times of a file, its bytes as before",
    "delete": "PUT --delete of a file that is gone",
    "del": "DEL",
}

# What does not work on a store, and why; the set is of traits that must all be
# there. Nothing in here may lose or damage data: such a step says so and ends
# with a status other than 0, or does more work than on other stores.
NO_DIGEST = "its ETag is no digest: only the catalog can prove it"
SENT_AGAIN = "nothing proves what the bucket has: it is sent"
NO_ORDER = "ends with that reason: absence needs an order of keys"
NO_PROOF = "nothing proves what such a store holds: nothing counts as stored"
CANNOT = {
    (("list-mixed",), "head"): NO_ORDER,
    (("list-mixed",), "full"): NO_ORDER,
}
for trait in "etag-opaque", "etag-multi", "etag-long", "etag-dash", "kms":
    CANNOT[(trait,), "alone"] = NO_DIGEST
    CANNOT[(trait,), "adopt"] = SENT_AGAIN
    CANNOT[(trait, "md5-ignored"), "check"] = NO_PROOF
    CANNOT[(trait, "md5-ignored"), "put"] = NO_PROOF

# Of each group a store has one.
GROUPS = [
    ["etag-opaque", "etag-multi", "etag-long", "etag-dash", "kms"],
    ["list-no-etag"],
    ["parts-long"],
    ["etag-upper", "etag-weak"],
    # Without an order of keys, no listing of the first version can go on.
    ["list-v1", "list-mixed"],
    ["list-raw"],
    ["delete-501", "delete-400", "delete-405", "delete-403"],
    ["part-501", "part-400", "part-412", "part-whole"],
    ["locked"],
    ["versioned"],
    ["sum-refused"],
    ["md5-ignored", "md5-500"],
    ["closes"],
]


class Failed(Exception):
    pass


def sink_program(build):
    return os.path.join(build, "tools", "bench", "sink")


def trait_rows(build):
    """(name, text, source) of each trait."""
    out = subprocess.check_output(
        [sink_program(build), "--list-traits"], text=True
    )
    return [tuple(line.split("\t")) for line in out.splitlines()]


class Sink:
    def __init__(self, build, traits):
        self.process = subprocess.Popen(
            [sink_program(build), "--keep", "--page", "4"]
            + ["--traits", ",".join(traits)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, path):
        with urllib.request.urlopen(self.url + path) as answer:
            return answer.read()

    def stats(self):
        words = self.ask("/_stats").decode().split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def object(self, key):
        return self.ask("/bucket/" + urllib.parse.quote(key))


class Story:
    """One store, one tree, one catalog."""

    def __init__(self, build, directory, traits, sink):
        self.program = os.path.join(build, "datamover")
        self.dir = directory
        self.traits = traits
        self.sink = sink
        self.tree = os.path.join(directory, SHARE)
        self.files = {}
        self.cells = {}
        os.mkdir(self.tree)
        self.conf("datamover.conf", "catalog.db")
        self.conf("other.conf", "other.db")
        self.conf("alone.conf", "alone.db")

    def conf(self, name, catalog):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(
                "[nfs n]\nserver = server\nshare = %s\n"
                "[fs_config]\nmounted = yes\nserver_as_prefix = no\n"
                "[s3_storage]\nclient_lib = minio\nendpoint = %s\n"
                "bucket = bucket\naccess_key = key\nsecret_key = secret\n"
                "part_size = 5MiB\nretry_for = 5\n"
                "[catalog]\npath = %s\n"
                "[logging]\npath = %s\n"
                % (
                    self.tree,
                    self.sink.url,
                    os.path.join(self.dir, catalog),
                    self.dir,
                )
            )
        os.chmod(path, 0o600)

    def write(self, name, data):
        path = os.path.join(self.tree, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        # Old enough for its times to be trusted.
        os.utime(path, ns=(10**18 + len(self.files), 10**18))
        self.files[self.tree[1:] + "/" + name] = data

    def command(self, *arguments, conf="datamover.conf"):
        return [
            self.program,
            *arguments,
            "--config",
            os.path.join(self.dir, conf),
        ]

    def run(self, *arguments, conf="datamover.conf", **counts):
        """The last line of --json; fails unless the status is 0 and the
        numbers are these."""
        command = self.command(*arguments, "--json", conf=conf)
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=50,
        )
        out = done.stdout.decode(errors="backslashreplace")
        said = "%s: status %d\n%s\n%s" % (
            " ".join(arguments),
            done.returncode,
            out[-600:],
            done.stderr.decode(errors="backslashreplace")[-600:],
        )
        if done.returncode != 0:
            raise Failed(said)
        j = json.loads(out.splitlines()[-1])
        for name, value in counts.items():
            if j.get(name) != value:
                raise Failed("%s is not %s in %s" % (name, value, said))
        return j

    def kill(self, kind, nth, ready):
        """PUT, killed while the nth request of this kind is on its way, and
        what else must be, is."""
        self.sink.ask("/_hold?kind=%s&nth=%d" % (kind, nth))
        held = self.sink.stats()["held"]
        put = subprocess.Popen(
            self.command("PUT", "--quiet"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 30
        while self.sink.stats()["held"] == held or not ready():
            if time.monotonic() > end or put.poll() is not None:
                put.kill()
                put.wait()
                raise Failed("no %s came up" % kind)
            time.sleep(0.01)
        os.kill(put.pid, signal.SIGKILL)
        put.wait()

    def same(self):
        """The bucket has the files, byte for byte, and nothing else."""
        for key, data in self.files.items():
            if self.sink.object(key) != data:
                raise Failed("other bytes in " + key)
        count = self.sink.stats()["objects"]
        if count != len(self.files):
            raise Failed("%d objects for %d files" % (count, len(self.files)))

    def noted(self, rows):
        """How many of them the catalog has."""
        db = sqlite3.connect(
            "file:%s?mode=ro" % os.path.join(self.dir, "catalog.db"), uri=True
        )
        try:
            return db.execute("SELECT count(*) FROM " + rows).fetchone()[0]
        finally:
            db.close()

    # --- the steps; each raises Failed ---

    def check(self):
        self.run("check")

    def resume(self):
        """After a kill before its last part, the rest of a file is sent, and
        its first parts are not sent again."""
        begun = self.sink.stats()["bytes_in"]
        self.write("large", os.urandom(20 * MIB))

        def ready():
            taken = self.sink.stats()["bytes_in"] - begun
            opaque = {"etag-opaque", "etag-long", "parts-long", "kms"}
            return (
                taken >= 15 * MIB
                and self.noted("upload WHERE upload_id IS NOT NULL")
                and (
                    not opaque & set(self.traits)
                    or self.noted("upload_part") == 3
                )
            )

        self.kill("put_part", 4, ready)
        before = self.sink.stats()["bytes_in"]
        self.run("PUT", failed=0, moved=1)
        self.same()
        sent = self.sink.stats()["bytes_in"] - before
        if sent > 5 * MIB:
            raise Failed("%d bytes were sent again" % sent)

    def put(self):
        for i in range(6):
            self.write("d/f%d" % i, os.urandom(100 + i))
        self.write("empty", b"")
        self.write("a b+c%d\u00e9&<", b"odd")
        self.write("middle", os.urandom(6 * MIB))
        self.run("PUT", failed=0, moved=len(self.files))
        self.same()

    def paced(self):
        """The bodies come from callbacks: none stands still until it is given
        up after 60 s, which is longer than a run may take here."""
        for i in range(8):
            self.write("paced/f%d" % i, os.urandom(150000 + i))
        self.run("PUT", "--bwlimit", "20M", "--thread", "1", moved=8)
        self.same()

    def again(self):
        before = self.sink.stats()["bytes_in"]
        self.run("PUT", moved=0, failed=0, unchanged=len(self.files))
        if self.sink.stats()["bytes_in"] != before:
            raise Failed("bytes were sent")

    def list(self):
        self.run("LIST", found=len(self.files))

    def fetch(self, conf):
        back = tempfile.mkdtemp(dir=self.dir)
        try:
            self.run("GET", "--dest_path", back, conf=conf, failed=0)
            for key, data in self.files.items():
                with open(os.path.join(back, key), "rb") as f:
                    if f.read() != data:
                        raise Failed("other bytes came back: " + key)
        finally:
            shutil.rmtree(back)

    def get(self):
        self.fetch("datamover.conf")

    def alone(self):
        self.fetch("alone.conf")

    def verify(self, mode):
        self.run("TEST", "--data_integrity", "--skip_upload", "--mode", mode)

    def head(self):
        self.verify("head")
        # Nothing was taken for damaged: nothing is sent.
        self.again()

    def full(self):
        self.verify("full")

    def sample(self):
        self.verify("sample=50%")

    def adopt(self):
        before = self.sink.stats()["bytes_in"]
        self.run(
            "PUT", "--adopt", conf="other.conf", failed=0,
        )
        if self.sink.stats()["bytes_in"] != before:
            raise Failed("bytes were sent")
        self.same()

    def refresh(self):
        for name in ("d/f0", "large"):
            os.utime(os.path.join(self.tree, name), ns=(11 * 10**17,) * 2)
        before = self.sink.stats()["bytes_in"]
        self.run("PUT", failed=0, moved=0, unchanged=len(self.files))
        if self.sink.stats()["bytes_in"] != before:
            raise Failed("bytes were sent")
        self.same()

    def delete(self):
        os.unlink(os.path.join(self.tree, "d/f1"))
        del self.files[self.tree[1:] + "/d/f1"]
        self.run("PUT", "--delete", failed=0)
        self.same()

    def remove(self):
        self.run("DEL", "--yes", failed=0, moved=len(self.files))
        if self.sink.stats()["objects"] != 0:
            raise Failed("objects are left")

    def tell(self):
        """{step: None, or why it failed}"""
        for step in STEPS:
            try:
                getattr(self, "remove" if step == "del" else step)()
                self.cells[step] = None
            except (Failed, subprocess.TimeoutExpired, OSError) as why:
                self.cells[step] = str(why)
                if step == "put":
                    break
            if step == "check" and self.sink.stats()["objects"] != 0:
                self.cells[step] = "an object is left"
        return self.cells


def tell(build, traits):
    directory = tempfile.mkdtemp(prefix="stores-")
    try:
        with Sink(build, traits) as sink:
            return Story(build, directory, traits, sink).tell()
    finally:
        shutil.rmtree(directory)


def cannot(traits, step):
    """Why this step need not work; None: it must."""
    for (of, name), why in CANNOT.items():
        if name == step and set(of) <= set(traits):
            return why
    return None


def each(build):
    return [()] + [(row[0],) for row in trait_rows(build)]


def pairs(build):
    group = {name: i for i, g in enumerate(GROUPS) for name in g}
    names = [row[0] for row in trait_rows(build)]
    return [
        pair
        for pair in itertools.combinations(names, 2)
        if group[pair[0]] != group[pair[1]]
    ]


def covering(build, seed):
    """Sets of traits in which every pair comes up, few of them."""
    rng = random.Random(seed)
    left = set(map(frozenset, pairs(build)))
    sets = []
    while left:
        best = None
        for _ in range(30):
            some = [rng.choice(g + [None]) for g in GROUPS]
            some = tuple(name for name in some if name)
            got = sum(
                frozenset(p) in left for p in itertools.combinations(some, 2)
            )
            if best is None or got > best[0]:
                best = got, some
        if best[0] > 0:
            sets.append(best[1])
            left -= set(map(frozenset, itertools.combinations(best[1], 2)))
    return sets


def run_all(build, sets, say=print, jobs=8):
    """Tell the story to each; the number of steps that went other than
    CANNOT says."""
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        told = pool.map(lambda traits: tell(build, traits), sets)
        for traits, cells in zip(sets, told):
            marks = []
            for step in cells:
                excuse = cannot(traits, step)
                if (cells[step] is None) != (excuse is None):
                    bad += 1
                    say("%s, %s: %s" % (
                        ",".join(traits) or "plain", step,
                        cells[step] or "works, though CANNOT says: " + excuse))
                marks.append(
                    step if cells[step] is None else "(%s)" % step)
            say("%-14s %s" % (",".join(traits) or "plain", " ".join(marks)))
    return bad


def table(build):
    """The list of the manual page: each trait, and what does not work."""
    lines = ['.Bl -tag -width "list-no-etag"']
    for name, text, source in trait_rows(build):
        lines += [".It Sy " + name, text[0].upper() + text[1:] + "."]
        less = {}
        for (of, step), why in CANNOT.items():
            # That check fails there is as it should be.
            if step == "check":
                continue
            if of == (name,):
                less.setdefault(why, []).append(step)
            elif name in of:
                others = " and ".join(t for t in of if t != name)
                less.setdefault("with %s, %s" % (others, why), []).append(
                    step
                )
        for why, steps in less.items():
            what = "; ".join(STEPS[s] for s in steps)
            lines.append("%s%s: %s." % (what[0].upper(), what[1:], why))
        lines.append(".Pq Lk https://%s" % source if "/" in source
                     else ".Pq " + source)
    return lines + [".El"]


def check_page(build):
    page = os.path.join(TOP, "man", "datamover-stores.7")
    lines = open(page).read().split("\n")
    begin = lines.index('.\\" the table of tests/system/stores.py --table')
    end = lines.index('.\\" end of the table')
    if lines[begin + 1:end] != table(build):
        raise Failed("the table of %s is not that of --table" % page)


def main():
    build = os.path.join(TOP, "build")
    sets = []
    for argument in sys.argv[1:]:
        if argument.startswith("--build="):
            build = argument[len("--build="):]
        elif argument == "--pairs":
            sets += pairs(build)
        elif argument.startswith("--seed="):
            sets += covering(build, int(argument[len("--seed="):]))
        elif argument == "--each":
            sets += each(build)
        elif argument == "--table":
            print("\n".join(table(build)))
            return
        else:
            sets.append(tuple(filter(None, argument.split(","))))
    sets = sets or each(build) + covering(build, 1)
    bad = run_all(build, sets)
    print("%d stores, %d steps other than expected" % (len(sets), bad))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
