# Turns the ladder, the tables, the views and the named statements into C for an
# X-macro:
#	RUNG(number, "one SQL statement")	from NNN_*.sql, in order
#	STEP(number, "one SQL statement")	those from "-- step" to "-- end"
#	TABLE("one SQL statement")		from tables.sql, in order
#	VIEW("one SQL statement")		from views.sql, in order
#	STMT(NAME, "statement")			from queries.sql
# Comment lines between statements are left out; those inside a CREATE stay,
# so that .schema shows them.

function literal(s)
{
	gsub(/\\/, "\\\\", s)
	gsub(/"/, "\\\"", s)
	return "    \"" s "\\n\""
}

function flush_statement()
{
	if (text == "")
		return
	if (rung > 0)
		rungs = rungs (step ? "STEP(" : "RUNG(") rung ",\n" text ")\n"
	else if (file == "tables.sql")
		tables = tables "TABLE(\n" text ")\n"
	else if (file == "views.sql")
		views = views "VIEW(\n" text ")\n"
	else
		stmts = stmts "STMT(" toupper(name) ",\n" text ")\n"
	text = ""
}

FNR == 1 {
	flush_statement()
	n = split(FILENAME, part, "/")
	file = part[n]
	rung = file ~ /^[0-9]/ ? file + 0 : 0
	name = ""
	step = 0
	# A rung may have no statement: only the views change.
	if (rung > 0)
		rungs = rungs "RUNG(" rung ", \"\")\n"
}

/^-- name: / {
	flush_statement()
	name = $3
	next
}

rung > 0 && /^-- step/ { step = 1 }
rung > 0 && /^-- end/ { step = 0 }

text == "" && (/^--/ || /^[ \t]*$/) { next }

{
	text = text (text == "" ? "" : "\n") literal($0)
	if ($0 ~ /;[ \t]*$/)
		flush_statement()
}

END {
	flush_statement()
	print "/* Made by schema/embed.awk. */"
	print "#ifdef RUNG"
	printf "%s", rungs
	print "#endif"
	print "#ifdef TABLE"
	printf "%s", tables
	print "#endif"
	print "#ifdef VIEW"
	printf "%s", views
	print "#endif"
	print "#ifdef STMT"
	printf "%s", stmts
	print "#endif"
}
