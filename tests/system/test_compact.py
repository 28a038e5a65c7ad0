"""Compaction of DSS targets after PUT and DEL: a real sshd for each target,
and a stand-in for dss_rpc.py where the DSS software would be."""
import json
import os
import platform
import signal

from case import limit
from test_ssh import Sshd

# Writes its arguments down. What it answers is in the subsystem's name.
SCRIPT = r"""#!/usr/bin/python3 -S
import json, os, sys
here = os.path.dirname(os.path.abspath(sys.argv[0]))
nqn = sys.argv[sys.argv.index("-n") + 1] if "-n" in sys.argv else ""
asked = "--get_status" in sys.argv
with open(here + "/log", "a") as f:
    f.write(json.dumps([os.geteuid()] + sys.argv[1:]) + "\n")
with open(here + "/log") as f:
    lines = [json.loads(line) for line in f]
times = sum(nqn in line and "--get_status" in line for line in lines)
if "broken" in nqn or ("flaky" in nqn and asked and times == 1):
    sys.exit("rpc: no such subsystem")
if not asked:
    print(json.dumps({"result": "BUSY" if "busy" in nqn else "STARTED"}))
elif "never" in nqn or times < 2:
    print("one moment\n" + json.dumps({"result": "RUNNING"}))
else:
    print(json.dumps({"result": "FAILED" if "bad" in nqn else "IDLE"}))
"""


class Target(Sshd):
    def __init__(self, t, name="stack-target", **options):
        programs = os.path.join(t.dir, name, "bin")
        os.makedirs(programs)
        extra = "SetEnv PATH=%s:/usr/bin:/bin" % programs
        super().__init__(t, name, SSH_EXTRA=extra, **options)
        self.programs = programs
        self.installed = os.path.join(t.dir, name, "it's installed")
        self.scripts = os.path.join(self.installed, "scripts")
        os.makedirs(self.scripts, mode=0o777)
        os.chmod(self.scripts, 0o777)
        self.put(os.path.join(self.scripts, "dss_rpc.py"), SCRIPT)

    def put(self, path, text):
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def tool(self, name, text):
        self.put(os.path.join(self.programs, name), "#!/bin/bash\n" + text)

    def calls(self):
        """[effective user, argument...] of each."""
        try:
            with open(os.path.join(self.scripts, "log")) as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def started(self):
        return [c[-1] for c in self.calls() if c[-1] != "--get_status"]


def configure(t, installed, targets, timeout=60, **client):
    """targets: (host, [nqn])."""
    lines = [
        "[dss_targets]",
        "installation_path = " + installed,
        "compaction_timeout = %d" % timeout,
    ]
    for number, (host, nqns) in enumerate(targets):
        lines += ["[dss_targets t%d]" % number, "host = " + host]
        lines += ["nqn = " + nqn for nqn in nqns]
    client = dict({"user_id": "root"}, **client)
    t.conf(raw="\n".join(lines) + "\n", client=client)


def rows(t):
    return t.query(
        "SELECT target, nqn, state, reason FROM compactions "
        "ORDER BY run, target, nqn"
    )


def both_known(t, *targets):
    path = os.path.join(t.dir, "known")
    with open(path, "w") as f:
        for target in targets:
            f.write(open(target.known).read())
    return path


