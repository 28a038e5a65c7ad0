#!/bin/bash
# The shape of the source, checked from one short list: which folder stands
# on which level (a folder includes itself and lower levels only), and which
# one may include which foreign library. Also how long a folder, a file and a
# function may be, that every header stands alone, and that nothing in the
# project names a path outside it.
set -u
cd "$(dirname "$0")/../.." || exit 1

# level, folder : foreign headers it owns
layers='
0 base     :
1 model    :
1 crypto   : openssl/
1 json     : jansson.h
1 ssh      : libssh/
1 db       : sqlite3.h
2 conf     : ini.h
2 rest     : expat.h
2 wire     :
2 nfs      : nfsc/
2 verify   :
2 launch   :
2 reader   :
3 s3       : curl/
3 tree     :
3 lease    :
3 writer   :
4 catalog  :
4 lister   :
4 dest     :
4 work     :
4 creds    :
5 crawl    :
5 report   :
5 metrics  :
5 send     :
5 fetch    :
5 delete   :
6 target   :
6 absence  :
6 compact  :
6 print    :
7 crew     :
7 source   :
7 check    :
8 client   :
8 team     :
9 frame    :
10 run     :
11 cmd     :
'
folder_max=4500	# of src
file_max=800
function_max=60	# in tests 80

fault=$(mktemp -d) || exit 1
trap 'rm -rf "$fault"' EXIT
complain()
{
	echo "$*" | tee -a "$fault/lines"
}

# Every #include of src, as "FILE:LINE FOLDER HEADER".
includes()
{
	grep -nHE '^[[:space:]]*#[[:space:]]*include' src/*/*.[ch] |
		sed -nE 's|^(src/([^/]*)/[^:]*:[0-9]+):|\1 \2 |; T
		    s|^([^ ]* [^ ]* ).*[<"]([^>"]*)[>"].*|\1\2|p'
}

includes | awk -v layers="$layers" '
BEGIN {
	n = split(layers, row, "\n")
	for (i = 1; i <= n; i++) {
		if (split(row[i], part, ":") < 2)
			continue
		split(part[1], head, " ")
		level[head[2]] = head[1]
		m = split(part[2], word, " ")
		for (j = 1; j <= m; j++)
			owner[word[j]] = head[2]
	}
}
{
	where = $1; from = $2; header = $3
	if (!(from in level)) {
		print where ": the folder " from " is not in the list"
		next
	}
	for (o in owner)
		if (index(header, o) == 1 && owner[o] != from)
			print where ": only " owner[o] "/ includes " o
	if (split(header, part, "/") < 2 || !(part[1] in level))
		next
	to = part[1]
	if (to != from && level[to] >= level[from])
		print where ": " from "/ may not include " to "/"
}' >"$fault/layers"
while read -r line; do
	complain "$line"
done <"$fault/layers"

for dir in src/*/; do
	lines=$(cat "$dir"*.[ch] | wc -l)
	[ "$lines" -le "$folder_max" ] ||
		complain "$dir: $lines lines, at most $folder_max"
done
find src tests -name '*.[ch]' | sort | while read -r file; do
	lines=$(wc -l <"$file")
	[ "$lines" -le "$file_max" ] ||
		echo "$file: $lines lines, at most $file_max"
	most=80
	case $file in src/*) most=$function_max ;; esac
	awk -v most="$most" '
	/^\{/ { start = FNR }
	/^\}/ && start {
		n = FNR - start - 1
		if (n > most)
			printf "%s:%d: a function of %d lines, at most %d\n",
			    FILENAME, start, n, most
		start = 0
	}' "$file"
done >"$fault/sizes"
while read -r line; do
	complain "$line"
done <"$fault/sizes"

# One header of db/ includes what the build makes of schema/.
make -s B="$fault/b" "$fault/b/db/schema.inc" 2>"$fault/make" ||
	complain "schema.inc: $(cat "$fault/make")"
packages='sqlite3 libnfs libcurl libcrypto libssl libssh jansson expat'
flags=$(pkg-config --cflags $packages 2>/dev/null)
export fault flags
# stands HEADER: say so if it needs another one before it.
stands()
{
	local cc
	# shellcheck disable=SC2086 # a list of words
	cc=$(printf '#include "%s"\nextern int unused;\n' "${1#src/}" |
		${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -Isrc "-I$fault/b" $flags \
		    -Wall -Wextra -Werror -fsyntax-only -x c - 2>&1) ||
		echo "$1: does not stand alone: $(head -n 3 <<<"$cc")"
}
export -f stands
printf '%s\n' src/*/*.h |
	xargs -P "$(nproc)" -I{} bash -c 'stands {}' >"$fault/alone"
while read -r line; do
	complain "$line"
done <"$fault/alone"

# The brackets keep this line from finding itself.
grep -rnIE '\.\./share[d]|/wor[k]/|\.librar[y]/|/tm[p]/wt' . \
	--exclude=.git --exclude-dir=.git --exclude-dir='build*' |
	while read -r line; do
		complain "names a path outside the project: $line"
	done

if [ -s "$fault/lines" ]; then
	echo "layers: $(wc -l <"$fault/lines") found"
	exit 1
fi
echo "layers: ok"
