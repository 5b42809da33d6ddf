# How a script ends that cannot go on. Sourced.

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# needs WHAT OPTION [VALUE]...: fails unless the option, which is followed by the other arguments, has a value.
needs() { [ -n "${3:-}" ] || fail "$2 needs $1"; }
