#!/usr/bin/env bash
# Everything of native/: builds the kernels with the real nvcc, holds them to their budgets, runs their source on the host under
# sanitizers. usage: test.sh [--quick]      --quick leaves out what a second order of threads and the planted faults would add.
# Ends with "N passed, N failed, N skipped". Where nvcc can neither be found nor fetched this fails: it does not skip.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${GRPCREC_NATIVE_BUILD:-artifacts/native}
mkdir -p "$build"
quick=0
[ "${1:-}" = --quick ] && quick=1

passed=0 failed=0 skipped=0
count() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }
finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit $?
}
# Adds the counts of a log's last line "N passed, N failed, N skipped".
count_line() {
  local line
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$1" | tail -n 1)
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped ]]; then
    count "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}"
  else
    count 0 1 0
  fi
}

# 1. What builds: asked for before the compiler of kernels is fetched, which takes a while.
missing=""
for tool in cmake ctest make; do command -v "$tool" >/dev/null || missing+="$tool, "; done
command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || missing+="a C++ compiler, "
if [ -n "$missing" ]; then
  echo "FAILED ${missing%, } not there: build/install-native.sh installs cmake, make and g++ on Debian"
  count 0 1 0
  finish
fi

# 2. nvcc: named, in the path, or fetched.
nvcc=${NVCC:-$(command -v nvcc || true)}
if [ -z "$nvcc" ]; then
  nvcc=$(native/scripts/get-nvcc.sh | tail -n 1) || { echo "FAILED nvcc is not there and cannot be fetched"; count 0 1 0; finish; }
fi

# 3. Build. A spill fails it.
if ! cmake -S . -B "$build" -DGRPCREC_NVCC="$nvcc" >"$build.log" 2>&1 || ! cmake --build "$build" -- -j2 >>"$build.log" 2>&1; then
  grep -E 'error|FAILED|Error' "$build.log" | head -20 | grep . || tail -n 5 "$build.log"
  echo "FAILED the native build; its log is $build.log"
  count 0 1 0
  finish
fi
count 1 0 0

log=$(mktemp)
trap 'rm -f "$log" "$log.sums"' EXIT
gates=(native/scripts/gates.sh "$(dirname "$nvcc")" "$build/gr_kernels.fatbin")
[ "$quick" = 1 ] || gates+=(--faults)
echo "== gates"
"${gates[@]}" >"$log" 2>&1 || grep -vE '^FAILED|^[0-9]+ passed' "$log"
grep '^FAILED' "$log"
tail -n 1 "$log"
count_line "$log"

# 4. ctest: the host build, and the stand-in driver's own tests. Counted are the programs' own tests, by the last line of each; a program
# that says no such line, or fails though none of its tests did (a sanitizer's report), is one failure.
echo "== host build and stand-in driver"
exclude=()
[ "$quick" = 1 ] && exclude=(-E 'reverse|random_[124]')
ctest --test-dir "$build" -j2 -V "${exclude[@]}" >"$log" 2>&1
grep -oE '^[0-9]+: (FAILED .*|SUMMARY.*|.*(ERROR: AddressSanitizer|WARNING: ThreadSanitizer|runtime error:).*)' "$log" | cut -c1-300 | head -50
awk '
  /^[0-9]+: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped/ { line = $0; sub(/^[0-9]+: /, "", line); own[$1 + 0] = line }
  /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / { match($0, /#[0-9]+/); number = substr($0, RSTART + 1, RLENGTH - 1) + 0; name[number] = $4; passed[number] = / Passed +[0-9.]+ sec/; programs++ }
  END {
    for (number in name) {
      counted = number in own
      split(counted ? own[number] : "0 0 0", count, /[^0-9]+/)
      if (!counted) { count[2] = 1; own[number] = "FAILED: it ended without a count" }
      else if (!passed[number] && count[2] == 0) { count[2] = 1; own[number] = "FAILED: " own[number] ", and the program failed" }
      total[1] += count[1]; total[2] += count[2]; total[3] += count[3]
      print name[number] ": " own[number]
    }
    print total[1] + 0, total[2] + 0, total[3] + 0, programs + 0
  }' "$log" >"$log.sums"
head -n -1 "$log.sums" | sed -E 's/^(.*): FAILED: /FAILED \1: /' | sort
read -r ran_passed ran_failed ran_skipped programs < <(tail -n 1 "$log.sums")
if [ "$programs" -eq 0 ]; then
  echo "FAILED no test was run by ctest:"
  tail -n 5 "$log"
  ran_failed=1
fi
count "$ran_passed" "$ran_failed" "$ran_skipped"
left_out=$(($(ctest --test-dir "$build" -N | sed -nE 's/^Total Tests: //p') - programs))
count 0 0 "$left_out"

# 5. Planted faults.
if [ "$quick" = 1 ]; then
  planted=$(grep -cvE '^(#|$)' native/tests/mutants/mutants.txt)
  echo "== planted faults: $planted left out of the quick form, those of the gates and $left_out other orders of threads too"
  count 0 0 "$planted"
else
  echo "== planted faults"
  native/scripts/mutants.sh "$build" "$nvcc" | tee "$log"
  if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ of\ ([0-9]+)\ caught ]]; then count "${BASH_REMATCH[1]}" $((BASH_REMATCH[2] - BASH_REMATCH[1])) 0; else count 0 1 0; fi
fi
finish
