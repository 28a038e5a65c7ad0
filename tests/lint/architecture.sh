#!/bin/sh
# contrib/doc/ARCHITECTURE.md is true to the code as far as a script can tell:
# each file that it names is there, and each function, struct and constant is
# somewhere in src; where "NAME in FILE" stands, in that file.
cd "$(dirname "$0")/../.." || exit 2
page=contrib/doc/ARCHITECTURE.md
bad=0
complain()
{
	echo "$page: $*"
	bad=1
}

for file in $(grep -oE '`(src|tests)/[^`]+`' $page | tr -d '`' | sort -u); do
	[ -e "$file" ] || complain "there is no $file"
done
for name in $(grep -oE '`(struct )?[A-Za-z]+_[A-Za-z_]+`' $page |
	sed 's/struct //' | tr -d '`' | sort -u); do
	grep -qrw "$name" src || complain "there is no $name in src"
done
grep -oE '`[a-z_]+` in `src/[^`]+`' $page | tr -d '`' |
while read -r name in file; do
	grep -qE "^$name\(" "$file" || echo "$name is not in $file"
done | grep . && bad=1
[ "$bad" -eq 0 ] && echo "architecture: ok"
exit "$bad"
