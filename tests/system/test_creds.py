"""Keys of the store that end while a run goes on; and stores that refuse."""
import json
import os
import subprocess
import threading
import time

import cloud
from case import limit
from test_join import Clients

# "make check-long" has longer runs.
SECONDS = int(os.environ.get("SECONDS_OF_KEYS", "20"))
SOURCES = ("instance", "container", "web", "role", "process", "sso")


class Run:
    """A PUT with keys of one source, in a home and a catalog of its own."""

    def __init__(self, t, c, source, variables, files, rate):
        self.t = t
        self.source = source
        home = os.path.join(t.dir, "home-" + source)
        for name, text in files.items():
            path = os.path.join(home, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        t.config = os.path.join(t.dir, source + ".conf")
        t.catalog = os.path.join(t.dir, source + ".db")
        t.conf(
            s3_storage={
                "endpoint": c.url,
                "bucket": "bkt-" + source,
                "access_key": None,
                "secret_key": None,
                "retry_for": 30,
            }
        )
        env = dict(t.environment(variables), HOME=home)
        self.process = subprocess.Popen(
            t.command(
                "PUT", "--json", "--tpslimit", str(rate), "--config", t.config
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=t.dir,
        )

    def end(self, moved):
        out, err = self.process.communicate()
        assert self.process.returncode == 0, (self.source, out, err)
        j = json.loads(out.splitlines()[-1])
        assert (j["moved"], j["failed"]) == (moved, 0), (self.source, j)
        for secret in (b"secret", b"bearer", b"jwt"):
            assert secret not in out + err, (self.source, err)


def each_source(t, life, lie, files, rate):
    """Runs with each source, at the same time; {service: keys given}."""
    t.small_files(files)
    c = cloud.Cloud(life, lie)
    try:
        runs = [
            Run(t, c, source, *v, rate)
            for source, v in cloud.settings(c, t.dir).items()
        ]
        for run in runs:
            run.end(files)
        assert len(c.objects) == files * len(runs), len(c.objects)
        return c
    finally:
        c.close()


def log_has_no_secret(t):
    for name in os.listdir(t.logs):
        with open(os.path.join(t.logs, name)) as f:
            text = f.read()
        assert "secret" not in text.replace("secret_key", ""), text


@limit(120)
def test_each_source_of_keys(t):
    """Keys that are renewed ahead of their end: nothing waits, and the store
    never sees keys that have ended, or hardly ever on a busy machine."""
    c = each_source(t, life=4, lie=0, files=60, rate=8)
    for service in ("instance", "container", "AssumeRole", "sso"):
        assert c.asked[service] >= 2, c.asked
    log_has_no_secret(t)


@limit(120)
def test_keys_that_end_early(t):
    """The sources say that their keys live for an hour, and the store calls
    them expired after two seconds."""
    c = each_source(t, life=2, lie=3600, files=40, rate=8)
    assert c.expired >= len(SOURCES), c.expired
    assert all(n >= 2 for n in c.asked.values()), c.asked
    assert len(c.asked) == 5, c.asked


def test_check_says_where_keys_come_from(t):
    c = cloud.Cloud(3600)
    try:
        s3 = {"endpoint": c.url, "access_key": None, "secret_key": None}
        t.conf(s3_storage=s3)
        variables, _ = cloud.settings(c, t.dir)["container"]
        until = cloud.iso(time.time() + 3600)[:13]
        t.run("check", expect=3, env=variables).says(
            "keys of S3: from container, until " + until
        )
        t.run("check", expect=2).says("no S3 credentials")
        # A source that is there and refuses: 3.
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "wrong"
        for verb in ("check", "PUT"):
            done = t.run(verb, expect=3, env=variables)
            done.says("container: HTTP 403: who are you?")
    finally:
        c.close()


# In a network of its own: the address of the endpoint of ECS, and a command.
ECS = """
import subprocess, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import cloud
for words in ("link set lo up", "addr add 169.254.170.2/32 dev lo"):
    subprocess.run(["ip", *words.split()], check=True)
c = cloud.Cloud(3600, address=("169.254.170.2", 80))
status = subprocess.run(sys.argv[2:]).returncode
c.close()
sys.exit(status)
"""


def test_keys_of_a_task_of_ecs(t):
    script = os.path.join(t.dir, "ecs.py")
    with open(script, "w") as f:
        f.write(ECS)
    t.prefix = ["unshare", "--net", "/usr/bin/python3", script]
    t.prefix.append(os.path.dirname(os.path.abspath(__file__)))
    t.conf(
        s3_storage={
            "endpoint": "http://169.254.170.2",
            "access_key": None,
            "secret_key": None,
        }
    )
    variables = {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic abc",
    }
    done = t.run("check", expect=3, env=variables)
    done.says("keys of S3: from container", "bucket %s is there" % t.bucket)


def three_clients(t, seconds, life, lie=0):
    files = seconds * 30
    t.small_files(files)
    c = cloud.Cloud(life, lie)
    try:
        clients = Clients(
            t,
            3,
            endpoint=c.url,
            access_key=None,
            secret_key=None,
            retry_for=30,
        )
        variables, _ = cloud.settings(c, t.dir)["instance"]
        begun = time.monotonic()
        done = t.run("PUT", "--json", "--tpslimit", "30", env=variables)
        assert time.monotonic() - begun >= seconds * 0.9
        done.counted(moved=files, failed=0)
        assert len(c.objects) == files, len(c.objects)
        clients.end()
        assert "T1-" not in clients.text(), clients.text()
        log_has_no_secret(t)
        return c
    finally:
        c.close()


@limit(3 * SECONDS + 120)
def test_keys_of_4_s_for_three_clients(t):
    c = three_clients(t, seconds=SECONDS, life=4)
    assert c.given >= SECONDS / 4, c.given


@limit(120)
def test_keys_that_end_early_for_three_clients(t):
    c = three_clients(t, seconds=6, life=2, lie=3600)
    assert c.expired >= 3 and c.given >= 3, (c.expired, c.given)


@limit(60)
def test_a_file_with_keys_that_changes(t):
    """Somebody else writes new keys into ~/.aws/credentials now and then."""
    t.small_files(60)
    c = cloud.Cloud(2)
    path = os.path.join(t.dir, "home-file", ".aws", "credentials")
    over = threading.Event()

    def write():
        keys = c.keys("file")
        text = (
            "[default]\naws_access_key_id = %(key)s\n"
            "aws_secret_access_key = secret\naws_session_token = %(token)s\n"
        ) % keys
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def go_on():
        while not over.wait(1.5):
            write()

    os.makedirs(os.path.dirname(path))
    write()
    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        Run(t, c, "file", {}, {}, 10).end(60)
        assert c.given >= 3, c.given
    finally:
        over.set()
        writer.join()
        c.close()


def test_keys_that_nobody_renews(t):
    """A token in the settings that ends: the run says what to do."""
    t.small_files(40)
    c = cloud.Cloud(1)
    try:
        keys = c.keys("settings")
        t.conf(
            s3_storage={
                "endpoint": c.url,
                "access_key": keys["key"],
                "secret_key": "secret",
                "session_token": keys["token"],
            }
        )
        done = t.run("PUT", "--json", "--tpslimit", "10", expect=3)
        done.says("ExpiredToken", "never renewed")
    finally:
        c.close()


# --- a store that refuses everything ---


def refused_run(t, c, files, *arguments, clients=0, expect=3):
    """A PUT with keys that end late."""
    if not os.listdir(t.tree):
        t.small_files(files)
    keys = c.keys("settings")
    s3 = {
        "endpoint": c.url,
        "access_key": keys["key"],
        "secret_key": "secret",
        "session_token": keys["token"],
        "max_inflight": 4,
    }
    if clients:
        joined = Clients(t, clients, **s3)
    else:
        t.conf(s3_storage=s3)
    done = t.run("PUT", "--json", *arguments, expect=expect)
    if clients:
        joined.end()
    return done


REFUSALS = (
    (403, "InvalidAccessKeyId"),
    (403, "SignatureDoesNotMatch"),
    (403, "UserSuspended"),
    (403, "AccountProblem"),
    (403, "QuotaExceeded"),
    (404, "NoSuchBucket"),
    (507, "XMinioStorageFull"),
    (400, "ExpiredToken"),
)


def test_refusals_of_the_account(t):
    """One reason, a few rows, the rest is left; and the next run goes on."""
    c = cloud.Cloud(3600)
    try:
        for status, code in REFUSALS:
            c.refuse = (status, code)
            j = refused_run(t, c, 400).json
            assert code in j["error"], j
            assert "20 requests in a row" in j["error"], j
            assert 20 <= j["failed"] < 150, j
            assert j["pending"] + j["failed"] == 400, j
        c.refuse = None
        refused_run(t, c, 400, expect=0).counted(moved=400, failed=0)
    finally:
        c.close()


def test_refusals_of_clients(t):
    """They count at the master, over the clients."""
    c = cloud.Cloud(3600)
    c.refuse = (403, "AccountProblem")
    try:
        j = refused_run(t, c, 1000, clients=3).json
        assert "20 requests in a row" in j["error"], j
        assert j["failed"] < 400, j
    finally:
        c.close()


def test_denied_everywhere(t):
    """AccessDenied may be of a key: one write decides."""
    c = cloud.Cloud(3600)
    c.refuse = (403, "AccessDenied")
    try:
        j = refused_run(t, c, 1000).json
        assert ".datamover-check/probe" in j["error"], j
        assert 20 <= j["failed"] < 300, j
    finally:
        c.close()


def test_denied_keys(t):
    """The write is accepted: the rows fail, and the run goes on."""
    c = cloud.Cloud(3600)
    c.refuse = (403, "AccessDenied")
    c.refuse_but = "probe"
    try:
        j = refused_run(t, c, 200, expect=1).json
        assert (j["failed"], j["moved"]) == (200, 0), j
        assert c.probes == 1, c.probes
        assert not c.objects, c.objects
    finally:
        c.close()


def test_keys_that_may_only_write(t):
    """PUT finds out by a write; no other verb can do anything."""
    c = cloud.Cloud(3600)
    c.write_only = True
    try:
        done = refused_run(t, c, 50, expect=0).counted(moved=50, failed=0)
        done.says("write_only", "AccessDenied")
        assert len(c.objects) == 51, len(c.objects)
        t.write("more", "1")
        t.put(moved=1, unchanged=50)
        t.run("LIST", expect=3).says("AccessDenied")
        c.refuse = (403, "AccessDenied")
        t.write("last", "1")
        t.run("PUT", expect=3).says("no right to this bucket")
    finally:
        c.close()
