# Starts and stops a Kafka cluster in the background under one directory. Sourced after kafka.sh by script/kafka and
# script/setup; the Rust tests have a fixture of their own (tests/support/kafka.rs), made from the same templates.

cluster_alive() { kill -0 "$1" 2>/dev/null; }

# A port nobody listens at, below the range that the kernel takes outgoing connections' from.
cluster_free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# cluster_fill TEMPLATE NAME=VALUE...: the template with its @NAME@s filled in.
cluster_fill() {
    local text pair
    text=$(cat "$kafka_source/$1")
    shift
    for pair in "$@"; do text=${text//@${pair%%=*}@/${pair#*=}}; done
    printf '%s\n' "$text"
}

# cluster_java DIR VERSION CLASS ARGUMENT...: starts a server; its process id goes to DIR/pid, what it says to DIR/log.
cluster_java() {
    local dir=$1 version=$2
    shift 2
    # Codecs unpack their libraries to where temporary files go.
    setsid java "@$kafka_source/jvm.options" "$cluster_classes" -Dlog4j.configuration="file:$kafka_source/log4j.properties" \
        -Djava.io.tmpdir="$dir" -cp "$(kafka_home "$version")/lib/*" "$@" </dev/null >>"$dir/log" 2>&1 9>&- &
    echo $! >"$dir/pid"
}

# cluster_claim DIR: takes a new or empty directory for a cluster.
cluster_claim() {
    mkdir -p "$1"
    if [ -n "$(ls -A "$1")" ]; then
        echo "$1 is not empty: stop what runs there first, or name another directory" >&2
        return 1
    fi
    touch "$1/kprod-kafka"
}

# cluster_start DIR VERSION NODES: in a claimed directory (its absolute path); returns when every broker answers and
# knows all the others. With cluster_record=yes a broker writes its archive of classes when it stops.
cluster_start() {
    local dir=$1 version=$2 nodes=$3 node
    cluster_classes=-XX:SharedArchiveFile=$(kafka_class_data "$version")
    local -a client=() internal=() voters=() controller=()
    for ((node = 1; node <= nodes; node++)); do
        client[node]=$(cluster_free_port) internal[node]=$(cluster_free_port) controller[node]=$(cluster_free_port)
        voters+=("$node@127.0.0.1:${controller[node]}")
        mkdir "$dir/node-$node"
    done
    local common=("REPLICATION=$nodes" "MIN_ISR=$(((nodes + 1) / 2))" "VOTERS=$(IFS=,; echo "${voters[*]}")")
    local template=kraft.properties
    case $version in
    2.*)
        template=zookeeper-broker.properties
        local zookeeper=$(cluster_free_port)
        common+=("ZOOKEEPER_PORT=$zookeeper")
        mkdir "$dir/zookeeper"
        cluster_fill zookeeper.properties "ZOOKEEPER_PORT=$zookeeper" "DIR=$dir/zookeeper" >"$dir/zookeeper/properties"
        cluster_java "$dir/zookeeper" "$version" org.apache.zookeeper.server.quorum.QuorumPeerMain "$dir/zookeeper/properties"
        ;;
    esac
    local id=bGlia3Byb2QtdGVzdHMtMQ
    for ((node = 1; node <= nodes; node++)); do
        local home=$dir/node-$node
        cluster_fill $template "NODE=$node" "CLIENT_PORT=${client[node]}" "ADVERTISED_PORT=${client[node]}" \
            "INTERNAL_PORT=${internal[node]}" "CONTROLLER_PORT=${controller[node]}" "DIR=$home" "${common[@]}" \
            >"$home/properties"
        if [ $template = kraft.properties ]; then
            java "@$kafka_source/jvm.options" "$cluster_classes" \
                -Dlog4j.configuration="file:$kafka_source/log4j.properties" -cp "$(kafka_home "$version")/lib/*" \
                kafka.tools.StorageTool format -t $id -c "$home/properties" >"$home/log" 2>&1 ||
                { cat "$home/log" >&2 && return 1; }
        fi
        if [ "${cluster_record:-no}" = yes ]; then
            cluster_classes=-XX:ArchiveClassesAtExit=$(kafka_class_data "$version")
        fi
        cluster_java "$home" "$version" kafka.Kafka "$home/properties"
        echo "127.0.0.1:${client[node]}" >>"$dir/brokers"
    done
    cluster_wait "$dir" "$nodes"
}

# cluster_wait DIR NODES: until each broker's metadata names every broker.
cluster_wait() {
    local dir=$1 nodes=$2 broker pid deadline=$((SECONDS + 60))
    while read -r broker; do
        until [ "$(kcat -b "$broker" -L -m 2 2>/dev/null | grep -c '^  broker ')" -ge "$nodes" ]; do
            for pid in "$dir"/*/pid; do
                if ! cluster_alive "$(cat "$pid")" || [ $SECONDS -gt $deadline ]; then
                    echo "Kafka did not start; the end of ${pid%pid}log:" >&2
                    tail -n 20 "${pid%pid}log" >&2
                    return 1
                fi
            done
            sleep 0.1
        done
    done <"$dir/brokers"
}

# cluster_bootstrap DIR: the brokers' addresses, separated by commas.
cluster_bootstrap() { paste -sd, "$1/brokers"; }

# cluster_stop DIR: ends what cluster_start started there, and removes the directory.
cluster_stop() {
    local dir=$1 file deadline=$((SECONDS + 15))
    if [ ! -e "$dir/kprod-kafka" ]; then
        echo "$dir holds no cluster started by script/kafka" >&2
        return 1
    fi
    # Brokers first: without ZooKeeper they would wait for it.
    for file in "$dir"/node-*/pid "$dir"/zookeeper/pid; do
        [ -e "$file" ] || continue
        local pid
        pid=$(cat "$file")
        # The number may have gone to another process since.
        grep -aqF "$dir" "/proc/$pid/cmdline" 2>/dev/null || continue
        kill -TERM "$pid" 2>/dev/null || true
        while cluster_alive "$pid"; do
            if [ $SECONDS -gt $deadline ]; then kill -KILL "$pid" 2>/dev/null || true; fi
            sleep 0.05
        done
    done
    rm -rf "$dir"
}
