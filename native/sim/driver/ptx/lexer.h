// Words, numbers and signs of PTX, with their lines.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace grsim {

struct Token {
  std::string_view text;  // empty at the end
  int line = 0;
  bool is_word = false;   // letters, digits, . _ $ %
};

std::vector<Token> Tokenize(std::string_view text);

}  // namespace grsim
