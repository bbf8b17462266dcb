// Reads PTX text. Only form is checked here: what an instruction means is the decoder's concern.
#include <cstdlib>

#include "lexer.h"
#include "syntax.h"

namespace grsim {
namespace {

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && text[at] != separator) continue;
    parts.emplace_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  return parts;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(Tokenize(text)) {}

  Unit Run() {
    while (!Peek().text.empty()) TopLevel();
    return std::move(unit_);
  }

 private:
  // --- tokens
  const Token& Peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& Next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool Is(std::string_view text) const { return Peek().text == text; }
  bool Take(std::string_view text) {
    if (!Is(text)) return false;
    Next();
    return true;
  }
  [[noreturn]] void Fail(const std::string& what) const { throw PtxError(Peek().line, what); }
  void Expect(std::string_view text) {
    if (!Take(text)) Fail("'" + std::string(text) + "' expected, found '" + std::string(Peek().text) + "'");
  }
  std::string Word() {
    if (!Peek().is_word) Fail("a name expected, found '" + std::string(Peek().text) + "'");
    return std::string(Next().text);
  }
  int64_t Number() {
    const bool negative = Take("-");
    const std::string text = Word();
    char* end = nullptr;
    const auto value = std::strtoull(text.c_str(), &end, 0);
    if (*end != 0 && *end != 'U') Fail("a number expected, found '" + text + "'");
    return negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  }
  void SkipLine() {
    for (const int line = Peek().line; !Peek().text.empty() && Peek().line == line;) Next();
  }

  // --- module
  void TopLevel() {
    const Token token = Peek();
    if (token.text == ".version") {
      Next();
      unit_.version = Word();
    } else if (token.text == ".target") {
      Next();
      unit_.target = Word();
      while (Take(",")) Word();
    } else if (token.text == ".address_size" || token.text == ".file" || token.text == ".loc" || token.text == ".pragma") {
      SkipLine();
    } else if (token.text == ".section") {
      while (!Is("{")) Next();
      while (!Take("}")) {
        if (Peek().text.empty()) Fail("a section without its end");
        Next();
      }
    } else if (token.text == ".visible" || token.text == ".extern" || token.text == ".weak" || token.text == ".common") {
      Next();
    } else if (token.text == ".entry") {
      Next();
      Entry();
    } else if (token.text == ".func") {
      Function();
    } else if (IsSpace(token.text)) {
      unit_.variables.push_back(Declaration());
    } else {
      Fail("'" + std::string(token.text) + "' is not known here");
    }
  }

  /// A prototype is read over; a body would need calls, which kernels do not make.
  void Function() {
    const int line = Next().line;
    while (!Is("{") && !Is(";")) {
      if (Peek().text.empty()) Fail("a function without its end");
      Next();
    }
    if (Is("{")) throw PtxError(line, "functions are not supported: inline them");
    Next();
  }

  static bool IsSpace(std::string_view word) {
    return word == ".shared" || word == ".global" || word == ".const" || word == ".local" || word == ".param";
  }

  /// .space [.align n] .type name [n]… [= {…}];
  Variable Declaration() {
    Variable variable;
    const std::string space = Word();
    variable.space = space == ".shared" ? Space::Shared : space == ".local" ? Space::Local : space == ".const" ? Space::Const : space == ".param" ? Space::Param : Space::Global;
    int64_t align = 0;
    while (Peek().is_word && Peek().text[0] == '.') {
      const std::string word = Word();
      if (word == ".align") align = Number();
      else if (word == ".ptr" || word == ".global" || word == ".shared" || word == ".const" || word == ".local") continue;
      else if (word == ".v2" || word == ".v4") Fail("vector variables are not supported");
      else if ((variable.type = TypeOf(std::string_view(word).substr(1))) == Type::None) Fail("type '" + word + "' is not known");
    }
    variable.align = align > 0 ? align : SizeOf(variable.type);
    variable.name = Word();
    int64_t count = 1;
    while (Take("[")) {
      count *= Is("]") ? 0 : Number();
      Expect("]");
    }
    variable.bytes = count * SizeOf(variable.type);
    if (Take("=")) {
      if (!Is("{")) Fail("an initial value in braces expected");
      Initial(variable);
    }
    if (variable.space != Space::Param) Expect(";");
    return variable;
  }

  void Initial(Variable& variable) {
    Expect("{");
    while (!Take("}")) {
      if (Is("{")) {
        Initial(variable);
      } else {
        const Operand value = Simple();
        if (value.kind == Operand::Kind::Name) Fail("addresses as initial values are not supported");
        for (int i = 0; i < SizeOf(variable.type); ++i) variable.initial.push_back(static_cast<uint8_t>(value.value >> (8 * i)));
      }
      Take(",");
    }
  }

  // --- kernel
  void Entry() {
    kernel_ = Kernel{};
    kernel_.line = Peek().line;
    kernel_.name = Word();
    if (Take("(")) {
      while (!Take(")")) {
        kernel_.parameters.push_back(Declaration());
        Take(",");
      }
    }
    while (!Is("{")) {
      const std::string directive = Word();
      if (directive == ".pragma") {
        SkipLine();
        continue;
      }
      int64_t product = Number();
      while (Take(",")) product *= Number();
      if (directive == ".maxntid" || directive == ".reqntid") kernel_.max_threads = static_cast<int>(product);
      else if (directive != ".minnctapersm" && directive != ".maxnreg" && directive != ".maxnctapersm") Fail("directive '" + directive + "' is not known");
    }
    scopes_.clear();
    Block();
    unit_.kernels.push_back(std::move(kernel_));
  }

