#!/usr/bin/env bash
# Installs the programs from Debian that tests use as peers; does nothing when they are there.
# Root is needed for that: for other users it names what is missing, and the tests that need it are skipped.
set -euo pipefail

# program  package     needed by
PEERS='
promtool   prometheus  the check of /metrics
debootstrap debootstrap the fresh machine
'

missing=()
while read -r program package reason; do
  [ -z "$program" ] && continue
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null && continue
  missing+=("$package")
  echo "==> $program is missing (Debian package $package), needed by $reason"
done <<<"$PEERS"
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo '    not root on a Debian: the tests that need it will be skipped'
  exit 0
fi

# Only promtool is wanted of the package prometheus: while this file stands, no package may start its service.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

install() {
  DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "${missing[@]}" </dev/null >/dev/null
}
# The package lists may be missing or old: fetched only when it does not work without.
echo '    installing …'
install || { apt-get update --quiet && install; }
