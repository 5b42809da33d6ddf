# Where the jars of Apache Kafka lie, and how they get there. Sourced by script/setup and script/kafka, and run by
# the test fixture to ask for paths. Everything lies in a cache outside the source tree.

kafka_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tests/kafka" && pwd)
kafka_cache=${XDG_CACHE_HOME:-$HOME/.cache}/kprod/kafka
kafka_default=4.3.1
kafka_known="4.3.1 3.9.1 2.8.2"

kafka_home() { echo "$kafka_cache/$1"; }

kafka_stamp() { sha256sum <"$kafka_source/pom.xml"; }

kafka_ready() { [ "$(cat "$(kafka_home "$1")/resolved" 2>/dev/null)" = "$(kafka_stamp)" ]; }

# kafka_resolve VERSION: copies the jars beside the place first, so that a broken download never looks whole.
kafka_resolve() {
    local home new
    local -a profile=(-Ptools)
    home=$(kafka_home "$1")
    case $1 in 0.* | 1.* | 2.*) profile=() ;; esac
    mkdir -p "$kafka_cache"
    new=$(mktemp -d "$kafka_cache/.resolving.XXXXXX")
    if ! mvn --quiet --batch-mode -f "$kafka_source/pom.xml" "${profile[@]}" -Dkafka.version="$1" \
        dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$new/lib"; then
        rm -rf "$new"
        echo "Maven could not resolve Apache Kafka $1 (see above)" >&2
        return 1
    fi
    kafka_stamp >"$new/resolved"
    rm -rf "$home"
    mv "$new" "$home"
}

# The helper's place is named by its source, so that two checkouts can share the cache.
kafka_helper_home() {
    local stamp
    stamp=$(cat "$kafka_source"/helper/*.java | sha256sum)
    echo "$kafka_cache/helper-${stamp:0:16}"
}

kafka_helper_ready() { [ -e "$(kafka_helper_home)/helper.jar" ]; }

kafka_helper_build() {
    local home new
    home=$(kafka_helper_home)
    new=$(mktemp -d "$kafka_cache/.compiling.XXXXXX")
    javac -nowarn -encoding UTF-8 -d "$new/classes" -cp "$(kafka_home $kafka_default)/lib/*" \
        "$kafka_source"/helper/*.java &&
        jar --create --file "$new/helper.jar" -C "$new/classes" . ||
        { rm -rf "$new" && return 1; }
    rm -rf "$home" "$new/classes"
    mv "$new" "$home"
}

# kafka_class_data VERSION: the classes' archive that a broker is started with: half the start-up time. A JVM that
# finds it unfit (another Java since) goes without.
kafka_class_data() { echo "$(kafka_home "$1")/broker.jsa"; }

# For the test fixture: what is there, a line each: a version or "helper", and its directory.
kafka_inventory() {
    local version
    for version in $kafka_known; do
        if kafka_ready "$version"; then echo "$version $(kafka_home "$version")"; fi
    done
    if kafka_helper_ready; then echo "helper $(kafka_helper_home)"; fi
}
