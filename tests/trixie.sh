#!/bin/bash
# Debian 13 on a machine with another Debian.
#
#   trixie.sh              the demo there, then all that tests/run.sh runs
#   trixie.sh COMMAND...   a command there, in a copy of the checkout
#
# The system is made by debootstrap from the mirror that apt uses here, and
# kept in TRIXIE (/var/tmp/datamover-trixie, 4 GB); who wants a new one
# removes that directory. A command in it sees a root, mounts and processes of
# its own, and what it leaves running ends with it; the network is the
# machine's. A second trixie.sh waits for the first, as both would have their
# copy in one place. As root.
set -eu -o pipefail
cd "$(dirname "$0")/.."

system=${TRIXIE:-/var/tmp/datamover-trixie}
copy=$system/root/datamover

die()
{
	echo "trixie: $*" >&2
	exit 1
}

make_system()
{
	local mirror new=$system.new
	command -v debootstrap >/dev/null || die "debootstrap is not installed"
	# shellcheck disable=SC2016 # apt's variable
	mirror=$(apt-get indextargets --format '$(REPO_URI)' \
	    'Created-By: Packages' 'Origin: Debian' 'Label: Debian')
	[ -n "$mirror" ] || die "apt has no list of Debian: apt-get update"
	echo "trixie: makes $system"
	rm -rf --one-file-system "$new"
	# Who loses this system to a power failure makes a new one.
	mkdir -p "$new/etc/dpkg/dpkg.cfg.d"
	echo force-unsafe-io >"$new/etc/dpkg/dpkg.cfg.d/unsafe-io"
	debootstrap --variant=minbase trixie "$new" "${mirror%%$'\n'*}" \
	    >"$system.log" 2>&1 || die "debootstrap failed, see $system.log"
	# The ways to the mirror, as they are from here.
	cp /etc/resolv.conf "$new/etc/"
	apt-config dump --format '%F "%v";%n' Acquire |
		grep -v IndexTargets >"$new/etc/apt/apt.conf.d/99host"
	printf '%s localhost\n' 127.0.0.1 ::1 >"$new/etc/hosts"
	mv "$new" "$system"
}

# The checkout as it is; what was built there from the last copy stays.
copy_checkout()
{
	mkdir -p "$copy"
	find "$copy" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
	tar -c --exclude=./.git --exclude='./build*' . |
		tar -x --no-same-owner -C "$copy"
}

# In namespaces of our own: the system becomes the root. A root must be a
# mount, also as nfs-ganesha looks for what it exports among the mounts.
enter()
{
	mount --bind "$system" "$system"
	cd "$system"
	mount --rbind /dev dev
	mount --rbind /sys sys
	mkdir -p old
	pivot_root . old
	mount -t proc proc /proc
	for dir in /run /tmp /dev/shm; do
		mount -t tmpfs tmpfs "$dir"
	done
	umount -l /old
	cd "${copy#"$system"}"
}

if [ "${1:-}" = --inside ]; then
	shift
	exec 9>&-	# unshare holds the lock
	enter
	env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
	    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	    "$@"
	exit
fi

[ "$(id -u)" -eq 0 ] || die "must be root, to make a system and to enter it"
[ $# -gt 0 ] || set -- sh -c 'contrib/demo.sh && tests/run.sh'
exec 9>"$system.lock"
flock -n 9 || { echo "trixie: waits for another trixie.sh"; flock 9; }
[ -d "$system" ] || make_system
copy_checkout
TRIXIE=$system exec unshare --mount --pid --fork --kill-child \
    --propagation private tests/trixie.sh --inside "$@"
