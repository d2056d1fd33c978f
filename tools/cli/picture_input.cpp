#include "cli/picture_input.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>

#include <algorithm>

#include "core/nearest_word.hpp"

namespace lightswitch::cli {

std::vector<std::filesystem::path> picture_files(const std::filesystem::path& input) {
  if (!std::filesystem::is_directory(input)) return {input};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(input))
    if (entry.is_regular_file() && is_image_name(entry.path())) files.push_back(entry.path());
  if (files.empty())
    throw FileError("no pictures in this folder",
                    {input.string(), "", "files that end in " + join_words(image_extensions()), "none"});
  std::sort(files.begin(), files.end());
  return files;
}

bool is_latent_name(const std::filesystem::path& input) {
  return input.extension() == ".safetensors";
}

at::Tensor pad_to(const at::Tensor& picture, int64_t factor) {
  const auto missing = [factor](int64_t length) { return (factor - length % factor) % factor; };
  return at::replication_pad2d(picture.unsqueeze(0), {0, missing(picture.size(2)), 0, missing(picture.size(1))});
}

LatentFile latents_of(const at::Tensor& latents, const LatentSpec& spec) {
  LatentFile content;
  content.latents = latents;
  content.space = spec.space;
  content.scaling_factor = spec.scaling_factor;
  content.shift_factor = spec.shift_factor;
  return content;
}

}  // namespace lightswitch::cli
