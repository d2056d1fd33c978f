#pragma once

#include <lightswitch/denoiser.hpp>
#include <lightswitch/frechet.hpp>
#include <lightswitch/image_encoder.hpp>
#include <lightswitch/metrics.hpp>
#include <lightswitch/scheduler.hpp>
#include <lightswitch/tensor_spec.hpp>
#include <lightswitch/text_encoder.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace lightswitch {

/// Parts loaded from TorchScript archives. The first load sets TorchScript's executor to the simple (non-profiling)
/// mode for the whole process: the one process-wide setting of this library. The profiling executor spends its first
/// calls, and again the first calls of every new shape, on recompiling.
///
/// Every loader throws FileError, FormatError (not an archive, or without the methods it needs).

/// @param inputs names of forward's positional arguments, starting with "sample", "timestep".
/// @param dtype fp32; or bf16, fp16: matrices are held and multiplied in it, norms and sums stay in fp32 (PyTorch's
/// autocast). @throws OptionError for `automatic`.
std::shared_ptr<const Denoiser> load_denoiser(const std::filesystem::path& file, std::vector<std::string> inputs,
                                              int64_t size_multiple = 1, DType dtype = DType::fp32);

/// @param outputs names of what forward(ids) returns, in order.
std::shared_ptr<const TextEncoder> load_text_encoder(const std::filesystem::path& file,
                                                     std::vector<std::string> outputs);

/// forward(pictures [B, 3, size, size] in [0, 1]) gives [B, L, D].
std::shared_ptr<const ImageEncoder> load_image_encoder(const std::filesystem::path& file, int64_t size);

/// A scripted module with init, initial_noise_scale, scale_model_input, needs_noise, step and add_noise.
std::shared_ptr<const Scheduler> load_scheduler(const std::filesystem::path& file);

/// A judge such as LPIPS: forward(picture, reference) takes two batches [N, 3, H, W] in [-1, 1] and returns a distance
/// for each picture.
std::shared_ptr<const PictureDistance> load_picture_distance(const std::filesystem::path& file);

/// A feature network such as Inception: forward(batch) takes pictures [N, 3, H, W], or clips [N, 3, T, H, W], in
/// [-1, 1] and returns [N, D] (or [N, D, 1, 1]). Sizes that it does not take as they are, it has to scale itself.
std::shared_ptr<const FeatureNetwork> load_feature_network(const std::filesystem::path& file);

}  // namespace lightswitch
