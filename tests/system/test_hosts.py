"""The hosts that the tests of several clients use are what hosts.py says."""
import os
import signal
import subprocess
import time

import sanitizer
from case import MIB
from hosts import Hosts

BATCH = ["BatchMode=yes"]
ASKPASS = "#!/bin/sh\ncat '%s'\n"


def ssh(host, target, *command, env=None, options=(), **more):
    arguments = ["ssh"]
    for option in [*options, "ConnectTimeout=10"]:
        arguments += ["-o", option]
    return host.command(*arguments, target, *command, env=env, **more)


def with_password(t, hosts, target, password):
    """ssh asks a program for the password."""
    secret = os.path.join(t.dir, "password")
    program = os.path.join(t.dir, "askpass")
    with open(secret, "w") as f:
        f.write(password)
    with open(program, "w") as f:
        f.write(ASKPASS % secret)
    os.chmod(program, 0o700)
    return ssh(
        hosts.master,
        target,
        "hostname",
        env={"SSH_ASKPASS": program, "SSH_ASKPASS_REQUIRE": "force"},
        options=["PubkeyAuthentication=no", "NumberOfPasswordPrompts=1"],
    )


def test_hosts_ssh(t):
    """From the master one gets to each client with a key and with the
    password; a wrong password and an unknown host key are refused."""
    hosts = Hosts(t)
    for client in hosts.clients:
        for target in (client.name, client.address):
            done = ssh(hosts.master, target, "hostname", options=BATCH)
            assert done.stdout == client.name + "\n", done
    done = ssh(hosts.master, "client1", "env", options=BATCH)
    for name, value in sanitizer.options(hosts.reports).items():
        assert "%s=%s\n" % (name, value) in done.stdout, done
    done = with_password(t, hosts, "client1", hosts.password)
    assert done.stdout == "client1\n", done
    done = with_password(t, hosts, "client1", hosts.password + "x")
    assert done.returncode == 255 and "denied" in done.stderr, done
    with open(hosts.master.ssh_file("known_hosts"), "w") as f:
        f.write("")
    done = ssh(hosts.master, "client1", "hostname", options=BATCH)
    assert done.returncode == 255 and "verification" in done.stderr, done
    hosts.quiet()


def test_hosts_servers(t):
    """NFS and S3 answer each host; the disk is shared."""
    hosts = Hosts(t)
    t.settings = {}
    t.conf()
    for number, host in enumerate(hosts.all):
        t.write("f%d" % number, host.name)
        t.prefix = host.prefix("--wdns=" + t.dir)
        t.put(found=number + 1, moved=1)
    t.same()
    hosts.quiet()


def reaches(host, t):
    done = host.command("curl", "-s", "-m", "1", "-o", "/dev/null", t.endpoint)
    return done.returncode == 0


def test_hosts_links(t):
    """Cut, join, drop, reset, slow, power off."""
    hosts = Hosts(t)
    one, two = hosts.clients[:2]
    assert reaches(one, t)
    one.cut()
    assert not reaches(one, t) and reaches(two, t)
    one.join()
    t.eventually(lambda: reaches(one, t), what="joined again")
    one.drop(t.server)
    assert not reaches(one, t) and reaches(two, t)
    one.heal()
    t.eventually(lambda: reaches(one, t), what="healed")

    t.s3.put_object(Bucket=t.bucket, Key="k", Body=bytes(4 * MIB))
    url = t.s3.generate_presigned_url(
        "get_object", Params={"Bucket": t.bucket, "Key": "k"}
    ).replace("127.0.0.1", "localhost")
    get = ["curl", "-sf", "-o", "/dev/null", "--resolve"]
    get += ["localhost:%s:%s" % (t.world.s3["S3_PORT"], t.server), url]
    for rate, least in (("20mbit", 1.4), (None, 0)):
        if rate:
            one.slow(rate)
        else:
            one.heal()
        begun = time.monotonic()
        done = one.command(*get)
        assert done.returncode == 0, done
        # 4 MiB take 1.68 s at this rate, less what may come at once.
        assert time.monotonic() - begun >= least

    ssh_to = ["ssh", "-o", "BatchMode=yes", "client1", "sleep", "1000"]
    process = subprocess.Popen(
        hosts.master.prefix() + ssh_to, stderr=subprocess.PIPE
    )
    t.eventually(one.processes, what="sleep on client1")
    one.reset(hosts.master.address)
    assert process.wait(timeout=20) == 255, process.stderr.read()
    one.clear()
    one.power_off()
    t.eventually(lambda: not reaches_sshd(hosts, one, 1), what="off")
    hosts = Hosts(t)
    assert reaches_sshd(hosts, hosts.clients[0])
    hosts.quiet()


def reaches_sshd(hosts, client, seconds=10):
    options = ["ConnectTimeout=%d" % seconds, *BATCH]
    done = ssh(hosts.master, client.name, "true", options=options)
    return done.returncode == 0


def fails(action):
    try:
        action()
    except AssertionError:
        return True
    return False


def test_hosts_processes(t):
    """What runs on a host is seen there and nowhere else, can be stopped
    and goes on, and a process that is left is found."""
    hosts = Hosts(t)
    one = hosts.clients[0]
    hosts.quiet()
    process = subprocess.Popen(
        hosts.master.prefix() + ["ssh", "client1", "sleep", "1000"]
    )
    t.eventually(
        lambda: "sleep" in one.processes().values(), what="sleep on client1"
    )
    assert one.sessions()
    assert "ssh" in hosts.master.processes().values()
    assert not hosts.clients[1].processes()
    process.kill()
    process.wait()
    # It has no terminal, and reads nothing: nobody tells it.
    assert fails(lambda: hosts.quiet(0.2))
    one.clear()
    hosts.master.clear()
    hosts.quiet()

    t.write("f", "1")
    t.settings = {}
    t.conf()
    proxy = t.proxy()
    proxy.order("drop")
    process = t.start("PUT")
    t.eventually(lambda: proxy.stats()["connections"] > 0, what="connected")
    assert hosts.master.freeze() == 1
    state = "/proc/%d/stat" % process.pid
    t.eventually(lambda: " T " in open(state).read(), what="stopped")
    process.send_signal(signal.SIGCONT)
    t.eventually(lambda: " T " not in open(state).read(), what="going on")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15 * t.world.slowness) == 130
    hosts.quiet()
