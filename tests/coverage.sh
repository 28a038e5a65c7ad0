#!/bin/sh
# Lines that the unit tests run, file by file, from a build with --coverage.
set -eu
cd "$(dirname "$0")/.."
b=$1
for gcda in "$b"/*/*.gcda; do
	src=src/${gcda#"$b"/}
	gcov -n -o "$(dirname "$gcda")" "${src%.gcda}.c" 2>/dev/null
done | awk -v q="'" '
	/^File/ { split($0, f, q); file = f[2] }
	/^Lines executed/ && file ~ /^src\/.*\.c$/ {
		split($0, a, /[:% ]+/)
		printf "%6.1f%% of %4d  %s\n", a[3], a[5], file
		run += a[3] * a[5] / 100; all += a[5]; file = ""
	}
	END { if (all) printf "%6.1f%% of %4d  all\n", 100 * run / all, all }'
