#!/usr/bin/env bash
# Runs every test; the last line counts them. Arguments go to `dotnet test` (for example: ./test.sh --filter Batching).
set -uo pipefail
cd "$(dirname "$0")"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1
export GRPCREC_DATA="${GRPCREC_DATA:-$(cd ../shared/data 2>/dev/null && pwd)}"

dotnet build GrpcRec.sln -c Release --nologo -v quiet || exit 1

status=0 passed=0 failed=0 skipped=0
for project in tests/*/*.Tests.csproj; do
  log=$(mktemp)
  dotnet test "$project" -c Release --no-build --nologo --logger "console;verbosity=normal" "$@" 2>&1 | tee "$log" || status=1
  count() { grep -oE "^ *$1: +[0-9]+" "$log" | grep -oE '[0-9]+' | paste -sd+ - | sed 's/^$/0/' | bc; }
  passed=$((passed + $(count Passed))) failed=$((failed + $(count Failed))) skipped=$((skipped + $(count Skipped)))
  rm -f "$log"
done
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] || status=1
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
