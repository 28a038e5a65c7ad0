#!/bin/sh
# Look for new inputs with libFuzzer (clang), each target for the given number
# of seconds. What crashes is kept in build-fuzz/ and belongs into the corpus.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
san='-fsanitize=address,undefined'
make -s -j"$(nproc)" CC=clang B=build-fuzz HARDEN= OPT='-O1 -g' \
    SAN="$san,fuzzer-no-link" build-fuzz/libdatamover.a
libs=$(pkg-config --libs sqlite3 libnfs libcurl libcrypto libssl libssh \
    jansson expat)
passed=0 failed=0
for src in tests/fuzz/fuzz_*.c; do
	name=$(basename "$src" .c)
	# shellcheck disable=SC2086
	clang -std=gnu11 -D_GNU_SOURCE -Isrc -g -O1 "$san,fuzzer" \
	    -o "build-fuzz/$name" "$src" build-fuzz/libdatamover.a $libs \
	    -linih -lm -pthread
	mkdir -p "build-fuzz/new_$name"
	if "build-fuzz/$name" -max_total_time="$seconds" -max_len=65536 \
	    -rss_limit_mb=2048 -timeout=10 \
	    -artifact_prefix="build-fuzz/$name-" "build-fuzz/new_$name" \
	    tests/fuzz/corpus/"${name#fuzz_}" >"build-fuzz/$name.log" 2>&1
	then
		passed=$((passed + 1))
		echo "ok   $name: $(tail -n 1 "build-fuzz/$name.log")"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		tail -n 40 "build-fuzz/$name.log"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
