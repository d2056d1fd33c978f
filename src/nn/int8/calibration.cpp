#include <lightswitch/calibration.hpp>

#include <algorithm>

namespace lightswitch {

void Calibration::widen(const Calibration& other) {
  for (const auto& [layer, range] : other.ranges) {
    ActivationRange& own = ranges[layer];
    own = {std::min(own.low, range.low), std::max(own.high, range.high)};
  }
}

}  // namespace lightswitch
