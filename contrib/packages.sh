#!/bin/sh
# Install the Debian packages that datamover needs.
#
#   packages.sh           to build it and to run its tests and the demo
#   packages.sh --build   to build it only
#   packages.sh --print   name them, install nothing
#
# What is installed already is left alone, and when nothing is missing apt
# isn't called at all. No server that comes along is started.
set -eu

build='gcc make pkg-config libc6-dev sqlite3 libsqlite3-dev libnfs-dev
	libcurl4-openssl-dev libssl-dev libssh-dev libinih-dev
	libjansson-dev libexpat1-dev'
check='libcmocka-dev mandoc debhelper lintian fakeroot clang'
servers='nfs-ganesha nfs-ganesha-vfs radosgw ceph-mon ceph-osd ceph-common
	python3-rados'
tools='python3 python3-boto3 openssl curl ca-certificates procps mount
	openssh-server openssh-client iproute2 chromium fonts-dejavu-core'

case ${1:-} in
--build) wanted=$build ;;
''|--print) wanted="$build $check $servers $tools" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
if [ "${1:-}" = --print ]; then
	printf '%s\n' $wanted
	exit 0
fi

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) || state=
	case $state in
	*' ok installed') ;;
	*) missing="$missing $package" ;;
	esac
done
if [ -z "$missing" ]; then
	echo "packages: all installed"
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "packages: need root to install$missing" >&2
	exit 1
fi

# A policy of the machine's own is respected; ours lasts as long as we do.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
echo "packages: installing$missing"
apt-get -q update
# shellcheck disable=SC2086 # a list of words
apt-get -q -y install --no-install-recommends $missing
