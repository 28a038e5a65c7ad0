# What the benchmarks share; sourced by them in the top directory, not run. B
# is the build whose tools (sink, measure) are used.

: "${BENCH_DIR:=/tmp/dm-bench}" "${SINK_PORT:=0}"
: "${BENCH_SMALL:=20000}" "${BENCH_SMALL_SIZE:=4096}"
: "${BENCH_LARGE:=8}" "${BENCH_LARGE_MIB:=256}" "${BENCH_CRAWL:=1000000}"
export STACK=$BENCH_DIR/stack
trees=$BENCH_DIR/trees work=$BENCH_DIR/work
url="" bucket=bench
sink_pid=
mkdir -p "$trees" "$work"

# Two runs at a time would share the servers, and measure each other.
exec 9>"$BENCH_DIR/lock"
if ! flock -n 9; then
	echo "bench: waiting for another run in $BENCH_DIR" >&2
	flock 9
fi

# Nothing of the user's own settings, and no question to a cloud's host.
unset AWS_CA_BUNDLE AWS_PROFILE AWS_SESSION_TOKEN
export AWS_ACCESS_KEY_ID=bench AWS_SECRET_ACCESS_KEY=benchsecret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_SINK_TYPE=s3
export RCLONE_CONFIG_SINK_PROVIDER=Other
export RCLONE_CONFIG_SINK_ACCESS_KEY_ID=bench
export RCLONE_CONFIG_SINK_SECRET_ACCESS_KEY=benchsecret

sink_stop()
{
	[ -n "$sink_pid" ] || return 0
	kill "$sink_pid"
	wait "$sink_pid" 2>/dev/null
	sink_pid=
}

# A store with nothing in it, or with what a seed file says; sets url.
sink_start()
{
	sink_stop
	rm -f "$work/sink.out"
	"$B/tools/bench/sink" --port "$SINK_PORT" "$@" 9>&- \
	    >"$work/sink.out" &
	sink_pid=$!
	for _ in $(seq 600); do
		if [ -s "$work/sink.out" ]; then
			url=$(head -1 "$work/sink.out")
			export RCLONE_CONFIG_SINK_ENDPOINT=$url
			return
		fi
		kill -0 "$sink_pid" 2>/dev/null || break
		sleep .05
	done
	sink_pid=
	echo "bench: the sink does not start" >&2
	exit 1
}

sink_stat()
{
	curl -sS "$url/_stats" | awk -v k="$1" '$1 == k { print $2 }'
}

cleanup()
{
	sink_stop
	tests/system/stack/nfs-down >/dev/null 2>&1
}
trap cleanup EXIT

# The settings of datamover for a tree; mounted or over NFS.
settings()
{
	local tree=$1 mounted=$2
	cat <<-C
	[nfs bench]
	server = 127.0.0.1
	share = $([ "$mounted" = yes ] && echo "$trees")/$tree
	[fs_config]
	mounted = $mounted
	nfsport = ${NFS_PORT:-0}
	mountport = ${MNT_PORT:-0}
	[s3_storage]
	endpoint = $url
	bucket = $bucket
	region = us-east-1
	[catalog]
	path = $work/$tree-$mounted.db
	[logging]
	path = $work
	level = WARNING
	C
}

forget()
{
	rm -f "$work/$1"-*.db*
}

declare -A files bytes
tree()
{
	echo "bench: tree $1" >&2
	files[$1]=$2
	bytes[$1]=$(($2 * $3))
	mkdir -p "$trees/$1"
	tests/bench/mktree.py "$trees/$1" "$2" "$3" "$4" || exit 1
}

# nfs-ganesha with the directories given.
nfs_start()
{
	NFS_EXPORTS=$* tests/system/stack/nfs-up 9>&- >"$work/nfs.out" ||
		exit 1
	# shellcheck source=/dev/null
	. "$STACK/nfs.env"
}
