#!/bin/bash
# The speed of one build against another: compare.sh OLD NEW [CASE...]
#
# OLD and NEW are programs (BUILD/datamover). They run by turns, PAIRS times
# (20), and which comes first changes each time. For each case a line says the
# median of the CPU times of each, and the median, least and largest ratio
# NEW / OLD of a pair. CPU is user and system time of the program alone.
#
#   small    many small files, first upload, over NFS
#   rerun    the same again, nothing changed
#   mirror   nine tenths of the files are gone: PUT --delete
#   large    few large files, first upload, over NFS
#   get      the small objects back as files
#
# --instructions: instead of CPU times, the instructions that each executes
# (valgrind, once): for a case whose ratios scatter by more than what is to be
# shown. Sizes and places are those of run.sh (BENCH_SMALL, BENCH_DIR, ...);
# the tools are those of build/.
set -u
old=$(realpath -e "${1:?OLD}") && new=$(realpath -e "${2:?NEW}") || exit 2
shift 2
instructions=
if [ "${1:-}" = --instructions ]; then
	instructions=yes
	shift
fi
cd "$(dirname "$0")/../.." || exit 1
B=build
# shellcheck source=tests/bench/lib.sh
. tests/bench/lib.sh
: "${PAIRS:=20}"
[ $# -gt 0 ] || set -- small rerun mirror large get

# prepare CASE PROGRAM: what must be there before the measured run.
prepare()
{
	conf=$work/compare.conf
	case $1 in
	rerun)
		# Each program has a catalog and a store's worth of its own.
		sed -i "s|^path = .*db|path = $work/compare-${2//\//_}.db|" \
		    "$conf"
		[ -e "$work/compare-${2//\//_}.db" ] ||
			"$2" PUT --config "$conf" >/dev/null 2>&1 ;;
	mirror)
		"$2" PUT --config "$conf" >/dev/null 2>&1
		# Two directories keep their files; the others are empty.
		mkdir -p "$trees/small.away"
		for dir in "$trees"/small/d*[1-9]; do
			mv "$dir" "$trees/small.away"
			mkdir "$dir"
		done ;;
	get)
		"$2" PUT --config "$conf" >/dev/null 2>&1
		rm -rf "$work/back"
		mkdir "$work/back" ;;
	esac
}

arguments()
{
	case $1 in
	mirror) echo PUT --delete --max-delete 100% ;;
	get) echo GET --dest_path "$work/back" ;;
	*) echo PUT ;;
	esac
}

# one CASE PROGRAM: set cost to what a run costs.
one()
{
	local case=$1 program=$2 status
	[ "$case" = rerun ] || { forget "$tree"; sink_start ${keep[$case]:-}; }
	settings "$tree" no >"$work/compare.conf"
	prepare "$case" "$program"
	# shellcheck disable=SC2046 # words
	if [ -n "$instructions" ]; then
		valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		    "$program" $(arguments "$case") --config \
		    "$work/compare.conf" >"$work/compare.out" 2>&1
		status=$?
		cost=$(awk '/Collected/ { print $NF }' "$work/compare.out")
	else
		"$B/tools/bench/measure" "$work/measure" "$program" \
		    $(arguments "$case") --config "$work/compare.conf" \
		    >"$work/compare.out" 2>&1
		status=$?
		cost=$(awk '{ print $2 + $3 }' "$work/measure")
	fi
	if [ "$case" = mirror ]; then
		rmdir "$trees"/small/d*[1-9]
		mv "$trees"/small.away/d* "$trees/small"
	fi
	[ "$status" -eq 0 ] || { cat "$work/compare.out" >&2; exit 1; }
}

compare()
{
	local case=$1 first second i a swap n=$PAIRS
	[ -z "$instructions" ] || n=1
	rm -f "$work"/compare-*.db*
	: >"$work/compare.rows"
	[ "$case" != rerun ] || sink_start
	for ((i = 0; i < n; i++)); do
		first=$old second=$new
		[ $((i % 2)) -eq 0 ] || first=$new second=$old
		one "$case" "$first"
		a=$cost
		one "$case" "$second"
		[ $((i % 2)) -eq 0 ] || { swap=$a a=$cost cost=$swap; }
		echo "$a $cost" >>"$work/compare.rows"
	done
	python3 - "$case" "$work/compare.rows" <<-'P'
	import statistics, sys
	rows = [list(map(float, l.split())) for l in open(sys.argv[2])]
	ratios = [b / a for a, b in rows if a]
	print("%-8s old %.4g  new %.4g  ratio %.3f (%.3f to %.3f, %d pairs)" % (
	    sys.argv[1], statistics.median(r[0] for r in rows),
	    statistics.median(r[1] for r in rows), statistics.median(ratios),
	    min(ratios), max(ratios), len(ratios)))
	P
}

declare -A keep=([get]=--keep)
for case; do
	case $case in
	small | rerun | mirror | get)
		tree small "$BENCH_SMALL" "$BENCH_SMALL_SIZE" 20 ;;
	large) tree large "$BENCH_LARGE" $((BENCH_LARGE_MIB << 20)) 1 ;;
	*) echo "compare: no case $case" >&2; exit 2 ;;
	esac
done
mkdir -p "$trees/small" "$trees/large"
nfs_start "$trees/small" "$trees/large"
for case; do
	tree=small
	[ "$case" != large ] || tree=large
	compare "$case"
done
