#include "cli/video_job.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/image_to_video.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>

#include <nlohmann/json.hpp>
#include <random>

#include "cli/frame_target.hpp"
#include "cli/network_lookup.hpp"
#include "cli/output_names.hpp"
#include "cli/picture_input.hpp"
#include "cli/prompted_picture.hpp"
#include "cli/report.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

/// Puts what was given over `options`; a negative seed becomes a random one.
void apply(const VideoArguments& arguments, ImageToVideoOptions& options) {
  if (arguments.frames) options.frames = *arguments.frames;
  if (arguments.fps) options.fps = *arguments.fps;
  if (arguments.motion_bucket) options.motion_bucket = *arguments.motion_bucket;
  if (arguments.noise_aug) options.noise_aug = *arguments.noise_aug;
  if (arguments.min_cfg) options.min_cfg = *arguments.min_cfg;
  if (arguments.max_cfg) options.max_cfg = *arguments.max_cfg;
  if (arguments.steps) options.steps = *arguments.steps;
  if (arguments.decode_chunk) options.decode_chunk = *arguments.decode_chunk;
  if (arguments.sampling_method) options.sampling_method = *arguments.sampling_method;
  if (arguments.seed) options.seed = *arguments.seed >= 0 ? *arguments.seed : std::random_device{}();
}

/// More would be a slip of the finger, which should not fill the memory first.
constexpr int64_t kMostFrames = 10000;

/// Mistakes that need no model to be seen, found before one is loaded.
void check_arguments(const VideoArguments& arguments) {
  if (arguments.frames && (*arguments.frames < 1 || *arguments.frames > kMostFrames))
    throw UsageError("out of range",
                     {"", "--video-frames", "1 to " + std::to_string(kMostFrames), std::to_string(*arguments.frames)});
  if (arguments.init_image.empty() == arguments.prompt.empty())
    throw UsageError("a clip starts from one picture", {"", "--init-img", "a picture, or else --prompt TEXT",
                                                        arguments.prompt.empty() ? "neither" : "both"});
  ImageToVideoOptions options;
  apply(arguments, options);
  if (arguments.min_cfg && !arguments.max_cfg) options.max_cfg = std::max(options.max_cfg, options.min_cfg);
  options.image = at::zeros({3, 1, 1});
  try {
    options.validate();
  } catch (const OptionError& error) {
    throw UsageError(error.what());
  }
  for (const std::string& spec : {arguments.decoder, arguments.encoder})
    if (!spec.empty()) parse_spec(spec);
  check_frame_target(arguments.output);
  if (!arguments.save_latents.empty()) check_folder_of(arguments.save_latents);
}

/// One run of the pipeline with everything around it.
class VideoJob {
 public:
  VideoJob(const VideoArguments& arguments, Session& session)
      : arguments_(arguments), session_(session), networks_(session, arguments.model) {}

  void run() {
    load();
    ImageToVideoResult result = denoise();
    const std::filesystem::path latents = keep_latents(result.latents);
    try {
      decode(result);
    } catch (...) {
      if (target_) target_->abandon();
      session_.warn("the clip was not finished, but its latents are kept: `lightswitch decode " + latents.string() +
                    " -o FILE` goes on from there");
      throw;
    }
    if (arguments_.save_latents.empty()) std::filesystem::remove(latents);
    report_.outputs = target_->outputs();
    report_.timings.peak_bytes = peak_resident_bytes();
    write_json(to_json(report_, session_.common()), session_);
    session_.detail(summarise(report_.timings));
  }

 private:
  at::Tensor start_picture(int64_t height, int64_t width) {
    if (arguments_.prompt.empty()) return resize_to_cover(read_image(arguments_.init_image), height, width);
    return draw({arguments_.prompt, arguments_.image_model, height, width, options_.seed}, session_, report_.timings);
  }

  void load() {
    const Stopwatch watch;
    const VideoDefaults& defaults = networks_.package().video_defaults();
    model_ = networks_.package().name();
    options_ = defaults.options;
    apply(arguments_, options_);
    options_.image =
        start_picture(arguments_.height.value_or(defaults.height), arguments_.width.value_or(defaults.width));
    options_.validate();
    report_.command = "video";
    report_.seed = options_.seed;
    report_.network = arguments_.decoder;
    ImageToVideoParts parts = networks_.package().load_video_parts();
    session_.check_stop();
    knows_time_ = networks_.decodes_clips(report_.network);
    parts.decoder =
        knows_time_ ? networks_.temporal_decoder(report_.network) : frame_by_frame(networks_.decoder(report_.network));
    if (!knows_time_) session_.note("this decoder knows pictures: every frame is decoded alone");
    std::string encoder = arguments_.encoder;
    parts.encoder = networks_.encoder(encoder);
    report_.info = parts.decoder->info();
    const int64_t chunk =
        options_.decode_chunk == 0 ? options_.frames : std::min(options_.decode_chunk, options_.frames);
    report_.clips = {1, parts.decoder->frames(options_.frames), chunk, parts.decoder->depends_on_chunks()};
    pipeline_ = std::make_unique<ImageToVideo>(std::move(parts));
    report_.timings.add("load", watch.ms() - report_.timings.ms("picture"));
    session_.check_stop();
  }

