"""The system tests: run.sh [BUILD] [--list] [--keep] [NAME...]

BUILD is the directory of the build that is tested (build). A NAME chooses the
tests whose file or name has it in it. One nfs-ganesha and one radosgw serve all
tests; each test is a process of its own with its own directory, export,
bucket, catalog and time limit, and may be run alone. --keep leaves the
directories of the tests that fail.

The last line is "N passed, N failed, N skipped".
"""
import glob
import importlib
import inspect
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import case  # noqa: E402
import sanitizer  # noqa: E402
import stack  # noqa: E402

SKIPPED = 77
LARGE = 1 << 20
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


def free_bucket(s3, bucket):
    versions = s3.get_paginator("list_object_versions")
    for page in versions.paginate(Bucket=bucket):
        for v in page.get("Versions", ()):
            if v["Size"] > LARGE:
                s3.delete_object(
                    Bucket=bucket, Key=v["Key"], VersionId=v["VersionId"]
                )
    for u in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
        s3.abort_multipart_upload(
            Bucket=bucket, Key=u["Key"], UploadId=u["UploadId"]
        )


def free_store(world):
    """The store is in memory: what a test leaves there that is large goes, or
    it is full before the last of them."""
    s3 = case.s3_client(
        "http://127.0.0.1:" + world.s3["S3_PORT"],
        world.s3["S3_KEY"],
        world.s3["S3_SECRET"],
    )
    for bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]:
        # Those of a DSS store have fixed names.
        if bucket not in world.freed or bucket.startswith("dss"):
            free_bucket(s3, bucket)
            world.freed.add(bucket)


def run_one(function, world, keep):
    name = function.__name__[5:]
    limit = getattr(function, "limit", 60) * world.slowness
    directory = os.path.join(world.directory, "tests", name)
    os.makedirs(directory)
    output = os.path.join(world.directory, name + ".out")
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fd = os.open(output, os.O_WRONLY | os.O_CREAT, 0o644)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        child(function, world, directory)
    status = TIMED_OUT
    try:
        status = wait_child(pid, limit)
    finally:
        clean_up(pid, world, directory, status)
    seconds = time.monotonic() - begun
    text = open(output, errors="backslashreplace").read()
    if status == 0:
        print("ok   %s %.1f" % (name, seconds))
    elif status == SKIPPED:
        print("skip %s: %s" % (name, text.strip()))
    else:
        print("FAIL %s %.1f" % (name, seconds))
        if status == TIMED_OUT:
            print("     not done after %d s" % limit)
        for line in text.splitlines()[-80:]:
            print("     " + line[:400])
    sys.stdout.flush()
    if status in (0, SKIPPED) or not keep:
        shutil.rmtree(directory, ignore_errors=True)
        world.forget(name)
        free_store(world)
    else:
        print("     kept: " + directory)
    return status


def full_name(function):
    return "%s.%s" % (function.__module__, function.__name__)


def choose(arguments):
    build = os.path.join(TOP, "build")
    names = []
    for argument in arguments:
        candidate = os.path.join(TOP, argument)
        if os.path.exists(os.path.join(candidate, "datamover")):
            build = os.path.abspath(candidate)
        elif not argument.startswith("--"):
            names.append(argument)
    chosen = [
        f
        for f in tests()
        if not names or any(n in full_name(f) for n in names)
    ]
    return build, chosen


def main():
    sys.stdout.reconfigure(errors="backslashreplace")
    arguments = sys.argv[1:]
    unknown = [
        a
        for a in arguments
        if a.startswith("--") and a not in ("--list", "--keep")
    ]
    if unknown:
        sys.exit(__doc__)
    build, chosen = choose(arguments)
    if "--list" in arguments:
        for f in chosen:
            print(f.__name__[5:])
        return 0
    if not chosen:
        sys.exit("no such test")
    if os.geteuid() != 0:
        sys.exit("the system tests start servers: run them as root")
    counts = {0: 0, SKIPPED: 0}
    failed = 0
    directory = tempfile.mkdtemp(prefix="datamover-test.", dir=stack.room())
    os.chmod(directory, 0o755)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    world = stack.World(build, directory)
    try:
        world.up()
        for function in chosen:
            status = run_one(function, world, "--keep" in arguments)
            if status in counts:
                counts[status] += 1
            else:
                failed += 1
    finally:
        world.down()
        if not (failed and "--keep" in arguments):
            shutil.rmtree(directory, ignore_errors=True)
    print(
        "%d passed, %d failed, %d skipped"
        % (counts[0], failed, counts[SKIPPED])
    )
    return 1 if failed or not counts[0] else 0


if __name__ == "__main__":
    sys.exit(main())
