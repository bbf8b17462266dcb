// The least of a test framework: named tests, checks with their place, and the count at the end.
#pragma once
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace grsim::test {

struct Test { std::string name; std::function<void()> body; };

inline std::vector<Test>& All() {
  static std::vector<Test> tests;
  return tests;
}

struct Failure { std::string what; };

struct Register {
  Register(std::string name, std::function<void()> body) { All().push_back({std::move(name), std::move(body)}); }
};

/// Runs those whose name contains the argument, or all. @return the process's exit status
inline int Main(int count, char** arguments) {
  int passed = 0, failed = 0;
  for (const Test& test : All()) {
    if (count > 1 && test.name.find(arguments[1]) == std::string::npos) continue;
    try {
      test.body();
      ++passed;
    } catch (const Failure& failure) {
      ++failed;
      std::cout << "FAILED " << test.name << ": " << failure.what << "\n";
    } catch (const std::exception& exception) {
      ++failed;
      std::cout << "FAILED " << test.name << ": " << exception.what() << "\n";
    }
  }
  std::cout << passed << " passed, " << failed << " failed, 0 skipped\n";
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace grsim::test

#define GRSIM_TEST(name) \
  static void Test_##name(); \
  static const grsim::test::Register register_##name(#name, Test_##name); \
  static void Test_##name()

#define GRSIM_CHECK(condition) \
  if (!(condition)) throw grsim::test::Failure{std::string(__FILE__) + ":" + std::to_string(__LINE__) + ": " #condition}

#define GRSIM_EQUAL(expected, actual)                                                                                                       \
  do {                                                                                                                                      \
    const auto expected_ = (expected);                                                                                                      \
    const auto actual_ = (actual);                                                                                                          \
    if (!(expected_ == actual_)) {                                                                                                          \
      std::ostringstream text_;                                                                                                             \
      text_ << __FILE__ << ":" << __LINE__ << ": " << #actual << " is " << actual_ << " where " << expected_ << " is expected";             \
      throw grsim::test::Failure{text_.str()};                                                                                              \
    }                                                                                                                                       \
  } while (false)
