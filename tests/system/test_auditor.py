"""Ten questions of auditors, as the manual words them, against a truth that
the test keeps by itself over thirty nights."""
import hashlib
import json
import os
import random
import re

from case import limit

NIGHTS = 30
PAGE = os.path.join(
    os.path.dirname(__file__), "../../man/datamover-catalog.5"
)
DIRS = ["a", "a/deep", "b", "c"]


def md5(data):
    return hashlib.md5(data).hexdigest()


class Truth:
    """What is known without the catalog."""

    def __init__(self, t):
        self.t = t
        self.files = {}  # name: bytes, as they are at the source
        self.bucket = {}  # name: bytes, as the store has them
        self.after = {}  # run: {name: bytes}
        self.runs = []  # (run, operation, exit status)
        self.verified = {}  # name: the bytes that TEST found right
        self.excluded = set()
        self.deleted = []  # (run, name)
        self.sums = {}  # (name, mtime): the MD5s that were stored so

    def path(self, name):
        return (self.t.server + self.t.share + "/" + name).lstrip("/")


class Nights:
    def __init__(self, t, seed):
        self.t = t
        self.truth = Truth(t)
        self.random = random.Random(seed)
        self.serial = 0

    # --- the source ---

    def write(self, name, keep_mtime=False):
        self.serial += 1
        data = b"%d %s" % (self.serial, name.encode())
        if self.random.random() < 0.2:
            data = b"the same in many files"
        path = self.t.path(name)
        before = os.stat(path).st_mtime_ns if keep_mtime else None
        if keep_mtime:
            size = len(self.truth.files[name])
            data = data.ljust(size, b".")[:size]
            if data == self.truth.files[name]:
                return
        self.t.write(name, data)
        if keep_mtime:
            os.utime(path, ns=(before, before))
        self.truth.files[name] = data

    def day(self):
        """Some files come, change and go."""
        for _ in range(self.random.randrange(1, 6)):
            self.write(
                "%s/f%d"
                % (self.random.choice(DIRS), self.random.randrange(12))
            )
        names = sorted(self.truth.files)
        if len(names) > 8 and self.random.random() < 0.5:
            name = self.random.choice(names)
            os.unlink(self.t.path(name))
            del self.truth.files[name]
        if len(names) > 4 and self.random.random() < 0.3:
            name = self.random.choice(sorted(self.truth.files))
            if name in self.truth.bucket:
                self.write(name, keep_mtime=True)

    # --- runs ---

    def done(self, result, operation):
        run = result.json.get("run")
        if run is None:
            ((run,),) = self.t.query("SELECT max(run) FROM runs")
        self.truth.runs.append((run, operation, result.status))
        self.truth.after[run] = dict(self.truth.bucket)
        return run

    def stored(self, skip=()):
        for name, data in self.truth.files.items():
            if name in skip:
                continue
            mtime = os.stat(self.t.path(name)).st_mtime_ns
            self.truth.sums.setdefault((name, mtime), set()).add(md5(data))
            if self.truth.bucket.get(name) != data:
                self.truth.bucket[name] = data
                self.truth.verified.pop(name, None)

    def put(self, *arguments):
        result = self.t.run("PUT", "--json", *arguments)
        self.stored()
        self.truth.excluded = set()
        return self.done(result, "PUT")

    def mirror(self):
        result = self.t.run(
            "PUT", "--json", "--delete", "--max-delete", "100%"
        )
        gone = sorted(set(self.truth.bucket) - set(self.truth.files))
        self.stored()
        for name in gone:
            del self.truth.bucket[name]
            self.truth.verified.pop(name, None)
        self.truth.excluded = set()
        run = self.done(result, "PUT")
        self.truth.deleted += [(run, name) for name in gone]

    def delete(self):
        directory = self.random.choice(["b", "c"])
        result = self.t.run(
            "DEL", "--json", "--yes", "--prefix",
            self.truth.path(directory + "/"),
        )
        gone = [n for n in self.truth.bucket if n.startswith(directory + "/")]
        for name in gone:
            del self.truth.bucket[name]
            self.truth.verified.pop(name, None)
        run = self.done(result, "DEL")
        self.truth.deleted += [(run, name) for name in sorted(gone)]

    def test(self):
        result = self.t.run(
            "TEST", "--data_integrity", "--skip_upload", "--json",
            expect={0, 1, 4},
        )
        for name, data in self.truth.bucket.items():
            self.truth.verified[name] = data
        self.done(result, "TEST")

    def get(self):
        into = os.path.join(self.t.dir, "back")
        os.makedirs(into, exist_ok=True)
        result = self.t.run("GET", "--json", "--dest_path", into)
        self.done(result, "GET")

    def excluding(self):
        result = self.t.run("PUT", "--json", "--exclude", "*3")
        hidden = {n for n in self.truth.files if n.endswith("3")}
        self.stored(skip=hidden)
        self.truth.excluded = hidden
        self.done(result, "PUT")

    def nothing_there(self):
        """A store that nobody can reach: the attempt has its row."""
        self.t.conf(s3_storage={"secret_key": "wrong"})
        result = self.t.run("PUT", "--json", expect=3)
        self.t.conf()
        self.done(result, "PUT")

    def night(self, number):
        self.day()
        if number in (11, 12, 13):
            self.nothing_there()
            return
        self.random.choice(
            [self.put, self.put, self.put, self.mirror, self.mirror,
             self.delete, self.test, self.get, self.checksum]
        )()

    def checksum(self):
        self.put("--checksum")


