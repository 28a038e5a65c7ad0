"""The servers that the tests of a lane share, and how they are started."""
import os
import shutil
import signal
import subprocess
import tempfile

STORE_MEMORY = 1 << 30
START_TRIES = 3
SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stack")


def room():
    """A directory for what the tests write. nfs-ganesha needs file handles,
    which the file system of a container's root often doesn't have."""
    there = tempfile.gettempdir()
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", there], stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    return "/dev/shm" if kind == "overlayfs" else there


def pairs(text):
    """Lines NAME=VALUE, as a dict."""
    found = (line.split("=", 1) for line in text.splitlines())
    return {pair[0]: pair[1] for pair in found if len(pair) == 2}


def run_script(name, environment):
    return subprocess.run(
        [os.path.join(SCRIPTS, name)],
        env=dict(os.environ, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def script(name, **environment):
    """Run one of the scripts; the variables that it prints, as a dict. One
    that starts a server is run again when it fails: a port may be taken
    between the look at it and its use, and a busy machine may need more time
    than the script allows. What a failed one has started it stops itself, or
    takes when it is run again."""
    tries = START_TRIES if name.endswith("-up") else 1
    while True:
        done = run_script(name, environment)
        tries -= 1
        if done.returncode == 0:
            return pairs(done.stdout)
        if tries == 0:
            raise RuntimeError(name + ": " + done.stdout + done.stderr)


def down(directories):
    for directory in directories:
        for name in ("nfs-down", "s3-down", "ssh-down"):
            script(name, STACK=directory)


def stack_pid(directory, name):
    """The process id of one of its servers, or None."""
    try:
        with open(os.path.join(directory, name + ".pid")) as f:
            return int(f.read())
    except FileNotFoundError:
        return None


def stat_fields(pid):
    """Its name, state and parent, or None for a process that is gone."""
    try:
        with open("/proc/%d/stat" % pid, errors="backslashreplace") as f:
            text = f.read()
    except OSError:
        return None
    name = text[text.index("(") + 1 : text.rindex(")")]
    state, parent = text[text.rindex(")") + 1 :].split()[:2]
    return name, state, int(parent)


def program_of(pid):
    """The name of the program that this process runs, or None."""
    fields = stat_fields(pid) if pid else None
    return fields[0] if fields and fields[1] not in "ZX" else None


def resident(pid):
    """The bytes of memory that this process has."""
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def private_network():
    """Whether run.py could give the tests a network of their own."""
    return "NET_SWITCH" in os.environ


class World:
    """What all tests of a lane share: the build, the servers, the exports."""

    def __init__(self, build, directory):
        self.build = build
        self.directory = directory
        # Copies: other users run them too, from whom the checkout may be
        # closed, or a test mounts a home over the directory that holds it.
        self.program = os.path.join(directory, "datamover")
        self.tools = os.path.join(directory, "tools")
        self.stack = os.path.join(directory, "stack")
        self.export = os.path.join(directory, "exp")
        self.second_export = os.path.join(directory, "exp2")
        # The sanitizers make a build several times slower.
        self.slowness = 6 if "san" in os.path.basename(build) else 1
        self.nfs = {}
        self.s3 = {}

    def up(self):
        os.makedirs(os.path.join(self.directory, "t"))
        shutil.copy(os.path.join(self.build, "datamover"), self.program)
        shutil.copytree(os.path.join(self.build, "tools"), self.tools)
        self.nfs = script(
            "nfs-up",
            STACK=self.stack,
            NFS_EXPORTS=self.export + " " + self.second_export,
        )
        self.store_up()

    def store_up(self):
        # A second server may want the same port of another loopback
        # address, but only of NFS.
        listen = "0.0.0.0" if private_network() else "127.0.0.1"
        self.s3 = script("s3-up", STACK=self.stack, S3_LISTEN=listen)
        self.endpoint = "http://127.0.0.1:" + self.s3["S3_PORT"]

    def store_renewed(self):
        """Its objects are in memory, and what tests leave there stays: a new
        one takes its place when that is much, or when it has ended."""
        osd = stack_pid(self.stack, "osd")
        if program_of(osd) is None or resident(osd) > STORE_MEMORY:
            script("s3-down", STACK=self.stack)
            self.store_up()

    def down(self):
        hosts = self.stack + "-hosts"
        if os.path.exists(hosts):
            script("net-down", STACK=hosts)
            down([hosts])
        down([self.stack])

    def hosts_up(self, environment):
        """The hosts, and an NFS server that they can reach. They are made
        when a test first asks and serve the tests after it too."""
        there = self.stack + "-hosts"
        settings = self.hosts_running(there)
        if settings:
            return settings
        settings = script("net-up", STACK=there, NET_ENV=environment)
        script(
            "nfs-up",
            STACK=there,
            NFS_EXPORTS=self.export + " " + self.second_export,
            NFS_ADDR=settings["NET_GATEWAY"],
            NFS_PORT=self.nfs["NFS_PORT"],
            MNT_PORT=self.nfs["MNT_PORT"],
        )
        return settings

    def hosts_running(self, there):
        """What net-up printed, if they are all still there."""
        try:
            with open(os.path.join(there, "net.env")) as f:
                settings = pairs(f.read())
        except FileNotFoundError:
            return None
        for key, value in settings.items():
            if key.startswith("NET_HOST_"):
                if program_of(int(value.split()[1])) != "net-host":
                    return None
        if program_of(stack_pid(there, "ganesha")) != "ganesha.nfsd":
            return None
        return settings

    def wake(self):
        """A test that failed may have left a server stopped."""
        for name in ("radosgw", "ganesha"):
            pid = stack_pid(self.stack, name)
            if pid is not None:
                os.kill(pid, signal.SIGCONT)

    def forget(self, test):
        for export in (self.export, self.second_export):
            shutil.rmtree(os.path.join(export, test), ignore_errors=True)
