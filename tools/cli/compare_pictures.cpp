#include <ATen/ATen.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/metrics.hpp>
#include <lightswitch/torchscript.hpp>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/compare_job.hpp"
#include "cli/comparison.hpp"
#include "cli/network_lookup.hpp"
#include "cli/picture_input.hpp"
#include "cli/report.hpp"
#include "cli/routing_report.hpp"
#include "core/peak_memory.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

/// Latents of one picture, and the picture where there is one.
struct Item {
  std::string name;
  LatentFile latents;
  at::Tensor original;
};

std::vector<Item> items_of_latents(const std::string& file) {
  const LatentFile all = read_latents(file);
  std::vector<Item> items;
  for (int64_t i = 0; i < all.latents.size(0); ++i) {
    Item item{"latents " + std::to_string(i), all, {}};
    item.latents.latents = all.latents.narrow(0, i, 1);
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<Item> items_of_pictures(const CompareArguments& arguments, NetworkLookup& networks, Session& session) {
  const auto files = picture_files(arguments.input);
  std::string spec_text = arguments.encoder;
  const auto encoder = networks.encoder(spec_text);
  const LatentSpec& spec = encoder->spec();
  std::vector<Item> items;
  for (const auto& file : files) {
    session.check_stop();
    const at::Tensor picture = read_image(file);
    const at::Tensor latents = encode(*encoder, pad_to(picture, spec.factor), LatentKind::diffusion, session.stop());
    Item item{file.filename().string(), latents_of(latents, spec), picture};
    item.latents.width = picture.size(2);
    item.latents.height = picture.size(1);
    items.push_back(std::move(item));
    session.progress().update("encode", static_cast<int64_t>(items.size()), static_cast<int64_t>(files.size()));
  }
  return items;
}

class ComparePictures {
 public:
  ComparePictures(const CompareArguments& arguments, Session& session)
      : arguments_(arguments), session_(session), networks_(session, arguments.model) {}

  void run() {
    if (!arguments_.lpips.empty()) judge_ = load_picture_distance(arguments_.lpips);
    const auto items = is_latent_name(arguments_.input) ? items_of_latents(arguments_.input)
                                                        : items_of_pictures(arguments_, networks_, session_);
    comparison_.input = arguments_.input;
    comparison_.repeat = arguments_.repeat.value_or(3);
    comparison_.reference = items.front().original.defined() ? "original" : arguments_.decoders.front();
    for (const Item& item : items) comparison_.pictures.push_back({item.name, item.original, {}});
    for (const std::string& spec : arguments_.decoders) decode_all(spec, items);
    write_report(comparison_, arguments_.shown, arguments_.output);
    note_report(arguments_.output, session_);
    write_json(to_json(comparison_), session_);
  }

 private:
  void decode_all(const std::string& text, const std::vector<Item>& items) {
    std::string spec = text;
    auto decoder = networks_.decoder(spec);
    const at::Tensor& first = items.front().latents.latents;
    settle(decoder, first.size(-2), first.size(-1), spec, session_);
    ComparedDecoder result;
    result.spec = spec;
    result.info = decoder->info();
    for (size_t i = 0; i < items.size(); ++i) {
      require_same_space(items[i].latents, arguments_.input, decoder->spec());
      ComparedPicture& picture = comparison_.pictures[i];
      picture.decoded.push_back(decode_one(*decoder, items[i], result));
      if (!picture.reference.defined()) picture.reference = picture.decoded.back();
      score(picture.decoded.back(), picture.reference, result);
      session_.progress().update(spec, static_cast<int64_t>(i) + 1, static_cast<int64_t>(items.size()));
    }
    const auto count = static_cast<double>(items.size());
    for (double* sum : {&result.gmac, &result.ms, &result.psnr, &result.ssim}) *sum /= count;
    if (result.lpips) *result.lpips /= count;
    comparison_.decoders.push_back(std::move(result));
  }

  /// The picture; time, peak and multiply-adds go to `result`.
  at::Tensor decode_one(const Decoder& decoder, const Item& item, ComparedDecoder& result) {
    const at::Tensor& latents = item.latents.latents;
    const DecodeOptions options{.kind = item.latents.kind, .stop = session_.stop()};
    at::Tensor picture = decode(decoder, latents, options);  // warm: weights are packed for this size
    if (!result.peak_bytes) {
      picture = at::Tensor();
      const PeakMemory memory;
      picture = decode(decoder, latents, options);
      result.peak_bytes = memory.bytes();
    }
    double fastest = 0;
    for (int64_t i = 0; i < comparison_.repeat; ++i) {
      const Stopwatch watch;
      picture = decode(decoder, latents, options);
      fastest = i == 0 ? watch.ms() : std::min(fastest, watch.ms());
    }
    result.ms += fastest;
    result.gmac += static_cast<double>(decoder.macs(latents.size(-2), latents.size(-1))) / 1e9;
    return without_padding(picture[0], item.latents);
  }

  void score(const at::Tensor& picture, const at::Tensor& reference, ComparedDecoder& result) const {
    result.psnr += psnr(picture, reference);
    result.ssim += ssim(picture, reference);
    if (judge_) result.lpips = result.lpips.value_or(0) + (*judge_)(picture, reference);
  }

  const CompareArguments& arguments_;
  Session& session_;
  NetworkLookup networks_;
  std::shared_ptr<const PictureDistance> judge_;
  Comparison comparison_;
};

}  // namespace

void compare_pictures(const CompareArguments& arguments, Session& session) {
  ComparePictures(arguments, session).run();
}

}  // namespace lightswitch::cli
