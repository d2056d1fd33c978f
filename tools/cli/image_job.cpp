#include "cli/image_job.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>

#include <nlohmann/json.hpp>

#include "cli/network_lookup.hpp"
#include "cli/output_names.hpp"
#include "cli/picture_input.hpp"
#include "cli/picture_metadata.hpp"
#include "cli/preview.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

/// Mistakes that need no model to be seen, found before one is loaded.
void check_arguments(const ImageArguments& arguments) {
  TextToImageOptions options;
  apply(arguments, options);
  try {
    options.validate();
  } catch (const OptionError& error) {
    throw UsageError(error.what());
  }
  denoiser_dtype(arguments);
  png_level(arguments);
  if (arguments.preview_interval < 1)
    throw UsageError("out of range",
                     {"", "--preview-interval", "1 or more", std::to_string(arguments.preview_interval)});
  if (arguments.strength && arguments.init_image.empty())
    throw UsageError("nothing to start from", {"", "--strength", "--init-img FILE with it", "none"});
  if (!arguments.decoder.empty()) parse_spec(arguments.decoder);
  check_picture_target(arguments.output);
  if (arguments.preview != "none") check_picture_target(arguments.preview_path);
  if (!arguments.route_map.empty()) check_picture_target(arguments.route_map);
  if (!arguments.save_latents.empty()) check_folder_of(arguments.save_latents);
}

/// One run of the pipeline with everything around it.
class ImageJob {
 public:
  ImageJob(const ImageArguments& arguments, Session& session)
      : arguments_(arguments), session_(session), networks_(session, arguments.model) {}

  void run() {
    load();
    TextToImageResult result = denoise();
    const std::filesystem::path latents = keep_latents(result.latents);
    try {
      pipeline_->decode(result, options_, callbacks_, session_.stop());
      tell_routes();
      add_timings(result.timings);
      write_pictures(result.images);
    } catch (...) {
      session_.warn("no picture was finished, but its latents are kept: `lightswitch decode " + latents.string() +
                    " -o FILE` goes on from there");
      throw;
    }
    if (arguments_.save_latents.empty()) std::filesystem::remove(latents);
    report_.timings.peak_bytes = peak_resident_bytes();
    write_json(to_json(report_, session_.common()), session_);
    session_.detail(summarise(report_.timings));
  }

 private:
  void load() {
    const Stopwatch watch;
    const ModelPackage& package = networks_.package();
    options_ = package.defaults();
    apply(arguments_, options_);
    if (!arguments_.init_image.empty()) {
      options_.init_image = resize_to_cover(read_image(arguments_.init_image), options_.height, options_.width);
      options_.validate();
    }
    report_.command = "image";
    report_.seed = options_.seed;
    report_.network = arguments_.decoder;
    TextToImageParts parts = package.load_parts(denoiser_dtype(arguments_));
    session_.check_stop();
    parts.decoder = networks_.decoder(report_.network);
    if (options_.init_image.defined()) {
      std::string encoder = arguments_.encoder;
      parts.encoder = networks_.encoder(encoder);
    }
    if (arguments_.preview != "none") {
      std::string spec = arguments_.preview;
      preview_ = std::make_unique<Preview>(networks_.decoder(spec), arguments_.preview_interval,
                                           output_names(arguments_.preview_path, 1).front());
    }
    const int64_t factor = parts.decoder->spec().factor;
    report_.budget =
        settle(parts.decoder, options_.height / factor, options_.width / factor, report_.network, session_);
    report_.info = parts.decoder->info();
    options_.tiles = arguments_.tiling.fitted(*parts.decoder, options_.height / factor, options_.width / factor);
    tell_tiles(report_, options_.tiles, parts.decoder->spec(), session_);
    if (!arguments_.route_map.empty()) require_route(*parts.decoder, options_.tiles);
    if (!arguments_.strict_dtype) callbacks_.wider = networks_.in_fp32(report_.network, report_.info);
    callbacks_.routed = [this](const PictureRoute& route) { routes_.push_back(route); };
    callbacks_.smaller = in_smaller_tiles(report_, parts.decoder->spec(), session_);
    pipeline_ = std::make_unique<TextToImage>(std::move(parts));
    report_.timings.add("load", watch.ms());
    session_.check_stop();
  }

