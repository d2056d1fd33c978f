#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lightswitch::cli {

/// The number that a share of all is no larger than; 0 of none.
inline double quantile(std::vector<double> numbers, double share) {
  if (numbers.empty()) return 0;
  std::ranges::sort(numbers);
  return numbers[static_cast<size_t>(share * static_cast<double>(numbers.size() - 1) + 0.5)];
}

}  // namespace lightswitch::cli
