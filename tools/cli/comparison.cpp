#include "cli/comparison.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace lightswitch::cli {

at::Tensor Crop::of(const at::Tensor& picture) const {
  return picture.narrow(-2, top, height).narrow(-1, left, width);
}

Crop worst_crop(const ComparedPicture& picture, int64_t edge) {
  const int64_t height = picture.reference.size(1), width = picture.reference.size(2);
  Crop crop{.height = std::min(edge, height), .width = std::min(edge, width)};
  at::Tensor error = at::zeros({height, width});
  for (const at::Tensor& decoded : picture.decoded) error += (decoded - picture.reference).abs().mean(0);
  const int64_t step = std::max<int64_t>(1, edge / 4);
  const at::Tensor sums = at::avg_pool2d(error.view({1, 1, height, width}), {crop.height, crop.width}, step);
  const int64_t worst = sums.argmax().item<int64_t>(), columns = sums.size(3);
  crop.top = worst / columns * step;
  crop.left = worst % columns * step;
  return crop;
}

at::Tensor difference_map(const at::Tensor& picture, const at::Tensor& reference, double gain) {
  return ((picture - reference).abs().mean(0, true) * gain).clamp(0, 1).expand({3, -1, -1});
}

nlohmann::ordered_json finite_json(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
}

nlohmann::ordered_json to_json(const ComparedDecoder& decoder) {
  using Json = nlohmann::ordered_json;
  Json json{{"name", decoder.spec},
            {"family", decoder.info.family},
            {"parameters", decoder.info.parameters},
            {"dtype", to_string(decoder.info.dtype)},
            {"gmac", decoder.gmac},
            {"ms", decoder.ms},
            {"peak_bytes", decoder.peak_bytes ? Json(*decoder.peak_bytes) : Json()},
            {"psnr", finite_json(decoder.psnr)},
            {"ssim", decoder.ssim},
            {"lpips", decoder.lpips ? Json(*decoder.lpips) : Json()}};
  if (decoder.flicker) json["flicker"] = *decoder.flicker;
  return json;
}

nlohmann::ordered_json to_json(const Comparison& comparison) {
  nlohmann::ordered_json decoders = nlohmann::ordered_json::array();
  for (const ComparedDecoder& decoder : comparison.decoders) decoders.push_back(to_json(decoder));
  return {{"input", comparison.input},
          {"reference", comparison.reference},
          {"pictures", comparison.pictures.size()},
          {"repeat", comparison.repeat},
          {"decoders", std::move(decoders)}};
}

void note_report(const std::filesystem::path& folder, Session& session) {
  for (const char* name : {"index.html", "sheet.png"}) session.note("wrote " + (folder / name).string());
}

}  // namespace lightswitch::cli
