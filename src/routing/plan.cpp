#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "routing/checks.hpp"

namespace lightswitch {

int64_t heavy_samples(double share, size_t samples, const char* option) {
  if (!(share >= 0 && share <= 1)) throw OptionError("out of range", {"", option, "0 … 1", std::to_string(share)});
  return std::llround(share * static_cast<double>(samples));
}

std::vector<int64_t> RoutePlan::samples(Path path) const {
  std::vector<int64_t> found;
  for (size_t i = 0; i < paths_.size(); ++i)
    if (paths_[i] == path) found.push_back(static_cast<int64_t>(i));
  return found;
}

int64_t RoutePlan::count(Path path) const {
  return std::count(paths_.begin(), paths_.end(), path);
}

double RoutePlan::share(Path path) const {
  return paths_.empty() ? 0 : static_cast<double>(count(path)) / static_cast<double>(paths_.size());
}

int64_t RoutePlan::switch_ons() const {
  int64_t found = 0;
  for (size_t i = 1; i < paths_.size(); ++i) found += paths_[i] == Path::heavy && paths_[i - 1] == Path::light;
  return found;
}

double heavy_cost(const RoutePlan& plan, double warm_up) {
  return static_cast<double>(plan.count(Path::heavy)) + warm_up * static_cast<double>(plan.switch_ons());
}

RoutePlan plan_by_threshold(std::span<const GateScore> scores, GateScore threshold) {
  std::vector<Path> paths(scores.size());
  std::transform(scores.begin(), scores.end(), paths.begin(),
                 [&](GateScore score) { return score > threshold ? Path::heavy : Path::light; });
  return RoutePlan(std::move(paths));
}

RoutePlan plan_by_share(std::span<const GateScore> scores, double heavy_share) {
  const int64_t heavy = heavy_samples(heavy_share, scores.size(), "heavy_share");
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto better = [&](size_t a, size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; };
  std::nth_element(order.begin(), order.begin() + heavy, order.end(), better);
  std::vector<Path> paths(scores.size(), Path::light);
  for (int64_t i = 0; i < heavy; ++i) paths[order[i]] = Path::heavy;
  return RoutePlan(std::move(paths));
}

}  // namespace lightswitch
