// Tests by name, what they found, and how many of them.
#pragma once
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

struct Test {
  std::string name;
  bool small;  // runs under ThreadSanitizer too, which is fifty times slower
  std::function<void()> body;
};

inline std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}

inline std::string& failure() {
  static std::string text;
  return text;
}

[[gnu::format(printf, 1, 2)]] inline void fail_test(const char* format, ...) {
  if (!failure().empty()) return;  // the first one tells
  char text[600];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  failure() = text;
}

inline void add_test(std::string name, bool small, std::function<void()> body) { all_tests().push_back({std::move(name), small, std::move(body)}); }

/// NaN fails too.
inline void check_close(double got, double wanted, double tolerance, const char* what, size_t index) {
  if (!(std::fabs(got - wanted) <= tolerance)) fail_test("%s[%zu] is %.9g and %.9g was due, tolerance %.1e", what, index, got, wanted, tolerance);
}

inline void check_launch(const std::string& error) {
  if (!error.empty()) fail_test("%s", error.c_str());
}

/// Numbers for tests: the same on every machine.
class Numbers {
 public:
  explicit Numbers(unsigned seed) : engine_(seed) {}
  /// In [-scale, scale).
  double real(double scale) { return ((engine_() >> 11) * 0x1.0p-53 * 2 - 1) * scale; }
  int below(int n) { return (int)(engine_() % (unsigned)n); }

 private:
  std::mt19937_64 engine_;
};
