#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

namespace lightswitch {

/// The Fréchet distance of two sets of pictures or clips: how far apart the normal distributions of their features are
/// (Heusel et al. 2017, arXiv 1706.08500, with Inception's features; Unterthiner et al. 2018, arXiv 1812.01717, with
/// features of clips). What the figure means depends on the feature network alone, which the user brings.

/// Turns pictures or clips into features. See load_feature_network() in torchscript.hpp.
class FeatureNetwork {
 public:
  virtual ~FeatureNetwork() = default;
  /// @param batch [N, 3, H, W] in [0, 1], or [N, 3, T, H, W] for a network of clips.
  /// @return [N, D] float32. @throws TensorError, NumericError, Error (what the network itself refuses).
  virtual at::Tensor features(const at::Tensor& batch) const = 0;
};

/// How a clip becomes one row of features.
enum class ClipFeatures {
  of_clip,         ///< the network takes clips: one look at all frames, as the Fréchet video distance is defined
  mean_of_frames,  ///< the network takes pictures: the mean of the frames' features, which does not see motion
};

/// @param clip [T, 3, H, W] in [0, 1], frames in order. @return [1, D]. @throws as FeatureNetwork.
at::Tensor clip_features(const FeatureNetwork& network, const at::Tensor& clip, ClipFeatures how);

/// Mean and covariance of features, gathered as they come, in double precision: memory depends on the number of
/// dimensions alone. Deviations are summed about a running mean (Chan, Golub, LeVeque 1983), so a large mean costs no
/// digits. Parts that were gathered apart, in shards, merge into what the whole would have given.
class FeatureStatistics {
 public:
  /// @param source what made the features, in words that are compared: statistics of different sources neither merge
  /// nor have a distance. Empty: not known, goes with everything.
  explicit FeatureStatistics(std::string source = {}) : source_(std::move(source)) {}

  /// @param features [N, D], floating point; D is fixed by the first call. Many rows at once are cheaper than one by
  /// one. @throws TensorError for another shape, NumericError for NaN or infinity: nothing is then added.
  void add(const at::Tensor& features);
  /// @throws TensorError for another D or source.
  void merge(const FeatureStatistics& other);

  const std::string& source() const { return source_; }
  int64_t count() const { return count_; }
  /// 0 before anything was added.
  int64_t dimensions() const { return mean_.defined() ? mean_.numel() : 0; }
  /// [D] float64. @throws TensorError without samples.
  const at::Tensor& mean() const;
  /// [D, D] float64, divided by one less than the number of samples. @throws TensorError for fewer than two.
  at::Tensor covariance() const;

  /// Keeps what was gathered, in full precision: a safetensors file of 8 D² bytes. @throws FileError; TensorError
  /// without samples.
  void save(const std::filesystem::path& file) const;
  /// @throws FileError, FormatError (not such a file, or not statistics that can be), NumericError.
  static FeatureStatistics load(const std::filesystem::path& file);

 private:
  std::string source_;
  int64_t count_ = 0;
  at::Tensor mean_;     ///< [D]
  at::Tensor scatter_;  ///< [D, D]: sum of the outer products of deviations from the mean
};

/// |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½). 0 for equal distributions. Covariances of fewer samples than dimensions are
/// singular, which is no obstacle to the arithmetic; the figure is then far from that of many samples, and with few
/// samples always too large: only sets of equal size compare.
/// @throws TensorError for fewer than two samples, for different dimensions and for different sources.
double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b);

}  // namespace lightswitch
