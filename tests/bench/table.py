#!/usr/bin/python3
"""table.py RESULTS: the lines of run.sh as a table, with ratios.

A line: case, tool, wall, user, sys, peak KiB, exit status, requests, objects
in the store, objects expected, bytes of the tree. The best of several runs
of a tool counts, by CPU time."""
import sys

HEAD = ("case", "tool", "CPU s", "wall s", "peak MiB", "requests",
        "us/object", "s/GiB", "CPU ratio", "wall ratio", "")
WIDTH = (13, 16, 8, 8, 9, 9, 10, 7, 10, 11, 0)


def rows(path):
    best = {}
    with open(path) as f:
        for line in f:
            case, tool, *n = line.split("\t")
            n = [float(x) for x in n]
            row = dict(case=case, tool=tool, wall=n[0], cpu=n[1] + n[2],
                       rss=n[3] / 1024, status=int(n[4]), requests=n[5],
                       stored=n[6], objects=n[7], size=n[8])
            old = best.get((case, tool))
            if old is None or row["cpu"] < old["cpu"]:
                best[case, tool] = row
    return best


def ratio(best, row, what):
    """Against s5cmd, else rclone, else one client, in the same case."""
    for peer in ("s5cmd", "rclone", "datamover-1"):
        other = best.get((row["case"], peer))
        if other is not None and other[what] > 0:
            return "%.2f" % (row[what] / other[what])
    return "-"


def cells(best, row):
    note = []
    if row["status"] != 0:
        note.append("EXIT %d" % row["status"])
    # A mirror leaves the one whose file is there.
    left = 1 if row["case"] == "mirror" else row["objects"]
    if row["stored"] != left:
        note.append("STORED %d OF %d" % (row["stored"], left))
    return (row["case"], row["tool"], "%.2f" % row["cpu"],
            "%.2f" % row["wall"], "%.0f" % row["rss"],
            "%d" % row["requests"],
            "%.1f" % (row["cpu"] / row["objects"] * 1e6)
            if row["size"] / row["objects"] < 2**20 else "-",
            "%.2f" % (row["cpu"] / (row["size"] / 2**30))
            if row["size"] / row["objects"] >= 2**20 else "-",
            ratio(best, row, "cpu"), ratio(best, row, "wall"),
            ", ".join(note))


def main():
    best = rows(sys.argv[1])
    last = None
    cases = [case for case, _ in best]
    ordered = sorted(best.values(), key=lambda r: cases.index(r["case"]))
    for line in [HEAD] + [cells(best, r) for r in ordered]:
        if last not in (None, line[0]):
            print()
        last = line[0]
        left = "%-*s %-*s" % (WIDTH[0], line[0], WIDTH[1], line[1])
        rest = " ".join("%*s" % (w, c) for w, c in zip(WIDTH[2:], line[2:]))
        print((left + " " + rest).rstrip())
    print("\nratios: to s5cmd, or to rclone where s5cmd is not installed")
    bad = any(r["status"] != 0 or r["stored"] != r["objects"]
              for r in best.values())
    sys.exit(1 if bad else 0)


main()
