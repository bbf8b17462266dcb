#!/usr/bin/env bash
# Runs every test; the last line counts them. Arguments go to `dotnet test`, for example: ./test.sh --filter FullyQualifiedName~Batching
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1
export GRPCREC_DATA="${GRPCREC_DATA:-$(cd ../shared/data 2>/dev/null && pwd)}"

dotnet build GrpcRec.sln -c Release --nologo -v quiet || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
for project in tests/*/*.Tests.csproj; do
  echo "== $(basename "$project" .csproj)"
  dotnet test "$project" -c Release --no-build --nologo --logger "console;verbosity=normal" "$@" 2>&1 | tee -a "$log" | grep -vE '^ +Passed ' || true
  [ "${PIPESTATUS[0]}" -eq 0 ] || status=1
done

total() { awk -v name="$1:" '$1 == name { sum += $2 } END { print sum + 0 }' "$log"; }
passed=$(total Passed) failed=$(total Failed) skipped=$(total Skipped)
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] || status=1
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
