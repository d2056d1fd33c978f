#include "fuzz/mutate.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace lightswitch::testing {
namespace {

constexpr size_t kLongestPiece = 64;
constexpr std::array<uint64_t, 16> kEdges{0,
                                          1,
                                          2,
                                          0x7f,
                                          0x80,
                                          0xff,
                                          0x7fff,
                                          0xffff,
                                          0x7fffffff,
                                          0x80000000,
                                          0xffffffff,
                                          0x100000000,
                                          0x3fffffffffffffff,
                                          0x7fffffffffffffff,
                                          0x8000000000000000,
                                          0xffffffffffffffff};

}  // namespace

// A remainder, not a distribution: the standard leaves open what distributions make of the same numbers.
size_t Mutator::below(size_t limit) {
  return limit == 0 ? 0 : random_() % limit;
}

std::string Mutator::operator()(std::string bytes, const std::vector<std::string>& others) {
  for (size_t damages = 1 + below(8); damages > 0; --damages) damage(bytes, others);
  return bytes;
}

void Mutator::damage(std::string& bytes, const std::vector<std::string>& others) {
  const size_t at = below(bytes.size() + 1);
  const size_t piece = std::min(below(kLongestPiece), bytes.size() - at);
  switch (below(9)) {
    case 0:
      if (at < bytes.size()) bytes[at] ^= static_cast<char>(1 << below(8));
      return;
    case 1:
      if (at < bytes.size()) bytes[at] = static_cast<char>(below(256));
      return;
    case 2: {
      const uint64_t edge = kEdges[below(kEdges.size())] + below(3) - 1;
      const size_t width = std::min(size_t(1) << below(4), bytes.size() - at);
      std::memcpy(bytes.data() + at, &edge, width);
      return;
    }
    case 3: {  // a number that is there, made a little larger or smaller
      uint64_t number = 0;
      const size_t width = std::min(size_t(1) << below(4), bytes.size() - at);
      std::memcpy(&number, bytes.data() + at, width);
      number += below(17) - 8;
      std::memcpy(bytes.data() + at, &number, width);
      return;
    }
    case 4:
      bytes.erase(at, piece);
      return;
    case 5:
      bytes.insert(at, bytes.substr(at, piece));
      return;
    case 6: {
      const std::string moved = bytes.substr(at, piece);
      bytes.erase(at, piece);
      bytes.insert(below(bytes.size() + 1), moved);
      return;
    }
    case 7: {
      const std::string& other = others[below(others.size())];
      bytes.replace(at, piece, other.substr(below(other.size() + 1), below(kLongestPiece)));
      return;
    }
    default:
      if (below(8) == 0) bytes.resize(at);  // rarely: most of a short file is an early refusal
  }
}

}  // namespace lightswitch::testing
