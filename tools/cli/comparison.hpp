#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder.hpp>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// One picture of a comparison: what every decoder made of the same latents.
struct ComparedPicture {
  std::string name;
  at::Tensor reference;             ///< [3, H, W]: the original, or the first decoder's picture
  std::vector<at::Tensor> decoded;  ///< in the order of the decoders
};

/// What one decoder cost and how near it came, over all pictures or clips.
struct ComparedDecoder {
  std::string spec;
  NetworkInfo info;
  double gmac = 0;  ///< for one picture of this size, or one frame
  double ms = 0;    ///< one picture or frame, fastest of the repetitions, mean over the pictures or clips
  std::optional<int64_t> peak_bytes;
  double psnr = 0, ssim = 0;
  std::optional<double> lpips;
  std::optional<double> flicker;  ///< of clips of more than one frame
};

/// Steps of a picture of 8 bits, which the report counts flicker in.
inline constexpr double kLevels = 255;

struct Comparison {
  std::string input;
  std::string reference;  ///< what the scores measure against, in words
  int64_t repeat = 1;
  std::vector<ComparedDecoder> decoders;
  std::vector<ComparedPicture> pictures;
};

/// A square of at most `edge` pixels: where the decoded pictures differ most from the reference.
struct Crop {
  int64_t top = 0, left = 0, height = 0, width = 0;
  at::Tensor of(const at::Tensor& picture) const;
};
Crop worst_crop(const ComparedPicture& picture, int64_t edge);

/// |picture - reference| * gain, mean over the channels, as a grey picture.
at::Tensor difference_map(const at::Tensor& picture, const at::Tensor& reference, double gain);

nlohmann::ordered_json to_json(const Comparison& comparison);
nlohmann::ordered_json to_json(const ComparedDecoder& decoder);
/// null for infinity, of equal pictures, which is no JSON number.
nlohmann::ordered_json finite_json(double value);

/// index.html, which needs no other file, and sheet.png in `folder`, which is made where it is missing. At most `shown`
/// pictures are in them.
void write_report(const Comparison& comparison, int64_t shown, const std::filesystem::path& folder);

/// Says which files write_report() has written.
void note_report(const std::filesystem::path& folder, Session& session);

}  // namespace lightswitch::cli
