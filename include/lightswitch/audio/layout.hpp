#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lightswitch::audio {

/// What stands between the convolutions of a network.
enum class Activation {
  leaky,  ///< max(x, 0.3 x), as Lyra V2 has it
  elu,    ///< x above 0, exp(x) - 1 below, as SoundStream's paper has it
};

/// One change of the time step and the residual units beside it, told from the decoder's side: a transposed
/// convolution makes `stride` steps of one, the units follow at `channels`. An encoder runs the same stage backwards.
struct Stage {
  int64_t channels = 64;                ///< at the finer time step, where the units work
  int64_t stride = 2;                   ///< finer steps in one coarser step
  int64_t kernel = 4;                   ///< of the resampling convolution, in finer steps; at least `stride`
  int64_t groups = 1;                   ///< of the resampling convolution
  std::vector<int64_t> dilations = {};  ///< of the residual units, in order; one unit each
  int64_t unit_groups = 1;              ///< of the 1x1 convolution that ends a unit
};

/// The shape of a causal SoundStream network (arXiv 2107.03312, section III). The same layout describes a decoder, from
/// features to samples, and, run backwards, its encoder.
///
/// Decoder: convolution features -> widest; for each stage activation, transposed convolution, units; activation,
/// transposed convolution to one channel of samples. A unit is x + mix(act(conv(act(x)))), where conv is a depthwise
/// and a 1x1 convolution (`separable`) or a full one, and mix is a grouped 1x1 convolution.
struct Layout {
  int64_t features = 64;  ///< numbers in the embedding of a frame
  int64_t widest = 512;   ///< channels at the frame rate
  int64_t widest_kernel = 3;
  int64_t widest_groups = 1;
  std::vector<Stage> stages = {};  ///< from the frame rate to the sample rate
  int64_t sample_stride = 1;       ///< samples made of one step of the last stage
  int64_t sample_kernel = 7;       ///< of the convolution beside the samples; at least sample_stride
  int64_t unit_kernel = 7;
  bool separable = false;
  Activation activation = Activation::elu;

  /// Samples in a frame: the product of all strides.
  int64_t hop() const;
  /// @throws OptionError naming the field: sizes below 1, kernels shorter than their stride, groups that do not divide.
  void validate() const;

  /// Lyra V2's decoder (and encoder): separable, grouped, 16*5*2*2 = 320 samples, 660,289 parameters.
  static Layout heavy();
  /// The light decoder of the same latent space: 27,673 parameters.
  static Layout light();
  /// The paper's: full convolutions of 7, dilations 1, 3, 9, ELU. `channels` are those beside the samples (C in the
  /// paper); `strides` are told from the samples, as the paper does (2, 4, 5, 8).
  static Layout paper(int64_t channels = 32, const std::vector<int64_t>& strides = {2, 4, 5, 8}, int64_t features = 64);

  /// As text for a weight file's metadata: PREFIX.channels, .strides, .kernels, .groups, .unit_groups, .dilations,
  /// .unit_kernel, .separable, .activation, .features; lists are told from the frame rate to the sample rate.
  std::map<std::string, std::string> to_metadata(const std::string& prefix) const;
  /// @throws OptionError naming the key that is missing or does not parse.
  static Layout from_metadata(const std::map<std::string, std::string>& metadata, const std::string& prefix);
};

}  // namespace lightswitch::audio
