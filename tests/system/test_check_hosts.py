"""check where a run has clients or DSS targets: real sshds, and stand-ins for
what would be installed there."""
import os
import re
import shutil
import socket
import subprocess
import time

from case import limit
from hosts import Hosts
from test_check import check, failed
from test_compact import Target
from test_ssh import Sshd

# What is true of a run's other needs is test_check's.
HOSTS = ("master", "client", "target")


def version(t):
    return t.run("--version", config=False).out.decode().strip()


def of_hosts(rows):
    return [r for r in rows if r["area"] in HOSTS]


def free_port():
    with socket.socket() as s:
        s.bind(("", 0))
        return s.getsockname()[1]


def configure(t, sshd, hosts, raw="", message=None, **more):
    client = dict(
        {
            "host": hosts,
            "user_id": "root",
            "identity_file": sshd.key,
            "known_hosts": sshd.known,
            "path": "/bin/true",
        },
        **more.pop("client", {})
    )
    if message is None:
        message = {"port_index": free_port(), "port_status": free_port()}
    t.conf(client=client, message=message, raw=raw, **more)


def test_check_has_no_hosts(t):
    """Alone, nothing of this is asked for."""
    port = socket.create_server(("", 0))
    number = port.getsockname()[1]
    t.conf(message={"port_index": number})
    assert not of_hosts(check(t))
    port.close()


@limit(120)
def test_check_clients(t):
    """The hosts that a run would use: what check says comes true."""
    t.write("f", "1")
    hosts = Hosts(t)
    rows = of_hosts(check(t))
    clients = [r for r in rows if r["area"] == "client"]
    assert [r["subject"] for r in clients] == [c.name for c in hosts.clients]
    assert all(version(t) in r["message"] for r in clients), clients
    ports = [r["subject"] for r in rows if r["area"] == "master"]
    assert ports == ["port_index 6000", "port_status 6001"], ports
    assert all(r["result"] == "ok" for r in rows), rows
    hosts.quiet()
    t.put(moved=1)
    hosts.quiet()


@limit(120)
def test_check_client_programs(t):
    ours = version(t)
    with Sshd(t) as sshd:

        def says(text, path=None, **client):
            if path is None:
                path = sshd.program("it's a program", text)
            configure(t, sshd, [sshd.host], client=dict(client, path=path))
            rows = check(t, expect=None)
            row = of_hosts(rows)[-1]
            assert row["subject"] == sshd.host, row
            if row["result"] == "fail":
                assert failed(rows, "client") == row, rows
            return row

        row = says("echo 'Welcome!'; echo '%s'" % ours)
        assert row["result"] == "ok" and ours in row["message"], row
        arguments = "test \"$*\" = --version && echo '%s'" % ours
        assert says(arguments)["result"] == "ok"
        row = says("echo datamover 0.0.7")
        assert "is datamover 0.0.7" in row["message"], row
        assert ours in row["message"] and "path" in row["todo"], row
        row = says("echo hello")
        assert "prints no version" in row["message"], row
        row = says("echo no such library >&2; exit 9")
        assert "exit status 9: no such library" in row["message"], row
        row = says(None, path="/not/there")
        assert "/not/there is not there" in row["message"], row
        row = says(None, path="/etc/passwd")
        assert "cannot be run" in row["message"], row
        # Who waits for input gets its end.
        assert says("cat; echo '%s'" % ours)["result"] == "ok"
        # As another user, by password.
        row = says(
            "test $(id -un) = %s && echo '%s'" % (sshd.user, ours),
            user_id=sshd.user,
            identity_file=None,
            password_file=sshd.password_file(),
        )
        assert row["result"] == "ok", row


@limit(120)
def test_check_clients_out_of_reach(t):
    """Each has its line, in the order of the settings."""
    with Sshd(t) as sshd:
        hosts = ["127.0.0.1:1", sshd.host, "localhost:" + sshd.port]
        program = sshd.program("datamover", "echo '%s'" % version(t))
        configure(t, sshd, hosts, client={"path": program})
        rows = of_hosts(check(t, expect=3))[2:]
        assert [r["subject"] for r in rows] == hosts, rows
        results = [r["result"] for r in rows]
        assert results == ["fail", "ok", "fail"], rows
        assert "refused" in rows[0]["message"], rows[0]
        assert "is it up" in rows[0]["todo"], rows[0]
        assert "unknown host key" in rows[2]["message"], rows[2]
        assert "known_hosts" in rows[2]["todo"], rows[2]
        # A login that is refused.
        wrong = sshd.file("wrong", "not this\n")
        configure(
            t,
            sshd,
            [sshd.host],
            client={
                "path": program,
                "identity_file": None,
                "password_file": wrong,
            },
        )
        row = failed(check(t, expect=3), "client")
        assert "refused" in row["message"], row
        assert "not this" not in str(row), row


@limit(120)
def test_check_many_clients(t):
    """More than are asked at once; each waits for as many as there are, so
    that it takes for ever if they come one after the other."""
    with Sshd(t, SSH_EXTRA="MaxStartups 100") as sshd:
        here = os.path.join(t.dir, "here")
        os.mkdir(here)
        program = sshd.program(
            "datamover",
            "touch '%s'/$$\n"
            "until [ $(ls '%s' | wc -l) -ge 8 ]; do sleep 0.05; done\n"
            "echo '%s'" % (here, here, version(t)),
        )
        configure(t, sshd, [sshd.host] * 20, client={"path": program})
        rows = of_hosts(check(t))
        assert len(rows) == 22, rows
        assert all(r["result"] == "ok" for r in rows), rows


