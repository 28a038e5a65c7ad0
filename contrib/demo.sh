#!/bin/bash
# A real NFS server, a real S3 server and datamover between them, on this
# machine alone: installs the packages, builds, starts nfs-ganesha and radosgw
# on loopback ports of their own, moves a sample tree, shows what came of it,
# and stops what it started. As root. Nothing stays but build/ and packages.
set -eu -o pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then
	echo "demo: must be root, as nfs-ganesha must (try sudo $0)" >&2
	exit 1
fi

say()
{
	printf '\n== %s\n' "$*"
}
# Print a command as it could be typed, then run it.
run()
{
	local word
	printf '$'
	for word; do
		case $word in
		*[!A-Za-z0-9_./:=-]*) printf ' "%s"' "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
	"$@"
}

say "packages and build"
contrib/packages.sh
make -s "-j$(nproc)" all

# nfs-ganesha needs file handles, which an overlay, as in containers, may lack.
place=${TMPDIR:-/tmp}
[ "$(stat -f -c %T "$place")" != overlayfs ] || place=/dev/shm
work=$(mktemp -d "$place/datamover-demo.XXXXXX")
export STACK=$work/servers
servers=tests/system/stack
finish()
{
	status=$?
	trap - EXIT
	say "stopping the servers"
	"$servers/s3-down" || status=1
	"$servers/nfs-down" || status=1
	rm -rf "$work"
	if [ "$status" -eq 0 ]; then
		echo "demo: done"
	else
		echo "demo: failed" >&2
	fi
	exit "$status"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

say "a sample tree"
tree=$work/photos
mkdir -p "$tree/2023/summer holidays" "$tree/odd names"
for i in 1 2 3 4 5 6 7 8 9; do
	printf 'photo %d\n' $i >"$tree/2023/summer holidays/IMG_000$i.jpg"
done
: >"$tree/empty file"
head -c 41943040 /dev/urandom >"$tree/film of 40 MiB.mp4"
odd=$tree/'odd names'
echo 1 >"$odd/"$'a new\nline'
echo 2 >"$odd/\"quotes\" & 'quotes'"
echo 3 >"$odd/"$'gr\xc3\xbc\xc3\x9fe \xe6\x97\xa5\xe6\x9c\xac'
echo 4 >"$odd/"$'latin1-\xe9\xff'
echo 5 >"$odd/$(printf 'x%.0s' {1..255})"
echo 6 >"$odd/100% +plus #hash ?query"
ln -s ../empty\ file "$odd/a link"
mkfifo "$odd/a fifo"
ls -lR --quoting-style=c "$tree" | cut -c 1-100

say "nfs-ganesha and radosgw"
NFS_EXPORTS=$tree "$servers/nfs-up" >"$work/nfs.env"
"$servers/s3-up" >"$work/s3.env"
. "$work/nfs.env"
. "$work/s3.env"
echo "NFS  $NFS_ADDR:/photos, port $NFS_PORT, mount port $MNT_PORT"
echo "S3   http://127.0.0.1:$S3_PORT"

say "the config"
conf=$work/datamover.conf
(umask 077 && cat >"$conf") <<C
[nfs $NFS_ADDR]
share = /photos

[fs_config]
nfsport = $NFS_PORT
mountport = $MNT_PORT

[s3_storage]
endpoint = http://127.0.0.1:$S3_PORT
bucket = archive
access_key = $S3_KEY
secret_key = $S3_SECRET

[catalog]
path = $work/catalog.db

[logging]
path = $work
C
sed 's/^secret_key = .*/secret_key = .../' "$conf"
# datamover doesn't make buckets; boto3 does.
/usr/bin/python3 - "$S3_PORT" "$S3_KEY" "$S3_SECRET" <<'P'
import boto3, sys
boto3.client("s3", endpoint_url="http://127.0.0.1:" + sys.argv[1],
             aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3],
             region_name="us-east-1").create_bucket(Bucket="archive")
P

datamover=build/datamover
say "PUT: everything is new"
run $datamover PUT --config "$conf"
say "LIST: the keys in the bucket"
run $datamover LIST --config "$conf"
say "PUT again: nothing moves"
run $datamover PUT --config "$conf" --json | tee "$work/again"
tail -n 1 "$work/again" | grep -q '"moved": *0[,}]'
say "status"
run $datamover status --config "$conf"
say "the catalog in SQL"
run $datamover sql 'SELECT path,size,md5 FROM objects LIMIT 5' --config "$conf"
run $datamover sql "SELECT path,reason FROM objects WHERE state='excluded'" \
	--config "$conf"
