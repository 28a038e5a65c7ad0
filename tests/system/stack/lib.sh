# What the scripts of the stack share; sourced by them, not run.
#
# A stack is one directory, $STACK, which holds all that its servers write:
# settings, logs, process ids. Two stacks do not meet as long as their
# directories and ports differ. Nothing is ever stopped by name: only a
# process whose id this stack wrote down and whose program is the one it
# started.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die()
{
	echo "stack: $*" >&2
	exit 1
}

[ -n "${STACK:-}" ] || die "STACK must name the directory of this stack"
mkdir -p "$STACK" || die "cannot make $STACK"

# running NAME PROGRAM. Its parent may not have looked yet at a process that
# ended, so that it is still there; but it runs no program any more. The name
# of a process says less: radosgw 18 goes by that of one of its threads.
running()
{
	local pid program
	pid=$(cat "$STACK/$1.pid" 2>/dev/null) || return 1
	program=$(readlink "/proc/$pid/exe") && [ "${program##*/}" = "$2" ]
}

# start NAME PROGRAM [ARGUMENT...]
start()
{
	local name=$1
	shift
	setsid "$@" </dev/null >>"$STACK/$name.out" 2>&1 &
	echo $! >"$STACK/$name.pid"
}

# stop NAME PROGRAM SECONDS: ask it to end and, after that many seconds,
# make it.
stop()
{
	local pid tries=$(($3 * 20))
	if running "$1" "$2"; then
		pid=$(cat "$STACK/$1.pid")
		[ "$tries" -gt 0 ] && kill "$pid" 2>/dev/null
		while running "$1" "$2" && [ "$tries" -gt 0 ]; do
			sleep 0.05
			tries=$((tries - 1))
		done
		running "$1" "$2" && kill -9 "$pid" 2>/dev/null
		while running "$1" "$2"; do
			sleep 0.05
		done
	fi
	rm -f "$STACK/$1.pid"
}

# eventually SECONDS COMMAND...
eventually()
{
	local tries=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$tries" -gt 0 ] || return 1
		tries=$((tries - 1))
		sleep 0.05
	done
}

accepts()
{
	(exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# free_ports COUNT ADDRESS...: print the first of COUNT ports in a row on
# which nothing answers. They lie below the range from which the kernel
# takes the ports of outgoing connections.
free_ports()
{
	local count=$1 base port address tries
	shift
	for tries in 1 2 3 4 5 6 7 8 9 10; do
		base=$((20000 + (RANDOM % 600) * 20))
		port=$base
		while [ "$port" -lt $((base + count)) ]; do
			for address; do
				accepts "$address" "$port" && continue 3
			done
			port=$((port + 1))
		done
		echo "$base"
		return 0
	done
	die "no $count free ports in a row"
}