  void Block() {
    Expect("{");
    scopes_.emplace_back();
    while (!Take("}")) {
      if (Peek().text.empty()) Fail("a body without its end");
      BodyItem();
    }
    scopes_.pop_back();
  }

  void BodyItem() {
    const Token token = Peek();
    if (token.text == "{") return Block();
    if (token.text == ";") {
      Next();
      return;
    }
    if (token.text == ".reg") return Registers();
    if (token.text == ".loc" || token.text == ".file" || token.text == ".pragma") return SkipLine();
    if (IsSpace(token.text)) {
      kernel_.variables.push_back(Declaration());
      return;
    }
    if (token.is_word && Peek(1).text == ":") {
      const std::string label = Word();
      Next();
      if (Take(".branchtargets")) {
        do kernel_.branch_tables[label].push_back(Word());
        while (Take(","));
        Expect(";");
      } else {
        kernel_.labels[label] = kernel_.statements.size();
      }
      return;
    }
    Instruction();
  }

  /// .reg .type name<n>, name… In an inner block a name hides the outer one, so it gets one of its own.
  void Registers() {
    Next();
    std::string word = Word();
    if (word == ".v2" || word == ".v4") Fail("vector registers are not supported");
    const Type type = TypeOf(std::string_view(word).substr(1));
    if (type == Type::None) Fail("type '" + word + "' is not known");
    do {
      const std::string name = Word();
      if (Take("<")) {
        const int64_t count = Number();
        Expect(">");
        if (count > 1 << 16) Fail("more than 65536 registers of one kind");
        for (int64_t i = 0; i < count; ++i) AddRegister(name + std::to_string(i), type);
      } else {
        AddRegister(name, type);
      }
    } while (Take(","));
    Expect(";");
  }

  void AddRegister(const std::string& name, Type type) {
    const std::string unique = scopes_.size() == 1 ? name : name + "@" + std::to_string(++inner_registers_);
    scopes_.back()[name] = unique;
    kernel_.registers[unique] = type;
  }

  std::string Resolve(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      if (auto found = scope->find(name); found != scope->end()) return found->second;
    return name;
  }

  void Instruction() {
    Statement statement;
    if (Take("@")) {
      statement.guard_negated = Take("!");
      statement.guard = Resolve(Word());
    }
    statement.line = Peek().line;
    statement.text = Word();
    statement.words = Split(statement.text, '.');
    while (!Take(";")) {
      statement.operands.push_back(Any());
      if (Take("|")) {
        Operand pair;
        pair.kind = Operand::Kind::Vector;
        pair.items.push_back(std::move(statement.operands.back()));
        pair.items.push_back(Any());
        statement.operands.back() = std::move(pair);
      }
      if (!Is(";")) Expect(",");
    }
    kernel_.statements.push_back(std::move(statement));
  }

  Operand Any() {
    Operand operand;
    if (Take("{")) {
      operand.kind = Operand::Kind::Vector;
      while (!Take("}")) {
        operand.items.push_back(Simple());
        Take(",");
      }
      return operand;
    }
    if (Take("[")) {
      operand = Simple();
      if (operand.kind != Operand::Kind::Name && operand.kind != Operand::Kind::Integer) Fail("an address expected");
      operand.kind = Operand::Kind::Address;
      if (Take("+")) operand.offset = Number();
      Expect("]");
      return operand;
    }
    return Simple();
  }

  Operand Simple() {
    Operand operand;
    if (Take("!")) {
      operand = Simple();
      operand.negated = true;
      return operand;
    }
    const bool negative = Take("-");
    const std::string word = Word();
    if (std::isdigit(static_cast<unsigned char>(word[0])) == 0) {
      operand.name = Resolve(word);
      return operand;
    }
    const bool is_float = word.size() > 2 && word[0] == '0' && (word[1] == 'f' || word[1] == 'F');
    const bool is_double = word.size() > 2 && word[0] == '0' && (word[1] == 'd' || word[1] == 'D');
    char* end = nullptr;
    operand.kind = is_float ? Operand::Kind::Float32 : is_double ? Operand::Kind::Float64 : Operand::Kind::Integer;
    operand.value = is_float || is_double ? std::strtoull(word.c_str() + 2, &end, 16) : std::strtoull(word.c_str(), &end, 0);
    if (*end != 0 && *end != 'U') Fail("number '" + word + "' is not understood");
    if (negative) operand.value = is_float ? operand.value ^ 0x80000000u : is_double ? operand.value ^ (1ull << 63) : 0 - operand.value;
    return operand;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  Unit unit_;
  Kernel kernel_;
  std::vector<std::map<std::string, std::string>> scopes_;
  int inner_registers_ = 0;
};

}  // namespace

Unit Parse(std::string_view text) { return Parser(text).Run(); }

}  // namespace grsim
