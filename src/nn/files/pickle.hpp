#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lightswitch::nn {

/// A pickle taken apart, nothing of it executed: a call stays the note that something was to be called. Values refer to
/// each other by index, so that neither depth nor cycles of a hostile file cost more than its bytes.
class Pickle {
 public:
  using Id = uint32_t;
  enum class Kind : uint8_t {
    none,
    boolean,     ///< integer is 0 or 1
    integer,     ///< integer
    real,        ///< real
    text,        ///< text, UTF-8 as far as the writer was honest
    bytes,       ///< text
    tuple,       ///< items
    list,        ///< items; sets too
    dict,        ///< items: key, value, key, value …
    global,      ///< text is "module.name"
    call,        ///< text is the callable's name, argument its arguments; items are set later as in a dict or list
    persistent,  ///< argument is the tuple that names something outside the pickle
    object,      ///< text is the class; what it holds is dropped
  };
  struct Value {
    Kind kind = Kind::none;
    Id argument = 0;
    int64_t integer = 0;
    double real = 0;
    std::string_view text{};
    std::vector<Id> items{};
  };

  /// Reads protocols 2 to 5. @param bytes must outlive the object: texts are views of them.
  /// @throws FormatError naming `origin` and the position for whatever is no sound pickle.
  Pickle(std::span<const std::byte> bytes, const std::string& origin);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const Value& root() const { return values_[root_]; }
  const Value& operator[](Id id) const { return values_[id]; }
  /// Every value made on the way, in order.
  const std::vector<Value>& values() const { return values_; }

 private:
  friend class PickleMachine;
  std::vector<Value> values_;
  std::deque<std::string> names_;  // "module.name" texts that the values look at; a deque leaves them where they are
  Id root_ = 0;
};

}  // namespace lightswitch::nn
