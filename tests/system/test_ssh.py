"""SSH and the launch of clients, against a real sshd.

build/tools/fault/ssh_try does what it is told with ssh/ and launch/; see its
source.
"""
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess

import stack
from case import Skip, limit


class Sshd:
    def __init__(self, t, name="stack-ssh", **environment):
        self.t = t
        self.stack = os.path.join(t.dir, name)
        self.environment = environment
        env = stack.script("ssh-up", STACK=self.stack, **environment)
        self.port = env["SSH_PORT"]
        self.host = "127.0.0.1:" + self.port
        self.user = env["SSH_USER"]
        self.password = env["SSH_PASSWORD"]
        self.key = env["SSH_KEY"]
        self.known = env["SSH_KNOWN_HOSTS"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)
        stack.script("ssh-down", STACK=self.stack)

    @property
    def pid(self):
        return stack.stack_pid(self.stack, "sshd")

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.t.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def program(self, name, text):
        """A script that both users may run."""
        directory = os.path.join(self.stack, "ssh", "home")
        path = os.path.join(directory, name)
        with open(path, "w") as f:
            f.write("#!/bin/bash\n" + text)
        os.chmod(path, 0o755)
        return path

    def password_file(self):
        return self.file("password", self.password + "\n")

    def command(self, kind, settings, words, home=None):
        settings = dict({"known": self.known, "timeout": 20000}, **settings)
        command = [
            os.path.join(self.t.world.tools, "fault", "ssh_try"),
            kind,
            *("%s=%s" % s for s in settings.items() if s[1] is not None),
            *words,
        ]
        if home is None:
            return command
        # The home directory of the password file, not $HOME, counts.
        script = 'mount --bind "$0" "$1" && shift && exec "$@"'
        root = pwd.getpwuid(os.geteuid()).pw_dir
        return ["unshare", "--mount", "sh", "-c", script, home, root, *command]

    def run(self, *words, host=None, env=None, home=None, **settings):
        """What ssh_try exec says, as {first word: rest}."""
        command = self.command(
            "exec", settings, [host or self.host, *words], home
        )
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.t.environment(env),
            start_new_session=True,
        )
        text = done.stdout.decode(errors="backslashreplace")
        assert done.returncode == 0, (text, done.stderr)
        said = dict(line.split(" ", 1) for line in text.splitlines())
        said.setdefault("error", "")
        return said

    def key_run(self, *words, **settings):
        return self.run(*words, identity=self.key, user="root", **settings)

    def stranger(self):
        """A connection that doesn't log in, or None."""
        there = socket.create_connection(("127.0.0.1", int(self.port)))
        try:
            if there.recv(4) == b"SSH-":
                return there
        except ConnectionError:
            pass
        there.close()
        return None

    def home(self, name, **files):
        """A home directory with these files in .ssh."""
        home = os.path.join(self.t.dir, name)
        os.makedirs(os.path.join(home, ".ssh"), mode=0o700)
        for file, source in files.items():
            there = os.path.join(home, ".ssh", file)
            if source is not None:
                shutil.copy(source, there)
                os.chmod(there, 0o600)
        return home


