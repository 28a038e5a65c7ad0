"""What a test gets: a tree under an export, a bucket, a config, a catalog,
and datamover itself.

A test is a function test_NAME(t) in a file test_*.py; t is a Case. It fails
by raising, usually with assert. @limit(SECONDS) changes its time limit.
"""
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time

import boto3
import botocore.session
from botocore.config import Config

import sanitizer
import stack
import truth

MIB = 1 << 20


class Skip(Exception):
    """Raised with the reason why a test cannot be run here."""


def limit(seconds):
    def mark(function):
        function.limit = seconds
        return function

    return mark


def make_session():
    """Times stay text: to read those of a list takes three times as long as
    all the rest of it."""
    session = botocore.session.get_session()
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=str)
    return boto3.Session(botocore_session=session)


SESSION = make_session()


def s3_client(world, endpoint):
    return SESSION.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=world.s3["S3_KEY"],
        aws_secret_access_key=world.s3["S3_SECRET"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )


class Result:
    """One finished run of datamover."""

    def __init__(self, arguments, status, out, err, seconds):
        self.arguments = arguments
        self.status = status
        self.out = out
        self.err = err
        self.seconds = seconds
        self.json = None
        last = out.splitlines()[-1:]
        if last and last[0].startswith(b"{"):
            self.json = json.loads(last[0])

    def __str__(self):
        return "datamover %s\nstatus %s\n--- stdout\n%s\n--- stderr\n%s" % (
            " ".join(map(str, self.arguments)),
            self.status,
            self.out[-3000:].decode(errors="backslashreplace"),
            self.err[-3000:].decode(errors="backslashreplace"),
        )

    @property
    def text(self):
        return (self.out + self.err).decode(errors="backslashreplace")

    def says(self, *words):
        """Assert that the output has each of these, in any case."""
        for word in words:
            assert word.lower() in self.text.lower(), "no %r in\n%s" % (
                word,
                self,
            )
        return self

    def counted(self, **counts):
        """Assert that the last line of --json has these numbers, and that
        the totals close."""
        j = self.json
        assert j is not None, "no JSON line in\n%s" % self
        for name, value in counts.items():
            assert j.get(name) == value, "%s is %s, not %s, in\n%s" % (
                name,
                j.get(name),
                value,
                self,
            )
        parts = ("moved", "unchanged", "failed", "excluded")
        assert j["found"] == sum(j[p] for p in parts), (
            "the totals don't close:\n%s" % self
        )
        return self


class Proxy:
    """build/tools/fault/proxy in front of a server; see its source."""

    def __init__(
        self, t, port, raw=False, address="127.0.0.1", listen="127.0.0.1"
    ):
        program = os.path.join(t.world.tools, "fault", "proxy")
        self.log_file = os.path.join(
            t.dir, "proxy-%d-%d.log" % (port, len(t.proxies))
        )
        self.process = subprocess.Popen(
            [program, "--to", "%s:%d" % (address, port)]
            + ["--listen", listen]
            + ["--log", self.log_file]
            + (["--raw"] if raw else []),
            stdout=subprocess.PIPE,
            text=True,
        )
        words = self.process.stdout.readline().split()
        self.port = int(words[1])
        self.url = "http://%s:%d" % (listen, self.port)
        control = socket.create_connection(("127.0.0.1", int(words[3])))
        self.control = control.makefile("rw")

    def order(self, line):
        self.control.write(line + "\n")
        self.control.flush()
        answer = []
        while True:
            text = self.control.readline().strip()
            if text == "ok":
                return answer
            assert text and not text.startswith("error"), line + ": " + text
            answer.append(text)

    def release(self):
        """Forget all rules. What is held back is reset: its client asks
        again."""
        self.order("refuse")
        self.order("pass")

    def stats(self):
        return json.loads(self.order("stats")[0])

    def requests(self):
        """All answers so far as (method, target, status)."""
        if not os.path.exists(self.log_file):
            return []
        with open(self.log_file) as f:
            lines = [line.split() for line in f.read().splitlines()]
        return [tuple(words) for words in lines if len(words) == 3]

    def close(self):
        self.process.kill()
        self.process.wait()