  ImageToVideoResult denoise() {
    session_.note("seed " + std::to_string(options_.seed) + ", " + std::to_string(options_.image.size(2)) + "x" +
                  std::to_string(options_.image.size(1)) + ", " + std::to_string(options_.frames) + " frames, " +
                  std::to_string(options_.steps) + " steps of " + options_.sampling_method + ", decoder " +
                  report_.network);
    callbacks_.step = [this](const ClipStepProgress& progress) {
      session_.progress().update("denoise", progress.step, progress.steps);
    };
    callbacks_.frames = [this](int64_t done, int64_t total) { session_.progress().update("decode", done, total); };
    callbacks_.shorter = in_shorter_chunks(report_, session_);
    if (!arguments_.strict_dtype && knows_time_)
      callbacks_.wider = networks_.clips_in_fp32(report_.network, report_.info);
    return pipeline_->denoise(options_, callbacks_, session_.stop());
  }

  /// Denoising is the costly part: its result is on disk before anything can go wrong in the decoder.
  std::filesystem::path keep_latents(const at::Tensor& latents) {
    const std::filesystem::path file = arguments_.save_latents.empty() ? latents_beside(arguments_.output)
                                                                       : std::filesystem::path(arguments_.save_latents);
    LatentFile content = latents_of(latents, pipeline_->parts().decoder->spec());
    content.width = options_.image.size(2);
    content.height = options_.image.size(1);
    content.fps = static_cast<double>(options_.fps);
    content.seed = options_.seed;
    content.prompt = arguments_.prompt;
    content.model = model_;
    write_latents(file, content);
    return file;
  }

  void decode(ImageToVideoResult& result) {
    FrameRequest request{
        arguments_.output, report_.clips->frames, [this] { return static_cast<double>(options_.fps); }, {}};
    if (!arguments_.disable_image_metadata) request.metadata = [this] { return metadata(); };
    target_ = open_frame_target(request, session_);
    double written_ms = 0;
    const auto sink = [&](const at::Tensor& frames) {
      const Stopwatch watch;
      target_->write(frames);
      written_ms += watch.ms();
    };
    pipeline_->decode(result, options_, sink, callbacks_, session_.stop());
    const Stopwatch watch;
    target_->finish();
    for (const StageTime& stage : result.timings.stages)
      report_.timings.add(stage.name, stage.ms - (stage.name == "decode" ? written_ms : 0));
    report_.timings.add("encode_file", written_ms + watch.ms());
  }

  /// What made the frame; no times, which are not known before the last one.
  ImageText metadata() const {
    nlohmann::ordered_json json{{"version", to_json(report_, session_.common())["version"]},
                                {"command", "video"},
                                {"model", model_},
                                {"decoder", report_.network},
                                {"seed", options_.seed},
                                {"video_frames", options_.frames},
                                {"fps", options_.fps},
                                {"motion_bucket", options_.motion_bucket},
                                {"noise_aug", options_.noise_aug},
                                {"min_cfg", options_.min_cfg},
                                {"max_cfg", options_.max_cfg},
                                {"steps", options_.steps},
                                {"sampling_method", options_.sampling_method}};
    if (!arguments_.prompt.empty()) json["prompt"] = arguments_.prompt;
    return {{"lightswitch", dump_json(json)}};
  }

  const VideoArguments& arguments_;
  Session& session_;
  NetworkLookup networks_;
  ImageToVideoOptions options_;
  ImageToVideoCallbacks callbacks_;
  std::unique_ptr<ImageToVideo> pipeline_;
  std::unique_ptr<FrameTarget> target_;
  bool knows_time_ = false;
  std::string model_;
  RunReport report_;
};

}  // namespace

void make_video(const VideoArguments& arguments, Session& session) {
  check_arguments(arguments);
  VideoJob(arguments, session).run();
}

}  // namespace lightswitch::cli
