#!/bin/sh
# Sees to what a build and a run need. As root on Debian it installs what is missing;
# otherwise it says exactly what to install, and ends with 1.
set -eu

RUST=1.95
POSTGRES=15

major() { # of the postgres program in $1
    "$1/postgres" --version 2>/dev/null | sed -n 's/[^0-9]*\([0-9]*\).*/\1/p'
}

has_postgres() {
    for folder in $(echo "$PATH" | tr ':' ' ') /usr/lib/postgresql/*/bin; do
        [ -x "$folder/postgres" ] || continue
        folder=$(dirname "$(readlink -f "$folder/postgres")")
        version=$(major "$folder")
        [ "${version:-0}" -ge "$POSTGRES" ] && [ -x "$folder/initdb" ] && return 0
    done
    return 1
}

has_rust() {
    command -v cargo >/dev/null || return 1
    found=$(rustc --version | sed -n 's/rustc \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    set -- $found
    [ "${1:-0}" -gt "${RUST%.*}" ] && return 0
    [ "${1:-0}" -eq "${RUST%.*}" ] && [ "${2:-0}" -ge "${RUST#*.}" ]
}

if ! has_rust; then
    echo "Rust $RUST or newer is wanted. Install it: https://rustup.rs" >&2
    exit 1
fi

packages=""
# Some crates compile C.
command -v cc >/dev/null || packages="$packages build-essential"
command -v cmake >/dev/null || packages="$packages cmake"
command -v curl >/dev/null || packages="$packages curl"
has_postgres || packages="$packages postgresql"
[ -z "$packages" ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    # The package would start a cluster of its own, which nobody here needs.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    fi
    echo "Installing:$packages"
    apt-get update -q
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
else
    echo "Missing here:$packages" >&2
    echo "On Debian or Ubuntu: sudo apt-get install$packages" >&2
    exit 1
fi

if ! has_postgres; then
    echo "This system's PostgreSQL is older than $POSTGRES; see https://www.postgresql.org/download" >&2
    exit 1
fi