  TextToImageResult denoise() {
    session_.note("seed " + std::to_string(options_.seed) + ", " + std::to_string(options_.width) + "x" +
                  std::to_string(options_.height) + ", " + std::to_string(options_.steps) + " steps of " +
                  options_.sampling_method + ", decoder " + report_.network);
    callbacks_.step = [this](const StepProgress& progress) {
      session_.progress().update("denoise", progress.step, progress.steps);
      if (preview_) preview_->show(progress, session_.stop());
    };
    callbacks_.tile = [this](int64_t done, int64_t total) { session_.progress().update("decode", done, total); };
    return pipeline_->denoise(options_, callbacks_, session_.stop());
  }

  /// Denoising is the costly part: its result is on disk before anything can go wrong in the decoder.
  std::filesystem::path keep_latents(const at::Tensor& latents) {
    const std::filesystem::path file =
        arguments_.save_latents.empty() ? output_names(arguments_.output, 1).front().string() + ".latents.safetensors"
                                        : arguments_.save_latents;
    LatentFile content = latents_of(latents, pipeline_->parts().decoder->spec());
    content.width = options_.width;
    content.height = options_.height;
    content.seed = options_.seed;
    content.prompt = options_.prompt;
    content.model = networks_.package().name();
    write_latents(file, content);
    return file;
  }

  void tell_routes() {
    if (routes_.empty()) return;
    report_.routing.emplace();
    for (const PictureRoute& route : routes_) report_.routing->add(route);
    session_.note(summarise(*report_.routing));
  }

  /// Previews run inside the denoising loop; what they cost is told apart.
  void add_timings(const Timings& measured) {
    const double preview_ms = preview_ ? preview_->ms() : 0;
    for (const StageTime& stage : measured.stages)
      report_.timings.add(stage.name, stage.name == "denoise" ? stage.ms - preview_ms : stage.ms);
    if (preview_) report_.timings.add("preview", preview_ms);
  }

  void write_pictures(const at::Tensor& pictures) {
    const Stopwatch watch;
    const auto names = output_names(arguments_.output, pictures.size(0));
    const bool holds_text = names.front().extension() == ".png";
    if (!holds_text && !arguments_.disable_image_metadata)
      session_.note("only PNG holds the generation parameters: " + names.front().extension().string() +
                    " goes without");
    for (size_t i = 0; i < names.size(); ++i) {
      const auto index = static_cast<int64_t>(i);
      ImageWriteOptions how;
      how.compression = png_level(arguments_);
      if (holds_text && !arguments_.disable_image_metadata)
        how.text = picture_metadata(options_, index, networks_.package().name(), report_, session_.common());
      write_image(names[i], pictures[index], how);
      report_.outputs.push_back(names[i].string());
      session_.note("wrote " + names[i].string());
    }
    if (!arguments_.route_map.empty()) write_maps(pictures);
    report_.timings.add("encode_file", watch.ms());
  }

  void write_maps(const at::Tensor& pictures) {
    const auto names = output_names(arguments_.route_map, pictures.size(0));
    for (size_t i = 0; i < names.size(); ++i) {
      write_image(names[i], draw_route(pictures[static_cast<int64_t>(i)], routes_.at(i)), {});
      report_.outputs.push_back(names[i].string());
    }
  }

  const ImageArguments& arguments_;
  Session& session_;
  NetworkLookup networks_;
  TextToImageOptions options_;
  TextToImageCallbacks callbacks_;
  std::unique_ptr<TextToImage> pipeline_;
  std::unique_ptr<Preview> preview_;
  RunReport report_;
  std::vector<PictureRoute> routes_;
};

}  // namespace

void apply(const ImageArguments& arguments, TextToImageOptions& options) {
  apply(static_cast<const GenerationArguments&>(arguments), options);
  options.prompt = arguments.prompt;
  if (arguments.batch_count) options.batch_count = *arguments.batch_count;
  if (arguments.strength) options.strength = *arguments.strength;
}

void make_images(const ImageArguments& arguments, Session& session) {
  check_arguments(arguments);
  ImageJob(arguments, session).run();
}

}  // namespace lightswitch::cli
