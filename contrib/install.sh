#!/bin/sh
# Install datamover on this machine, from this checkout.
#
#   install.sh master    packages, program, manual, completion, systemd units,
#                        the user datamover, directories, first settings
#   install.sh client    packages and program: clients need no settings
#
# PREFIX (/usr/local) is honoured. Running it again updates the program and
# leaves settings, catalog and logs alone. What to do next is printed.
set -eu
cd "$(dirname "$0")/.."

role=${1:-}
case $role in
master|client) ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
if [ "$(id -u)" -ne 0 ]; then
	echo "install: needs root" >&2
	exit 1
fi
prefix=${PREFIX:-/usr/local}

units=/etc/systemd/system
# A host may be both: the nightly run of a master stays.
master=no
[ ! -e "$units/datamover.timer" ] || master=yes

contrib/packages.sh --build
make "-j$(nproc)" all
make install PREFIX="$prefix" UNITDIR="$units"
if [ "$role" = client ]; then
	[ "$master" = yes ] ||
		rm -f "$units/datamover.service" "$units/datamover.timer"
	echo "install: $prefix/bin/datamover is what client.path of the" \
	    "master's settings must name"
	exit 0
fi

if ! getent passwd datamover >/dev/null; then
	useradd --system --user-group --home-dir /var/lib/datamover \
	    --no-create-home --shell /usr/sbin/nologin datamover
fi
# A directory that is there keeps its owner and mode.
for dir in /var/lib/datamover /var/log/dss; do
	[ -d "$dir" ] || install -d -m 0750 -o datamover -g datamover "$dir"
done
etc=/etc/dss/datamover
[ -d "$etc" ] || install -d -m 0750 -g datamover "$etc"
conf=$etc/datamover.conf
if [ ! -s "$conf" ] && [ ! -e "$etc/config.json" ]; then
	# Settings hold secrets: for root and the group alone.
	(umask 077 && "$prefix/bin/datamover" conf --example >"$conf.new")
	chgrp datamover "$conf.new"
	chmod 0640 "$conf.new"
	mv "$conf.new" "$conf"
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
cat <<END
install: done. Next:
  1. write the settings in $etc (datamover.conf, or your config.json)
  2. runuser -u datamover -- datamover check
  3. systemctl enable --now datamover.timer    # every night
See datamover-setup(7).
END
