#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/calibration.hpp>
#include <lightswitch/decoder.hpp>
#include <lightswitch/error.hpp>

#include <cstdint>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "nn/magnitudes.hpp"

namespace lightswitch::nn {

/// One pass through a network. Layers compute in it, or only count: then tensors live on the meta device, no arithmetic
/// is done and the layers add up their multiply-adds and the memory they take, as the network defines them: a layer
/// that gets by with fewer counts them all the same, so that figures compare with published ones. Belongs to one
/// thread.
class Run {
 public:
  static Run compute(std::stop_token stop = {}) { return Run(false, std::move(stop)); }
  static Run count() { return Run(true, {}); }
  /// Computes, and notes the statistics of every global norm in `into`.
  static Run measure(NormStatistics& into, std::stop_token stop) {
    Run run(false, std::move(stop));
    run.measured_ = &into;
    return run;
  }
  /// Computes with statistics that measure() has noted.
  static Run with(const NormStatistics& statistics, std::stop_token stop) {
    Run run(false, std::move(stop));
    run.given_ = &statistics;
    return run;
  }

  /// Computes, and looks at what every named layer makes. @throws NumericError, whose field names the first layer with
  /// NaN or infinity.
  static Run trace(std::stop_token stop) {
    Run run(false, std::move(stop));
    run.tracing_ = true;
    return run;
  }

  /// Computes, and notes in `into` what the layers are given that an int8 network would round.
  static Run watch(Calibration& into, std::stop_token stop) {
    Run run(false, std::move(stop));
    run.watched_ = &into;
    return run;
  }
  bool watching() const { return watched_ != nullptr; }
  void watch(const std::string& layer, const at::Tensor& x);

  bool counting() const { return counting_; }
  int64_t macs() const { return macs_; }
  void add_macs(int64_t macs) { macs_ += macs; }

  /// Counting: passes on a meta tensor that stands for memory the layer would take, and follows how much is taken at
  /// one time, as tensors come and go.
  at::Tensor planned(at::Tensor y);
  int64_t peak_bytes() const { return peak_bytes_; }

  /// The statistics a global norm works with: what `own` computes from its input, unless others were given.
  template <typename Own>
  at::Tensor norm_statistics(Own&& own) {
    if (given_) return given_->at(next_norm_++);
    at::Tensor statistics = own();
    if (measured_) measured_->push_back(statistics);
    return statistics;
  }

  /// Passes on what a layer has made.
  at::Tensor made(const std::string& layer, at::Tensor y) const {
    if (tracing_) require_finite(layer, y);
    return y;
  }

  /// How large the numbers of tensors can be.
  Magnitudes& magnitudes() { return magnitudes_; }

  /// @throws NumericError naming the layer when what it has made holds NaN or infinity.
  static void require_finite(const std::string& layer, const at::Tensor& y);

  /// @throws Cancelled; every layer that does real work calls it first.
  void checkpoint() const {
    if (stop_.stop_requested()) throw Cancelled();
  }

 private:
  Run(bool counting, std::stop_token stop) : counting_(counting), stop_(std::move(stop)) {}

  bool counting_;
  bool tracing_ = false;
  int64_t macs_ = 0;
  std::vector<std::pair<c10::weak_intrusive_ptr<c10::StorageImpl>, int64_t>> planned_;
  int64_t peak_bytes_ = 0;
  NormStatistics* measured_ = nullptr;
  const NormStatistics* given_ = nullptr;
  size_t next_norm_ = 0;
  Calibration* watched_ = nullptr;
  Magnitudes magnitudes_;
  std::stop_token stop_;
};

}  // namespace lightswitch::nn
