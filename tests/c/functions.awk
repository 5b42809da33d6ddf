# Reads the public headers' functions: their names, one a line; with -v facade=1 C code that defines each of them,
# without a body; with -v calls=1 the C code that every_null.c includes, which calls each of them with any of its
# pointers NULL.

# What the comment above a function says of its parameters.
/^\/\*\*/ { split("", said); parameter = "" }
/^ \* @param / { parameter = $3; said[parameter] = $0; next }
/^ \* +[^ @]/ && parameter != "" && substr($0, 1, 6) == " *    " { said[parameter] = said[parameter] " " $0; next }
/^ \*/ { parameter = ""; next }

# A declaration is what begins in the first column, up to its semicolon; a struct's inside is indented.
/^typedef/ { skipping = ($0 !~ /;$/); next }
skipping { skipping = ($0 !~ /^}|;$/); next }
/^[a-z]/ && /\(/ { declaration = $0; reading = 1 }
reading && !/^[a-z]/ { sub(/^ +/, " "); declaration = declaration $0 }
reading && /;$/ { reading = 0; function_is(declaration) }

BEGIN { if (facade) print "#include \"kprod.h\"" }
END { if (calls) print "static const struct function functions[] = {\n" table "};" }

function function_is(text,    head, arguments, count, i, name) {
    head = substr(text, 1, index(text, "(") - 1)
    arguments = substr(text, index(text, "(") + 1)
    sub(/\);$/, "", arguments)
    match(head, /[a-z0-9_]+$/)
    name = substr(head, RSTART)
    if (name !~ /^kprod_/) return
    if (facade) { print substr(text, 1, length(text) - 1) " { __builtin_trap(); }"; return }
    if (!calls) { print name; return }
    count = arguments == "void" ? 0 : split(arguments, parameters, /, */)
    call_is(name, substr(head, 1, RSTART - 1), count)
}

function call_is(name, type, count,    i, values, pointers, needed, bit, names, call) {
    pointers = 0; needed = 0; values = ""; names = ""
    for (i = 1; i <= count; i++) {
        match(parameters[i], /[a-z0-9_]+$/)
        argument = substr(parameters[i], RSTART)
        argument_type = substr(parameters[i], 1, RSTART - 1)
        gsub(/^ +| +$/, "", argument_type)
        values = values (i > 1 ? ", " : "")
        if (argument_type !~ /\*$|_fn$/) { values = values "1"; continue }
        if (said[argument] !~ /NULL:|optional|may be NULL|NULL is a no-op/) needed += 2 ^ pointers
        values = values "(missing & " 2 ^ pointers "u) ? NULL : " sample(argument_type, argument)
        names = names "\"" argument "\", "
        pointers++
    }
    call = name "(" values ")"
    if (type ~ /^int(32|64)_t/) call = "return " call ";"
    else if (type ~ /\*$/) { call = "return " call " == NULL ? KPROD_ERR_INVALID_ARG : 0;" }
    else { needed = 0; call = call ";\n    return 0;" }
    print "static int64_t call_" name "(unsigned missing)\n{\n    (void)missing;\n    " call "\n}\n"
    table = table "    {\"" name "\", call_" name ", " pointers ", " needed "u, {" names "NULL}},\n"
}

# Something valid to point to. What is not named here is zeros: room to write to, and a handle of no kind.
function sample(type, name) {
    if (type ~ /_fn$/) return "sample_" type
    if (type ~ /kprod_(producer|config|error|mock|record)_t \*$/) {
        match(type, /kprod_[a-z]+_t/)
        return "sample_" substr(type, RSTART, RLENGTH) "()"
    }
    if (type == "const char *") return name == "key" ? "\"acks\"" : name == "value" ? "\"all\"" : "\"sample\""
    return "(" type ")zeros"
}
