"""lane.py BUILD DIRECTORY [--keep]: one lane of the system tests.

run.py starts it, in a network of its own where the machine allows that. It has
an nfs-ganesha and a radosgw of its own, in DIRECTORY, and runs tests one after
the other. Each line of its standard input names one; each line of its output
is an answer in JSON: {} when the servers are up, then {name, status, text} for
each test, text being all that is to be printed.
"""
import glob
import importlib
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback

import case
import sanitizer
import stack

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77
TIMED_OUT = -1


def tests():
    """All test functions, in the order in which they stand in the files."""
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        functions = [
            f
            for name, f in vars(module).items()
            if name.startswith("test_") and inspect.isfunction(f)
        ]
        found += sorted(functions, key=lambda f: f.__code__.co_firstlineno)
    return found


def full_name(function):
    return "%s.%s" % (function.__module__, function.__name__)


def limit(function):
    """The seconds that a test may take."""
    return getattr(function, "limit", 60)


def child(function, world, directory):
    """Run one test in this (new) process and end it."""
    status = 1
    try:
        t = case.Case(function.__name__[5:], world, directory)
        try:
            function(t)
            status = 0
        finally:
            t.close()
            sanitizer.check(t.reports)
    except case.Skip as why:
        print(why)
        status = SKIPPED
    except AssertionError as why:
        for frame in traceback.extract_tb(sys.exc_info()[2])[1:]:
            name = os.path.basename(frame.filename)
            print("%s:%d: %s" % (name, frame.lineno, frame.line))
        print(why)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def wait_child(pid, limit):
    """The exit status; TIMED_OUT when the limit passed."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return TIMED_OUT


def clean_up(pid, world, directory, status):
    """Whatever the test left: processes, servers, mounts, files."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if status == TIMED_OUT:
        os.waitpid(pid, 0)
    world.wake()
    stack.down(glob.glob(os.path.join(directory, "stack*")))
    for line in reversed(open("/proc/mounts").read().splitlines()):
        point = line.split()[1]
        if point.startswith(directory + "/"):
            subprocess.run(["umount", "-l", point], check=False)


def run_one(function, world, keep):
    name = function.__name__[5:]
    limit_s = limit(function) * world.slowness
    directory = os.path.join(world.directory, "t", name)
    os.makedirs(directory)
    output = os.path.join(world.directory, name + ".out")
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        # What a program does with its standard input, such as not to wait
        # for data, isn't done to ours.
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        fd = os.open(output, os.O_WRONLY | os.O_CREAT, 0o644)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        child(function, world, directory)
    status = TIMED_OUT
    try:
        status = wait_child(pid, limit_s)
    finally:
        clean_up(pid, world, directory, status)
    seconds = time.monotonic() - begun
    output = open(output, errors="backslashreplace").read()
    passed = status in (0, SKIPPED)
    if status == SKIPPED:
        text = "skip %s: %s\n" % (name, output.strip())
    else:
        text = "%s %s %.1f\n" % ("ok  " if passed else "FAIL", name, seconds)
    if status == TIMED_OUT:
        text += "     not done after %d s\n" % limit_s
    if not passed:
        for line in output.splitlines()[-80:]:
            text += "     " + line[:400] + "\n"
    if passed or not keep:
        shutil.rmtree(directory, ignore_errors=True)
        world.forget(name)
    else:
        text += "     kept: " + directory + "\n"
    world.store_renewed()
    return status, text


def answer(**values):
    print(json.dumps(values), flush=True)


def end(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main():
    build, directory = sys.argv[1:3]
    keep = "--keep" in sys.argv[3:]
    functions = {full_name(f): f for f in tests()}
    signal.signal(signal.SIGTERM, end)
    os.mkdir(directory)
    world = stack.World(build, directory)
    try:
        world.up()
        # boto3 reads much for its first client and request. The tests are
        # forked from this process, and find it read.
        case.s3_client(world, world.endpoint).list_buckets()
        answer()
        for line in sys.stdin:
            name = line.strip()
            status, text = run_one(functions[name], world, keep)
            answer(name=name, status=status, text=text)
    finally:
        # It is to be done once, and to the end.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        world.down()


if __name__ == "__main__":
    main()