class Launch:
    """ssh_try launch: its lines come into .lines."""

    def __init__(self, sshd, program, hosts, **settings):
        settings = dict({"identity": sshd.key, "user": "root"}, **settings)
        self.t = sshd.t
        self.errors = os.path.join(sshd.t.dir, "launch.err")
        self.process = subprocess.Popen(
            sshd.command("launch", settings, [program, *hosts]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(self.errors, "wb"),
            env=sshd.t.environment(),
            text=True,
        )
        self.lines = []

    def expect(self, *patterns):
        """Read as many lines: each fits one of the patterns, and each pattern
        one line. Returns them in the order of the patterns."""
        got = []
        for _ in patterns:
            line = self.process.stdout.readline().rstrip("\n")
            assert line, "it ended after %r" % self.lines
            self.lines.append(line)
            got.append(line)
        found = []
        for pattern in patterns:
            fits = [line for line in got if re.match(pattern, line)]
            assert len(fits) == 1, "%r in %r" % (pattern, got)
            found.append(fits[0])
        return found

    def ends_with(self, reason):
        """Its one client fails or ends for this reason. Whether a program
        took its invitation before it ended is a matter of luck."""
        line = ""
        while not line.startswith(("failed 1 ", "ended 1 ")):
            line = self.process.stdout.readline().rstrip("\n")
            assert line, self.lines
            self.lines.append(line)
        line = re.sub("^(failed 1|ended 1 [0-9-]+) ", "", line)
        assert line.startswith(reason), (line, reason)
        self.end()

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        rest = self.process.stdout.read().splitlines()
        assert self.process.wait() == 0
        self.lines += rest
        return rest

    def log(self):
        with open(self.errors, errors="backslashreplace") as f:
            return f.read()


def test_ssh_programs(t):
    with Sshd(t) as sshd:
        said = sshd.key_run("sh", "-c", "echo out; echo err >&2; exit 3")
        assert said["status"] == "3", said
        assert said["out"] == r"out\x0a" and said["err"] == r"err\x0a", said
        assert said["local"] == "127.0.0.1", said
        assert sshd.key_run("true")["status"] == "0"
        assert sshd.key_run("sh", "-c", "kill -9 $$")["status"] == "137"
        assert sshd.key_run("sh", "-c", "kill $$")["status"] == "143"
        assert sshd.key_run("no-such-program")["status"] == "127"
        # What is sent arrives, up to its end; what is large comes to its end.
        text = "0123456789abcdef" * 4000
        said = sshd.key_run("md5sum", input=text)
        wanted = subprocess.run(
            ["md5sum"], input=text.encode(), stdout=subprocess.PIPE
        )
        assert said["out"].split()[0] == wanted.stdout.decode().split()[0]
        said = sshd.key_run("sh", "-c", "seq 1 1000000; echo end >&2")
        assert said["status"] == "0", said["status"]
        assert said["out"].endswith(r"\x0a999999\x0a1000000\x0a")
        assert said["err"] == r"end\x0a"
        # A program that ends doesn't wait for those that it left behind.
        said = sshd.key_run("sh", "-c", "sleep 1000 & echo $!; exit 4")
        assert said["status"] == "4", said
        os.kill(int(said["out"].split("\\")[0]), signal.SIGKILL)


def test_ssh_words_are_words(t):
    odd = ["a b", "", "'", "$HOME", "`id`", "*", "\\", "a\nb", ";id", "~"]
    with Sshd(t) as sshd:
        said = sshd.key_run("printf", "[%s]", *odd)
        wanted = "".join("[%s]" % word for word in odd)
        wanted = wanted.replace("\\", "\\\\").replace("\n", "\\x0a")
        assert said["out"] == wanted, said


def test_ssh_keys(t):
    with Sshd(t) as sshd:
        home = sshd.home("home", id_ed25519=sshd.key)
        # No agent: the usual file; ~/.ssh/config is not read, it could name
        # commands.
        trap = os.path.join(t.dir, "trap")
        with open(os.path.join(home, ".ssh", "config"), "w") as f:
            f.write("Host *\n  ProxyCommand touch %s\n  User no\n" % trap)
        said = sshd.run("id", "-un", user=sshd.user, home=home)
        assert said.get("out") == sshd.user + r"\x0a", said
        assert not os.path.exists(trap)
        # Without any key.
        empty = sshd.home("empty")
        said = sshd.run("true", user="root", home=empty)
        assert said["error"].startswith("denied login as root refused"), said
        assert "publickey,password" in said["error"], said
        assert "ssh agent: none" in said["error"], said
        # A key of no use.
        subprocess.run(
            ["ssh-keygen", "-qt", "rsa", "-N", "", "-f", t.dir + "/other"],
            check=True,
        )
        other = sshd.home("other-home", id_rsa=t.dir + "/other")
        said = sshd.run("true", user="root", home=other)
        assert "id_rsa: refused" in said["error"], said
        said = sshd.run("true", user="root", identity=t.dir + "/other")
        assert "refused" in said["error"], said
        said = sshd.run("true", user="root", identity=t.dir + "/none")
        assert said["error"].startswith("config identity_file"), said
        said = sshd.run("true", user="root", identity="/etc/passwd")
        assert "not a private key" in said["error"], said


class Agent:
    def __init__(self, t):
        self.socket = os.path.join(t.dir, "agent")
        self.process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", self.socket], stdout=subprocess.DEVNULL
        )
        t.eventually(lambda: os.path.exists(self.socket))
        self.env = {"SSH_AUTH_SOCK": self.socket}

    def add(self, key):
        subprocess.run(
            ["ssh-add", "-q", key],
            env=dict(os.environ, **self.env),
            check=True,
            stdin=subprocess.DEVNULL,
        )

    def close(self):
        self.process.kill()
        self.process.wait()


