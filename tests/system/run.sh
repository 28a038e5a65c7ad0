#!/bin/sh
# The system tests: see run.py. Debian's Python, as the modules are Debian's.
#
# Where the machine allows it they run in a network of their own: no port of
# theirs can be taken, and tests that need several hosts can make them.
run=$(dirname "$0")/run.py
switch=$(dirname "$0")/stack/net-switch
"$switch" true 2>/dev/null || switch=
exec $switch /usr/bin/python3 -B "$run" "$@"
