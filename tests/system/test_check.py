"""check: tries all that a run needs, says each in a line, leaves nothing."""
import email.utils
import http.client
import http.server
import json
import os
import socket
import subprocess
import threading
import time

from case import Skip, limit
from test_catalog import finish, slow_put


class Meddler:
    """Between datamover and S3: moves the server's clock, refuses requests."""

    def __init__(self, t, clock=0, refuse=None):
        port = int(t.world.s3["S3_PORT"])

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + clock, usegmt=True)

            def log_message(self, *_):
                pass

            def answer(self, status, body, headers):
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("date", "server", "connection"):
                        self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def pass_on(self):
                length = int(self.headers.get("Content-Length", 0))
                data = self.rfile.read(length)
                if refuse and refuse(self.command, self.path):
                    body = b"<Error><Code>AccessDenied</Code></Error>"
                    size = [("Content-Length", str(len(body)))]
                    self.answer(403, body, size)
                    return
                there = http.client.HTTPConnection("127.0.0.1", port)
                there.request(self.command, self.path, data, self.headers)
                got = there.getresponse()
                body = got.read()
                headers = [
                    h
                    for h in got.getheaders()
                    if h[0].lower() not in ("transfer-encoding",)
                ]
                if not any(h[0].lower() == "content-length" for h in headers):
                    headers.append(("Content-Length", str(len(body))))
                self.answer(got.status, body, headers)
                there.close()

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler
        )
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        t.conf(s3_storage={"endpoint": self.url})


def check(t, *arguments, expect=0, **options):
    """The lines of --json, the last one apart."""
    result = t.run("check", "--json", *arguments, expect=expect, **options)
    rows = [json.loads(line) for line in result.out.splitlines()]
    last = rows.pop()
    assert last["operation"] == "check", last
    for name, word in (("ok", "ok"), ("warnings", "warn"), ("failed", "fail")):
        count = sum(1 for r in rows if r["result"] == word)
        assert count == last[name], result
    assert (last["failed"] > 0) == (result.status != 0), result
    return rows


def failed(rows, area):
    """The one failed row, which is of this area and says what to do."""
    bad = [r for r in rows if r["result"] == "fail"]
    assert len(bad) == 1 and bad[0]["area"] == area, bad
    assert bad[0]["todo"], bad
    return bad[0]


def nothing_left(t):
    assert not t.objects(), t.objects()
    assert not t.uploads(), t.uploads()


def test_check(t):
    t.write("some file", "12345")
    before = sorted(os.listdir(t.dir)), sorted(os.listdir(t.logs))
    result = t.run("check")
    lines = result.out.decode().splitlines()
    for area in ("config", "catalog", "log", "export", "s3"):
        assert any(line.split()[1] == area for line in lines[:-1]), result
    assert all(line.startswith(("ok ", "warn ")) for line in lines[:-1])
    result.says("read 5 bytes of some file", "lists 1 entry", t.bucket)
    result.says(t.server + t.share, "multipart", "clock")
    assert lines[-1] == "a run has what it needs", result
    after = sorted(os.listdir(t.dir)), sorted(os.listdir(t.logs))
    assert before == after, "it made something: %r" % (after,)
    nothing_left(t)
    # What it said is true: the same settings make a run.
    t.put(moved=1)
    rows = check(t)
    assert any("schema" in r["message"] for r in rows), rows
    assert len(t.objects()) == 1


def test_check_json(t):
    rows = check(t)
    assert {r["area"] for r in rows} == {
        "config",
        "catalog",
        "log",
        "export",
        "s3",
    }
    assert all(r["subject"] and r["message"] for r in rows), rows
    assert any("empty" in r["message"] for r in rows if r["result"] == "warn")
    nothing_left(t)


def test_check_config(t):
    """Wrong settings are exit 2, and nothing is tried."""
    t.conf(s3_storage={"bucket": None})
    result = t.run("check", "--json", expect=2)
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [r.get("result") for r in rows] == ["fail", None], result
    assert "bucket" in rows[0]["message"], rows
    t.run("check", expect=2).says("FAIL", "bucket")
    t.conf(raw="[loging]\nlevel = INFO\n")
    t.run("check", expect=2).says("datamover.conf:", "loging")


def test_check_advice(t):
    """What surprises is said and stops nothing."""
    t.conf(
        nfs=[(t.server, [t.tree])],
        fs_config={"mounted": "yes", "server_as_prefix": "yes"},
    )
    rows = check(t)
    assert any(
        r["result"] == "warn" and "server_as_prefix" in r["message"]
        for r in rows
    ), rows


def test_check_catalog_place(t):
    where = os.path.join(t.dir, "none", "catalog.db")
    t.conf(catalog={"path": where})
    row = failed(check(t, expect=3), "catalog")
    assert os.path.dirname(where) in row["message"], row
    assert "make the directory" in row["todo"], row
    assert not os.path.exists(os.path.dirname(where))


def test_check_catalog_damaged(t):
    with open(t.catalog, "w") as f:
        f.write("These are notes of mine.\n" * 1000)
    row = failed(check(t, expect=3), "catalog")
    assert "damaged" in row["message"], row
    assert os.path.getsize(t.catalog) == 25000


def test_check_catalog_newer(t):
    t.put(moved=0)
    subprocess.run(
        ["sqlite3", t.catalog, "PRAGMA user_version = 999"], check=True
    )
    row = failed(check(t, expect=3), "catalog")
    assert "newer" in row["message"], row


@limit(150)
def test_check_catalog_in_use(t):
    process, proxy = slow_put(t)
    row = failed(check(t, expect=3), "catalog")
    assert str(process.pid) in row["message"], row
    finish(t, process, proxy)