def test_check_busy_sshd(t):
    """One that closes the connection before the login is asked again."""
    with Sshd(t, SSH_EXTRA="MaxStartups 1:100:1") as sshd:
        program = sshd.program("datamover", "echo '%s'" % version(t))
        configure(t, sshd, [sshd.host], client={"path": program})
        stranger = t.eventually(sshd.stranger)
        process = subprocess.Popen(
            t.command("check", "--json", "--config", t.config),
            stdout=subprocess.PIPE,
            env=t.environment(),
        )
        # All else has been said when it waits for the client.
        for line in process.stdout:
            if b"port_status" in line:
                break
        time.sleep(1)
        stranger.close()
        rest = process.stdout.read()
        assert process.wait() == 0, rest
        assert version(t).encode() in rest, rest


def test_check_ports(t):
    taken = socket.create_server(("127.0.0.1", 0))
    number = taken.getsockname()[1]
    key = os.path.join(t.dir, "key")
    open_to_all = {"port_index": free_port(), "port_status": number}
    for master in ({}, {"host_or_ip_address": "127.0.0.1"}):
        t.conf(message=open_to_all, master=dict(master, key_file=key))
        row = failed(check(t, expect=3), "master")
        assert row["subject"] == "port_status %d" % number, row
        assert "in use" in row["message"], row
        assert "status" in row["todo"], row
    taken.close()
    assert len(of_hosts(check(t))) == 3
    t.conf(
        message=open_to_all,
        master={"host_or_ip_address": "192.0.2.1", "key_file": key},
    )
    rows = [r for r in check(t, expect=3) if r["result"] == "fail"]
    assert len(rows) == 2, rows
    assert "host_or_ip_address" in rows[0]["todo"], rows


def test_check_key_file(t):
    key = os.path.join(t.dir, "key")
    t.conf(
        master={"key_file": key},
        message={"port_index": free_port(), "port_status": free_port()},
    )

    def row(expect=0):
        rows = check(t, expect=expect)
        if expect:
            assert failed(rows, "master")["subject"] == key, rows
        return [r for r in rows if r["subject"] == key][0]

    assert "makes this key" in row()["message"]
    assert not os.path.exists(key)
    with open(key, "w") as f:
        f.write("A" * 64 + "\n")
    os.chmod(key, 0o600)
    assert "can be read" in row()["message"]
    os.chmod(key, 0o640)
    assert "open to others" in row(expect=3)["message"]
    os.chmod(key, 0o600)
    with open(key, "w") as f:
        f.write("secret words\n")
    bad = row(expect=3)
    assert "base64" in bad["message"], bad
    assert "secret words" not in str(bad), bad
    os.unlink(key)
    t.conf(
        master={"key_file": "/no/such/dir/key"},
        message={"port_index": free_port(), "port_status": free_port()},
    )
    bad = failed(check(t, expect=3), "master")
    assert "can't be made" in bad["message"], bad


@limit(150)
def test_check_dss_targets(t):
    with Target(t) as a:

        def look(nqns, expect=0, user="root", compaction="yes", **client):
            lines = [
                "[dss_targets]",
                "installation_path = " + a.installed,
                "[dss_targets one]",
                "host = " + a.host,
            ]
            lines += ["nqn = " + nqn for nqn in nqns]
            configure(
                t,
                a,
                [],
                raw="\n".join(lines) + "\n",
                client=dict({"user_id": user}, **client),
                general={"compaction": compaction},
            )
            rows = check(t, expect=expect)
            if expect:
                return failed(rows, "target")
            found = of_hosts(rows)
            return found[0] if found else None

        row = look(["nqn.x:one", "nqn.x:two"])
        assert row["subject"] == a.host, row
        assert "2 subsystems" in row["message"], row
        assert not a.calls(), "it started something: %r" % a.calls()
        assert look(["nqn.x:one"], compaction="no") is None
        assert "not an NQN" in look(["a b"], expect=3)["message"]
        # What nvme tells, where no nqn is given.
        row = look([], expect=3)
        assert "nvme" in row["message"] and "nqn" in row["todo"], row
        a.tool("nvme", "echo NQN=nqn.2023-01.io:$(uname -n)-kv_data1")
        assert "1 subsystem " in look([])["message"]
        # Another user needs sudo, which may say no.
        listing = os.path.join(t.dir, "stack-target", "sudo-log")
        open(listing, "w").close()
        os.chmod(listing, 0o666)
        a.tool("sudo", "printf '%%s\\n' \"$*\" >>'%s'" % listing)
        mover = {
            "identity_file": None,
            "password_file": a.password_file(),
            "user": a.user,
        }
        look(["nqn.x:one"], **mover)
        script = a.scripts + "/dss_rpc.py"
        with open(listing) as f:
            assert f.read() == "-n -l %s\n" % script
        a.tool("sudo", "echo 'sudo: a password is required' >&2; exit 1")
        row = look(["nqn.x:one"], expect=3, **mover)
        assert "a password is required" in row["message"], row
        # Without the script, and without the host.
        shutil.move(script, script + "-")
        row = look(["nqn.x:one"], expect=3)
        assert "dss_rpc.py is not there" in row["message"], row
        assert "installation_path" in row["todo"], row
        a.host = "127.0.0.1:1"
        row = look(["nqn.x:one"], expect=3)
        assert re.search("refused", row["message"]), row
        assert "is it up" in row["todo"], row
