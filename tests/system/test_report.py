"""report: the figures are those of the catalog, in every format."""
import csv
import difflib
import glob
import html
import html.parser
import io
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import xml.etree.ElementTree

from case import MIB, Skip, limit

COUNTS = (
    "found",
    "moved",
    "unchanged",
    "failed",
    "excluded",
    "gone",
    "pending",
    "bytes",
    "found_bytes",
    "dirs",
)
ODD = "a<b>&\"quote\"'s.txt"


def fill(t):
    """Two runs; the second one moves, leaves, excludes and fails. A file with
    a fresh time would be read by the second, too, and count there."""
    t.conf(fs_config={"ctime": "ignore"})
    t.write("old", "1" * 100, mtime=10**18)
    t.put(moved=1)
    t.write(ODD, "23")
    t.write(b"new\nline\x1b\xff\xef\xbf\xbf", "")
    t.write(b"\xe2\x80\xaeback", "x")
    t.random_file("large/one", 9 * MIB)
    os.symlink("old", t.path("link"))
    os.chmod(t.write("secret/<b>", "1"), 0o600)
    t.conf(fs_config={"uid": 12345, "gid": 12345})
    t.put(expect=1, moved=4, unchanged=1, failed=1, excluded=1)


def of_run(t, run):
    row = t.query(
        "SELECT %s FROM runs WHERE run = %d" % (", ".join(COUNTS), run)
    )
    return dict(zip(COUNTS, row[0]))


