"""Bringing clients up: logins, host keys, versions, what goes wrong."""
import os
import subprocess

from case import limit
from hosts import Hosts
from test_clients_hostile import VERSION


def some(t, count=60):
    t.small_files(count)
    return count


def put_slowly(t, settings=None, **counts):
    """PUT that takes long enough for each client to be tried."""
    t.settings["client"].update(settings or {})
    if not t.proxies:
        t.proxy()
    proxy = t.proxies[0]
    t.settings["s3_storage"] = {"endpoint": proxy.url}
    t.conf()
    proxy.order("match PUT delay 1500")
    result = t.put(**counts)
    proxy.order("pass")
    return result


@limit(60)
def test_launch_same_path(t):
    """Without [client] path it is the program that the master is."""
    hosts = Hosts(t)
    count = some(t)
    t.conf(client={"path": None})
    t.put(moved=count)
    hosts.quiet()


@limit(60)
def test_launch_password(t):
    """With a password, from a file or from the config; no key is there."""
    hosts = Hosts(t)
    os.unlink(hosts.master.ssh_file("id_ed25519"))
    secret = os.path.join(t.dir, "secret")
    with open(secret, "w") as f:
        f.write(hosts.password + "\n")
    os.chmod(secret, 0o600)
    count = some(t)
    t.conf(client={"password_file": secret})
    t.put(moved=count)
    t.conf(client={"password": hosts.password, "user_id": "root"})
    t.put(unchanged=count)
    t.same()
    hosts.quiet()


@limit(60)
def test_launch_identity_file(t):
    hosts = Hosts(t)
    key = os.path.join(t.dir, "the key")
    os.rename(hosts.master.ssh_file("id_ed25519"), key)
    count = some(t)
    t.run("PUT", expect=3).says("client1", "refused")
    t.conf(client={"identity_file": key})
    t.put(moved=count)
    t.same()
    hosts.quiet()


@limit(60)
def test_launch_refused(t):
    """One client lets nobody in: the others do the work, and the reason is
    there. All of them: exit 3."""
    hosts = Hosts(t)
    count = some(t)
    two = hosts.clients[1]
    os.unlink(two.ssh_file("authorized_keys"))
    put_slowly(t, moved=count).says("client2", "refused")
    t.same()
    hosts.quiet()
    for client in hosts.clients:
        with open(client.ssh_file("authorized_keys"), "w"):
            pass
    t.write("new", "1")
    result = t.run("PUT", "--json", expect=3)
    result.says("client1", "client2", "client3", "refused")
    hosts.quiet()
    t.conf(client={"password": "wrong"})
    t.run("PUT", "--json", expect=3).says("client1", "refused")
    hosts.quiet()
    assert hosts.password not in result.text


def known_hosts(hosts):
    with open(hosts.master.ssh_file("known_hosts")) as f:
        return f.read().splitlines()


def know(hosts, lines):
    with open(hosts.master.ssh_file("known_hosts"), "w") as f:
        f.write("".join(line + "\n" for line in lines))


@limit(60)
def test_launch_wrong_host_key(t):
    """A host that isn't the one we know, and one that we don't know: neither
    is talked to, and the message says what to do."""
    hosts = Hosts(t)
    count = some(t)
    lines = known_hosts(hosts)
    ours = [l for l in lines if l.startswith("client1,")][0]
    wrong = "client2,%s %s" % (
        hosts.clients[1].address,
        ours.split(" ", 1)[1],
    )
    know(hosts, [l for l in lines if not l.startswith("client2,")] + [wrong])
    put_slowly(t, moved=count).says("client2", "host key")
    hosts.quiet()
    know(hosts, [l for l in lines if not l.startswith("client3,")])
    t.write("new", "1")
    put_slowly(t, moved=1).says("client3", "known_hosts")
    know(hosts, [])
    t.write("newer", "1")
    t.run("PUT", expect=3).says("known_hosts")
    assert known_hosts(hosts) == [], "it added a host by itself"
    hosts.quiet()


def wrapper(t, text):
    """A program for [client] path; $REAL is datamover."""
    path = os.path.join(t.dir, "a 'wrapper")
    with open(path, "w") as f:
        f.write("#!/bin/sh\nREAL='%s'\n%s\n" % (t.command()[-1], text))
    os.chmod(path, 0o755)
    return path


