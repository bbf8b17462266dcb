#include "lexer.h"

#include <cctype>

namespace grsim {
namespace {

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '$' || c == '%'; }

}  // namespace

std::vector<Token> Tokenize(std::string_view text) {
  std::vector<Token> tokens;
  int line = 1;
  size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '\n') {
      ++line;
      ++at;
    } else if (std::isspace(static_cast<unsigned char>(c)) || c == '\0') {
      ++at;
    } else if (text.substr(at, 2) == "//") {
      while (at < text.size() && text[at] != '\n') ++at;
    } else if (text.substr(at, 2) == "/*") {
      for (at += 2; at < text.size() && text.substr(at, 2) != "*/"; ++at) line += text[at] == '\n';
      at += 2;
    } else if (c == '"') {
      const size_t begin = at++;
      while (at < text.size() && text[at] != '"') ++at;
      tokens.push_back({text.substr(begin, ++at - begin), line, false});
    } else if (IsWord(c)) {
      const size_t begin = at;
      while (at < text.size() && IsWord(text[at])) ++at;
      tokens.push_back({text.substr(begin, at - begin), line, true});
    } else {
      tokens.push_back({text.substr(at++, 1), line, false});
    }
  }
  tokens.push_back({{}, line, false});
  return tokens;
}

}  // namespace grsim
