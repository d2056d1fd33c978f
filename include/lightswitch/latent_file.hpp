#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/tensor_spec.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lightswitch {

/// A latent file: safetensors with one tensor `latents` [N, C, h, w], of clips [N, C, T, h, w] (or `indices` [N, h, w]
/// int64), and text metadata.
struct LatentFile {
  at::Tensor latents;
  LatentKind kind = LatentKind::diffusion;
  std::string space;                     ///< name of the latent space, empty when unknown
  std::optional<double> scaling_factor;  ///< of the space
  std::optional<double> shift_factor;    ///< of the space
  std::optional<int64_t> width, height;  ///< pixels, where the picture was padded up to the factor: decode crops back
  std::optional<double> fps;             ///< of a clip, frames per second
  std::optional<int64_t> seed;
  std::string prompt, model;
};

/// @param assume_kind, assume_scaling_factor used for files without `format` metadata (plain safetensors with
/// `latents`); such a file is refused when either is missing.
/// @param in_place leaves the numbers in the mapped file, which must stay as it is while they are in use: for clips
/// longer than memory.
/// @throws FileError, FormatError (naming the metadata field, expected and found).
LatentFile read_latents(const std::filesystem::path& file, std::optional<LatentKind> assume_kind = {},
                        std::optional<double> assume_scaling_factor = {}, bool in_place = false);

/// Refuses latents of another space than the decoder's, which would decode to noise without an error.
/// @throws TensorError naming both spaces, or both scaling factors.
void require_same_space(const LatentFile& latents, const std::string& file, const LatentSpec& spec);

/// Pictures […, H, W] that were padded when they were encoded get their size back.
at::Tensor without_padding(const at::Tensor& pictures, const LatentFile& latents);

/// Temporary name, then rename. @throws FileError, TensorError.
void write_latents(const std::filesystem::path& file, const LatentFile& content);

/// Writes the latents of one clip as they are made: the file holds what write_latents() would, memory one piece.
class LatentClipWriter {
 public:
  /// @param facts everything but the latents. @param shape [C, T, h, w].
  /// @throws FileError.
  LatentClipWriter(const std::filesystem::path& file, const LatentFile& facts, std::vector<int64_t> shape);
  ~LatentClipWriter();
  /// The next latents, [C, t, h, w]. @throws TensorError (also for more than T in all), FileError.
  void write(const at::Tensor& latents);
  /// Renames the file to its name. @throws TensorError when some of the T are missing, FileError.
  void finish();

 private:
  struct File;
  std::unique_ptr<File> file_;
  std::vector<int64_t> shape_;
  int64_t written_ = 0;
};

}  // namespace lightswitch
