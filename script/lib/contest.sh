# Runs clients of several packages in turns, each run against a broker of its own that only acknowledges, and prints the
# medians. Sourced by the benchmarks of bindings, after build.sh and installed.sh.
#
# A client prints a line: client=NAME records=N total=N wall_ns=N cpu_ns=N, and more fields if it likes. total is what
# the broker must have counted: the warm-up is in it.

contest_home=${KPROD_BENCH_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/kprod/bench}

# contest_begin DIRECTORY: builds the library, if none is named, and the broker. Results go to the directory.
contest_begin() {
    contest_results=$1/results
    mkdir -p "$contest_home" "$contest_results"
    use_installed "$1"
    echo "building the broker (the first time takes minutes)" >&2
    KPROD_LIBRARY_DIR=${KPROD_LIBRARY%/*} CARGO_TARGET_DIR=$contest_home/target \
        cargo build --quiet --release --locked --manifest-path "$build_root/tests/bench/Cargo.toml" --bin kprod-bench
}

# contest_field NAME LINE: the value of NAME=VALUE.
contest_field() { sed -E "s/.*\b$1=([^ ]*).*/\1/" <<<"$2"; }

# contest_run NAME COMMAND...: one run of a client. @ in the command stands for the broker's address.
contest_run() {
    local client=$1 port said got
    shift
    coproc broker { exec "$contest_home/target/release/kprod-bench" broker 4; }
    local pid=$broker_PID in=${broker[1]} out=${broker[0]}
    read -r port <&"$out"
    said=$("${@//@/127.0.0.1:$port}") || { kill "$pid" && return 1; }
    eval "exec $in>&-"
    read -r got <&"$out"
    wait "$pid" || true
    if [ "$(contest_field total "$said")" != "$(contest_field records "$got")" ]; then
        echo "$client: $said, but the broker got: $got" >&2
        return 1
    fi
    echo "$said" >>"$contest_results/$client"
}

contest_median() { sort -g | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

# contest_table FIELD... -- CLIENT...: a line for each client; the fields are further ones that it printed.
contest_table() {
    local -a fields=()
    local client field line rate cpu head="| client | records/s | cpu, ns per record |" rule="|---|---:|---:|"
    while [ "$1" != -- ]; do
        fields+=("$1") && head+=" ${1//_/ } |" && rule+="---:|"
        shift
    done
    shift
    printf '%s\n' "$head" "$rule"
    for client; do
        rate=$(while read -r line; do
            echo $(($(contest_field records "$line") * 1000000000 / $(contest_field wall_ns "$line")))
        done <"$contest_results/$client" | contest_median)
        cpu=$(while read -r line; do
            echo $(($(contest_field cpu_ns "$line") / $(contest_field records "$line")))
        done <"$contest_results/$client" | contest_median)
        line="| $client | $rate | $cpu |"
        for field in "${fields[@]}"; do
            line+=" $(sed -nE "s/.*\b$field=([^ ]*).*/\1/p" "$contest_results/$client" | contest_median) |"
        done
        echo "$line"
    done
}
