#include "nn/files/pickle.hpp"

#include <lightswitch/error.hpp>

#include <bit>
#include <unordered_map>

#include "nn/files/byte_reader.hpp"

namespace lightswitch::nn {
namespace {

using Id = Pickle::Id;
using Kind = Pickle::Kind;
using Value = Pickle::Value;

/// Far above any checkpoint's (a tensor takes some 15); bounds memory at some 150 MB whatever the file says.
constexpr size_t kMostValues = size_t(1) << 21;
constexpr uint8_t kNewestProtocol = 5;
/// Of module and class together: a name is a copy, and could be made of the same long texts again and again.
constexpr size_t kLongestName = 1000;

}  // namespace

/// The stack machine that Python's pickletools describes, without its power to call anything.
class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, const std::string& origin, Pickle& pickle)
      : reader_(bytes, origin, "pickle"), values_(pickle.values_), names_(pickle.names_) {}

  Id run() {
    for (;;) {
      const auto opcode = reader_.number<uint8_t>();
      if (opcode == '.') return pop();
      execute(opcode);
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& message, const std::string& expected, const std::string& found) const {
    reader_.refuse(message + " at byte " + std::to_string(reader_.position()), expected, found);
  }

  void push(Value value) {
    if (values_.size() == kMostValues)
      refuse("too large for a checkpoint's pickle", "at most " + std::to_string(kMostValues) + " values", "more");
    values_.push_back(std::move(value));
    stack_.push_back(static_cast<Id>(values_.size() - 1));
  }
  void push_integer(Kind kind, int64_t integer) { push({.kind = kind, .integer = integer}); }
  void push_text(Kind kind, std::string_view text) { push({.kind = kind, .text = text}); }
  void push_items(Kind kind, std::vector<Id> items) { push({.kind = kind, .text = {}, .items = std::move(items)}); }

  Id pop() {
    const Id id = top();
    stack_.pop_back();
    return id;
  }
  Id top() const {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("takes from an empty stack", "a value", "none");
    return stack_.back();
  }

  std::vector<Id> pop_to_mark() {
    if (marks_.empty()) refuse("ends a group that was not begun", "a mark", "none");
    const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
    std::vector<Id> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  std::vector<Id> pop_last(size_t count) {
    std::vector<Id> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    return items;
  }

  /// What is put into an object is dropped: nobody looks into one, and only its class is told.
  void add(const std::vector<Id>& items, bool pairs) {
    Value& target = values_[top()];
    const bool fits =
        target.kind == Kind::call || target.kind == Kind::object || target.kind == (pairs ? Kind::dict : Kind::list);
    if (!fits || (pairs && items.size() % 2 != 0))
      refuse("puts items where they do not fit", pairs ? "pairs for a dict" : "a list", "something else");
    if (target.kind != Kind::object) target.items.insert(target.items.end(), items.begin(), items.end());
  }

  std::string_view named(std::string_view module, std::string_view name) {
    const size_t length = module.size() + name.size();
    if (length > kLongestName)
      refuse("unusable name", "at most " + std::to_string(kLongestName) + " characters", std::to_string(length));
    return names_.emplace_back(std::string(module) + "." + std::string(name));
  }

  std::string_view line() {
    std::string_view rest = reader_.text(0);
    const char* begin = rest.data();
    size_t length = 0;
    while (reader_.number<char>() != '\n') ++length;
    return {begin, length};
  }

  std::string_view text_of(Id id) const {
    if (values_[id].kind != Kind::text) refuse("unusable name", "a text", "something else");
    return values_[id].text;
  }

  /// Calls and objects keep the name of what would have made them.
  std::string_view class_of(Id id) const {
    const Value& value = values_[id];
    const bool named = value.kind == Kind::global || value.kind == Kind::call || value.kind == Kind::object;
    return named ? value.text : "something unnamed";
  }

  void push_long(uint64_t length) {
    const auto bytes = reader_.take(length);
    if (length > sizeof(int64_t)) return push_text(Kind::object, "a large integer");  // seeds of random generators
    uint64_t number = 0;
    if (length > 0) {
      std::memcpy(&number, bytes.data(), length);
      const unsigned spare = 64 - 8 * static_cast<unsigned>(length);
      number = static_cast<uint64_t>(static_cast<int64_t>(number << spare) >> spare);  // two's complement
    }
    push_integer(Kind::integer, static_cast<int64_t>(number));
  }

  void remember(uint32_t key) { memo_[key] = top(); }

  void recall(uint32_t key) {
    const auto entry = memo_.find(key);
    if (entry == memo_.end()) refuse("recalls what was never remembered", "a known number", std::to_string(key));
    stack_.push_back(entry->second);
  }

  void call(Id callable, Id arguments) {
    if (values_[arguments].kind != Kind::tuple) refuse("unusable call", "arguments in a tuple", "something else");
    push({.kind = Kind::call, .argument = arguments, .text = class_of(callable)});
  }

  void execute(uint8_t opcode);

  ByteReader reader_;
  std::vector<Value>& values_;
  std::deque<std::string>& names_;
  std::vector<Id> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Id> memo_;
};

void PickleMachine::execute(uint8_t opcode) {
  switch (opcode) {
    case 0x80: {  // PROTO
      const auto protocol = reader_.number<uint8_t>();
      if (protocol < 2 || protocol > kNewestProtocol) refuse("unknown protocol", "2 to 5", std::to_string(protocol));
      return;
    }
    case 0x95:  // FRAME: its length is a hint for readers that stream
      reader_.take(8);
      return;
    // Constants and numbers.
    case 'N':
      return push({.kind = Kind::none});
    case 0x88:
    case 0x89:
      return push_integer(Kind::boolean, opcode == 0x88);
    case 'J':
      return push_integer(Kind::integer, reader_.number<int32_t>());
    case 'K':
      return push_integer(Kind::integer, reader_.number<uint8_t>());
    case 'M':
      return push_integer(Kind::integer, reader_.number<uint16_t>());
    case 0x8a:
      return push_long(reader_.number<uint8_t>());
    case 0x8b:
      return push_long(reader_.number<uint32_t>());
    case 'G': {
      const auto big_endian = reader_.number<uint64_t>();
      return push({.kind = Kind::real, .real = std::bit_cast<double>(__builtin_bswap64(big_endian))});
    }
    // Texts and bytes, their lengths in 1, 4 or 8 bytes.
    case 0x8c:
      return push_text(Kind::text, reader_.text(reader_.number<uint8_t>()));
    case 'X':
      return push_text(Kind::text, reader_.text(reader_.number<uint32_t>()));
    case 0x8d:
      return push_text(Kind::text, reader_.text(reader_.number<uint64_t>()));
    case 'U':
    case 'C':
      return push_text(Kind::bytes, reader_.text(reader_.number<uint8_t>()));
    case 'T':
    case 'B':
      return push_text(Kind::bytes, reader_.text(reader_.number<uint32_t>()));
    case 0x8e:
    case 0x96:
      return push_text(Kind::bytes, reader_.text(reader_.number<uint64_t>()));
    // Containers.
    case '(':
      return marks_.push_back(stack_.size());
    case ')':
      return push_items(Kind::tuple, {});
    case 0x85:
    case 0x86:
    case 0x87:
      return push_items(Kind::tuple, pop_last(opcode - 0x84));
    case 't':
      return push_items(Kind::tuple, pop_to_mark());
    case ']':
    case 0x8f:  // EMPTY_SET
      return push_items(Kind::list, {});
    case 'l':
    case 0x91:  // FROZENSET
      return push_items(Kind::list, pop_to_mark());
    case '}':
      return push_items(Kind::dict, {});
    case 'd': {
      auto items = pop_to_mark();
      push_items(Kind::dict, {});
      return add(items, true);
    }
    case 'a':
      return add(pop_last(1), false);
    case 'e':
    case 0x90:  // ADDITEMS
      return add(pop_to_mark(), false);
    case 's':
      return add(pop_last(2), true);
    case 'u':
      return add(pop_to_mark(), true);
    // The stack and the memo.
    case '0':
      pop();
      return;
    case '1':
      pop_to_mark();
      return;
    case '2':
      return stack_.push_back(top());
    case 'q':
      return remember(reader_.number<uint8_t>());
    case 'r':
      return remember(reader_.number<uint32_t>());
    case 0x94:  // MEMOIZE
      return remember(static_cast<uint32_t>(memo_.size()));
    case 'h':
      return recall(reader_.number<uint8_t>());
    case 'j':
      return recall(reader_.number<uint32_t>());
    // What Python would import, call or build. Here it only gets a name.
    case 'c': {
      const auto module = line();
      return push_text(Kind::global, named(module, line()));
    }
    case 0x93: {  // STACK_GLOBAL
      const auto parts = pop_last(2);
      return push_text(Kind::global, named(text_of(parts[0]), text_of(parts[1])));
    }
    case 'R': {
      const auto parts = pop_last(2);
      return call(parts[0], parts[1]);
    }
    case 0x81:  // NEWOBJ: class, arguments
      return push_text(Kind::object, class_of(pop_last(2)[0]));
    case 0x92:  // NEWOBJ_EX: class, arguments, named arguments
      return push_text(Kind::object, class_of(pop_last(3)[0]));
    case 'b':  // BUILD: the state of an object, dropped
      pop();
      top();
      return;
    case 'Q':
      return push({.kind = Kind::persistent, .argument = pop()});
    default:
      refuse("unknown pickle opcode", "one of protocols 2 to 5", std::to_string(opcode));
  }
}

Pickle::Pickle(std::span<const std::byte> bytes, const std::string& origin) {
  root_ = PickleMachine(bytes, origin, *this).run();
}

}  // namespace lightswitch::nn
