#!/usr/bin/env bash
# Runs the tests in two halves side by side, since the acceptance tests mostly wait for processes.
#   tests/run.sh PYTHON [PYTEST ARGUMENT …]
# Exit status: 0 when both halves passed; pytest's 5 (no test was chosen) only if all parts say so.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$1
shift
# The longest of the acceptance tests goes with the others, so that both halves take about as long.
fresh=tests/acceptance/test_fresh_machine.py
log=$(mktemp)
"$python" -m pytest "$@" tests/acceptance --ignore="$fresh" >"$log" 2>&1 &
acceptance=$!
trap 'kill "$acceptance" 2>/dev/null; wait "$acceptance"; rm -f "$log"' EXIT
"$python" -m pytest --ignore=tests/acceptance "$@"
first=$?
"$python" -m pytest "$@" "$fresh"
second=$?
wait "$acceptance"
third=$?
echo '==> acceptance tests'
cat "$log"
worst=5
for status in "$first" "$second" "$third"; do
  [ "$status" -eq 5 ] && continue
  if [ "$worst" -eq 5 ] || [ "$status" -gt "$worst" ]; then worst=$status; fi
done
exit "$worst"