def test_check_space(t):
    where = os.path.join(t.dir, "small")
    os.mkdir(where)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", where],
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise Skip("no tmpfs can be mounted: " + done.stderr.strip())
    t.conf(catalog={"path": os.path.join(where, "catalog.db")})
    row = failed(check(t, expect=3), "catalog")
    assert "1.0 MiB are free" in row["message"], row


def test_check_log(t):
    where = os.path.join(t.dir, "file")
    open(where, "w").close()
    t.conf(logging={"path": os.path.join(where, "log")})
    failed(check(t, expect=3), "log")


def test_check_exports(t):
    """Each export for itself."""
    t.write("f", "1")
    t.conf(nfs=[(t.server, [t.share, "/exp/none"])])
    rows = check(t, expect=3)
    row = failed(rows, "export")
    assert row["subject"] == t.server + "/exp/none", row
    assert any("read 1 bytes" in r["message"] for r in rows), rows


@limit(120)
def test_check_no_nfs(t):
    t.conf(fs_config={"nfsport": 1, "mountport": 1, "timeout": 2})
    row = failed(check(t, expect=3), "export")
    assert "nfsport" in row["todo"], row


def test_check_may_not_read(t):
    os.chmod(t.write("f", "1"), 0o600)
    t.conf(fs_config={"uid": 12345, "gid": 12345})
    row = failed(check(t, expect=3), "export")
    assert "f can't be read" in row["message"] and "uid" in row["todo"], row


def test_check_may_not_list(t):
    os.chmod(t.tree, 0o700)
    t.conf(fs_config={"uid": 12345, "gid": 12345})
    failed(check(t, expect=3), "export")


def test_check_odd_name(t):
    """Names are escaped."""
    t.write(b"a\n\x1b[31m\xff", "1")
    result = t.run("check")
    assert b"\x1b" not in result.out and b"\xff" not in result.out, result
    assert rb"a\x0a\x1b[31m\xff" in result.out, result


def test_check_no_bucket(t):
    t.conf(s3_storage={"bucket": "not-there-at-all"})
    row = failed(check(t, expect=3), "s3")
    assert row["message"] == (
        "bucket not-there-at-all: there is no such bucket (HTTP 404)"
    ), row
    assert "bucket" in row["todo"], row


def test_check_credentials(t):
    t.conf(s3_storage={"secret_key": "wrong"})
    row = failed(check(t, expect=3), "s3")
    assert "SignatureDoesNotMatch" in row["message"], row
    assert "secret_key" in row["todo"], row
    t.conf(s3_storage={"access_key": "NOBODY"})
    row = failed(check(t, expect=3), "s3")
    assert "InvalidAccessKeyId" in row["message"], row


def test_check_no_s3(t):
    """One of two endpoints is out of reach, which is said within seconds;
    the other one is tried."""
    t.conf(s3_storage={"endpoint": ["http://127.0.0.1:1", t.endpoint]})
    begun = time.monotonic()
    rows = check(t, expect=3)
    assert time.monotonic() - begun < 15 * t.world.slowness
    row = failed(rows, "s3")
    assert row["subject"] == "http://127.0.0.1:1", row
    assert any("multipart" in r["message"] for r in rows), rows
    nothing_left(t)


def test_check_wrong_scheme(t):
    """http to a port that speaks TLS, and https to one that doesn't."""
    alert = b"\x15\x03\x01\x00\x02\x02\x46"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                connection.recv(4096)
                connection.sendall(alert)
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        port = server.getsockname()[1]
        t.conf(s3_storage={"endpoint": "http://127.0.0.1:%d" % port})
        row = failed(check(t, expect=3), "s3")
        assert "does the endpoint speak https?" in row["message"], row
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    url = t.endpoint.replace("http:", "https:")
    t.conf(s3_storage={"endpoint": url})
    row = failed(check(t, expect=3), "s3")
    assert "does the endpoint speak http?" in row["message"], row


def test_check_clock(t):
    Meddler(t, clock=-3600)
    row = failed(check(t, expect=3), "s3")
    assert "clock" in row["message"] and "behind" in row["message"], row
    Meddler(t, clock=300)
    rows = check(t)
    assert any(
        r["result"] == "warn" and "ahead" in r["message"] for r in rows
    ), rows
    nothing_left(t)


def test_check_may_not_write(t):
    Meddler(t, refuse=lambda method, path: method == "PUT")
    row = failed(check(t, expect=3), "s3")
    assert "write" in row["message"] and "AccessDenied" in row["message"], row
    nothing_left(t)


def test_check_may_not_delete(t):
    """The object that stays is named."""
    Meddler(
        t,
        refuse=lambda m, p: m == "DELETE"
        and "uploadId" not in p
        or m == "POST"
        and "delete" in p.split("?")[-1],
    )
    row = failed(check(t, expect=3), "s3")
    key = list(t.objects())[0]
    assert key.startswith(".datamover-check/") and key in row["message"], row


def test_check_may_not_read_back(t):
    """It is deleted all the same."""
    Meddler(
        t, refuse=lambda m, p: m == "GET" and "/.datamover-check/" in p
    )
    row = failed(check(t, expect=3), "s3")
    assert "read it back" in row["message"], row
    nothing_left(t)


def test_check_no_multipart(t):
    Meddler(t, refuse=lambda m, p: m == "POST")
    row = failed(check(t, expect=3), "s3")
    assert "multipart" in row["message"], row
    nothing_left(t)


@limit(120)
def test_check_etag(t):
    """Where the ETag isn't the MD5, Content-MD5 must be compared."""
    proxy = t.proxy()
    proxy.order("match PUT corrupt-etag 1")
    said = [row.get("message", "") for row in check(t, expect=0)]
    assert any("Content-MD5 is compared" in text for text in said), said
    nothing_left(t)
