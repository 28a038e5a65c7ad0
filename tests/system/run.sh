#!/bin/sh
# The system tests: see run.py. Debian's Python, as the modules are Debian's.
exec /usr/bin/python3 -B "$(dirname "$0")/run.py" "$@"
