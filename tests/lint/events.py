#!/usr/bin/env python3
"""The events of the log: each call of log_event names an event of
src/base/log_events.def and fields of that event; each event is used; and
datamover-log(5) lists the events with the same fields, in the same order."""
import glob
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
PAGE = "man/datamover-log.5"
found = []


def complain(text):
    print(text)
    found.append(text)


def table():
    """{id: (name, fields)}"""
    with open("src/base/log_events.def") as f:
        text = f.read()
    events = {}
    for event in re.finditer(
        r'^EVENT\((\w+), "([a-z0-9_]+)\*?",\s*((?:"[^"]*"\s*)+)\)', text, re.M
    ):
        fields = "".join(re.findall(r'"([^"]*)"', event.group(3))).split()
        events[event.group(1)] = (event.group(2), fields)
    if len(events) != len(re.findall(r"^EVENT\(", text, re.M)):
        complain("src/base/log_events.def: an event can't be read")
    return events


def call_at(text, start):
    """The call whose name begins at start, to its closing parenthesis."""
    depth, i, quoted = 0, text.index("(", start), False
    while True:
        c = text[i]
        if quoted:
            i += c == "\\"
            quoted = c != '"'
        elif c == '"':
            quoted = True
        elif c in "()":
            depth += 1 if c == "(" else -1
            if depth == 0:
                return text[start : i + 1]
        i += 1


def check_calls(events):
    used = set()
    for path in sorted(glob.glob("src/*/*.c")):
        with open(path) as f:
            text = f.read()
        used.update(re.findall(r"\bEVENT_\w+", text))
        for match in re.finditer(r"\blog_event\(", text):
            call = call_at(text, match.start())
            ids = re.findall(r"\bEVENT_\w+", call)
            fields = re.findall(r'\bLOG_(?:SHOW_)?\w+\(\s*"(\w+)"', call)
            line = text.count("\n", 0, match.start()) + 1
            for event in ids:
                if event not in events:
                    complain("%s:%d: no event %s" % (path, line, event))
                    continue
                for field in fields:
                    if field not in events[event][1]:
                        complain(
                            "%s:%d: %s has no field %s"
                            % (path, line, event, field)
                        )
    for event in events:
        if event not in used:
            complain("src/base/log_events.def: %s is not used" % event)


def check_page(events):
    with open(PAGE) as f:
        text = f.read()
    listed = text[text.index(".Sh EVENTS") : text.index(".Sh EXAMPLES")]
    page = [
        (name, fields.replace(" ,", "").split())
        for name, fields in re.findall(
            r"^\.It Sy (\w+)(?: ; Va (.*))?$", listed, re.M
        )
    ]
    for wanted in events.values():
        if wanted not in page:
            complain("%s: not there, or with other fields: %s" % (PAGE, wanted))
    for name, fields in page:
        if (name, fields) not in events.values():
            complain("%s: no such event: %s %s" % (PAGE, name, fields))


known = table()
check_calls(known)
check_page(known)
print("events: %d, %d found" % (len(known), len(found)))
sys.exit(1 if found else 0)
