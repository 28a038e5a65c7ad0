#!/usr/bin/env python3
"""Who uses what, as the linker sees it.

    symbols.py BUILD    BUILD has FOLDER/FILE.o of each src/FOLDER/FILE.c

Three faults: a global name that no other file of src uses (make it static,
or remove it); folders that use each other in a circle; files that do so,
where the circle is not in the list below. A circle of files is right where
the files are one state machine or one actor, and wrong where a helper stands
in the file of its caller's caller.
"""
import collections
import pathlib
import subprocess
import sys

# Names that only their own file and tests use, with the reason.
FOR_TESTS = {
    "client_parse_join": "the forms of an address, without a connection",
    "compact_answer": "what a target says, without a target",
    "compact_find": "likewise",
    "compact_nqn_is_sane": "likewise",
    "conf_check_s3": "fuzz_conf checks settings that no run could have",
    "conf_parse": "fuzz_conf reads settings from memory",
    "crc64_engine": "each way to compute CRCs is compared with a division",
    "crc64_using": "likewise",
    "jwrite_str": "the writer of JSON is tested as a whole",
    "md5_engine": "each way to compute MD5s is compared with OpenSSL",
    "md5_lanes": "likewise",
    "md5_update_using": "likewise",
    "s3_place_hash": "the hash is compared with values of the store's own",
    "ssh_quote": "each byte is quoted so that a shell gives it back",
}

# Files that may use each other; a circle may lose files, but not win any.
CIRCLES = """
tree/below tree/tree nfs/conn nfs/v3 nfs/v3_write
    nfs/v4 nfs/v4_write nfs/again
    tree/nfs_file tree/nfs_list nfs/mount
    nfs/nested tree/posix tree/walk
s3/client s3/cluster s3/ops
crawl/crawler crawl/list crawl/looks crawl/reading crawl/self
send/adopt send/sender send/multipart send/segment send/send send/split
    send/place send/proof send/ring send/transfer send/worker
fetch/file fetch/pass fetch/split fetch/turn
    fetch/fetching
lister/lister lister/cut lister/merge
"""

TOP = pathlib.Path(__file__).resolve().parents[2]


def read(build):
    """{name: file that defines it}, {file: names it uses}"""
    objects = [
        "%s/%s.o" % (build, path.relative_to(TOP / "src").with_suffix(""))
        for path in sorted(TOP.glob("src/*/*.c"))
    ]
    text = subprocess.run(
        ["nm", "-A", "-P", *objects], stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    defined, uses = {}, collections.defaultdict(set)
    for line in text.splitlines():
        where, name, kind = line.split()[:3]
        where = where[len(build) + 1 : -len(".o:")]
        if kind == "U":
            uses[where].add(name)
        elif kind.isupper():
            defined[name] = where
    return defined, uses


def arrows(defined, uses, place):
    found = collections.defaultdict(set)
    for where, names in uses.items():
        for name in names:
            if name in defined and place(defined[name]) != place(where):
                found[place(where)].add(place(defined[name]))
    return found


def reach(start, arrow):
    seen, todo = set(), [start]
    while todo:
        for other in arrow.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def circles(arrow):
    """Sets of places that reach each other."""
    far = {place: reach(place, arrow) for place in arrow}
    found = set()
    for place, others in far.items():
        ring = {o for o in others if place in far.get(o, ())}
        if len(ring) > 1:
            found.add(frozenset(ring))
    return sorted(map(sorted, found))


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    defined, uses = read(build)
    faults = []
    used = {n for f, names in uses.items() for n in names}
    alone = sorted(n for n in defined if n not in used and n != "main")
    for name in alone:
        if name not in FOR_TESTS:
            faults.append("%s: only its own file uses %s" % (
                defined[name], name))
    for name in sorted(set(FOR_TESTS) - set(alone)):
        faults.append("%s need not be in FOR_TESTS" % name)
    for ring in circles(arrows(defined, uses, lambda f: f.split("/")[0])):
        faults.append("a circle of folders: " + " ".join(ring))
    # A line that begins with a blank goes on with the one above.
    lines = CIRCLES.strip().replace("\n ", " ").split("\n")
    allowed = [set(line.split()) for line in lines]
    rings = circles(arrows(defined, uses, str))
    for ring in rings:
        if not any(set(ring) <= one for one in allowed):
            faults.append("a circle of files: " + " ".join(ring))
    for one in allowed:
        if not any(set(ring) <= one for ring in rings):
            faults.append("no circle any more: " + " ".join(sorted(one)))
    for fault in faults:
        print(fault)
    if faults:
        print("symbols: %d found" % len(faults), file=sys.stderr)
        return 1
    print("symbols: ok (%d circles of files)" % len(rings))
    return 0


sys.exit(main())
