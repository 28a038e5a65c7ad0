#!/bin/bash
# The manual is true to the program: the options that --help shows are those
# of datamover(1), with the same short forms and values; so are the verbs and
# the exit statuses. Then the pages themselves (mandoc), and the settings
# (doc_conf.sh). Argument: the build directory.
set -u
cd "$(dirname "$0")/../.." || exit 1
b=${1:-build}
page=man/datamover.1

t=$(mktemp -d) || exit 1
trap 'rm -rf "$t"' EXIT
complain()
{
	echo "$*" | tee -a "$t/found"
}

# "VERB SHORT LONG ARG" of each option that --help shows; no short form: "-".
for verb in PUT LIST GET DEL TEST undo diff status stop sql report catalog \
	check client; do
	"$b/datamover" "$verb" --help >"$t/help" ||
		complain "datamover $verb --help: status $?"
	awk 'length($0) > 79' "$t/help" | while read -r line; do
		complain "$verb --help: wider than 79: $line"
	done
	option='^  (-([a-z0-9]+), )?--([a-z0-9_-]+)( ([^ ]+))?(  .*)?$'
	sed -nE "s/$option/$verb|\2|\3|\5/p" "$t/help" >>"$t/shown"
done
cut -d'|' -f2- "$t/shown" | sort -u >"$t/program"

# The same of the page, out of ".It Fl p , Fl -prefix Ar PREFIX".
sed -n '/^\.Sh OPTIONS/,/^\.Sh OUTPUT/p' "$page" |
	sed -nE 's/^\.It Fl ([^-].*) , Fl -/.It \1|/p; s/^\.It Fl -/.It |/p' |
	sed -E 's/^\.It //; s/ Ar /|/; s/ \| /|/; t; s/$/|/' |
	awk -F'|' '{ arg = $3; for (i = 4; i <= NF; i++) if ($i != "")
	    arg = arg "|" $i; print $1 "|" $2 "|" arg }' | sort -u >"$t/page"
diff "$t/program" "$t/page" >"$t/diff" ||
	while read -r line; do
		complain "options, program < > $page: $line"
	done < <(grep '^[<>]' "$t/diff")
[ -s "$t/program" ] || complain "--help shows no option"

# Under each option the page names the verbs that take it.
while IFS='|' read -r verb _ name _; do
	case $name in config|help|version) continue ;; esac
	awk -v name="$name" -v verb="$verb" '
	/^\.It / { item = index($0 " ", "Fl -" name " ") > 0 ||
	    (item && !text); text = 0; next }
	{ text = 1 }
	item && $1 == ".Cm" && $2 == verb { found = 1 }
	item && $1 == ".Xr" { exit }
	END { exit !found }' "$page" ||
		complain "$page: --$name doesn't name $verb"
done <"$t/shown"

# Verbs.
"$b/datamover" --help | sed -nE 's/^  ([A-Za-z]+) .*/\1/p' >"$t/verbs"
[ -s "$t/verbs" ] || complain "--help shows no verb"
while read -r verb; do
	grep -qE "^\.(It )?Cm $verb( |$)" "$page" ||
		complain "$page: no verb $verb"
done <"$t/verbs"

# Exit statuses.
sed -nE 's/^	EXIT_[A-Z]+ = ([0-9]+),?.*/\1/p' src/base/exit_status.h \
	>"$t/statuses"
sed -n '/^\.Sh EXIT STATUS/,/^\.El/p' "$page" |
	sed -nE 's/^\.It ([0-9]+)$/\1/p' >"$t/documented"
diff "$t/statuses" "$t/documented" >/dev/null ||
	complain "exit statuses differ: exit_status.h has" \
	    "$(xargs <"$t/statuses"), $page has $(xargs <"$t/documented")"

# Other pages of ours that a page speaks of exist.
grep -hoE '^\.Xr datamover[a-z.-]* [0-9]' man/* | sort -u |
	while read -r _ name section; do
		[ -e "man/$name.$section" ] ||
			complain "no page man/$name.$section"
	done

mandoc -Tlint -Wwarning man/*.[1-9] >"$t/mandoc" 2>&1 ||
	while read -r line; do complain "$line"; done <"$t/mandoc"

tests/lint/events.py >"$t/events" || complain "$(cat "$t/events")"
if [ -e tests/lint/doc_conf.sh ]; then
	bash tests/lint/doc_conf.sh "$b" || complain "doc_conf.sh: see above"
fi

if [ -s "$t/found" ]; then
	echo "doc: $(wc -l <"$t/found") found"
	exit 1
fi
echo "doc: ok"