OTHER = """
import base64, subprocess, sys
sys.dont_write_bytecode = True
sys.path.insert(0, %r)
from test_clients_hostile import hello
invite = {}
for line in sys.stdin:
    name, _, value = line.strip().partition(" ")
    if not name:
        break
    invite[name] = value
key = base64.b64decode(invite["key"]).hex()
address = "%%s:%%s" %% (invite["address"], invite["port_index"])
master = subprocess.Popen([%r, key, address], stdin=subprocess.PIPE)
master.stdin.write(hello(client=int(invite["client"]), version="9.9.9"))
master.stdin.flush()
sys.exit(master.wait() + 3)
"""


@limit(60)
def test_launch_wrong_version(t):
    """A client of another version gets no work; both versions are named."""
    hosts = Hosts(t)
    count = some(t)
    other = os.path.join(t.dir, "other.py")
    stranger = os.path.join(t.world.tools, "fault", "stranger")
    with open(other, "w") as f:
        f.write(OTHER % (os.path.dirname(__file__), stranger))
    python = "exec /usr/bin/python3 '%s'" % other
    text = 'test "$(hostname)" != client2 || %s\nexec "$REAL" "$@"' % python
    result = put_slowly(t, {"path": wrapper(t, text)}, moved=count)
    result.says("client2", "9.9.9", VERSION)
    t.same()
    hosts.quiet()
    t.conf(client={"path": wrapper(t, python)})
    t.write("new", "1")
    t.run("PUT", expect=3).says("9.9.9", VERSION)
    hosts.quiet()


@limit(60)
def test_launch_bad_program(t):
    """What is started isn't there, fails, says nothing, says too much."""
    hosts = Hosts(t)
    count = some(t)
    put_slowly(t, moved=count)
    t.write("new", "1")
    t.conf(client={"path": "/no/such/datamover"})
    t.run("PUT", expect=3).says("client1", "/no/such/datamover")
    t.put("--standalone")
    text = (
        'case "$(hostname)" in\n'
        "client1) yes | head -n 9 >&2; echo its reason >&2; exit 9 ;;\n"
        "client2) exec yes ;;\n"
        'esac\nexec "$REAL" "$@"'
    )
    t.write("newer", "1")
    result = put_slowly(t, {"path": wrapper(t, text)}, moved=1)
    result.says("client1", "its reason")
    t.same()
    hosts.quiet()


@limit(60)
def test_launch_noisy(t):
    """A client that writes and writes to standard error: its last line is
    the reason, and the log keeps what else it has."""
    hosts = Hosts(t)
    count = some(t)
    text = (
        'test "$(hostname)" != client1 || '
        "{ yes | head -c 3000000 >&2; echo its reason >&2; exit 9; }\n"
        'exec "$REAL" "$@"'
    )
    result = put_slowly(t, {"path": wrapper(t, text)}, moved=count)
    result.says("client1", "its reason")
    size = sum(
        os.path.getsize(os.path.join(t.logs, name))
        for name in os.listdir(t.logs)
    )
    assert size < 400000, "%d bytes of log" % size
    hosts.quiet()


@limit(60)
def test_launch_profile_speaks(t):
    """A shell on the client that greets everybody."""
    hosts = Hosts(t)
    count = some(t)
    with open(os.path.join(hosts.clients[0].home, ".bashrc"), "w") as f:
        f.write("echo Welcome; echo to this host >&2\n")
    t.put(moved=count)
    hosts.quiet()


@limit(60)
def test_launch_host_down(t):
    """One host is off, one has no name, one no sshd: nobody waits."""
    hosts = Hosts(t)
    count = some(t)
    hosts.clients[2].power_off()
    names = ["client1", "no-such-host.invalid", "server", "client3"]
    result = put_slowly(t, settings={"host": names}, moved=count)
    result.says("host=server", "refused")
    t.same()
    hosts.quiet()


@limit(60)
def test_launch_local_ports_taken(t):
    """Somebody else has the master's port: exit 3 or 2, and it is named."""
    hosts = Hosts(t)
    some(t)
    program = "import socket, time\ns = socket.create_server(('', 6000))\n"
    taken = subprocess.Popen(
        hosts.master.prefix()
        + ["python3", "-c", program + "time.sleep(100)"]
    )
    t.eventually(
        lambda: "python3" in hosts.master.processes().values(),
        what="python3",
    )
    listening = ["ss", "-Hltn", "sport", "=", ":6000"]
    t.eventually(
        lambda: hosts.master.command(*listening).stdout, what="it listens"
    )
    t.run("PUT", expect={2, 3}).says("6000")
    taken.kill()
    taken.wait()
    hosts.master.clear()
    hosts.quiet()
