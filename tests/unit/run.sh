#!/bin/sh
# Run the unit tests and the fuzz targets (on their saved inputs) of a build
# directory, as many at a time as there are processors. Prints one line a
# program, what those said that failed, and the closing counts.
#
#   run.sh BUILD                          all
#   run.sh BUILD NAME PROGRAM ARGUMENT... one
set -u
cd "$(dirname "$0")/../.." || exit 1
b=${1:-build}

if [ $# -gt 1 ]; then
	name=$2
	shift 2
	timeout 300 "$@" >"$b/$name.log" 2>&1
	status=$?
	echo "$status" >"$b/$name.status"
	if [ "$status" -eq 0 ]; then
		echo "ok   $name"
	else
		echo "FAIL $name (status $status)"
	fi
	exit 0
fi

names=$(cd tests && ls unit/test_*.c fuzz/fuzz_*.c |
	sed 's|.*/||; s|\.c$||')
for name in $names; do
	rm -f "$b/$name.status"
	case $name in
	fuzz_*) echo "$name $b/fuzz/$name tests/fuzz/corpus/${name#fuzz_}" ;;
	*) echo "$name $b/tests/$name" ;;
	esac
done | xargs -P "$(nproc)" -L 1 tests/unit/run.sh "$b"

passed=0 failed=0
for name in $names; do
	if [ "$(cat "$b/$name.status" 2>/dev/null)" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "==> $name"
		tail -n 60 "$b/$name.log" | sed 's/^/     /'
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