def test_ssh_agent_and_encrypted_key(t):
    with Sshd(t) as sshd:
        agent = Agent(t)
        home = sshd.home("home")
        locked = os.path.join(t.dir, "locked")
        shutil.copy(sshd.key, locked)
        change = ["ssh-keygen", "-qp", "-N", "pass phrase", "-f", locked]
        subprocess.run(change, check=True, stdout=subprocess.DEVNULL)
        try:
            said = sshd.run("true", user="root", env=agent.env, home=home)
            assert "ssh agent: has no keys" in said["error"], said
            # It is not asked for at the terminal.
            said = sshd.run("true", user="root", identity=locked)
            assert said["error"].startswith("denied"), said
            assert "encrypted" in said["error"], said
            assert "ssh-add " + locked in said["error"], said
            agent.add(sshd.key)
            said = sshd.run("true", user="root", env=agent.env, home=home)
            assert said.get("status") == "0", said
            said = sshd.run(
                "true", user="root", env=agent.env, identity=locked
            )
            assert said.get("status") == "0", said
            # An encrypted key among the usual ones is passed over.
            home = sshd.home("locked-home", id_ecdsa=locked)
            said = sshd.run("true", user="root", home=home)
            assert "id_ecdsa: is encrypted" in said["error"], said
        finally:
            agent.close()


def test_ssh_agent_says_nothing(t):
    with Sshd(t) as sshd:
        path = os.path.join(t.dir, "deaf")
        deaf = socket.socket(socket.AF_UNIX)
        deaf.bind(path)
        deaf.listen(5)
        home = sshd.home("home", id_ed25519=sshd.key)
        env = {"SSH_AUTH_SOCK": path}
        said = sshd.run("true", user="root", env=env, home=home)
        assert said.get("status") == "0", said
        deaf.close()


def test_ssh_password(t):
    with Sshd(t) as sshd:
        right = sshd.password_file()
        said = sshd.run("id", "-un", user=sshd.user, password_file=right)
        assert said.get("out") == sshd.user + r"\x0a", said
        wrong = sshd.file("wrong", "wrong\n")
        said = sshd.run("true", user=sshd.user, password_file=wrong)
        assert said["error"].startswith("denied login as mover"), said
        assert "password: refused" in said["error"], said
        assert "wrong" not in said["error"], said
    # Only keys are taken: a key is tried, and the message names what is.
    with Sshd(t, "stack-ssh2", SSH_EXTRA="PasswordAuthentication no") as sshd:
        home = sshd.home("home")
        said = sshd.run("x", user="root", password_file=right, home=home)
        assert "the server offers publickey;" in said["error"], said
    # Both are wanted.
    extra = "AuthenticationMethods publickey,password"
    with Sshd(t, "stack-ssh3", SSH_EXTRA=extra) as sshd:
        both = dict(user=sshd.user, identity=sshd.key)
        said = sshd.run("true", password_file=right, **both)
        assert said.get("status") == "0", said
        said = sshd.run("true", **both)
        assert "accepted, but not enough" in said["error"], said


def test_ssh_password_by_prompts(t):
    if not os.path.exists("/etc/pam.d/sshd"):
        raise Skip("sshd has no PAM here")
    extra = "UsePAM yes\nKbdInteractiveAuthentication yes\n"
    with Sshd(t, SSH_EXTRA=extra + "PasswordAuthentication no") as sshd:
        right = sshd.password_file()
        said = sshd.run("id", "-un", user=sshd.user, password_file=right)
        assert said.get("out") == sshd.user + r"\x0a", said
        wrong = sshd.file("wrong", "wrong\n")
        said = sshd.run("true", user=sshd.user, password_file=wrong)
        assert "keyboard-interactive: refused" in said["error"], said


