// usage: simt_tests [--schedule forward|reverse|random:SEED] [--small] [--only TEXT]
#include <cstring>
#include "check.h"
#include "simt.h"

void add_recurrent_tests();
void add_dense_tests();
void add_rank_tests();
void add_simt_tests();

int main(int count, char** args) {
  const char* only = "";
  bool small = false;
  for (int i = 1; i < count; ++i) {
    if (!strcmp(args[i], "--small")) small = true;
    else if (!strcmp(args[i], "--only") && i + 1 < count) only = args[++i];
    else if (!strcmp(args[i], "--schedule") && i + 1 < count && simt::set_schedule(args[i + 1])) ++i;
    else {
      fprintf(stderr, "%s: not understood: %s\n", args[0], args[i]);
      return 2;
    }
  }
  add_simt_tests();
  add_recurrent_tests();
  add_dense_tests();
  add_rank_tests();

  int passed = 0, failed = 0, skipped = 0;
  for (const Test& test : all_tests()) {
    if (!strstr(test.name.c_str(), only)) continue;
    if (small && !test.small) {
      ++skipped;
      continue;
    }
    failure().clear();
    test.body();
    if (failure().empty()) ++passed;
    else {
      ++failed;
      printf("FAILED %s: %s\n", test.name.c_str(), failure().c_str());
    }
  }
  printf("%d passed, %d failed, %d skipped%s\n", passed, failed, skipped, skipped ? " (too large for this build)" : "");
  return failed == 0 && passed > 0 ? 0 : 1;
}
