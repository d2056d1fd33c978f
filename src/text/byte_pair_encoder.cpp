#include "text/byte_pair_encoder.hpp"

#include <queue>
#include <tuple>

namespace lightswitch::text {
namespace {

constexpr int32_t kNone = -1;

/// One token of a word in a doubly linked list. A token merged into its left neighbour has the id kNone.
struct Symbol {
  int32_t id;
  int32_t previous, next;
};

/// A merge that was possible when it was queued. Stale once either token has changed.
struct Candidate {
  int32_t rank, place, result;
  bool operator>(const Candidate& other) const { return std::tie(rank, place) > std::tie(other.rank, other.place); }
};

}  // namespace

void BytePairEncoder::encode(std::string_view word, std::vector<int64_t>& ids) const {
  const auto count = static_cast<int32_t>(word.size());
  std::vector<Symbol> symbols(word.size());
  for (int32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<uint8_t>(word[i]);
    const bool last = i + 1 == count;
    symbols[i] = {last ? bytes_.last[byte] : bytes_.inside[byte], i - 1, last ? kNone : i + 1};
  }

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](int32_t place) {
    if (place == kNone || symbols[place].next == kNone) return;
    const Merge* merge = merges_.find(symbols[place].id, symbols[symbols[place].next].id);
    if (merge != nullptr) candidates.push({merge->rank, place, merge->result});
  };
  for (int32_t i = 0; i < count; ++i) consider(i);

  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[best.place];
    if (left.id == kNone || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    const Merge* merge = merges_.find(left.id, right.id);
    if (merge == nullptr || merge->result != best.result) continue;
    left.id = best.result;
    left.next = right.next;
    right.id = kNone;
    if (left.next != kNone) symbols[left.next].previous = best.place;
    consider(left.previous);
    consider(best.place);
  }
  for (const Symbol& symbol : symbols)
    if (symbol.id != kNone) ids.push_back(symbol.id);
}

}  // namespace lightswitch::text
