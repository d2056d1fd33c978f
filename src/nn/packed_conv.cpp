#include "nn/packed_conv.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "nn/operations.hpp"
#include "nn/ownership.hpp"
#include "nn/vector_code.hpp"

namespace lightswitch::nn {
namespace {

using c10::IValue;

/// Weights of this many bytes are kept in several orders: making one takes as long as a small picture does.
constexpr size_t kSmallWeight = size_t{256} << 10, kMostKept = 32;

/// oneDNN makes output channels by the sixteen: fewer than this many, for four pixels at once, fill them better.
constexpr int64_t kFewOutputs = 4, kAtOnce = 4;

/// The operations of one LibTorch; empty where it lacks any of them.
struct Operations {
  Operation conv = find_operation("mkldnn::_convolution_pointwise");
  Operation conv_add = find_operation("mkldnn::_convolution_pointwise", "binary");
  Operation conv_add_over = find_operation("mkldnn::_convolution_pointwise_", "binary");
  Operation transposed = find_operation("mkldnn::_convolution_transpose_pointwise");
  Operation pack = find_operation("mkldnn::_reorder_convolution_weight");
  Operation pack_transposed = find_operation("mkldnn::_reorder_convolution_transpose_weight");

  bool complete() const { return conv && conv_add && conv_add_over && transposed && pack && pack_transposed; }
  static const Operations& get() {
    static const Operations operations;
    return operations;
  }
};

}  // namespace

std::shared_ptr<const PackedConv> PackedConv::make(const at::Tensor& weight, const at::Tensor& bias,
                                                   const Geometry& geometry) {
  // oneDNN has bf16 on AVX-512 only, as far as LibTorch lets it.
  const bool type_fits = weight.scalar_type() == at::kFloat ||
                         (weight.scalar_type() == at::kBFloat16 && vector_set() == VectorSet::avx512);
  if (!weight.is_cpu() || !type_fits || weight.numel() == 0 || !at::globalContext().userEnabledMkldnn() ||
      !Operations::get().complete())
    return nullptr;
  return std::shared_ptr<const PackedConv>(new PackedConv(weight, bias, geometry));
}

// A picture's last layer: 3x3 to three colours. Four times the outputs in a window of 3x6 are half the multiplications,
// and as [N, H, W / 4, 4 * C] they lie in memory as [N, H, W, C] does.
std::shared_ptr<const PackedConv> PackedConv::four_at_once(const at::Tensor& weight, const at::Tensor& bias,
                                                           const Geometry& geometry) {
  const bool pays = weight.size(0) <= kFewOutputs && weight.size(3) == 3 && geometry.padding == 1 &&
                    geometry.stride == std::array<int64_t, 2>{1, 1} && !geometry.transposed;
  if (!pays) return nullptr;
  std::vector<at::Tensor> shifted;
  for (int64_t pixel = 0; pixel < kAtOnce; ++pixel)
    shifted.push_back(at::constant_pad_nd(weight, {pixel, kAtOnce - 1 - pixel}));
  return make(at::cat(shifted), bias.defined() ? bias.repeat({kAtOnce}) : bias, {.stride = {1, kAtOnce}, .padding = 1});
}

PackedConv::PackedConv(const at::Tensor& weight, const at::Tensor& bias, const Geometry& geometry)
    : geometry_(geometry),
      bias_(bias),
      four_at_once_(four_at_once(weight, bias, geometry)),
      kept_(weight.nbytes() <= kSmallWeight ? kMostKept : 1),
      packed_{{weight.contiguous(), {}}} {
  if (geometry.transposed) original_ = packed_.front().weight;
}

// Another order is made from one that is kept. LibTorch does not unpack the weights of a transposed convolution
// rightly, so those are kept as they came, too.
at::Tensor PackedConv::dense() const {
  if (original_.defined()) return original_;
  const at::Tensor& weight = packed_.front().weight;
  return weight.is_mkldnn() ? weight.to_dense() : weight;
}

double PackedConv::bound(double input) const {
  constexpr double rounding = 1.01;  // bf16 rounds by 1/256
  if (!std::isfinite(input)) return input;
  const std::lock_guard lock(mutex_);
  if (!gain_) {
    // Of a transposed convolution only some taps meet in one output; all of them is more.
    const std::vector<int64_t> inputs = {geometry_.transposed ? 0 : 1, 2, 3};
    gain_ = dense().to(at::kFloat).abs().sum(inputs).max().item<double>();
    shift_ = bias_.defined() ? bias_.to(at::kFloat).abs().max().item<double>() : 0;
  }
  return rounding * (*gain_ * input + shift_);
}

at::Tensor PackedConv::weight_for(at::IntArrayRef input_size) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(packed_, [&](const Packed& one) { return input_size == one.input_size; });
  if (found != packed_.end()) {
    std::rotate(packed_.begin(), found, found + 1);
    return packed_.front().weight;
  }
  const IValue size(input_size.vec()), padding = pair(geometry_.padding), stride = pair(geometry_.stride);
  const Operations& operations = Operations::get();
  at::Tensor weight = geometry_.transposed
                          ? call(*operations.pack_transposed, {dense(), padding, pair(0), stride, pair(1), 1, size})
                          : call(*operations.pack, {dense(), padding, stride, pair(1), 1, size});
  if (packed_.size() == kept_ || packed_.back().input_size.empty()) packed_.pop_back();
  packed_.insert(packed_.begin(), {std::move(weight), input_size.vec()});
  return packed_.front().weight;
}

at::Tensor PackedConv::operator()(Run& run, const at::Tensor& input, at::Tensor residual, Activation act) const {
  const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  if (four_at_once_ && !residual.defined() && x.size(3) % kAtOnce == 0) {
    const at::Tensor rows = (*four_at_once_)(run, x, {}, act).permute({0, 2, 3, 1});
    return rows.view({x.size(0), rows.size(1), x.size(3), -1}).permute({0, 3, 1, 2});
  }
  const at::Tensor weight = weight_for(x.sizes());
  const Operations& operations = Operations::get();
  const IValue padding = pair(geometry_.padding), stride = pair(geometry_.stride), bias = optional_tensor(bias_);
  if (residual.defined()) {
    const bool fused = act == Activation::relu;
    if (!residual.is_contiguous(at::MemoryFormat::ChannelsLast))
      residual = residual.contiguous(at::MemoryFormat::ChannelsLast);
    const bool over = is_sole_owner(residual);
    const IValue unary = fused ? IValue("relu") : IValue();
    at::Tensor y =
        over ? call(*operations.conv_add_over, {std::move(residual), x, weight, bias, padding, stride, pair(1), 1,
                                                "add", IValue(1.0), unary, no_scalars(), IValue()})
             : call(*operations.conv_add, {x, residual, weight, bias, padding, stride, pair(1), 1, "add", IValue(1.0),
                                           unary, no_scalars(), IValue()});
    return fused ? y : activate(run, std::move(y), act);
  }
  at::Tensor y =
      geometry_.transposed
          ? call(*operations.transposed,
                 {x, weight, bias, padding, pair(0), stride, pair(1), 1, fused_name(act), no_scalars(), ""})
          : call(*operations.conv, {x, weight, bias, padding, stride, pair(1), 1, fused_name(act), no_scalars(), ""});
  return act == Activation::gelu ? activate(run, std::move(y), act) : y;
}

}  // namespace lightswitch::nn