@limit(120)
def test_compact_after_put_and_del(t):
    t.small_files(5)
    with Target(t) as a, Target(t, "stack-second") as b:
        os.rename(b.installed, b.installed + "-")
        os.symlink(a.installed, b.installed)
        configure(
            t,
            a.installed,
            [(a.host, ["nqn.x:one", "nqn.x:two"]), (b.host, ["nqn.x:three"])],
            identity_file=a.key,
            known_hosts=both_known(t, a, b),
        )
        with open(
            os.path.join(b.stack, "ssh", "authorized_keys"), "a"
        ) as f:
            f.write(open(a.key + ".pub").read())
        result = t.put(moved=5, failed=0, compacted=3, not_compacted=0)
        result.says("compaction of %s nqn.x:two is done" % a.host)
        assert sorted(a.started()) == ["nqn.x:one", "nqn.x:three", "nqn.x:two"]
        wanted = [0, "-s", "/var/run/spdk.sock", "rdb_compact", "-n"]
        for call in a.calls():
            assert call[:5] == wanted, call
            assert call[6:] in ([], ["--get_status"]), call
        # Each was asked after until it was idle.
        for nqn in ("one", "two", "three"):
            asked = [c for c in a.calls() if c[5] == "nqn.x:" + nqn]
            assert len(asked) == 3, asked
        expected = sorted(
            [
                (a.host, "nqn.x:one", "done", None),
                (a.host, "nqn.x:two", "done", None),
                (b.host, "nqn.x:three", "done", None),
            ]
        )
        assert sorted(rows(t)) == expected, rows(t)
        report = json.loads(t.run("report", "--format", "json").out)
        assert [c["state"] for c in report["compactions"]] == ["done"] * 3
        t.run("report").says("compaction", a.host, "nqn.x:three")
        t.run("report", "--format", "html").says("<h2>Compaction</h2>")
        t.run("report", "--format", "csv").says("nqn.x:three,state,done")

        # DEL too; with nothing to do as well; not where it shall not.
        t.run("PUT", "--json", "--compaction", "no").counted(unchanged=5)
        t.run("PUT", "--dryrun", "--json").counted(found=5)
        t.run("DEL", "--dryrun")
        t.run("TEST", "--data_integrity")
        t.run("LIST")
        assert len(a.started()) == 3, a.started()
        result = t.run("DEL", "--yes", "--json")
        assert result.json["compacted"] == 3, result
        assert len(a.started()) == 6, a.started()
        t.run("DEL", "--yes", "-com", "no")
        assert len(a.started()) == 6, a.started()


@limit(120)
def test_compact_failures(t):
    t.small_files(3)
    with Target(t) as a:
        ours = {"identity_file": a.key, "known_hosts": a.known}
        nqns = ["broken", "busy", "bad", "flaky", "good"]
        targets = [
            (a.host, ["nqn.x:" + n for n in nqns] + ["-x", "a b"]),
            ("127.0.0.1:1", ["nqn.x:away"]),
            ("localhost:" + a.port, ["nqn.x:stranger"]),
        ]
        configure(t, a.installed, targets, **ours)
        result = t.put(
            expect=1, moved=3, failed=0, compacted=2, not_compacted=7
        )
        result.says("compacted", "not")
        # What waits for a limit is alone with it.
        never = [(a.host, ["nqn.x:never"])]
        configure(t, a.installed, never, timeout=10, **ours)
        late = t.put(expect=1, unchanged=3, compacted=0, not_compacted=1)
        got = {row[1]: row[2:] for row in rows(t)}
        for nqn in ("flaky", "good"):
            assert got["nqn.x:" + nqn] == ("done", None), got

        def failed(nqn, *words):
            state, reason = got[nqn]
            assert state == "failed", (nqn, got)
            for word in words:
                assert word in reason, (nqn, word, reason)
            (late if nqn == "nqn.x:never" else result).says(reason)

        failed("nqn.x:broken", "exit status 1", "no such subsystem")
        failed("nqn.x:busy", "not started", "BUSY")
        failed("nqn.x:bad", "FAILED")
        failed("nqn.x:never", "not idle within 10 s", "compaction_timeout")
        failed("-x", "not an NQN")
        failed("a b", "not an NQN")
        failed("nqn.x:away", "refused")
        failed("nqn.x:stranger", "unknown host key")
        assert "nqn.x:never" in a.started()
        t.same()


def test_compact_says_nothing_without_targets(t):
    t.small_files(2)
    result = t.put(moved=2)
    assert "compact" not in result.text, result


