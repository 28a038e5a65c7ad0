#!/bin/bash
# How much faster four clients are than one: clients.sh [B] [CASE...]
#
#   small   many small files
#   large   one large file, which they send together
#
# All of them join on this machine, with one worker each; what holds one
# client back is the store, which answers late and limits each connection
# (tests/bench/sink.c), as one far away does. The processors must not be the
# limit: on few of them the ratio says less.
#
#   BENCH_DIR      trees and results (/tmp/dm-bench; the trees stay)
#   BENCH_CLIENTS  how many, against one (4)
#   BENCH_SMALL BENCH_LARGE_MIB   how many, how large
#   BENCH_LATENCY BENCH_RATE      of the store: ms, bytes/s a connection
#   BENCH_PORT     of the master, and the one after it (17100)
set -u
cd "$(dirname "$0")/../.." || exit 1
B=build
if [ $# -gt 0 ] && [ -x "$1/datamover" ]; then
	B=$1
	shift
fi
[ $# -gt 0 ] || set -- small large

: "${BENCH_DIR:=/tmp/dm-bench}" "${BENCH_CLIENTS:=4}"
: "${BENCH_SMALL:=8000}" "${BENCH_LARGE_MIB:=2048}"
: "${BENCH_LATENCY:=50}" "${BENCH_RATE:=2000000}" "${BENCH_PORT:=17100}"
mkdir -p "$BENCH_DIR/trees"
work=$(mktemp -d "$BENCH_DIR/clients.XXXXXX") || exit 1
sink_pid=
trap '[ -z "$sink_pid" ] || kill "$sink_pid"; rm -rf "$work"' EXIT

tree_small()
{
	python3 -B - "$1" "$BENCH_SMALL" <<-'P'
	import os, sys
	for i in range(int(sys.argv[2])):
	    with open("%s/f%d" % (sys.argv[1], i), "wb") as f:
	        f.write(os.urandom(4096))
	P
}

tree_large()
{
	head -c "${BENCH_LARGE_MIB}M" /dev/urandom >"$1/large"
}

# The path of a tree, made when it is not there.
tree()
{
	local t=$BENCH_DIR/trees/clients-$1-$BENCH_SMALL-$BENCH_LARGE_MIB

	if [ ! -d "$t" ]; then
		mkdir "$t.new" && "tree_$1" "$t.new" && mv "$t.new" "$t"
	fi
	echo "$t"
}

sink_start()
{
	"$B/tools/bench/sink" --port 0 --latency "$BENCH_LATENCY" \
	    --rate "$BENCH_RATE" >"$work/sink.out" &
	sink_pid=$!
	until [ -s "$work/sink.out" ]; do sleep .05; done
}

settings()
{
	cat <<-C
	[nfs bench]
	share = $1
	[fs_config]
	mounted = yes
	[s3_storage]
	endpoint = $(head -1 "$work/sink.out")
	bucket = bench
	access_key = bench
	secret_key = benchsecret
	[catalog]
	path = $work/catalog.db
	[logging]
	path = $work
	level = WARNING
	[master]
	host_or_ip_address = 127.0.0.1
	key_file = $work/key
	[message]
	port_index = $BENCH_PORT
	port_status = $((BENCH_PORT + 1))
	[client]
	workers = 1
	C
}

# Seconds of one upload of a tree by so many clients.
seconds()
{
	rm -f "$work"/catalog.db* "$work/key" "$work/sink.out"
	sink_start
	settings "$1" >"$work/conf"
	chmod 600 "$work/conf"
	"$B/datamover" PUT --quiet --json --config "$work/conf" \
	    >"$work/out" 2>"$work/err" &
	local master=$!
	until [ -s "$work/key" ]; do sleep .05; done
	for _ in $(seq "$2"); do
		"$B/datamover" client --key-file "$work/key" --join \
		    "127.0.0.1:$BENCH_PORT:$((BENCH_PORT + 1))" \
		    2>>"$work/err" &
	done
	wait "$master" || { cat "$work/err" >&2; exit 1; }
	kill "$sink_pid"
	wait
	sink_pid=
	sed -n 's/.*"seconds":\([0-9.]*\).*/\1/p' "$work/out"
}

for case in "$@"; do
	t=$(tree "$case") || exit 1
	one=$(seconds "$t" 1) && all=$(seconds "$t" "$BENCH_CLIENTS") || exit 1
	awk -v c="$case" -v n="$BENCH_CLIENTS" -v a="$one" -v b="$all" 'BEGIN {
		printf "%s: 1 client %.1f s, %d clients %.1f s: %.1f times " \
		    "faster\n", c, a, n, b, a / b }'
done
