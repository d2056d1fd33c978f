#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace lightswitch::testing {

/// Damages files in the ways that break readers: single bits, lengths and offsets at the edges of their types, pieces
/// cut out, doubled, moved, or taken from another file. Depends on the seed alone.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  /// @param others files to take pieces from. @return one to eight damages to `bytes`.
  std::string operator()(std::string bytes, const std::vector<std::string>& others);

 private:
  size_t below(size_t limit);
  void damage(std::string& bytes, const std::vector<std::string>& others);

  std::mt19937_64 random_;
};

}  // namespace lightswitch::testing
