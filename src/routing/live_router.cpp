#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace lightswitch {

void LiveRouter::Rules::validate() const {
  const auto require = [](bool right, const char* option, const char* expected, double found) {
    if (!right) throw OptionError("out of range", {"", option, expected, std::to_string(found)});
  };
  require(off <= on, "off", "at most `on`", off);
  require(minimum_dwell >= 1, "minimum_dwell", "1 or more samples", static_cast<double>(minimum_dwell));
  require(heavy_share >= 0 && heavy_share <= 1, "heavy_share", "0 … 1", heavy_share);
  require(warm_up >= 0 && std::isfinite(warm_up), "warm_up", "0 or more samples", warm_up);
  require(burst >= 0 && std::isfinite(burst), "burst", "0 or more samples", burst);
}

LiveRouter::LiveRouter(const Rules& rules) : rules_(rules), dwelt_(rules.minimum_dwell), credit_(rules.burst) {
  rules_.validate();
}

Path LiveRouter::next(GateScore score) {
  const double share = rules_.heavy_share;
  // What this sample brings counts for this sample; only what is left over has to fit under the burst.
  credit_ += share;
  const bool may_change = dwelt_ >= rules_.minimum_dwell;
  const double run =
      1 + static_cast<double>(rules_.minimum_dwell - 1) * (1 - share);  // credit that a shortest run takes
  if (path_ == Path::light && may_change && score > rules_.on && credit_ >= rules_.warm_up + run) {
    path_ = Path::heavy;
    credit_ -= rules_.warm_up;
    dwelt_ = 0;
  } else if (path_ == Path::heavy && may_change && (score <= rules_.off || credit_ < 1)) {
    path_ = Path::light;
    dwelt_ = 0;
  }
  if (path_ == Path::heavy) credit_ -= 1;
  credit_ = std::min(credit_, rules_.burst);
  ++dwelt_;
  return path_;
}

}  // namespace lightswitch
