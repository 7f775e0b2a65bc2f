#!/usr/bin/env bash
# Runs the tests in three parts side by side: most of the time acceptance and integration tests wait for processes.
#   tests/run.sh PYTHON [PYTEST ARGUMENT …]
# Exit status: 0 when all passed; pytest's 5 (no test was chosen) only if all parts say so.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$1
shift
# The longest of the acceptance tests comes after the integration tests, which are done before the others are.
fresh=tests/acceptance/test_fresh_machine.py
logs=$(mktemp -d)
"$python" -m pytest "$@" tests/acceptance --ignore="$fresh" >"$logs/acceptance" 2>&1 &
acceptance=$!
"$python" -m pytest --ignore=tests/acceptance --ignore=tests/integration "$@" >"$logs/unit" 2>&1 &
unit=$!
trap 'kill "$acceptance" "$unit" 2>/dev/null; wait "$acceptance" "$unit"; rm -rf "$logs"' EXIT
"$python" -m pytest "$@" tests/integration
statuses=($?)
wait "$unit"
statuses+=($?)
echo '==> unit and contract tests'
cat "$logs/unit"
"$python" -m pytest "$@" "$fresh"
statuses+=($?)
wait "$acceptance"
statuses+=($?)
echo '==> acceptance tests'
cat "$logs/acceptance"
worst=5
for status in "${statuses[@]}"; do
  [ "$status" -eq 5 ] && continue
  if [ "$worst" -eq 5 ] || [ "$status" -gt "$worst" ]; then worst=$status; fi
done
exit "$worst"
