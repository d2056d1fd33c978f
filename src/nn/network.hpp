#pragma once

#include <lightswitch/decoder.hpp>

#include <functional>
#include <optional>

#include "nn/layers.hpp"

namespace lightswitch::nn {

/// What every native network does the same way: refuse bad input, bring it into the layers' form and back, compute or
/// count. A family's class fills in spec, info, dtype and device when it is built, and says in pass() what its layers
/// do.
template <typename Interface>
class Network : public Interface, private SharedNorms, private Calibrating {
 public:
  const LatentSpec& spec() const final { return spec_; }
  const NetworkInfo& info() const final { return info_; }
  at::Tensor forward(const at::Tensor& input, std::stop_token stop) const final;
  std::string first_non_finite_layer(const at::Tensor& input, std::stop_token stop) const;
  int64_t macs(int64_t height, int64_t width) const final;
  std::optional<int64_t> activation_bytes(int64_t height, int64_t width) const;
  /// Of decoders; pictures that are encoded are never cut into tiles.
  const SharedNorms* shared_norms() const { return this; }
  const Calibrating* calibrating() const { return this; }

 protected:
  explicit Network(const NetworkRequest& request);
  /// What is done to the input before it takes the layers' form and dtype: codebooks work in fp32.
  virtual at::Tensor prepare(Run& /*run*/, const at::Tensor& input) const { return input; }
  /// @param x in the layers' form, or a meta tensor of that shape when the run only counts.
  virtual at::Tensor pass(Run& run, const at::Tensor& x) const = 0;

  using Pass = std::function<at::Tensor(Run& run, const at::Tensor& x)>;
  /// forward() with another pass, one that tells what it does.
  at::Tensor forward_by(const Pass& way, const at::Tensor& input, std::stop_token stop) const;

  LatentSpec spec_;
  NetworkInfo info_;

 private:
  NormStatistics measure(const at::Tensor& input, std::stop_token stop) const final;
  at::Tensor forward_with(const NormStatistics& statistics, const at::Tensor& input, std::stop_token stop) const final;
  Calibration watch(const at::Tensor& input, std::stop_token stop) const final;
  Run count(int64_t height, int64_t width) const;
  at::Tensor compute(Run run, const at::Tensor& input) const;
  at::Tensor compute(Run run, const at::Tensor& input, const Pass& way) const;

  c10::Device device_;
};

using DecoderNetwork = Network<Decoder>;
using EncoderNetwork = Network<Encoder>;

}  // namespace lightswitch::nn
