#!/usr/bin/env python3
"""Comments that leave out their nouns.

For each comment of src of 8 to 80 words: the share of words such as "it",
"who", "one", "what". A reader must find the noun behind each of them. The
mean of all shares, and how many comments are a quarter or more of such words,
must stay below the ceilings.

    comments.py [-v]    -v: each comment of a quarter or more, and its place
"""
import pathlib
import re
import sys

MEAN = 0.07
QUARTER = 2.0  # per cent of the comments

WORDS = set(
    "it its they them one ones that this which what who whoever so there"
    " other others another all".split()
)
TOP = pathlib.Path(__file__).resolve().parents[2]


def comments(text):
    """(line, words) of each comment."""
    for m in re.finditer(r"/\*(.*?)\*/", text, re.S):
        words = re.sub(r"[^a-z\s]", "", m.group(1).lower()).split()
        yield text.count("\n", 0, m.start()) + 1, words


def main():
    shares = []
    for path in sorted(TOP.glob("src/*/*.[ch]")):
        for line, words in comments(path.read_text()):
            if not 8 <= len(words) <= 80:
                continue
            share = sum(w in WORDS for w in words) / len(words)
            shares.append(share)
            if share >= 0.25 and "-v" in sys.argv:
                place = "%s:%d:" % (path.relative_to(TOP), line)
                print(place, "%.2f" % share, " ".join(words))
    mean = sum(shares) / len(shares)
    quarter = 100 * sum(s >= 0.25 for s in shares) / len(shares)
    print(
        "comments: %d, mean share %.3f (at most %.3f), a quarter or more:"
        " %.1f %% (at most %.1f)" % (len(shares), mean, MEAN, quarter, QUARTER)
    )
    return mean > MEAN or quarter > QUARTER


sys.exit(main())
