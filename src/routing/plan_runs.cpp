#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <algorithm>
#include <limits>
#include <string>

namespace lightswitch {
namespace {

constexpr int64_t kImpossible = std::numeric_limits<int64_t>::min() / 4;

/// Best value of the samples before each place whose last run takes one path and is long enough, and where that run
/// began.
struct Ends {
  std::vector<int64_t> value, begin;
  explicit Ends(size_t samples) : value(samples + 1, kImpossible), begin(samples + 1, 0) { value[0] = 0; }
};

/// The best place for a run to begin, of those that lie far enough back.
struct Beginning {
  int64_t value = kImpossible, place = 0;
  void offer(int64_t other, int64_t at) {
    if (other > value) *this = {other, at};
  }
};

}  // namespace

void RunRules::validate() const {
  if (switch_cost < 0) throw OptionError("out of range", {"", "switch_cost", "0 or more", std::to_string(switch_cost)});
  if (minimum_dwell < 1)
    throw OptionError("out of range", {"", "minimum_dwell", "1 or more samples", std::to_string(minimum_dwell)});
}

RoutePlan plan_runs(std::span<const GateScore> scores, const RunRules& rules) {
  rules.validate();
  const auto n = static_cast<int64_t>(scores.size());
  std::vector<int64_t> worth(n + 1, 0);  // of the first i samples, were they all heavy
  for (int64_t i = 0; i < n; ++i) worth[i + 1] = worth[i] + scores[i] - rules.price;
  if (n < rules.minimum_dwell) return RoutePlan::all(worth[n] > 0 ? Path::heavy : Path::light, scores.size());

  Ends light(n), heavy(n);
  Beginning of_light, of_heavy;
  for (int64_t end = rules.minimum_dwell; end <= n; ++end) {
    const int64_t begin = end - rules.minimum_dwell;
    of_light.offer(heavy.value[begin], begin);
    of_heavy.offer(light.value[begin] - worth[begin] - (begin > 0 ? rules.switch_cost : 0), begin);
    light.value[end] = of_light.value;
    light.begin[end] = of_light.place;
    heavy.value[end] = of_heavy.value + worth[end];
    heavy.begin[end] = of_heavy.place;
  }
  std::vector<Path> paths(n, Path::light);
  bool on = heavy.value[n] > light.value[n];
  for (int64_t end = n; end > 0; on = !on) {
    const int64_t begin = (on ? heavy : light).begin[end];
    if (on) std::fill(paths.begin() + begin, paths.begin() + end, Path::heavy);
    end = begin;
  }
  return RoutePlan(std::move(paths));
}

}  // namespace lightswitch
