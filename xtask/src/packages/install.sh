# Installs Debian packages without starting what is in them. Run by root: sh -c "$this" install PACKAGE…
set -eu
export DEBIAN_FRONTEND=noninteractive

# Debian's way to say that nothing may be started now. If the machine has a policy already, that one holds.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

# Mirrors fail now and then, and one that is half updated is whole a moment later.
again() {
    for pause in 5 15 30; do
        "$@" && return
        echo "  $1 failed; again in $pause s" >&2
        sleep "$pause"
    done
    "$@"
}
again apt-get -o DPkg::Lock::Timeout=300 update -q
again apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "$@"

# A package enables its service for the next boot. Nobody had asked for it before these tests, so nobody misses it.
if [ -d /run/systemd/system ]; then
    for package in "$@"; do
        systemctl disable --quiet "$package.service" || true
    done
fi
