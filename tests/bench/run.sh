#!/bin/bash
# Speed against peers: run.sh [B] [CASE...]
#
#   small   many small files, first upload
#   large   few large files, first upload
#   rerun   the small tree again, nothing changed
#   crawl   very many empty files again, nothing changed (datamover's first
#           run of that tree is shown as the case "first")
#   getsmall, getlarge
#           the objects of these trees back as files
#   testhead, testfull
#           prove many small objects: TEST --mode head or full, against rclone
#           check --download; from a store that answers after 10 ms
#   mirror  delete the objects of many files that are gone, each asked for
#           again (datamover alone)
#   clients, clientslarge
#           many small files, one large one: one client against four, on a
#           store that answers after 50 ms and is slow on each connection;
#           CPU is the master's
#
# datamover reads over NFS from nfs-ganesha; "datamover-local" is the same
# program on the local directory, as rclone and s5cmd run, where they are
# installed. The store is tests/bench/sink.c, so that what is measured is the
# tool. CPU is that of the tool alone.
#
#   BENCH_DIR     trees and results (/tmp/dm-bench; the trees stay)
#   BENCH_TOOLS   which of the tools
#   BENCH_REPEAT  runs of each, the best one counts (1)
#   BENCH_SMALL BENCH_SMALL_SIZE BENCH_LARGE BENCH_LARGE_MIB BENCH_CRAWL
#   BENCH_MIRROR BENCH_TEST BENCH_LATENCY (10, in ms) BENCH_CLIENTS
#   BENCH_CLIENTS_MIB
#                 how many and how large
#   SINK_PORT NFS_PORT MNT_PORT  (chosen when not given)
set -u
cd "$(dirname "$0")/../.." || exit 1
B=build
if [ $# -gt 0 ] && [ -x "$1/tools/bench/sink" ]; then
	B=$1
	shift
fi
[ $# -gt 0 ] || set -- small large rerun crawl getsmall getlarge testhead \
    testfull mirror clients clientslarge

: "${BENCH_REPEAT:=1}"
: "${BENCH_TOOLS:=datamover datamover-local rclone s5cmd}"
: "${BENCH_TEST:=100000}" "${BENCH_LATENCY:=10}" "${BENCH_MIRROR:=100000}"
: "${BENCH_CLIENTS:=60000}" "${BENCH_CLIENTS_MIB:=4096}" "${BENCH_PORT:=17600}"
# shellcheck source=tests/bench/lib.sh
. tests/bench/lib.sh
results=$BENCH_DIR/results.tsv

installed()
{
	case $1 in
	datamover*) [ -x "$B/datamover" ] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# The command that brings a tree to the store, for the first time (the
# cheapest the tool has: s5cmd sync costs several times s5cmd cp) or again.
command_of()
{
	local tool=$1 tree=$2 again=$3 mounted=no verb
	local prefix=$bucket/127.0.0.1$trees/$tree
	[ "$tool" = datamover-local ] && mounted=yes
	case $tool,$again in
	datamover*,get)
		cmd=("$B/datamover" GET --standalone --dest_path "$work/back"
		    --config "$work/$tool-$tree.conf") ;;
	datamover*,test*)
		cmd=("$B/datamover" TEST --data_integrity --skip_upload
		    --mode "${again#test}" --config
		    "$work/$tool-$tree.conf") ;;
	rclone,test*)
		cmd=(rclone check --download --transfers 32 --checkers 32
		    --fast-list "$trees/$tree" "sink:$prefix") ;;
	rclone,get)
		cmd=(rclone copy --transfers 32 --checkers 32 --fast-list
		    "sink:$prefix" "$work/back") ;;
	s5cmd,get)
		cmd=(s5cmd --log error --endpoint-url "$url" "cp"
		    "s3://$prefix/*" "$work/back/") ;;
	datamover*)
		settings "$tree" $mounted >"$work/$tool-$tree.conf"
		cmd=("$B/datamover" PUT --standalone --config
		    "$work/$tool-$tree.conf") ;;
	rclone,*)
		[ "$again" = yes ] && verb=sync || verb=copy
		cmd=(rclone "$verb" --s3-no-check-bucket --transfers 32
		    --checkers 32 --fast-list "$trees/$tree"
		    "sink:$bucket/$tree") ;;
	s5cmd,*)
		[ "$again" = yes ] && verb=sync || verb="cp"
		cmd=(s5cmd --log error --endpoint-url "$url" "$verb"
		    "$trees/$tree/" "s3://$bucket/$tree/") ;;
	esac
}

# measured CASE TOOL TREE AGAIN: run the tool (AGAIN is -: what cmd says) and
# note a line.
measured()
{
	local case=$1 tool=$2 tree=$3 before after
	[ "$4" = - ] || command_of "$tool" "$tree" "$4"
	before=$(sink_stat requests)
	"$B/tools/bench/measure" "$work/measure" "${cmd[@]}" \
	    >"$work/$tool-$case.out" 2>&1 ||
		echo "bench: $case $tool: see $work/$tool-$case.out" >&2
	after=$(sink_stat requests)
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$case" "$tool" \
	    "$(tr ' ' '\t' <"$work/measure")" $((after - before)) \
	    "$(sink_stat objects)" "${files[$tree]}" "${bytes[$tree]}" \
	    >>"$results"
}

# First upload by each tool.
put_case()
{
	for tool in $tools; do
		forget "$1"
		sink_start
		measured "$1" "$tool" "$1" no
	done
}

