#!/bin/sh
# Run the unit tests and the fuzz targets (on their saved inputs) of a build
# directory, and beside them the model with the arguments MODEL, if there are
# any. As most programs wait most of the time, there are four at a time for
# each processor; team/, whose programs wait longest, is near the end of the
# alphabet. Prints one line a program, what those said that failed, and the
# closing counts.
#
#   run.sh BUILD          all
#   run.sh BUILD WORD...  those with one of these words in their name, which
#                         is ROOM/test_FILE or fuzz_NAME
#
# It calls itself for each of them: run.sh BUILD --one NAME PROGRAM ARGUMENT...
set -u
cd "$(dirname "$0")/../.." || exit 1
b=${1:-build}

if [ "${2:-}" = --one ]; then
	name=$3
	shift 3
	program=$1
	timeout 600 "$@" >"$program.log" 2>&1
	status=$?
	echo "$status" >"$program.status"
	if [ "$status" -eq 0 ]; then
		echo "ok   $name"
	else
		echo "FAIL $name (status $status)"
	fi
	exit 0
fi

names=$(cd tests && ls -r unit/*/test_*.c fuzz/fuzz_*.c |
	sed 's|^unit/||; s|^fuzz/||; s|\.c$||')
[ -z "${MODEL:-}" ] || names="model $names"

# The program of a name.
program()
{
	case $1 in
	fuzz_*) echo "$b/fuzz/$1" ;;
	model) echo "$b/model/model" ;;
	*) echo "$b/tests/$1" ;;
	esac
}

[ $# -eq 0 ] || shift
if [ $# -gt 0 ]; then
	words=$(printf '%s\n' "$@")
	names=$(echo "$names" | grep -F -e "$words")
	[ -n "$names" ] || { echo "no such test" >&2; exit 1; }
fi
for name in $names; do
	program=$(program "$name")
	rm -f "$program.status"
	case $name in
	fuzz_*) echo "$name $program tests/fuzz/corpus/${name#fuzz_}" ;;
	model) echo "$name $program $MODEL" ;;
	*) echo "$name $program" ;;
	esac
done | xargs -P $(($(nproc) * 4)) -L 1 tests/unit/run.sh "$b" --one

passed=0 failed=0
for name in $names; do
	program=$(program "$name")
	if [ "$(cat "$program.status" 2>/dev/null)" = 0 ]; then
		passed=$((passed + 1))
		[ "$name" != model ] || tail -n 1 "$program.log"
	else
		failed=$((failed + 1))
		echo "==> $name"
		tail -n 200 "$program.log" | sed 's/^/     /'
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
