#!/bin/sh
# Everything: packages, build, unit tests, lint, system tests. As root, as it
# installs packages and starts servers on loopback ports of its own.
#
# The last line is "N passed, N failed", summed over all of them; the exit
# status says the same.
set -u
cd "$(dirname "$0")/.." || exit 1

contrib/packages.sh || exit 1
log=$(mktemp -d) || exit 1
trap 'rm -rf "$log"' EXIT
trap 'exit 1' HUP INT TERM
passed=0 failed=0

# A step without tests of its own counts as one test.
step()
{
	name=$1
	shift
	echo "==> $*"
	{ "$@" 2>&1; echo $? >"$log/status"; } | tee "$log/out"
	status=$(cat "$log/status")
	counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log/out" | tail -n 1)
	if [ -n "$counts" ]; then
		good=${counts%% *}
		bad=${counts#*, }
		bad=${bad%% *}
		passed=$((passed + good))
		failed=$((failed + bad))
		[ "$bad" -gt 0 ] && return 1
	fi
	if [ "$status" -ne 0 ]; then
		echo "FAIL $name (status $status)"
		failed=$((failed + 1))
		return 1
	fi
	[ -n "$counts" ] || passed=$((passed + 1))
}

jobs=-j$(nproc)
if step build make "$jobs" all tools; then
	step check make "$jobs" check
	step lint make lint
	step package make check-package
	step system make check-system
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
