#include "cli/clip_comparison.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

namespace lightswitch::cli {

void ClipJudge::next(const at::Tensor& frame, const at::Tensor& reference) {
  sums_.psnr += psnr(frame, reference);
  sums_.ssim += ssim(frame, reference);
  if (lpips_) sums_.lpips = sums_.lpips.value_or(0) + (*lpips_)(frame, reference);
  if (frames_++ > 0)
    sums_.flicker_of_steps.push_back(flicker(at::stack({before_, frame}), at::stack({reference_before_, reference})));
  before_ = frame;
  reference_before_ = reference;
}

ClipScores ClipJudge::scores() const {
  ClipScores means = sums_;
  const auto count = static_cast<double>(frames_);
  means.psnr /= count;
  means.ssim /= count;
  if (means.lpips) *means.lpips /= count;
  const std::vector<double>& steps = means.flicker_of_steps;
  if (!steps.empty())
    means.flicker = std::accumulate(steps.begin(), steps.end(), 0.0) / static_cast<double>(steps.size());
  return means;
}

std::vector<int64_t> evenly_spaced(int64_t count, int64_t most) {
  const int64_t picked = std::min(count, most);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < picked; ++i) indices.push_back(picked == 1 ? 0 : i * (count - 1) / (picked - 1));
  return indices;
}

contact_sheet::Chart flicker_chart(const ClipComparison& comparison, const ComparedClip& clip) {
  contact_sheet::Chart chart;
  chart.title = "flicker: levels of 255 by which changes from frame to frame are off, over the frames";
  chart.first = 1;
  for (size_t i = 0; i < clip.decoded.size(); ++i) {
    contact_sheet::Curve curve{comparison.decoders[i].spec, clip.decoded[i].scores.flicker_of_steps};
    for (double& value : curve.values) value *= kLevels;
    chart.curves.push_back(std::move(curve));
  }
  return chart;
}

nlohmann::ordered_json to_json(const ClipComparison& comparison) {
  using Json = nlohmann::ordered_json;
  const auto optional = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  Json decoders = Json::array();
  for (size_t i = 0; i < comparison.decoders.size(); ++i) {
    Json json = to_json(comparison.decoders[i]);
    json["knows_time"] = comparison.ways[i].knows_time;
    json["chunk"] = comparison.ways[i].chunk;
    json["depends_on_chunks"] = comparison.ways[i].depends_on_chunks;
    decoders.push_back(std::move(json));
  }
  Json clips = Json::array();
  for (const ComparedClip& clip : comparison.clips) {
    Json decoded = Json::array();
    for (const DecodedClip& one : clip.decoded)
      decoded.push_back({{"psnr", finite_json(one.scores.psnr)},
                         {"ssim", one.scores.ssim},
                         {"lpips", optional(one.scores.lpips)},
                         {"flicker", optional(one.scores.flicker)},
                         {"flicker_of_steps", one.scores.flicker_of_steps}});
    clips.push_back({{"name", clip.name}, {"frames", clip.frames}, {"decoded", std::move(decoded)}});
  }
  return {{"input", comparison.input},
          {"reference", comparison.reference},
          {"repeat", comparison.repeat},
          {"decoders", std::move(decoders)},
          {"clips", std::move(clips)}};
}

}  // namespace lightswitch::cli
