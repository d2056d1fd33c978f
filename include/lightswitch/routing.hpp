#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

/// Learned routing between a light and a heavy path, the same for tiles and frames of pictures and for frames of sound.
///
/// A gate scores samples, a plan turns scores into a path for each of them, dispatch() and combine() run each path on
/// its own samples alone. Source: Dynamic Switch Layers for Unsupervised Learning (arXiv 2404.04405), which extends
/// Gated Compression layers (arXiv 2303.08970); plans, costs and fixed point are this project's.
namespace lightswitch {

enum class Path : uint8_t { light, heavy };

/// How much better the heavy path is expected to do on a sample, in units of 1 / gate_score_one of whatever error the
/// gate was trained on. An integer: equal scores give equal plans on every machine and with any number of threads.
using GateScore = int32_t;
inline constexpr GateScore gate_score_one = 1 << 16;

/// @param scores [n] floating point, each rounded to the nearest fixed-point number.
/// @throws TensorError for another shape or dtype, NumericError for NaN, infinity or a magnitude of 16384 and more.
std::vector<GateScore> to_gate_scores(const at::Tensor& scores);

/// What a path costs for one sample.
struct PathCost {
  int64_t macs = 0;        ///< multiply-adds
  int64_t parameters = 0;  ///< trained numbers that it reads
};

/// Rules for samples that follow each other, where a change to the heavy path is not free: it has to be warmed up.
struct RunRules {
  GateScore price = 0;  ///< what a heavy sample must be worth
  int64_t switch_cost =
      0;  ///< what a change from light to heavy must be worth beside that, in units of GateScore; 0 or more
  int64_t minimum_dwell = 1;  ///< samples that a path keeps once taken; a sequence shorter than that keeps one path

  /// @throws OptionError.
  void validate() const;
};

/// A budget for samples that follow each other.
struct RunBudget {
  double heavy_share = 0;     ///< of all samples, 0 … 1; warm-ups are paid from it
  double warm_up = 0;         ///< heavy samples that a change from light to heavy costs, 0 or more
  int64_t minimum_dwell = 1;  ///< as in RunRules

  /// @throws OptionError.
  void validate() const;
};

/// The path of every sample. Made by the functions below from scores and a rule, and from nothing else.
class RoutePlan {
 public:
  RoutePlan() = default;
  explicit RoutePlan(std::vector<Path> paths) : paths_(std::move(paths)) {}
  static RoutePlan all(Path path, size_t count) { return RoutePlan(std::vector<Path>(count, path)); }

  size_t size() const { return paths_.size(); }
  Path operator[](size_t sample) const { return paths_[sample]; }
  const std::vector<Path>& paths() const { return paths_; }
  bool operator==(const RoutePlan&) const = default;

  /// Those that take this path, in order.
  std::vector<int64_t> samples(Path path) const;
  int64_t count(Path path) const;
  /// 0 for a plan without samples.
  double share(Path path) const;
  /// Changes from light to heavy. A heavy start is none: there is nothing before it to warm up with.
  int64_t switch_ons() const;

 private:
  std::vector<Path> paths_;
};

/// Heavy where the score is above the threshold.
RoutePlan plan_by_threshold(std::span<const GateScore> scores, GateScore threshold);

/// Heavy for the round(heavy_share * n) largest scores; of equal scores the earlier ones.
/// @throws OptionError unless heavy_share lies in 0 … 1.
RoutePlan plan_by_share(std::span<const GateScore> scores, double heavy_share);

/// The plan worth most: the sum over heavy samples of score - price, less switch_cost for every change to heavy.
/// Two-state Viterbi, linear in the samples.
/// @throws OptionError.
RoutePlan plan_runs(std::span<const GateScore> scores, const RunRules& rules);

/// plan_runs() at the lowest price (a Lagrange multiplier, found by bisection) that keeps a budget, what is left of it
/// spent on longer runs. Heavy samples and warm-ups together never exceed round(heavy_share * n), and are less than one
/// sample below it unless warm_up or minimum_dwell leave no such plan within reach.
/// @throws OptionError.
RoutePlan plan_within(std::span<const GateScore> scores, const RunBudget& budget);

/// Heavy samples that a plan costs, warm-ups included.
double heavy_cost(const RoutePlan& plan, double warm_up);

/// Routing one sample after the other, where those to come are not known. Copyable; equal inputs give equal paths.
class LiveRouter {
 public:
  struct Rules {
    GateScore on = 0;           ///< light changes to heavy above this
    GateScore off = 0;          ///< heavy changes to light at or below this; at most `on`
    int64_t minimum_dwell = 1;  ///< as in RunRules
    double heavy_share = 1;     ///< of all samples so far, warm-ups included, but for `burst`
    double warm_up = 0;         ///< as in RunBudget
    double burst = 50;          ///< heavy samples that may be saved up, and are there at the start

    /// @throws OptionError.
    void validate() const;
  };

  /// @throws OptionError.
  explicit LiveRouter(const Rules& rules);
  Path next(GateScore score);

