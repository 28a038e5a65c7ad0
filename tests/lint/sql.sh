#!/bin/sh
# The ladder and the views load into an empty database, every named statement
# compiles, and none reads a whole table unless it is on the list below, with
# the reason.
set -eu
cd "$(dirname "$0")/../.."

# statement table: why it may.
allowed='
marks history: EXISTS stops at the first row
marks verified: EXISTS stops at the first row
marks settle: EXISTS stops at the first row
marks deletion: EXISTS stops at the first row
marks restoring: EXISTS stops at the first row
run_last run: stops at the first row
run_newest run: stops at the first row
event_pruned run: stops at the first row
event_restored run: stops at the first row
target_keyless target: targets are few, once a run
target_names target: a row for each target
target_named t: targets are few, once a look
moment_at run: stops at the run that was the last to begin then
runs_died run: runs are few, once a run
export_clear export: exports are few, once a run
settle_doubt l: leases that are out are few
settle_open l: leases that are out are few
doubt_unverified l: leases that are out are few
lease_trim lease: leases that are out are few
frontier_count frontier: once a run
sum_dirs dir: once a run
count_dirs dir: once a run
dirs_gone d: once a complete run
again_old dir: once a continued run
again_export dir: once a continued run, of an export with another root
again_left frontier: once a continued run
kept_dirs dir: once a continued run
again_reset frontier: a partial index, of directories that were cut
todo_reread frontier: a partial index, of directories that were cut
todo_reread todo: once a continued run
upload_list upload: open uploads are few, once a run
uploads_open u: open uploads are few, once a run
note_any deletion: stops at the first row
note_any restoring: likewise
fs_noted dir: a partial index, of file systems
fs_of_dir up: a directory and those above it
deletion_settle deletion: of a few batches, once a run
restoring_settle restoring: of a page, once a run
past_deletions n: one row
noted_page n: of a few batches and a page, once a run
unread_page v: the versions of one path
target_by_name target: targets are few, once a run
target_same_bucket t: likewise, of a new target
target_same_bucket r: runs are few, likewise
pruned_until pruned: prunes are few
prune_versions t: targets are few
prune_versions todo: once a thousand versions that are dropped
prune_failures f: all of the past, by a verb of its own
prune_failures m: deletions that are open are few
prune_failures failures: what is failed now
prune_strangers verification: all of the past, by a verb of its own
prune_sweep v: likewise
unasked e: exports are few, before a run with a restored catalog
export_paths export: exports are few
export_newer export: exports are few
former_seen f: at most 1,000 files, once a mirror run for each former name
verify_twice h: all of the catalog, by a verb of its own
verify_dir o: likewise
verify_result r: likewise
verify_target r: likewise
verify_run r: likewise
verify_verdict v: likewise
verify_todo t: likewise
span_events e: all of the journal, by a verb of its own
span_verdicts v: likewise
span_ranges s: likewise
verified_dead y: runs are few, once a run
run_verdicts v: likewise
export_copy k: all of an export that is another file system, once a run
'

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# A catalog climbs from rung to rung by their numbers: each stands once.
expected=0
for rung in schema/[0-9]*.sql; do
	expected=$((expected + 1))
	case $rung in
	"schema/$(printf %03d "$expected")_"*) ;;
	*) echo "$rung: the number of rung $expected is to come" >&2; exit 1 ;;
	esac
done
cat schema/[0-9]*.sql schema/views.sql > "$dir/ladder.sql"
sqlite3 -bail "$dir/db" < "$dir/ladder.sql"

# One file of EXPLAIN QUERY PLAN, each statement after a line with its name.
awk '
	/^-- name: / { name = $3; fresh = 1; next }
	/^--/ || /^[ \t]*$/ || name == "" { next }
	name == "begin" || name == "read_begin" { next }
	name == "commit" || name == "rollback" { next }
	fresh { print "SELECT \"@\" || \x27" name "\x27;"
		print "EXPLAIN QUERY PLAN"; fresh = 0 }
	{ print }
' schema/queries.sql | sed 's/"@"/'"'@'"'/' > "$dir/explain.sql"
names=$(grep -c '^-- name: ' schema/queries.sql)
twice=$(sed -n 's/^-- name: //p' schema/queries.sql | sort | uniq -d)
if [ -n "$twice" ]; then
	echo "schema/queries.sql: named twice: $twice" >&2
	exit 1
fi
sqlite3 -bail "$dir/db" < "$dir/explain.sql" > "$dir/plans"

echo "$allowed" | sed -n 's/^\([a-z_]* [a-z]*\):.*/\1/p' > "$dir/allowed"
awk -v list="$dir/allowed" '
	BEGIN { while ((getline line < list) > 0) ok[line] = 1 }
	/^@/ { name = substr($0, 2); next }
	/(--|-) *SCAN / {
		sub(/.*SCAN /, "")
		table = $1
		if (table == "CONSTANT" || table ~ /^\(/)
			next
		used[name " " table] = 1
		if (!((name " " table) in ok)) {
			print "schema/queries.sql: " name \
			    " reads all of " table
			bad = 1
		}
	}
	END {
		for (k in ok)
			if (!(k in used)) {
				print "tests/lint/sql.sh: " k \
				    " need not be allowed"
				bad = 1
			}
		exit bad
	}
' "$dir/plans" >&2
plans=$(grep -c '^@' "$dir/plans")
if [ "$plans" -ne $((names - 4)) ]; then
	echo "lint-sql: $plans plans of $names statements" >&2
	exit 1
fi

# The manual page names every view and its columns, and no other.
page=man/datamover-catalog.5
sqlite3 "$dir/db" "SELECT v.name || ' ' || c.name FROM sqlite_schema v,
	pragma_table_info(v.name) c WHERE v.type = 'view' AND
	v.name <> 'failure_log' ORDER BY 1" > "$dir/views"
awk '
	/^\.Ss / { view = $2 }
	/^\.Sh / { view = "" }
	/^\.It Sy / && view != "" { print view " " $3 }
' "$page" | sort > "$dir/page"
LC_ALL=C sort "$dir/views" > "$dir/views.s"
LC_ALL=C sort "$dir/page" > "$dir/page.s"
if ! diff "$dir/views.s" "$dir/page.s" >&2; then
	echo "lint-sql: columns of the views <, of $page >" >&2
	exit 1
fi
echo "lint-sql: $names statements, $(wc -l < "$dir/views") columns"
