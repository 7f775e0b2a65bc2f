#!/usr/bin/env bash
# Runs the tests in two halves side by side, since the acceptance tests mostly wait for processes.
#   tests/run.sh PYTHON [PYTEST ARGUMENT …]
# Exit status: 0 when both halves passed; pytest's 5 (no test was chosen) only if both say so.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$1
shift
log=$(mktemp)
"$python" -m pytest "$@" tests/acceptance >"$log" 2>&1 &
acceptance=$!
trap 'kill "$acceptance" 2>/dev/null; wait "$acceptance"; rm -f "$log"' EXIT
"$python" -m pytest --ignore=tests/acceptance "$@"
first=$?
wait "$acceptance"
second=$?
echo '==> acceptance tests'
cat "$log"
[ "$first" -eq 5 ] && exit "$second"
[ "$second" -eq 5 ] && exit "$first"
exit $((first > second ? first : second))
