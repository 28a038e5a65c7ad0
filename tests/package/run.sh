#!/bin/bash
# The Debian package and contrib/install.sh, each installed on this machine as
# it looks in a mount namespace of our own: /etc, /usr and /var are overlays
# that go away with it, so nothing is left behind. Needs root.
set -u
cd "$(dirname "$0")/../.." || exit 1

if [ "${1:-}" != inside ]; then
	contrib/deb.sh >build/deb.log 2>&1 || {
		tail -n 20 build/deb.log
		echo "FAIL deb_builds"
		echo "0 passed, 1 failed"
		exit 1
	}
	exec unshare --mount --propagation private "$0" inside
fi

layers=$(mktemp -d) || exit 1
mount -t tmpfs tmpfs "$layers" || exit 1
for dir in etc usr var; do
	mkdir -p "$layers/$dir/upper" "$layers/$dir/work"
	over=lowerdir=/$dir,upperdir=$layers/$dir/upper
	mount -t overlay overlay -o "$over,workdir=$layers/$dir/work" "/$dir" ||
		exit 1
done
rm -rf /etc/dss /var/lib/datamover /var/log/dss

passed=0 failed=0
# is NAME COMMAND...: the command succeeds.
is()
{
	local name=$1
	shift
	if "$@" >"$layers/out" 2>&1; then
		echo "ok   $name"
		passed=$((passed + 1))
	else
		echo "FAIL $name: $*"
		sed 's/^/     /' "$layers/out" | tail -n 20
		failed=$((failed + 1))
	fi
}
# OWNER GROUP MODE of a file.
mode_is()
{
	[ "$(stat -c '%U %G %a' "$1")" = "$2" ] || {
		stat -c '%n: %U %G %a' "$1"
		return 1
	}
}
page_of()
{
	man -w "$1" && man "$1" | grep -q .
}
# What bash offers after these words.
completes()
{
	local wanted=$1
	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_datamover
	printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -- "$wanted"
}
secret_free()
{
	runuser -u nobody -- cat /etc/dss/datamover/datamover.conf && return 1
	runuser -u datamover -- cat /etc/dss/datamover/datamover.conf
}
# The settings as installed are right; keys are looked for by a run.
conf_loads()
{
	datamover conf --check
}

# Without a word about it in the settings, the user that the installation
# makes keeps the catalog and the log in the directories that it makes.
own_places()
{
	local out
	echo '{"operations": []}' >"$layers/empty.json"
	chmod 755 "$layers"
	out=$(runuser -u datamover -- "$1" conf --config "$layers/empty.json")
	echo "$out"
	[[ $out == *"path = /var/lib/datamover/catalog.db"* &&
	    $out == *"path = /var/log/dss"* ]]
}

# Once more, with a program that can't run: then with one that can.
configured_again()
{
	local conf=/etc/dss/datamover/datamover.conf wanted=${1:-}
	local postinst=/var/lib/dpkg/info/datamover.postinst
	cp "$conf" "$layers/conf" && mv /usr/bin/datamover "$layers/program" ||
		return 1
	rm "$conf"
	if [ "$wanted" = empty ]; then
		: >"$conf"
	else
		"$postinst" configure && return 1
		[ ! -e "$conf" ] || return 1
	fi
	mv "$layers/program" /usr/bin/datamover
	"$postinst" configure && cmp "$conf" "$layers/conf" &&
	    mode_is "$conf" "root datamover 640" && [ ! -e "$conf.new" ]
}

installed()
{
	local how=$1 bin=$2 units=$3
	hash -r
	is "${how}_version" "$bin/datamover" --version
	is "${how}_settings_mode" mode_is /etc/dss/datamover/datamover.conf \
	    "root datamover 640"
	is "${how}_settings_dir" mode_is /etc/dss/datamover "root datamover 750"
	is "${how}_catalog_dir" mode_is /var/lib/datamover \
	    "datamover datamover 750"
	is "${how}_log_dir" mode_is /var/log/dss "datamover datamover 750"
	is "${how}_settings_private" secret_free
	is "${how}_settings_load" conf_loads
	is "${how}_own_places" own_places "$bin/datamover"
	if command -v systemd-analyze >/dev/null; then
		is "${how}_units" systemd-analyze verify --man=no \
		    "$units/datamover.timer"
	else
		echo "skip ${how}_units: no systemd-analyze"
	fi
}

is deb_installs dpkg -i build/deb/*.deb
installed deb /usr/bin /lib/systemd/system
for page in man/*.[1-9]; do
	page=${page##*/}
	is "deb_man_${page%.*}" test -e \
	    "/usr/share/man/man${page##*.}/$page.gz"
done
# shellcheck source=/dev/null
. /usr/share/bash-completion/completions/datamover
is completes_verbs completes TEST datamover T
is completes_options completes --data_integrity datamover TEST --data
is completes_values completes follow datamover PUT --links f
is deb_again dpkg -i build/deb/*.deb
is deb_settings_whole configured_again
is deb_settings_empty configured_again empty
echo x >/var/lib/datamover/catalog.db
is deb_purges dpkg -P datamover
is deb_keeps_catalog test -e /var/lib/datamover/catalog.db
is deb_purges_settings test ! -e /etc/dss

userdel datamover
rm -rf /var/lib/datamover /var/log/dss
is install_master env PREFIX=/usr/local contrib/install.sh master
installed install /usr/local/bin /etc/systemd/system
echo "# mine" >>/etc/dss/datamover/datamover.conf
is install_again env PREFIX=/usr/local contrib/install.sh master
is install_keeps_settings grep -q "# mine" /etc/dss/datamover/datamover.conf
# A host that is both: the nightly run stays.
is install_both env PREFIX=/usr/local contrib/install.sh client
is both_has_timer test -e /etc/systemd/system/datamover.timer
is both_has_service test -e /etc/systemd/system/datamover.service
rm -rf /etc/dss /usr/local/bin/datamover /etc/systemd/system/datamover.*
is install_client env PREFIX=/usr/local contrib/install.sh client
is client_program /usr/local/bin/datamover --version
is client_without_settings test ! -e /etc/dss
is client_without_timer test ! -e /etc/systemd/system/datamover.timer
is install_other_role \
	test "$(contrib/install.sh x >/dev/null 2>&1; echo $?)" = 2

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
