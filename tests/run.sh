#!/usr/bin/env bash
# Runs the tests in three parts side by side, which take about as long: most of the time they wait for processes.
#   tests/run.sh PYTHON [PYTEST ARGUMENT …]
# Exit status: 0 when all passed; pytest's 5 (no test was chosen) only if all parts say so.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$1
shift
options=("$@")
fresh=tests/acceptance/test_fresh_machine.py # the longest of all

# The worst status of two.
worse() {
  if [ "$1" -eq 5 ]; then echo "$2"; elif [ "$2" -eq 5 ] || [ "$1" -gt "$2" ]; then echo "$1"; else echo "$2"; fi
}

# Runs pytest for each group of arguments, which a comma ends, one after the other.  To be ended by SIGTERM.
in_turn() {
  local worst=5 group=() running=
  trap '[ -z "$running" ] || kill "$running"; exit 143' TERM
  for word in "$@" ,; do
    if [ "$word" != , ]; then group+=("$word"); continue; fi
    "$python" -m pytest "${options[@]}" "${group[@]}" &
    running=$!
    wait "$running"
    worst=$(worse "$worst" $?)
    group=()
  done
  return "$worst"
}

logs=$(mktemp -d)
in_turn --ignore=tests/acceptance --ignore=tests/integration , \
  tests/acceptance/test_[a-e]*.py tests/acceptance/test_f[!r]*.py tests/acceptance/test_[g-k]*.py >"$logs/second" 2>&1 &
second=$!
in_turn tests/acceptance/test_[l-z]*.py , tests/integration/test_[v-z]*.py >"$logs/third" 2>&1 &
third=$!
trap 'kill "$second" "$third" 2>/dev/null; wait; rm -rf "$logs"' EXIT
# In the foreground: what a shell runs in the background ignores SIGINT, and so do the programs that these tests start.
"$python" -m pytest "${options[@]}" tests/integration/test_[!v-z]*.py
worst=$?
"$python" -m pytest "${options[@]}" "$fresh"
worst=$(worse "$worst" $?)
for part in second third; do
  wait "${!part}"
  worst=$(worse "$worst" $?)
  echo "==> $part part"
  cat "$logs/$part"
done
exit "$worst"