def test_ssh_host_keys(t):
    with Sshd(t) as sshd:
        line = open(sshd.known).read()
        name, kind, key = line.split()

        def refused(text, *words):
            known = sshd.file("known", text)
            said = sshd.key_run("true", known=known)
            assert said["error"].startswith("denied "), said
            for word in words:
                assert word in said["error"], (word, said)

        def taken(text):
            known = sshd.file("known", text)
            said = sshd.key_run("true", known=known)
            assert said.get("status") == "0", said

        # Unknown: the command in the message adds it.
        refused("", "unknown host key", "SHA256:")
        known = os.path.join(t.dir, "known")
        said = sshd.key_run("true", known=known)
        command = said["error"].split("right one: ")[1]
        assert command.endswith(known), said
        subprocess.run(
            command, shell=True, check=True, stderr=subprocess.DEVNULL
        )
        assert sshd.key_run("true", known=known).get("status") == "0"
        subprocess.run(
            ["ssh-keygen", "-qH", "-f", known],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert "|1|" in open(known).read()
        assert sshd.key_run("true", known=known).get("status") == "0"
        said = sshd.key_run("true", known=t.dir + "/not-there")
        assert "unknown host key" in said["error"], said

        # Changed, of another kind, revoked, another port, spoilt lines.
        subprocess.run(
            ["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", t.dir + "/new"],
            check=True,
        )
        subprocess.run(
            ["ssh-keygen", "-qt", "ecdsa", "-N", "", "-f", t.dir + "/ec"],
            check=True,
        )
        new = " ".join(open(t.dir + "/new.pub").read().split()[:2])
        ec = " ".join(open(t.dir + "/ec.pub").read().split()[:2])
        changed = ("HAS CHANGED", "known:2", "ssh-keygen -R '%s'" % name)
        refused("# comment\n%s %s\n" % (name, new), *changed)
        refused("\n%s %s\n" % (name, ec), *changed)
        taken("%s %s\n%s" % (name, new, line))
        taken("%s %s\n%s" % (name, ec, line))
        refused(line + "@revoked * %s %s\n" % (kind, key), "REVOKED")
        taken(line + "@revoked * %s\n" % new)
        refused("@cert-authority * %s %s\n" % (kind, key), "unknown")
        refused("127.0.0.1 %s %s\n" % (kind, key), "unknown")
        taken("other\n%s rubbish\n\t\n%s" % (name, line))
        taken("*,!x %s %s" % (kind, key))
        taken("@revoked\n" + name + "\t" + kind + "\t" + key + "\n")

        # The user's file, and that of the machine.
        home = sshd.home("home", id_ed25519=sshd.key, known_hosts=sshd.known)
        said = sshd.run("true", user="root", home=home, known=None)
        assert said.get("status") == "0", said
        home = sshd.home("unknown", id_ed25519=sshd.key)
        said = sshd.run("true", user="root", home=home, known=None)
        assert said["error"].endswith(">> ~/.ssh/known_hosts"), said
        os.mkdir(t.dir + "/etc-ssh")
        shutil.copy(sshd.known, t.dir + "/etc-ssh/ssh_known_hosts")
        script = 'mount --bind "$0" /etc/ssh && exec "$@"'
        command = sshd.command(
            "exec",
            dict(user="root", known=None),
            [sshd.host, "true"],
            home,
        )
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, t.dir + "/etc-ssh"]
            + command,
            stdout=subprocess.PIPE,
            env=t.environment(),
        )
        assert done.stdout.startswith(b"status 0"), done.stdout


def test_ssh_server_falls_silent(t):
    with Sshd(t) as sshd:
        os.kill(sshd.pid, signal.SIGSTOP)
        said = sshd.key_run("true", timeout=500)
        assert said["error"].startswith("unreachable ssh handshake"), said
        assert "no answer within" in said["error"], said


LISTENER = """
echo "warn hello" >&2
while read -r line && [ -n "$line" ]; do
	echo "$line" >>"$0.$$"
done
echo "has its invitation" >&2
cat >/dev/null
echo $$ >>"$0.ended"
"""


def lines_of(path):
    try:
        return open(path).read().split()
    except FileNotFoundError:
        return []


def test_launch_and_stop(t):
    with Sshd(t) as sshd:
        program = sshd.program("datamover it's", LISTENER)
        launch = Launch(
            sshd, program, [sshd.host, sshd.host, "localhost:1"]
        )
        launch.expect(
            "started 1", "started 2", "failed 3 unreachable .*refused"
        )
        t.eventually(lambda: launch.log().count("has its invitation") == 2)
        assert not os.path.exists(program + ".ended")
        launch.say("stop")
        launch.expect("ended 1 0 none", "ended 2 0 none")
        assert launch.end() == ["done"]
        ended = lines_of(program + ".ended")
        assert len(ended) == 2, ended
        invitations = [open(program + "." + e).read() for e in ended]
        for number in (1, 2):
            mine = [i for i in invitations if "client %d\n" % number in i]
            assert len(mine) == 1, invitations
            assert mine[0].startswith("datamover-invite 1\n"), mine
            assert "address 127.0.0.1\n" in mine[0], mine
        log = launch.log()
        assert "warn client_says client=1 " in log, log
        assert "info client_says client=2 " in log, log
        assert "two lines" not in log, log


