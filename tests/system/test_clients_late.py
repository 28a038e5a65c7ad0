"""Lines that are cut and healed: nothing of a client that was given up arrives
when its line is whole again, neither from its process nor from its kernel."""
from case import limit
from hosts import Hosts
from test_clients_lost import paced


def unsent(host, proxy, least=1):
    """Connections of the host with S3 that have bytes to send, so many at
    least."""
    port = proxy.url.split(":")[-1]
    out = host.command("ss", "-Htan", "dport", "=", ":" + port).stdout
    return [l for l in out.splitlines() if int(l.split()[2]) >= least]


def two(t, hosts):
    """Two clients, of which the first gets its share. Its uplink is so slow
    that its kernel has much to send."""
    t.settings["client"]["host"] = [c.name for c in hosts.clients[:2]]
    hosts.clients[0].slow("500kbit", burst="16k")
    return hosts.clients[0]


def cut_while_sending(t, host, proxy, frozen=False):
    """From now on nothing gets through, and the kernel has much to send: if
    its line was faster than the cut, the cut is made again."""
    for _ in range(50):
        t.eventually(lambda: unsent(host, proxy, 2000), what="it sends")
        if frozen:
            host.freeze()
        host.cut()
        if unsent(host, proxy, 2000):
            return
        host.heal()
        host.thaw()
    raise AssertionError("all was sent before each cut")


def heal(t, host, proxy):
    """The kernel has nothing more to send; and if it had, it has it sent when
    the line is whole again."""
    left = unsent(host, proxy)
    host.heal()
    t.eventually(lambda: not unsent(host, proxy), 60, "all is sent")
    assert not left, left


@limit(90)
def test_late_deletions(t):
    """Deletions that lie in the kernel of a client when the run has ended
    without it don't delete what a later run stores."""
    hosts = Hosts(t)
    t.small_files(6000, directories=40)
    t.put("--standalone", moved=6000)
    one = two(t, hosts)
    proxy = paced(t)
    proxy.order("match POST delay 3000")
    process = t.start("DEL", "--json", "--yes")
    cut_while_sending(t, one, proxy)
    hosts.finished(process, found=6000, failed=0)
    assert not t.objects()
    t.put("--standalone", moved=6000)
    heal(t, one, proxy)
    one.thaw()
    hosts.quiet(sessions=False)
    t.same(whole=3)


@limit(90)
def test_late_contents(t):
    """Nor do contents of before come back. This client is frozen: its kernel
    alone gives up."""
    hosts = Hosts(t)
    t.small_files(1500, directories=20, size=3000)
    one = two(t, hosts)
    proxy = paced(t, rate=1000000)
    process = t.start("PUT", "--json")
    cut_while_sending(t, one, proxy, frozen=True)
    hosts.finished(process, found=1500, failed=0)
    for i in range(1500):
        t.write("d%d/f%d" % (i % 20, i), "changed %d" % i)
    t.put("--standalone", moved=1500)
    heal(t, one, proxy)
    one.thaw()
    hosts.quiet(sessions=False)
    t.same(whole=3)


@limit(60)
def test_late_after_restart(t):
    """Nor when it is the master that goes, and the next run follows at once:
    that run waits first, until nothing of the old one's clients can arrive."""
    hosts = Hosts(t)
    t.small_files(400, directories=20, size=3000)
    one = two(t, hosts)
    proxy = paced(t, rate=1000000)
    process = t.start("PUT", "--json")
    cut_while_sending(t, one, proxy, frozen=True)
    process.kill()
    process.wait()
    proxy.order("pass")
    for i in range(400):
        t.write("d%d/f%d" % (i % 20, i), "changed %d" % i)
    result = t.put("--standalone", "--fresh", moved=400)
    heal(t, one, proxy)
    one.thaw()
    hosts.quiet(sessions=False)
    t.same(whole=3)
    assert "late_clients" in result.text, result
    # Once is enough; and a run without clients is not waited for.
    result = t.put("--standalone", unchanged=400)
    assert "late_clients" not in result.text, result
