# Zig, the linker of the archive that runs on older systems: from PyPI, of one version, in a cache. Sourced.

zig_version=0.15.2
zig_dir=${XDG_CACHE_HOME:-$HOME/.cache}/kprod/zig-$zig_version

# zig_path: where the program is; fails when it is not there.
zig_path() {
    local path
    for path in "$zig_dir"/lib/python3*/site-packages/ziglang/zig; do
        [ -x "$path" ] && echo "$path" && return 0
    done
    return 1
}

# Into a directory of its own first, so that what has the right name is whole.
zig_install() {
    local new status=0
    mkdir -p "$(dirname "$zig_dir")"
    new=$(mktemp -d "$(dirname "$zig_dir")/.fetching.XXXXXX")
    { python3 -m venv "$new" &&
        "$new/bin/python" -m pip install -q --disable-pip-version-check --no-deps "ziglang==$zig_version" &&
        rm -rf "$zig_dir" && mv "$new" "$zig_dir"; } || status=1
    rm -rf "$new"
    return $status
}