@limit(120)
def test_compact_words_reach_no_shell(t):
    t.small_files(1)
    trap = os.path.join(t.dir, "trap")
    odd = [
        "nqn.x:$(touch${IFS}%s)" % trap,
        "nqn.x:`touch${IFS}%s`" % trap,
        "nqn.x:'|touch${IFS}%s|'" % trap,
        "nqn.x:\"&touch${IFS}%s&\"" % trap,
        "nqn.x:*?[a]\\\\~!{a,b}",
    ]
    with Target(t) as a:
        configure(
            t,
            a.installed,
            [(a.host, odd)],
            identity_file=a.key,
            known_hosts=a.known,
        )
        t.put(compacted=len(odd))
        assert a.started() == odd, a.started()
        assert not os.path.exists(trap)


@limit(120)
def test_compact_finds_subsystems(t):
    t.small_files(1)
    host = platform.node().split(".")[0]
    with Target(t) as a:
        listing = "echo 'nvme-subsys%d - NQN=nqn.2023-06.io:%s'\n"
        a.tool(
            "nvme",
            '[ "$*" = list-subsys ] || exit 9\n'
            + listing % (0, host + "-data1")
            + listing % (1, host + "0-data1")
            + listing % (2, host + "-data2")
            + listing % (3, "other"),
        )
        settings = dict(identity_file=a.key, known_hosts=a.known)
        configure(t, a.installed, [(a.host, [])], **settings)
        t.put(compacted=2, not_compacted=0)
        wanted = ["nqn.2023-06.io:%s-data%d" % (host, n) for n in (1, 2)]
        assert a.started() == wanted, a.started()
        # Nothing found is nothing done.
        a.tool("nvme", "exit 0")
        t.put(expect=1, unchanged=1, not_compacted=1)
        assert rows(t)[-1][1:3] == (None, "failed"), rows(t)
        assert "name them in nqn" in rows(t)[-1][3], rows(t)
        a.tool("nvme", "echo 'no nvme here' >&2; exit 1")
        t.put(expect=1, not_compacted=1).says("no nvme here")
        a.tool("nvme", "exit 0")
        a.tool("uname", "exit 0")
        t.put(expect=1, not_compacted=1).says("uname -n printed nothing")


@limit(120)
def test_compact_by_sudo(t):
    """A user that is not root, who logs in by password."""
    t.small_files(1)
    with Target(t) as a:
        a.tool("sudo", '[ "$1" = -n ] || exit 9\nshift\nexec "$@"')
        password = a.file("password", a.password + "\n")
        configure(
            t,
            a.installed,
            [(a.host, ["nqn.x:one"])],
            user_id=a.user,
            password_file=password,
            known_hosts=a.known,
        )
        t.put(compacted=1)
        assert all(call[0] == 12000 for call in a.calls()), a.calls()
        a.tool("sudo", "echo 'sudo: a password is required' >&2; exit 1")
        t.put(expect=1, not_compacted=1).says("a password is required")


@limit(120)
def test_compact_is_interrupted(t):
    t.small_files(2)
    with Target(t) as a:
        configure(
            t,
            a.installed,
            [(a.host, ["nqn.x:never"])],
            timeout=1000,
            identity_file=a.key,
            known_hosts=a.known,
        )
        run = t.start("PUT")
        t.eventually(lambda: len(a.calls()) >= 2)
        assert rows(t)[0][2] == "running", rows(t)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=30) == 130
        assert rows(t)[0][2:] == ("failed", "stopped"), rows(t)
        # Killed: the row says that nobody knows.
        calls = len(a.calls())
        run = t.start("PUT")
        t.eventually(lambda: len(a.calls()) >= calls + 2)
        run.kill()
        run.wait()
        report = json.loads(t.run("report", "--format", "json").out)
        states = [c["state"] for c in report["compactions"]]
        assert states == ["unknown"], states
        t.run("PUT", "--compaction", "no", "--json").counted(unchanged=2)
        assert "unknown" in [row[2] for row in rows(t)], rows(t)
        t.same()
