#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <queue>
#include <string>

#include "routing/checks.hpp"

namespace lightswitch {
namespace {

/// Budgets are counted in thousandths of a heavy sample, so that a plan is the same on every machine.
constexpr int64_t kSample = 1000;

struct Costs {
  int64_t warm_up;
  int64_t dwell;

  int64_t of(const RoutePlan& plan) const { return plan.count(Path::heavy) * kSample + plan.switch_ons() * warm_up; }
  RoutePlan at_price(std::span<const GateScore> scores, GateScore price) const {
    return plan_runs(scores, {price, int64_t{price} * warm_up / kSample, dwell});
  }
};

/// The plan at the lowest price that keeps the budget. A higher price never costs more.
RoutePlan cheapest_that_fits(std::span<const GateScore> scores, const Costs& costs, int64_t budget) {
  RoutePlan plan = costs.at_price(scores, 0);
  if (costs.of(plan) <= budget) return plan;
  GateScore too_low = 0;
  GateScore fits = 1 + *std::max_element(scores.begin(), scores.end());  // nothing is worth that
  plan = costs.at_price(scores, fits);
  while (fits - too_low > 1) {
    const GateScore price = std::midpoint(too_low, fits);
    RoutePlan tried = costs.at_price(scores, price);
    if (costs.of(tried) > budget) {
      too_low = price;
    } else {
      fits = price;
      plan = std::move(tried);
    }
  }
  return plan;
}

/// Spends what a plan leaves of its budget: light runs are eaten from their ends, best score first, or closed.
class Extension {
 public:
  Extension(std::span<const GateScore> scores, const RoutePlan& plan, const Costs& costs, int64_t left)
      : scores_(scores), paths_(plan.paths()), costs_(costs), left_(left), worth_(scores.size() + 1, 0) {
    for (size_t i = 0; i < scores.size(); ++i) worth_[i + 1] = worth_[i] + scores[i];
  }

  RoutePlan extended() {
    if (count() >= costs_.dwell && std::count(paths_.begin(), paths_.end(), Path::heavy) == 0) first_run();
    collect_gaps();
    for (int64_t before = -1; before != left_;) {  // closing a gap may free a warm-up, and with it more steps
      before = left_;
      for (int64_t gap = 0; gap < static_cast<int64_t>(gaps_.size()); ++gap) offer(gap);
      while (!steps_.empty()) take_best();
    }
    return RoutePlan(std::move(paths_));
  }

 private:
  struct Gap {
    int64_t begin, end;
    int64_t length() const { return end - begin; }
  };
  struct Step {
    int64_t score, gap, begin, end;  ///< the samples that become heavy, and their mean score
    bool operator<(const Step& other) const { return score != other.score ? score < other.score : begin > other.begin; }
  };

  int64_t count() const { return static_cast<int64_t>(scores_.size()); }
  bool may_be_light(int64_t samples) const { return samples == 0 || samples >= costs_.dwell; }

  /// The best single run that the budget pays for.
  void first_run() {
    Gap best{0, 0};
    int64_t most = std::numeric_limits<int64_t>::min();
    for (int64_t begin = 0; begin < count(); ++begin) {
      const int64_t length = (left_ - (begin > 0 ? costs_.warm_up : 0)) / kSample;
      const int64_t end = begin + std::max<int64_t>(length, 0);
      if (length < costs_.dwell || end > count() || !may_be_light(begin) || !may_be_light(count() - end)) continue;
      if (worth_[end] - worth_[begin] <= most) continue;
      most = worth_[end] - worth_[begin];
      best = {begin, end};
    }
    if (best.length() == 0) return;
    std::fill(paths_.begin() + best.begin, paths_.begin() + best.end, Path::heavy);
    left_ -= best.length() * kSample + (best.begin > 0 ? costs_.warm_up : 0);
  }

  void collect_gaps() {
    for (int64_t begin = 0; begin < count();) {
      int64_t end = begin;
      while (end < count() && paths_[end] == Path::light) ++end;
      if (end > begin && end - begin < count()) gaps_.push_back({begin, end});
      begin = std::max(end, begin + 1);
    }
  }

  int64_t cost(const Step& step) const {
    const Gap& gap = gaps_[step.gap];
    const bool closes = step.begin == gap.begin && step.end == gap.end;
    return (step.end - step.begin) * kSample - (closes && gap.end < count() ? costs_.warm_up : 0);
  }

  void offer(int64_t index) {
    const Gap gap = gaps_[index];
    if (gap.length() == 0) return;
    if (gap.length() - 1 < costs_.dwell) {
      steps_.push({(worth_[gap.end] - worth_[gap.begin]) / gap.length(), index, gap.begin, gap.end});
      return;
    }
    if (gap.begin > 0) steps_.push({scores_[gap.begin], index, gap.begin, gap.begin + 1});
    if (gap.end < count()) steps_.push({scores_[gap.end - 1], index, gap.end - 1, gap.end});
  }

  void take_best() {
    const Step step = steps_.top();
    steps_.pop();
    Gap& gap = gaps_[step.gap];
    const bool at_begin = step.begin == gap.begin, at_end = step.end == gap.end;
    const bool still_there = gap.length() > 0 && (at_begin || at_end) && step.begin >= gap.begin && step.end <= gap.end;
    const bool leaves_enough = may_be_light(gap.length() - (step.end - step.begin));
    if (!still_there || !leaves_enough || cost(step) > left_) return;
    left_ -= cost(step);
    std::fill(paths_.begin() + step.begin, paths_.begin() + step.end, Path::heavy);
    if (at_begin)
      gap.begin = step.end;
    else
      gap.end = step.begin;
    offer(step.gap);
  }

  std::span<const GateScore> scores_;
  std::vector<Path> paths_;
  Costs costs_;
  int64_t left_;
  std::vector<int64_t> worth_;
  std::vector<Gap> gaps_;
  std::priority_queue<Step> steps_;
};

}  // namespace

void RunBudget::validate() const {
  heavy_samples(heavy_share, 0, "heavy_share");
  if (!(warm_up >= 0 && warm_up <= 1e6))
    throw OptionError("out of range", {"", "warm_up", "0 … 1000000 samples", std::to_string(warm_up)});
  RunRules{.minimum_dwell = minimum_dwell}.validate();
}

RoutePlan plan_within(std::span<const GateScore> scores, const RunBudget& budget) {
  budget.validate();
  if (scores.empty()) return {};
  const int64_t heavy = heavy_samples(budget.heavy_share, scores.size(), "heavy_share"), whole = heavy * kSample;
  if (heavy == static_cast<int64_t>(scores.size())) return RoutePlan::all(Path::heavy, scores.size());
  const Costs costs{std::llround(budget.warm_up * kSample), budget.minimum_dwell};
  if (costs.warm_up == 0 && costs.dwell == 1) return plan_by_share(scores, budget.heavy_share);
  const RoutePlan plan = cheapest_that_fits(scores, costs, whole);
  return Extension(scores, plan, costs, whole - costs.of(plan)).extended();
}

}  // namespace lightswitch
