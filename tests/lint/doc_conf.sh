#!/bin/bash
# The table of settings, the example file and datamover.conf(5) say the same:
# the example is what the program prints, and the manual has the sections and
# keys of the example in its order, each with the same type, range and
# default. What the program passes over stands in the manual too. Argument:
# the build directory.
set -u
cd "$(dirname "$0")/../.." || exit 1
b=${1:-build}
page=man/datamover.conf.5

t=$(mktemp -d) || exit 1
trap 'rm -rf "$t"' EXIT
complain()
{
	echo "$*" | tee -a "$t/found"
}

"$b/datamover" conf --example >"$t/example" ||
	complain "datamover conf --example: status $?"
cmp "$t/example" conf/datamover.conf ||
	complain "conf/datamover.conf is not what conf --example prints"

# "SECTION KEY TYPE" of each setting of the example. The comment above a
# setting ends in its type, which may run over several lines.
awk -v type='(once per line|yes/no|number|size|text|time, |one of)' '
/^#?\[/ {
	section = $0
	gsub(/^#?\[|\]$/, "", section)
	sub(/^nfs .*/, "nfs NAME", section)
	text = ""
	next
}
/^# / { text = text (text == "" ? "" : " ") substr($0, 3); next }
/^#?[a-z_]+ =/ {
	key = $1
	sub(/^#/, "", key)
	if (text != "") {
		match(text, type "[^.]*; default .*")
		print "[" section "] " key ": " substr(text, RSTART)
	}
	text = ""
}' "$t/example" >"$t/table"

# The same of the page: .Ss, .It, and the line after it.
sed -n '/^\.Sh SETTINGS/,/^\.Sh THE/p' "$page" | awk '
/^\.Ss / { section = substr($0, 5); next }
/^\.It Cm / { key = $3; getline; gsub(/\\\(ti/, "~")
    print section " " key ": " $0 }' >"$t/page"

[ "$(wc -l <"$t/table")" -gt 50 ] || complain "the example has no settings"
diff "$t/table" "$t/page" >"$t/diff" ||
	while read -r line; do
		complain "settings, table < > $page: $line"
	done < <(grep '^[<>]' "$t/diff")

# Settings of the original that are passed over.
sed -nE '/mean nothing now/,/^\.El/s/^\.Cm ([a-z_.]+)( ,)?$/\1/p' "$page" |
	grep -v 'gcc\.' | sort >"$t/passed"
sed -nE 's/^\tNOTHING\("([a-z_]+)", "([a-z_]+)"\),$/\1.\2/p' \
	src/conf/table.c | sed 's/^general\.//' | sort >"$t/rows"
[ -s "$t/rows" ] || complain "src/conf/table.c has no rows NOTHING"
diff "$t/rows" "$t/passed" >"$t/diff" ||
	while read -r line; do
		complain "passed over, table < > $page: $line"
	done < <(grep '^[<>]' "$t/diff")

"$b/datamover" conf --check conf/config.json >"$t/check" 2>&1 ||
	complain "conf/config.json: $(cat "$t/check")"
mandoc -Tlint -Wwarning "$page" || complain "$page: see above"

[ ! -s "$t/found" ]
