#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder_registry.hpp>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "nn/int8/rounding.hpp"

namespace lightswitch::nn {

/// How a file spells the names that a network asks for.
struct TensorNames {
  /// Start of every name that is this network's in a file that holds other parts of a model too
  /// ("first_stage_model."); those parts are not looked at.
  std::string scope = {};
  /// From the name asked for to the stored one, both without the scope; empty where they are the same.
  std::function<std::string(const std::string&)> stored = {};
};

/// Hands a network its tensors and keeps the books: what was taken, missing, misshapen; what nobody asked for.
/// Nothing throws until finish(), so that one error lists everything that is wrong.
class WeightLoader {
 public:
  /// @param prefix part of the file that is this network ("decoder."); names given to take() are relative to it.
  /// @param siblings prefixes of known neighbours ("encoder.", "quant_conv.") that are skipped; anything else left over
  /// inside or outside the prefix is unexpected.
  /// @param names where the file names its tensors otherwise than the network; errors show the file's names.
  WeightLoader(const NetworkRequest& request, std::string prefix, std::vector<std::string> siblings = {},
               TensorNames names = {});

  /// The tensor as contiguous fp32, or zeros of that shape once its absence or shape has been noted.
  at::Tensor take(const std::string& name, at::IntArrayRef shape);
  /// take() for a name outside the prefix, such as "post_quant_conv.weight".
  at::Tensor take_absolute(const std::string& name, at::IntArrayRef shape);
  bool has(const std::string& name) const;
  bool has_absolute(const std::string& name) const;
  /// Shape of a stored tensor, empty when it is not there. For reading widths and depths from the file.
  std::vector<int64_t> shape_of(const std::string& name) const;
  std::vector<int64_t> shape_of_absolute(const std::string& name) const;
  /// One axis of a stored convolution's weight; `fallback` when it is not there, has not four axes, or is empty along
  /// this one: take() then reports it.
  int64_t axis_of(const std::string& name, size_t axis, int64_t fallback) const;
  int64_t axis_of_absolute(const std::string& name, size_t axis, int64_t fallback) const;
  /// What take(name) looks for in the file.
  std::string full_name(const std::string& name) const { return stored_name(prefix_ + name); }
  /// Marks a stored tensor as known and unneeded ("num_batches_tracked").
  void ignore(const std::string& name);

  /// Element type the layers compute in.
  at::ScalarType dtype() const { return dtype_; }
  c10::Device device() const { return request_.device; }
  /// Whether this is an int8 network, and how a layer of it rounds its input.
  bool rounds() const { return request_.dtype == DType::int8; }
  Rounding rounding_of(const std::string& layer);
  const Config& config() const { return request_.config; }
  const std::string& origin() const { return request_.weights->origin(); }
  /// Trained numbers taken so far, as stored.
  int64_t parameters() const { return parameters_; }
  /// Facts about the network once all of it was taken.
  NetworkInfo info(std::string family, std::string configuration) const;

  /// @throws WeightsError with the counts and the first ten names each of missing, unexpected and misshapen tensors, or
  /// of layers for which the calibration has no range, or one too many.
  void finish() const;

 private:
  std::string stored_name(const std::string& absolute) const;
  /// The sibling that a stored tensor belongs to, outside of the scope the first word of its name; empty where it is
  /// this network's.
  std::string other_part(const std::string& name) const;
  void check_calibration() const;

  NetworkRequest request_;
  std::string prefix_;
  std::vector<std::string> siblings_;
  TensorNames names_;
  at::ScalarType dtype_;
  std::set<std::string> taken_;
  std::set<std::string> rounded_;
  std::vector<std::string> missing_, misshapen_;
  int64_t parameters_ = 0;
};

/// What `automatic` means on this machine: bf16 where the CPU has bf16 multiply-adds (AVX-512 BF16 or AMX) or on a GPU,
/// else fp32.
/// @throws UnsupportedError for fp16 on a CPU.
DType resolve_dtype(DType asked, c10::Device device);
at::ScalarType scalar_type(DType resolved);

/// The configuration keys every family honours: scaling_factor, shift_factor, output_range, latent_kind, space.
/// @throws OptionError for a value that does not parse.
void apply_common_config(LatentSpec& spec, const Config& config);
/// Typed look-ups. @throws OptionError naming the key when the text is not such a number.
int64_t config_int(const Config& config, const std::string& key, int64_t fallback);
double config_double(const Config& config, const std::string& key, double fallback);
std::string config_text(const Config& config, const std::string& key, const std::string& fallback);

}  // namespace lightswitch::nn
