"""The system tests: run.sh [BUILD] [--list] [--keep] [--lanes=N] [NAME...]

BUILD is the directory of the build that is tested (build). A NAME chooses the
tests whose file or name has it in it. Each test is a process of its own with
its own directory, export, bucket, catalog and time limit, and may be run
alone. --keep leaves the directories of the tests that fail.

The tests run in lanes side by side, each with servers and a network of its
own (lane.py). As most tests wait most of the time, there are five lanes for
two processors, but fewer for a few tests or where memory is short, and one
where the machine has no network namespaces; or as many as --lanes says.

The last line is "N passed, N failed, N skipped".
"""
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile

import lane
import stack

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SWITCH = os.path.join(stack.SCRIPTS, "net-switch")
MEMORY = 7 << 29  # bytes that a lane needs at most
FEW = 8  # tests, which one lane has run when another has its servers


class Lane:
    """lane.py, as its parent sees it. It is busy while it owes an answer; the
    first says that its servers are up."""

    def __init__(self, switch, build, directory, keep):
        self.name = "lane " + os.path.basename(directory)
        self.busy = True
        self.process = subprocess.Popen(
            switch
            + [sys.executable, "-B", os.path.join(HERE, "lane.py")]
            + [build, directory]
            + ["--keep"] * keep,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # What is typed at the terminal is for its parent alone.
            start_new_session=True,
        )

    def begin(self, function):
        self.process.stdin.write(lane.full_name(function) + "\n")
        self.process.stdin.flush()
        self.busy = True

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            sys.exit("%s ended before its time (%d)" % (self.name, status))
        self.busy = False
        return json.loads(line)

    def end(self):
        self.process.terminate()
        self.process.wait()


class Run:
    """The lanes, and what came of the tests."""

    def __init__(self):
        self.lanes = []
        self.counts = {0: 0, lane.SKIPPED: 0}
        self.failed = 0

    def take(self, answer):
        if not answer:
            return
        sys.stdout.write(answer["text"])
        sys.stdout.flush()
        if answer["status"] in self.counts:
            self.counts[answer["status"]] += 1
        else:
            self.failed += 1

    def wait(self):
        """For one answer at least."""
        busy = {one.process.stdout: one for one in self.lanes if one.busy}
        for stream in select.select(list(busy), [], [])[0]:
            self.take(busy[stream].answer())

    def run(self, functions):
        """Run them all in these lanes, those that may take longest first."""
        left = sorted(functions, key=lane.limit, reverse=True)
        while left or any(one.busy for one in self.lanes):
            for one in self.lanes:
                if left and not one.busy:
                    one.begin(left.pop(0))
            self.wait()

    def end(self):
        for one in self.lanes:
            one.end()


def network():
    """What stands before a command that is to have a network of its own:
    there no port can be taken, and tests that need several hosts can make
    them. Nothing, where the machine doesn't allow it."""
    os.environ.pop("NET_SWITCH", None)
    done = subprocess.run(
        [SWITCH, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return [SWITCH] if done.returncode == 0 else []


def lanes_for(chosen, switch):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    processors = len(os.sched_getaffinity(0))
    most = min(processors * 5 // 2, memory // MEMORY, len(chosen) // FEW)
    return max(most, 1) if switch else 1


class Options:
    def __init__(self, arguments):
        self.build = os.path.join(TOP, "build")
        self.list = self.keep = False
        self.lanes = None
        names = []
        for argument in arguments:
            candidate = os.path.join(TOP, argument)
            if argument == "--list":
                self.list = True
            elif argument == "--keep":
                self.keep = True
            elif argument.startswith("--lanes=") and argument[8:].isdigit():
                self.lanes = max(int(argument[8:]), 1)
            elif argument.startswith("--"):
                sys.exit(__doc__)
            elif os.path.exists(os.path.join(candidate, "datamover")):
                self.build = os.path.abspath(candidate)
            else:
                names.append(argument)
        self.chosen = [
            f
            for f in lane.tests()
            if not names or any(n in lane.full_name(f) for n in names)
        ]


def main():
    sys.stdout.reconfigure(errors="backslashreplace")
    options = Options(sys.argv[1:])
    if options.list:
        for f in options.chosen:
            print(f.__name__[5:])
        return 0
    if not options.chosen:
        sys.exit("no such test")
    if os.geteuid() != 0:
        sys.exit("the system tests start servers: run them as root")
    directory = tempfile.mkdtemp(prefix="datamover-test.", dir=stack.room())
    os.chmod(directory, 0o755)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    switch = network()
    lanes = options.lanes or lanes_for(options.chosen, switch)
    run = Run()
    try:
        for number in range(1, lanes + 1):
            # A short name: paths stand in messages, whose length is limited.
            there = os.path.join(directory, str(number))
            run.lanes.append(Lane(switch, options.build, there, options.keep))
        run.run(options.chosen)
    finally:
        run.end()
        if not (run.failed and options.keep):
            shutil.rmtree(directory, ignore_errors=True)
    passed, skipped = run.counts[0], run.counts[lane.SKIPPED]
    print(
        "%d passed, %d failed, %d skipped" % (passed, run.failed, skipped)
    )
    return 1 if run.failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