# The second of two runs; the first makes the store and the catalog.
rerun_case()
{
	for tool in $tools; do
		forget small
		sink_start
		command_of "$tool" small no
		"${cmd[@]}" >"$work/$tool-first.out" 2>&1
		measured rerun "$tool" small yes
	done
}

# datamover-local brings the tree to the store; each tool brings it back.
get_case()
{
	local tree=${1#get}
	for tool in $tools; do
		[ "$tool" != datamover ] || continue
		forget "$tree"
		sink_start --keep
		command_of datamover-local "$tree" no
		"${cmd[@]}" >"$work/$tool-first.out" 2>&1
		rm -rf "$work/back"
		mkdir "$work/back"
		measured "$1" "$tool" "$tree" get
		[ "$(find "$work/back" -type f | wc -l)" -eq \
		    "${files[$tree]}" ] ||
			echo "bench: $1 $tool: files are missing" >&2
		rm -rf "$work/back"
	done
}

# datamover-local brings the tree to the store; each tool compares.
test_case()
{
	for tool in $tools; do
		case $tool in datamover-local | rclone) ;; *) continue ;; esac
		forget "test"
		sink_start --keep --latency "$BENCH_LATENCY"
		command_of datamover-local "test" no
		"${cmd[@]}" >"$work/$tool-first.out" 2>&1
		measured "$1" "$tool" "test" "$1"
	done
}

# All files of the tree are put, then but for one removed.
mirror_case()
{
	for tool in $tools; do
		case $tool in datamover*) ;; *) continue ;; esac
		tree mirror "$BENCH_MIRROR" 0 100
		touch "$trees/mirror/kept"
		forget mirror
		sink_start --keep
		command_of "$tool" mirror no
		"${cmd[@]}" >"$work/$tool-first.out" 2>&1
		rm -f "$trees/mirror.stamp"
		find "$trees/mirror" -mindepth 2 -type f -delete
		cmd+=(--delete --max-delete 100%)
		measured mirror "$tool" mirror -
		[ "$(sink_stat objects)" -eq 1 ] ||
			echo "bench: mirror $tool: objects are left" >&2
	done
}

# One master and so many clients that join it, all on this machine.
clients_run()
{
	local case=$1 tree=$2 n=$3 rate=$4 joined=() conf
	conf=$work/clients.conf
	forget "$tree"
	sink_start --no-md5 --latency 50 --rate "$rate"
	{
		settings "$tree" yes
		cat <<-C
		[master]
		host_or_ip_address = 127.0.0.1
		key_file = $work/key
		[message]
		port_index = $BENCH_PORT
		port_status = $((BENCH_PORT + 1))
		C
	} >"$conf"
	rm -f "$work/key"
	head -c 48 /dev/urandom | base64 -w 0 | install -m 600 /dev/stdin \
	    "$work/key"
	for ((i = 0; i < n; i++)); do
		"$B/datamover" client --join \
		    "127.0.0.1:$BENCH_PORT:$((BENCH_PORT + 1))" \
		    --key-file "$work/key" >"$work/client$i.out" 2>&1 &
		joined+=($!)
	done
	cmd=("$B/datamover" PUT --config "$conf")
	measured "$case" "datamover-$n" "$tree" -
	wait "${joined[@]}"
}

# The peers' first upload would take longer than all the rest: they find a
# store that has everything.
crawl_case()
{
	find "$trees/crawl" -type f -printf '%s %T@ %P\n' |
	    sed "s,^\([0-9]* [0-9]*\)[.0-9]* ,\1 $bucket/crawl/," \
	    >"$work/seed"
	for tool in $tools; do
		case $tool in
		datamover*)
			forget crawl
			sink_start
			measured first "$tool" crawl no ;;
		*)
			sink_start --seed "$work/seed" ;;
		esac
		measured crawl "$tool" crawl yes
	done
}

tools=
for tool in $BENCH_TOOLS; do
	if installed "$tool"; then
		tools="$tools $tool"
	else
		echo "bench: $tool is not installed" >&2
	fi
done
for case; do
	case $case in
	small | rerun | getsmall)
		tree small "$BENCH_SMALL" "$BENCH_SMALL_SIZE" 20 ;;
	large | getlarge)
		tree large "$BENCH_LARGE" $((BENCH_LARGE_MIB << 20)) 1 ;;
	test*) tree "test" "$BENCH_TEST" 4096 100 ;;
	crawl) tree crawl "$BENCH_CRAWL" 0 1000 ;;
	mirror) tree mirror "$BENCH_MIRROR" 0 100 ;;
	clients) tree clients "$BENCH_CLIENTS" 4096 60 ;;
	clientslarge) tree one 1 $((BENCH_CLIENTS_MIB << 20)) 1 ;;
	*) echo "bench: no case $case" >&2; exit 2 ;;
	esac
done
case " $tools " in
*" datamover "*)
	mkdir -p "$trees/mirror"
	nfs_start "$trees/small" "$trees/large" "$trees/crawl" \
	    "$trees/mirror" ;;
esac

: >"$results"
for _ in $(seq "$BENCH_REPEAT"); do
	for case; do
		echo "bench: case $case" >&2
		case $case in
		small | large) put_case "$case" ;;
		rerun) rerun_case ;;
		get*) get_case "$case" ;;
		test*) test_case "$case" ;;
		mirror) mirror_case ;;
		clients)
			clients_run "$case" clients 1 2000000
			clients_run "$case" clients 4 2000000 ;;
		clientslarge)
			clients_run "$case" one 1 4000000
			clients_run "$case" one 4 4000000 ;;
		crawl) crawl_case ;;
		esac
	done
done
tests/bench/table.py "$results"
