#!/bin/sh
# Builds SOURCE into DIRECTORY with what pkg-config says: build.sh SOURCE DIRECTORY
set -eu
source=$1 directory=$2
cc "$source" $(pkg-config --cflags --libs kprod) -o "$directory/pkg_config_shared"
# pkg-config --static names both libraries' needs, but a linker prefers the shared one where both are there.
libs=$(pkg-config --static --libs kprod | sed 's/-lkprod/-Wl,-Bstatic -lkprod -Wl,-Bdynamic/')
cc "$source" $(pkg-config --cflags kprod) $libs -o "$directory/pkg_config_static"
if ldd "$directory/pkg_config_static" | grep kprod; then
    echo "the static program needs the shared library" >&2
    exit 1
fi
