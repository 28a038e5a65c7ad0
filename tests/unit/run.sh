#!/bin/sh
# Run the unit tests and the fuzz targets (on their saved inputs) of a build
# directory. Prints one line a program and the closing counts.
set -u
cd "$(dirname "$0")/../.."
b=${1:-build}
passed=0 failed=0
run() {
	name=$1; shift
	if timeout 300 "$@" >"$b/$name.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok   $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name (status $?)"
		sed 's/^/     /' "$b/$name.log" | tail -n 60
	fi
}
for src in tests/unit/test_*.c; do
	t=$(basename "$src" .c)
	run "$t" "$b/tests/$t"
done
for src in tests/fuzz/fuzz_*.c; do
	[ -e "$src" ] || continue
	t=$(basename "$src" .c)
	run "$t" "$b/fuzz/$t" tests/fuzz/corpus/"${t#fuzz_}"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
