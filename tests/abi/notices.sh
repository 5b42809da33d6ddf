#!/bin/sh
# abi.sh lets additions pass and notices everything else.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
baseline=$here/baseline/kprod.h
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# verdict SED-SCRIPT: of a header that was changed so.
verdict() {
    sed -E "$1" "$baseline" >"$work/kprod.h"
    if cmp -s "$baseline" "$work/kprod.h"; then
        echo "notices.sh: this changes nothing: $1" >&2
        exit 1
    fi
    if HEADER=$work/kprod.h MAP=$work/kprod.map "$here/abi.sh" check >"$work/said" 2>&1; then
        echo passes
    else
        echo fails
    fi
}

expect() {
    found=$(verdict "$2")
    if [ "$found" != "$1" ]; then
        echo "notices.sh: it $found, where it should not: $2" >&2
        cat "$work/said" >&2
        exit 1
    fi
}

sed 's/^ *local:/    kprod_added;\n&/' "$here/../../cmake/kprod.map" >"$work/kprod.map"
expect passes 's/^void kprod_record_init/typedef struct kprod_new_t { int32_t x; } kprod_new_t;\nint32_t kprod_added(const struct kprod_new_t *added);\n&/'
expect passes 's/^#define KPROD_KIND_RECORD .*/&\n#define KPROD_KIND_ADDED 999/'
expect passes 's/^#define KPROD_VERSION_PATCH .*/#define KPROD_VERSION_PATCH 255/'
expect fails 's/^int32_t kprod_poll_interrupt\(.*//'
expect fails 's/^(int32_t kprod_start_async\(.*)uint64_t tag/\1uint32_t tag/'
expect fails 's/^int32_t (kprod_poll_interrupt)/int64_t \1/'
expect fails 's/^    int64_t key_len;/    int32_t key_len;/'
expect fails '/^typedef struct kprod_delivery_t/,/^}/{s/^    uint64_t tag;/    uint64_t tag2, tag;/}'
expect fails 's/^(typedef .*kprod_record_fn\)\()uint64_t/\1uint32_t/'
expect fails 's/^(#define KPROD_ERR_CLOSED).*/\1 (-1)/'
expect fails '/^#define KPROD_ERR_CLOSED/d'