def test_launch_free_closes(t):
    """One that doesn't heed the end of its input is left behind in time."""
    with Sshd(t) as sshd:
        program = sshd.program("deaf", 'echo $$ >"$0.pid"; sleep 1000')
        launch = Launch(sshd, program, [sshd.host])
        launch.expect("started 1")
        t.eventually(lambda: lines_of(program + ".pid"))
        launch.say("free 300")
        launch.expect("ended 1 -1 stopped", "done")
        launch.end()
        pid = int(lines_of(program + ".pid")[0])
        for child in subprocess.run(
            ["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True
        ).stdout.split():
            os.kill(int(child), signal.SIGKILL)


def test_launch_master_is_killed(t):
    with Sshd(t) as sshd:
        program = sshd.program("datamover", LISTENER)
        launch = Launch(sshd, program, [sshd.host, sshd.host])
        launch.expect("started 1", "started 2")
        # From then on it says nothing, which could end it first.
        t.eventually(lambda: launch.log().count("has its invitation") == 2)
        launch.process.kill()
        launch.process.wait()
        t.eventually(lambda: len(lines_of(program + ".ended")) == 2)


def test_launch_reasons(t):
    with Sshd(t) as sshd:
        text = "echo 1 >&2; echo 2; printf 'the\\033 reason' >&2; exit 3"
        launch = Launch(sshd, sshd.program("ends", text), [sshd.host])
        launch.ends_with("peer ended with exit status 3: the\\x1b reason")
        launch = Launch(sshd, "/not/there", [sshd.host])
        launch.ends_with("config /not/there is not there (path in [client])")
        launch = Launch(sshd, "/etc/passwd", [sshd.host])
        launch.ends_with("config /etc/passwd cannot be run (path in [client])")
        killed = sshd.program("killed", "kill -9 $$")
        launch = Launch(sshd, killed, [sshd.host])
        launch.ends_with("peer ended by signal 9")
        launch = Launch(sshd, "x", [sshd.host], known="/dev/null")
        launch.ends_with("denied unknown host key")
        assert not any(line.startswith("started") for line in launch.lines)


def sessions_of(pid):
    """The sshds below an sshd: one for each session, or two."""
    found = subprocess.run(
        ["pgrep", "-P", str(pid), "^sshd"], stdout=subprocess.PIPE, text=True
    ).stdout.split()
    return [
        one for child in found for one in (int(child), *sessions_of(child))
    ]


def test_launch_connection_is_lost(t):
    with Sshd(t) as sshd:
        program = sshd.program("datamover", LISTENER)
        launch = Launch(sshd, program, [sshd.host])
        launch.expect("started 1")
        t.eventually(lambda: "has its invitation" in launch.log())
        for pid in sessions_of(sshd.pid):
            os.kill(pid, signal.SIGKILL)
        launch.expect("ended 1 -1 retry connection lost")
        launch.end()
        t.eventually(lambda: lines_of(program + ".ended"))


@limit(120)
def test_launch_sshd_refuses_bursts(t):
    """MaxStartups 1, somebody else on the way to log in, and six that go to
    it by two names."""
    with Sshd(t, SSH_EXTRA="MaxStartups 1") as sshd:
        names = open(sshd.known).read()
        known = sshd.file("known", names + names.replace("127.0.0.1", "*"))
        program = sshd.program("datamover", LISTENER)
        hosts = [sshd.host, "localhost:" + sshd.port] * 3
        # It may still see to the one that looked whether it is up.
        other = t.eventually(sshd.stranger)
        launch = Launch(sshd, program, hosts, known=known)
        t.eventually(lambda: launch.log().count("launch_again") >= 2)
        assert "handshake" in launch.log(), launch.log()
        other.close()
        launch.expect(*("started %d" % n for n in range(1, 7)))
        launch.say("stop")
        launch.expect(*("ended %d 0 none" % n for n in range(1, 7)))
        assert launch.end() == ["done"]


def test_launch_stop_while_it_connects(t):
    with Sshd(t) as sshd:
        os.kill(sshd.pid, signal.SIGSTOP)
        launch = Launch(sshd, "x", [sshd.host] * 3, timeout=100000)
        launch.say("stop")
        launch.expect(*("failed %d stopped" % n for n in range(1, 4)))
        assert launch.end() == ["done"]
