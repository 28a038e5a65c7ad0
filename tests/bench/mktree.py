#!/usr/bin/python3
"""mktree.py DIR COUNT SIZE DIRS: COUNT files of SIZE random bytes in DIRS
directories, all of the same old time, so that a copy is never older. A tree
that is there already, made with the same numbers, stays."""
import os
import sys

OLD = 1700000000
MIB = 1 << 20


def write(path, size):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    left = size
    while left > 0:
        left -= os.write(fd, os.urandom(min(left, MIB)))
    os.close(fd)
    os.utime(path, (OLD, OLD))


def main():
    top = sys.argv[1]
    count, size, dirs = (int(x) for x in sys.argv[2:5])
    stamp = top + ".stamp"
    want = "%d %d %d\n" % (count, size, dirs)
    if os.path.exists(stamp) and open(stamp).read() == want:
        return
    for d in range(dirs):
        os.makedirs("%s/d%04d" % (top, d), exist_ok=True)
    for i in range(count):
        write("%s/d%04d/f%07d" % (top, i % dirs, i), size)
    with open(stamp, "w") as f:
        f.write(want)


main()