class Page(html.parser.HTMLParser):
    """Every tag is closed, in order; nothing comes from elsewhere."""

    VOID = {"meta"}

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.ids = []
        self.seen = []
        self.feed(text)
        assert not self.open, "left open: %r" % self.open
        assert len(set(self.ids)) == len(self.ids), "an id twice"

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        for name, value in attributes:
            assert not name.startswith("on"), (tag, name)
            assert name not in ("src", "href", "xlink:href"), (tag, value)
            if name == "id":
                self.ids.append(value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


def report(t, *arguments, **options):
    return t.run("report", *arguments, **options).out.decode()


def numbers(element):
    return [int(d.get("value")) for d in element.iter("data")]


def test_report_text(t):
    fill(t)
    text = report(t)
    assert "PUT run 2: complete" in text, text
    lines = {
        line.split()[0]: line.split() for line in text.splitlines() if line
    }
    for name in ("found", "moved", "unchanged", "failed", "excluded"):
        want = of_run(t, 2)[name]
        assert any(
            line.split()[:2] == [name, str(want)]
            for line in text.splitlines()
            if line
        ), (name, want, text)
    assert lines["verified"][1:3] == ["0", "0"], text
    assert "secret/<b>" in text and "\x1b" not in text, text
    assert "PUT run 1" in report(t, "--run", "1")


def test_report_json(t):
    fill(t)
    for run in (1, 2):
        got = json.loads(report(t, "--format", "json", "--run", str(run)))
        want = of_run(t, run)
        assert {name: got[name] for name in COUNTS} == want, got
        steps = got["rates"]["steps"]
        assert sum(s["moved"] for s in steps) == want["moved"], got
        assert sum(s["bytes"] for s in steps) == want["bytes"], got
        assert sum(s["moved"] for s in got["sizes"]) == want["moved"], got
    stored = t.query(
        "SELECT count(*), sum(size) FROM objects WHERE state = 'stored'"
    )[0]
    assert sum(s["stored"] for s in got["sizes"]) == stored[0], got
    assert sum(s["stored_bytes"] for s in got["sizes"]) == stored[1], got
    proof = got["verification"]
    assert (proof["stored"], proof["verified"]) == (stored[0], 0), got
    paths = [f["path"] for f in got["failures"]]
    assert paths == [
        row[0] for row in t.query("SELECT path FROM failures")
    ], got
    assert paths[0].endswith("/secret/<b>"), got
    slowest = got["slowest"]
    assert len(slowest) == 4, got
    seconds = [s["seconds"] for s in slowest]
    assert seconds == sorted(seconds, reverse=True), got
    assert all(0 <= s <= got["seconds"] + 0.1 for s in seconds), got
    assert [r["run"] for r in got["runs"]] == [2, 1], got


def test_report_csv(t):
    fill(t)
    rows = list(csv.reader(io.StringIO(report(t, "--format", "csv"))))
    assert rows[0] == ["section", "item", "measure", "value"], rows[0]
    assert all(len(row) == 4 for row in rows), rows
    facts = {tuple(row[:3]): row[3] for row in rows}
    for name, value in of_run(t, 2).items():
        assert facts["run", "2", name] == str(value), name
    odd = t.server + t.share + "/" + ODD
    assert ("slowest", odd, "seconds") in facts, rows


def test_report_html(t):
    """Well-formed as HTML and as XML, alone, with the catalog's figures."""
    fill(t)
    text = report(t, "--format", "html")
    page = Page(text)
    assert "script" not in page.seen and "svg" in page.seen
    assert "://" not in text.replace(t.endpoint, ""), "from elsewhere"
    root = xml.etree.ElementTree.fromstring(text)
    assert root.get("lang") == "en"
    for svg in root.iter("svg"):
        labels = svg.get("aria-labelledby").split()
        assert svg.get("role") == "img"
        assert all(label in page.ids for label in labels), labels
        for tag in ("title", "desc"):
            assert "".join(svg.find(tag).itertext()), tag
    for cell in root.iter("th"):
        assert cell.get("scope") in ("col", "row")
    by_id = {e.get("id"): e for e in root.iter() if e.get("id")}
    run = of_run(t, 2)
    parts = ("moved", "unchanged", "excluded", "failed")
    assert numbers(by_id["parts"]) == [run[p] for p in parts]
    assert sum(numbers(by_id["parts"])) == run["found"]
    times = [numbers(tr) for tr in by_id["times"].iter("tr")][1:]
    assert sum(row[0] for row in times) == run["moved"]
    assert sum(row[2] for row in times) == run["bytes"]
    stored = t.query("SELECT count(*) FROM objects WHERE state = 'stored'")
    assert numbers(by_id["verdicts"]) == [stored[0][0]]
    slowest = ["".join(b.itertext()) for b in by_id["slowest"].iter("bdi")]
    names = t.query(
        "SELECT path FROM transfers WHERE run = 2 AND outcome = 'moved'"
    )
    assert len(slowest) == len(names), slowest
    assert t.server + t.share + "/" + ODD in slowest, slowest
    failed = ["".join(b.itertext()) for b in by_id["failures"].iter("bdi")]
    assert failed[0].endswith("/secret/<b>"), failed
    assert "\x1b" not in text and "\ufffe" not in text
    assert len(list(by_id["runs"].iter("tr"))) == 3


def test_report_slowest(t):
    proxy = t.proxy()
    proxy.order("match PUT,tardy delay 700")
    t.small_files(20)
    t.write("tardy", "1")
    t.put(moved=21)
    first = json.loads(report(t, "--format", "json"))["slowest"][0]
    assert first["path"].endswith("/tardy"), first
    assert 0.7 <= first["seconds"] < 30, first


def test_report_coverage(t):
    """What is stored, by its last verdict."""
    t.small_files(4)
    t.put(moved=4)
    versions = t.query("SELECT version FROM objects ORDER BY path")
    db = sqlite3.connect(t.catalog)
    for which, outcome in enumerate(("ok", "ok", "corrupt")):
        db.execute(
            "INSERT INTO verification (run, object, target, method, outcome,"
            " time_ns) VALUES (1, ?, 1, 'full', ?, 0)",
            (versions[which][0], outcome),
        )
    db.commit()
    db.close()
    got = json.loads(report(t, "--format", "json"))["verification"]
    assert (got["stored"], got["verified"]) == (4, 2), got
    assert got["verdicts"] == {"ok": 2, "corrupt": 1}, got
    root = xml.etree.ElementTree.fromstring(report(t, "--format", "html"))
    key = [e for e in root.iter("ul") if e.get("id") == "verdicts"][0]
    assert numbers(key) == [2, 1, 1], numbers(key)


WIDTHS = (360, 800, 1000, 1400)

# Each frame is as wide as a window would be; a frame made of its text may be
# looked into. What is folded is opened first.
MEASURE = """
<script>
function wide(frame) {
	const page = frame.contentDocument, found = [];
	let count = 0;

	for (const fold of page.querySelectorAll("details"))
		fold.open = true;
	for (const e of page.documentElement.querySelectorAll("*")) {
		const box = (e.closest("svg") || e.parentElement)
		    .getBoundingClientRect(), own = e.getBoundingClientRect();

		if (e.closest("head") || own.width == 0)
			continue;
		count++;
		if (e.scrollWidth > e.clientWidth && e.clientWidth > 0 ||
		    own.right > box.right + 1 || own.left < box.left - 1)
			found.push([e.tagName, e.className.baseVal ||
			    e.className, e.textContent.slice(0, 40),
			    e.scrollWidth, e.clientWidth, own.right,
			    box.right]);
	}
	return {width: frame.contentWindow.innerWidth, count: count,
	    found: found, page: page.documentElement.scrollWidth,
	    ground: frame.contentWindow.getComputedStyle(page.body)
	    .backgroundColor};
}
onload = () => {
	document.getElementById("measured").textContent = JSON.stringify(
	    [...document.querySelectorAll("iframe")].map(wide));
};
</script>
"""


def browse(t, dark, *arguments):
    browser = shutil.which("chromium")
    if browser is None:
        raise Skip("chromium is not installed")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu"]
        + ["--disable-quic", "--no-first-run", "--hide-scrollbars"]
        + ["--disable-background-networking"]
        + ["--disable-component-update", "--disable-sync"]
        + ["--user-data-dir=" + os.path.join(t.dir, "browser")]
        + ["--blink-settings=preferredColorScheme=%d" % dark]
        + list(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=t.environment(),
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fits(t, texts, dark):
    """Nothing on the pages is wider than its box. Return the colour of their
    ground."""
    frames = os.path.join(t.dir, "frames.html")
    with open(frames, "w", encoding="utf-8") as f:
        f.write('<!DOCTYPE html><meta charset="utf-8">' + MEASURE)
        for text in texts:
            for width in WIDTHS:
                f.write(
                    '<iframe width="%d" height="900" style="border:0" '
                    'srcdoc="%s"></iframe>' % (width, html.escape(text))
                )
        f.write('<pre id="measured"></pre>')
    dom = browse(t, dark, "--dump-dom", "file://" + frames)
    measured = re.search('<pre id="measured">(.+?)</pre>', dom).group(1)
    pages = json.loads(html.unescape(measured))
    widths = [page["width"] for page in pages]
    assert widths == list(WIDTHS) * len(texts), measured
    for page in pages:
        assert page["count"] > 100, page
        assert not page["found"], page
        assert page["page"] <= page["width"], page
    return pages[0]["ground"]


def verify(t, **options):
    return t.run("TEST", "--data_integrity", "--skip_upload", **options)


def damage(t, name):
    key = t.server + t.share + "/" + name
    t.s3.put_object(Bucket=t.bucket, Key=key, Body=b"other bytes")


@limit(120)
def test_report_fits(t):
    """Pages with long names, large figures, failures, deletions, damage and
    later runs."""
    fill(t)
    t.write("long/" + "a-very-long-name" * 12, "1")
    t.write("long/" + "n " * 100, "1")
    t.put(expect=1)
    damage(t, "old")
    verify(t, expect=4)
    t.run("DEL", "--yes", "--prefix", t.server + t.share + "/long/")
    db = sqlite3.connect(t.catalog)
    db.execute("UPDATE run SET moved = 123456789, bytes = 703 << 40")
    db.execute("UPDATE run SET found = 123456789, found_bytes = 703 << 40")
    db.execute("UPDATE run SET sudo_user = 'a.rather.long.name.of.a.user'")
    db.commit()
    db.close()
    texts = [
        report(t, "--format", "html", "--run", str(run)) for run in range(2, 6)
    ]
    assert 'id="now"' in texts[0] and 'id="now"' not in texts[3]
    assert 'id="found"' in texts[2] and 'id="deleted"' in texts[3]
    assert fits(t, texts, 0) != fits(t, texts, 1), "dark is as light"


def pages(t, runs):
    """All formats of the reports of runs, without the time when they were
    made and what is of now."""
    made = {}
    for run in runs:
        for form in ("html", "json", "csv", "text"):
            text = report(t, "--run", str(run), "--format", form)
            text = re.sub("Made by datamover at <time.+?</time>", "", text)
            text = re.sub('"made":"[^"]+",', "", text)
            text = re.sub('"now":{[^}]+},', "", text)
            text = re.sub('(?s)<section id="now">.+?</section>\n', "", text)
            text = re.sub("(?m)^now,(?! after).+\n", "", text)
            text = re.sub("(?s)\nnow, after run .+", "", text)
            made[run, form] = text
    return made


def element(text, identity):
    root = xml.etree.ElementTree.fromstring(text)
    found = [e for e in root.iter() if e.get("id") == identity]
    return "".join(found[0].itertext()) if found else None


@limit(200)
def test_report_stays(t):
    """Of an earlier run the same is told after other runs: what it found, what
    it has deleted, what the target held then."""
    place = t.server + t.share
    t.conf(fs_config={"ctime": "ignore"})
    for name in ("a", "b", "c", "d", "e/1", "e/2"):
        t.write(name, name * 10, mtime=10**18)
    t.put(moved=6)
    verify(t)
    os.unlink(t.path("a"))
    t.run("PUT", "--delete", "--max-delete", "5")
    damage(t, "b")
    verify(t, expect=4)
    old = pages(t, range(1, 5))
    t.run("PUT", "--checksum")
    t.run("DEL", "--yes", "--prefix", place + "/e/")
    t.run("PUT", "--checksum")
    t.write("c", "another", mtime=2 * 10**18)
    t.put()
    damage(t, "d")
    verify(t, expect=4)
    new = pages(t, range(1, 5))
    for which, text in old.items():
        assert new[which] == text, "\n".join(
            difflib.unified_diff(text.splitlines(), new[which].splitlines())
        )
    for run, verdict in enumerate(("complete", "PASSED", "complete", "FAILED")):
        assert element(new[run + 1, "html"], "verdict") == verdict, run
    got = [json.loads(new[run, "json"]) for run in range(1, 5)]
    assert [r["verification"]["stored"] for r in got] == [6, 6, 5, 4], got
    assert [r["verification"]["verified"] for r in got] == [0, 6, 5, 4], got
    assert got[1]["verification"]["found"] == {"ok": 6}, got[1]
    for r in got:
        assert sum(s["moved"] for s in r["rates"]["steps"]) == r["moved"], r
    assert got[3]["verification"]["found"] == {"ok": 4, "corrupt": 1}, got[3]
    assert got[2]["deletions"] == [place + "/a"], got[2]
    assert "by root on" in element(new[3, "html"], "deleted"), new[3, "html"]
    assert [r["stored"] for r in got[3]["runs"]] == [4, 5, 6, 6], got[3]
    now = json.loads(report(t, "--format", "json", "--run", "4"))["now"]
    assert (now["run"], now["stored"], now["verified"]) == (9, 4, 4), now
    text = report(t, "--format", "html", "--run", "9")
    assert 'id="now"' not in text and element(text, "growth") is not None


def test_report_failed_again(t):
    """A failure that the next run met too is told of both; when, of the
    last."""
    fill(t)
    t.put(expect=1)
    for run, known in ((2, False), (3, True)):
        got = json.loads(report(t, "--format", "json", "--run", str(run)))
        (failure,) = got["failures"]
        assert failure["path"].endswith("/secret/<b>"), got
        assert (failure["time"] is not None) == known, got
        assert (failure["attempts"] is not None) == known, got
        text = report(t, "--format", "html", "--run", str(run))
        Page(text)
        xml.etree.ElementTree.fromstring(text)
        assert ("not recorded" in text) != known, text


def test_report_before_journal(t):
    """What a run of before the journal did is not known; what it left is."""
    t.small_files(3)
    t.put(moved=3)
    t.write("more", "1")
    t.put()
    db = sqlite3.connect(t.catalog)
    db.execute("UPDATE run SET first_event = NULL")
    db.commit()
    db.close()
    for run, stored in ((1, None), (2, 4)):
        got = json.loads(report(t, "--format", "json", "--run", str(run)))
        assert got["verification"]["stored"] == stored, got
        assert sum(s["moved"] for s in got["rates"]["steps"]) == 0, got
    for form in ("html", "text", "csv"):
        text = report(t, "--format", form, "--run", "1")
        assert "ot recorded" in text, text


@limit(120)
def test_report_render(t):
    """A browser shows it, light and dark, wide and narrow."""
    fill(t)
    page = os.path.join(t.dir, "report.html")
    report(t, "--format", "html", "--output", page)
    pictures = []
    for width, dark in ((1040, 1), (1040, 0), (420, 1)):
        picture = os.path.join(t.dir, "p%d-%d.png" % (width, dark))
        browse(
            t,
            dark,
            "--window-size=%d,1600" % width,
            "--screenshot=" + picture,
            "file://" + page,
        )
        with open(picture, "rb") as f:
            pictures.append(f.read())
        # A blank page of that size has a tenth of it.
        assert len(pictures[-1]) > 15000, len(pictures[-1])
    assert len(set(pictures)) == 3, "dark is as light"


def test_report_output(t):
    """The file is there whole or not at all."""
    t.write("f", "1")
    t.put(moved=1)
    page = os.path.join(t.dir, "report.html")
    with open(page, "w") as f:
        f.write("the one before")
    report(t, "--format", "html", "--output", page, umask=0o027)
    Page(open(page).read())
    assert stat.S_IMODE(os.stat(page).st_mode) == 0o640
    assert glob.glob(page + "*") == [page]
    where = os.path.join(t.dir, "none", "report.html")
    t.run("report", "--output", where, expect=2).says(where)
    t.run("report", "--output", t.dir, expect=2).says("directory")
    t.run("report", "--output", "/dev/null", expect=2).says("device")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_report_mistakes(t):
    t.run("report", expect=2).says(t.catalog)
    t.put(moved=0)
    t.run("report", "--run", "7", expect=2).says("no such run")
    t.run("report", "--run", "last", expect=2).says("--run")
    t.run("report", "--format", "pdf", expect=2).says("text, json, csv or html")
    text = t.run(
        "report", "--catalog", t.catalog, "--format", "html", config=False
    ).out.decode()
    Page(text)


def test_report_empty_run(t):
    """Nothing was moved: no chart divides by it."""
    t.put(moved=0)
    t.put(moved=0)
    for form in ("text", "json", "csv", "html"):
        text = report(t, "--format", form)
        assert "nan" not in text.lower() and "inf" not in text.split(), text


@limit(150)
def test_report_while_running(t):
    from test_catalog import finish, slow_put

    process, proxy = slow_put(t)
    got = json.loads(report(t, "--format", "json"))
    assert got["state"] == "running" and "ended" not in got, got
    Page(report(t, "--format", "html"))
    assert process.poll() is None, t.started_text()
    process.kill()
    process.wait()
    got = json.loads(report(t, "--format", "json"))
    assert got["state"] == "dead", got
    process = t.start("PUT")
    finish(t, process, proxy)
    got = json.loads(report(t, "--format", "json"))
    assert (got["run"], got["crawl"]) == (2, 1), got
    assert got["state"] == "complete", got


def test_report_older_run(t):
    """--run: the run that was asked for, in every format."""
    fill(t)
    t.write("later", "1" * 50)
    t.put(expect=1)
    got = json.loads(report(t, "--format", "json", "--run", "1"))
    assert (got["run"], got["failures"]) == (1, []), got
    assert [s["path"] for s in got["slowest"]] == [
        t.server + t.share + "/old"
    ], got
    text = report(t, "--format", "csv", "--run", "2")
    rows = list(csv.reader(io.StringIO(text)))
    facts = {tuple(row[:3]): row[3] for row in rows}
    for name, value in of_run(t, 2).items():
        assert facts["run", "2", name] == str(value), name
    for run in (1, 2, 3):
        text = report(t, "--format", "html", "--run", str(run))
        Page(text)
        root = xml.etree.ElementTree.fromstring(text)
        by_id = {e.get("id"): e for e in root.iter() if e.get("id")}
        want = of_run(t, run)
        parts = ("moved", "unchanged", "excluded", "failed")
        assert numbers(by_id["parts"]) == [want[p] for p in parts], run
        assert ("failures" in by_id) == (want["failed"] > 0), run