 private:
  Rules rules_;
  Path path_ = Path::light;
  int64_t dwelt_;
  double credit_;
};

/// How a batch is planned once its scores are known.
using RouteRule = std::function<RoutePlan(std::span<const GateScore>)>;

/// Samples of a batch by path, each in order; undefined where a path has none.
struct Dispatched {
  at::Tensor light, heavy;
};

/// @param samples [n, …], n = plan.size(). @throws TensorError.
Dispatched dispatch(const RoutePlan& plan, const at::Tensor& samples);

/// The inverse of dispatch() for what the paths made of their samples: [n, …] in the order of the plan.
/// @param light, heavy [count, …] of equal shape but for the count; undefined where the plan has none.
/// @throws TensorError.
at::Tensor combine(const RoutePlan& plan, const at::Tensor& light, const at::Tensor& heavy);

/// Predicts from the features of a sample what the heavy path would gain. Trained without labels, by regression on the
/// difference that both paths really made.
class Gate {
 public:
  virtual ~Gate() = default;
  /// @param features [n, …] float32. @return [n] float32.
  virtual at::Tensor scores(const at::Tensor& features) const = 0;
  /// @param shape of the features of one sample, without n.
  virtual PathCost cost(at::IntArrayRef shape) const = 0;
};

/// weight · mean of each channel + bias.
class LinearGate final : public Gate {
 public:
  /// @param weight [C] floating point, bias [1]. @throws TensorError, NumericError.
  LinearGate(const at::Tensor& weight, const at::Tensor& bias);
  at::Tensor scores(const at::Tensor& features) const override;
  PathCost cost(at::IntArrayRef shape) const override;

 private:
  at::Tensor weight_;
  float bias_;
};

/// Both figures, always: what a routed sample saves, and what all samples save on average.
struct RoutingStats {
  int64_t light = 0, heavy = 0;  ///< samples
  PathCost light_cost, heavy_cost, gate_cost;
  PathCost shared_cost;      ///< of what every sample goes through before the paths part
  int64_t warm_up_macs = 0;  ///< in all, for paths that meet: warm-ups, what is made both ways, borders computed twice
  double light_ms = 0, heavy_ms = 0, gate_ms = 0, shared_ms = 0;

  int64_t samples() const { return light + heavy; }
  double light_share() const;
  /// Multiply-adds of all samples: shared part, gate and warm-ups included.
  int64_t macs() const;
  /// Multiply-adds of a heavy sample over those of a light one with its gate, both with what is shared.
  double reduction_per_sample() const;
  /// Multiply-adds of all samples on the heavy path over what they took.
  double mean_reduction() const;
  /// Parameters of the heavy path over those of the light one and the gate, both with what is shared.
  double parameter_reduction() const;
  /// Parameters that were read at all.
  int64_t parameters_touched() const;
  /// Adds samples of the same paths. @throws TensorError when the costs differ.
  RoutingStats& operator+=(const RoutingStats& more);
};

/// A path: a batch of samples [n, …] to what it makes of them, [n, …].
struct PathNetwork {
  std::function<at::Tensor(const at::Tensor& batch)> forward;
  std::function<PathCost(at::IntArrayRef shape)> cost;
};

/// Dynamic switch layer: a mask that says which channels the light path gets to see, a switch that chooses the path
/// of every sample, and the two paths. A path that no sample takes is not run.
class SwitchLayer {
 public:
  /// @param mask [C] float32 multiplies the channels of what the light path reads; undefined: it reads everything.
  SwitchLayer(std::shared_ptr<const Gate> gate, PathNetwork light, PathNetwork heavy, at::Tensor mask = {});

  struct Result {
    at::Tensor output;  ///< [n, …] in the order of the samples; undefined for none
    RoutePlan plan;
    RoutingStats stats;
  };
  /// @param features [n, C, …] float32. @throws TensorError, NumericError, what the rule and the paths throw.
  Result forward(const at::Tensor& features, const RouteRule& rule) const;

 private:
  std::shared_ptr<const Gate> gate_;
  PathNetwork light_, heavy_;
  at::Tensor mask_;
};

/// Gated compression layer (arXiv 2303.08970): samples that the gate finds negative stop here, those that go on carry
/// only the channels that the mask keeps.
class GatedCompression {
 public:
  /// @param mask [C] float32; a channel of 0 is not passed on at all. @throws TensorError, NumericError.
  GatedCompression(std::shared_ptr<const Gate> gate, GateScore threshold, const at::Tensor& mask);

  struct Result {
    RoutePlan plan;      ///< heavy: goes on
    at::Tensor kept;     ///< [n, kept channels, …]: those that go on, compressed; undefined for none
    RoutingStats stats;  ///< of the gate alone; the caller knows what follows
  };
  /// @param features [n, C, …] float32. @throws TensorError, NumericError.
  Result forward(const at::Tensor& features) const;
  /// The channels that go on, in order.
  const std::vector<int64_t>& channels() const { return channels_; }

 private:
  std::shared_ptr<const Gate> gate_;
  GateScore threshold_;
  at::Tensor mask_;
  std::vector<int64_t> channels_;
};

}  // namespace lightswitch