def questions():
    """The queries of datamover-catalog(5), Questions of auditors."""
    with open(PAGE, encoding="utf-8") as page:
        text = page.read().partition(".Ss Questions of auditors")[2]
    blocks = re.findall(r"\n\.Bd -literal.*\n((?:[^.].*\n)+)\.Ed", text)
    return [b.replace(r"\(aq", "'") for b in blocks]


def ask(t, query, *arguments):
    out = t.run("sql", "--format", "json", *arguments, query).out
    return [tuple(row.values()) for row in json.loads(out)]


@limit(240)
def test_auditor(t):
    t.s3.put_bucket_versioning(
        Bucket=t.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    nights = Nights(t, 8)
    truth = nights.truth
    for name in ("a/f1", "a/deep/f2", "b/f3", "c/f4", "a/f5"):
        nights.write(name)
    nights.put()
    copy = os.path.join(t.dir, "then.db")
    t.run("catalog", "backup", copy)
    then = dict(truth.bucket)
    for number in range(NIGHTS):
        nights.night(number)
    nights.excluding()
    path = truth.path
    # The truth is one: the bucket is what it says.
    have = {
        k: t.s3.get_object(Bucket=t.bucket, Key=k)["Body"].read()
        for k in t.objects()
    }
    assert have == {path(n): d for n, d in truth.bucket.items()}

    (unverified, held, kept_mtime, excluded, runs, sizes, duplicates, failing,
        deleted) = questions()

    # 1. What has never been verified?
    rows = ask(t, unverified)
    missing = {
        path(n) for n in truth.bucket if n not in truth.verified
    }
    assert missing <= {r[0] for r in rows}, (missing, rows)
    verified = ask(
        t, "SELECT path FROM objects WHERE verified_at IS NOT NULL"
    )
    assert not missing & {r[0] for r in verified}, (missing, verified)

    # 2. What was in the bucket as of run N, and as of a moment?
    for run, files in truth.after.items():
        rows = ask(t, held, "--as-of", str(run))
        want = sorted(
            (path(n), len(d), md5(d)) for n, d in files.items()
        )
        assert rows == want, (run, set(rows) ^ set(want))
    last = truth.runs[-1][0]
    ((ended,),) = ask(t, "SELECT ended FROM runs WHERE run = %d" % last)
    rows = ask(t, held, "--as-of", ended)
    assert [r[0] for r in rows] == sorted(map(path, truth.bucket)), rows

    # 3. Whose content changed without a new mtime?
    rows = ask(t, kept_mtime)
    want = {path(n) for (n, _), sums in truth.sums.items() if len(sums) > 1}
    assert {r[0] for r in rows} == want and want, (rows, want)

    # 4. What is excluded, and why?
    rows = ask(t, excluded)
    assert {r[0] for r in rows} == {path(n) for n in truth.excluded}, rows
    assert all("*3" in r[1] for r in rows), rows

    # 5. Who ran what when, with which result?
    rows = ask(t, runs)
    assert [r[:3] for r in rows] == truth.runs, (rows, truth.runs)
    assert all(all(r[3:7]) for r in rows), rows

    # 6. How many bytes has each directory?
    rows = ask(t, sizes, "--as-of", str(last))
    want = {}
    for name, data in truth.bucket.items():
        directory = path(os.path.dirname(name))
        objects, size = want.get(directory, (0, 0))
        want[directory] = (objects + 1, size + len(data))
    want = sorted((d, n, size) for d, (n, size) in want.items())
    assert rows == want, (rows, want)

    # 7. Which bytes are stored more than once?
    rows = ask(t, duplicates)
    have = list(truth.bucket.values())
    want = {
        (md5(d), have.count(d), len(d)) for d in have if have.count(d) > 1
    }
    assert set(rows) == want, (rows, want)

    # 8. When did three attempts in a row fail?
    rows = ask(t, failing)
    want = [
        (truth.runs[i][0],)
        for i in range(2, len(truth.runs))
        if all(status != 0 for _, _, status in truth.runs[i - 2 : i + 1])
    ]
    assert rows == want and want, (rows, want)

    # 9. What was deleted by whom, when, and by which command?
    rows = ask(t, deleted)
    want = sorted((run, path(n)) for run, n in truth.deleted)
    assert [r[:2] for r in rows] == want, (rows, want)
    assert all(all(r[2:]) for r in rows), rows

    # 10. What differs between two catalogs?
    lines = t.run("diff", copy, str(last), expect=4).out.decode().splitlines()
    want = set()
    for name in set(then) | set(truth.bucket):
        if name not in truth.bucket:
            want.add("- " + path(name))
        elif name not in then:
            want.add("+ " + path(name))
        elif then[name] != truth.bucket[name]:
            want.add("! " + path(name))
    assert {x for x in lines if x[0] != "~"} == want, (lines, want)