class Case:
    def __init__(self, name, world, directory):
        self.name = name
        self.world = world
        self.dir = directory
        self.server = world.nfs["NFS_ADDR"]
        self.tree = os.path.join(world.export, name)
        self.share = "/exp/" + name
        os.mkdir(self.tree)
        self.key = world.s3["S3_KEY"]
        self.secret = world.s3["S3_SECRET"]
        self.endpoint = world.endpoint
        self.s3 = s3_client(world, self.endpoint)
        self.bucket = ("t-" + name.replace("_", "-"))[:60].rstrip("-")
        self.s3.create_bucket(Bucket=self.bucket)
        self.catalog = os.path.join(directory, "catalog.db")
        self.logs = os.path.join(directory, "log")
        os.mkdir(self.logs)
        self.reports = os.path.join(directory, "reports")
        sanitizer.prepare(self.reports)
        os.environ.update(sanitizer.options(self.reports))
        self.config = os.path.join(directory, "datamover.conf")
        self.proxies = []
        # Where datamover runs, and its user's home; see hosts.py.
        self.hosts = None
        self.prefix = []
        self.home = directory
        self.listen = "127.0.0.1"
        self.settings = {}
        self.conf()

    def close(self):
        for proxy in self.proxies:
            proxy.close()
        if self.hosts:
            self.hosts.close()

    # --- the tree ---

    def path(self, name):
        return os.path.join(os.fsencode(self.tree), os.fsencode(name))

    def write(self, name, data=b"", mtime=None):
        """A file in the tree, with the directories on the way."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(data, str):
            data = data.encode()
        with open(path, "wb") as f:
            f.write(data)
        if mtime is not None:
            os.utime(path, ns=(mtime, mtime))
        return path

    def random_file(self, name, size):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            left = size
            while left > 0:
                n = min(left, 4 * MIB)
                f.write(os.urandom(n))
                left -= n
        return path

    def small_files(self, count, directories=4, size=100):
        for i in range(count):
            self.write(
                "d%d/f%d" % (i % directories, i), os.urandom(size + i % 17)
            )

    # --- the config ---

    def conf(self, nfs=None, raw="", **sections):
        """Write the config: the defaults of the tests, then what is given as
        section={key: value}; a list repeats the key, None leaves it out."""
        world = self.world
        settings = {
            "fs_config": {
                "nfsport": world.nfs["NFS_PORT"],
                "mountport": world.nfs["MNT_PORT"],
                "server_as_prefix": "yes",
            },
            "s3_storage": {
                "client_lib": "minio",
                "endpoint": self.endpoint,
                "bucket": self.bucket,
                "name": "store",
                "access_key": self.key,
                "secret_key": self.secret,
                "region": "us-east-1",
            },
            "catalog": {"path": self.catalog},
            "logging": {"path": self.logs},
        }
        for more in (self.settings, sections):
            for section, values in more.items():
                settings.setdefault(section, {}).update(values)
        if nfs is None:
            nfs = [(self.server, [self.share])]
        lines = []
        for number, (server, shares) in enumerate(nfs):
            lines += ["[nfs n%d]" % number, "server = " + server]
            lines += ["share = " + share for share in shares]
        for section, values in settings.items():
            lines.append("[%s]" % section)
            for key, value in values.items():
                for one in value if isinstance(value, list) else [value]:
                    if one is not None:
                        lines.append("%s = %s" % (key, one))
        with open(self.config, "w") as f:
            f.write("\n".join(lines) + "\n" + raw)
        os.chmod(self.config, 0o600)

    def proxy(self, **sections):
        """A proxy in front of the S3 server, and a config that uses it."""
        port = int(self.world.s3["S3_PORT"])
        proxy = Proxy(self, port, listen=self.listen)
        self.proxies.append(proxy)
        s3 = dict(sections.pop("s3_storage", {}), endpoint=proxy.url)
        self.conf(s3_storage=s3, **sections)
        return proxy

    # --- datamover ---

    def command(self, *arguments):
        program = self.world.program
        return [*self.prefix, program, *arguments]

    def environment(self, more=None):
        return dict(
            {
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": self.home,
                "TERM": "dumb",
                "LANG": "C.UTF-8",
                # No test asks the machine that it runs on.
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            **sanitizer.options(self.reports),
            **(more or {})
        )

    def run(self, *arguments, expect=0, env=None, config=True, **options):
        """Run datamover to its end; expect is the exit status, or a set of
        them, or None for any."""
        arguments = list(arguments)
        if config:
            arguments += ["--config", self.config]
        begun = time.monotonic()
        done = subprocess.run(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(env),
            cwd=self.dir,
            **dict({"stdin": subprocess.DEVNULL}, **options)
            if "input" not in options
            else options
        )
        result = Result(
            arguments,
            done.returncode,
            done.stdout,
            done.stderr,
            time.monotonic() - begun,
        )
        if expect is not None:
            wanted = expect if isinstance(expect, set) else {expect}
            assert done.returncode in wanted, "expected %s: %s" % (
                expect,
                result,
            )
        return result

    def put(self, *arguments, expect=0, **counts):
        """PUT with --json; the totals must close and be these."""
        result = self.run("PUT", "--json", *arguments, expect=expect)
        return result.counted(**counts)

    def start(self, *arguments, env=None):
        """Start datamover and don't wait; the caller ends it."""
        arguments = list(arguments) + ["--config", self.config]
        err = open(os.path.join(self.dir, "started.err"), "ab")
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=err,
            stderr=err,
            env=self.environment(env),
            cwd=self.dir,
        )

    def started_text(self):
        with open(os.path.join(self.dir, "started.err"), "rb") as f:
            return f.read().decode(errors="backslashreplace")

    # --- what came of it ---

    def wanted(self, tree=None, prefix=None, **options):
        """{key: File} for the tree, as PUT has to store it."""
        if tree is None:
            tree = self.tree
        if prefix is None:
            prefix = self.server + self.share
        return truth.files_below(tree, prefix, **options)

    def same(self, wanted=None, **options):
        """Assert that tree and bucket are equal and no upload is open."""
        if wanted is None:
            wanted = self.wanted()
        truth.compare(self.s3, self.bucket, wanted, **options)
        assert not self.uploads(), "uploads left open: %r" % self.uploads()
        return wanted

    def objects(self):
        return truth.objects_in(self.s3, self.bucket)

    def uploads(self):
        listing = self.s3.list_multipart_uploads(Bucket=self.bucket)
        return [u["Key"] for u in listing.get("Uploads", ())]

    def query(self, sql, *values):
        """Ask the catalog with Python's own SQLite."""
        uri = "file:%s?mode=ro" % self.catalog
        db = sqlite3.connect(uri, uri=True)
        db.text_factory = lambda b: b.decode(errors="backslashreplace")
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def states(self):
        """{path: state} as the view objects has it."""
        return dict(self.query("SELECT path, state FROM objects"))

    # --- waiting and processes ---

    def eventually(self, condition, seconds=30, what="condition"):
        end = time.monotonic() + seconds * self.world.slowness
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError("%s: not after %d s" % (what, seconds))

    def server_pid(self, name):
        return stack.stack_pid(self.world.stack, name)

    def freeze(self, name):
        os.kill(self.server_pid(name), signal.SIGSTOP)

    def thaw(self, name):
        os.kill(self.server_pid(name), signal.SIGCONT)
