#!/usr/bin/env bash
# Runs every test; the last line counts them. Arguments go to `dotnet test`, for example: ./test.sh --filter FullyQualifiedName~Batching
#   ./test.sh --cuda   the CUDA engine alone, whole: kernels built by nvcc, their budgets, host build under sanitizers, planted faults,
#                      and the engine on the stand-in driver at every capability. The plain run has a shorter form of them.
#   ./test.sh --gpu    the CUDA engine on this machine's own device; skips, saying so, where there is none.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1
export GRPCREC_DATA="${GRPCREC_DATA:-$(cd ../shared/data 2>/dev/null && pwd)}"

mode=all
case "${1:-}" in
  --cuda | --gpu) mode=${1#--} && shift ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0 passed=0 failed=0 skipped=0

# The native tests' own last line is "N passed, N failed, N skipped".
native() {
  echo "== native $*"
  native/scripts/test.sh "$@" 2>&1 | tee "$log"
  [ "${PIPESTATUS[0]}" -eq 0 ] || status=1
  if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + BASH_REMATCH[3]))
  else
    failed=$((failed + 1))
  fi
  : >"$log"
}

managed() {
  local project=$1 before && shift
  echo "== $(basename "$project" .csproj)"
  before=$(total Failed)
  dotnet test "$project" -c Release --no-build --nologo --logger "console;verbosity=normal" "$@" 2>&1 | tee -a "$log" | grep -vE '^ +Passed '
  # A run that dies counts no failed test.
  if [ "${PIPESTATUS[0]}" -ne 0 ]; then
    status=1
    [ "$(total Failed)" -gt "$before" ] || failed=$((failed + 1))
  fi
}

total() { awk -v name="$1:" '$1 == name { sum += $2 } END { print sum + 0 }' "$log"; }

tools() { command -v cmake >/dev/null && command -v make >/dev/null && command -v g++ >/dev/null; }

case $mode in
  all)
    if [ $# -gt 0 ]; then
      : # the arguments choose among the managed tests
    elif tools; then
      native --quick
    else
      # As the interop tests do; .ci/run installs the tools first and so never comes here.
      echo "== native: SKIPPED, it needs cmake, make and g++; build/install-native.sh gets them"
      skipped=1
    fi
    ;;
  cuda) native ;;
  gpu)
    nvcc=${NVCC:-$(command -v nvcc || native/scripts/get-nvcc.sh | tail -n 1)}
    { cmake -S . -B artifacts/native -DGRPCREC_NVCC="$nvcc" && cmake --build artifacts/native --target kernels; } || { echo "0 passed, 1 failed, 0 skipped" && exit 1; }
    ;;
esac

dotnet build GrpcRec.sln -c Release --nologo -v quiet || { echo "$passed passed, $((failed + 1)) failed, $skipped skipped" && exit 1; }
if [ $mode = all ]; then
  for project in tests/*/*.Tests.csproj; do managed "$project" "$@"; done
else
  export GRPCREC_CUDA_TESTS=$([ $mode = gpu ] && echo gpu || echo all)
  managed tests/GrpcRec.Engine.Tests/*.csproj --filter FullyQualifiedName~Cuda "$@"
  [ $mode = gpu ] || managed tests/GrpcRec.Server.Tests/*.csproj --filter FullyQualifiedName~Cuda "$@"
fi

passed=$((passed + $(total Passed))) failed=$((failed + $(total Failed))) skipped=$((skipped + $(total Skipped)))
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] || { [ "$failed" -eq 0 ] && [ $mode = gpu ] && [ "$skipped" -gt 0 ]; } || status=1
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
