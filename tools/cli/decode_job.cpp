#include "cli/decode_job.hpp"

#include <ATen/ATen.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/frame_target.hpp"
#include "cli/network_lookup.hpp"
#include "cli/output_names.hpp"
#include "cli/picture_input.hpp"
#include "cli/report.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

void check(const DecodeArguments& arguments) {
  if (arguments.repeat < 1)
    throw UsageError("out of range", {"", "--repeat", "1 or more", std::to_string(arguments.repeat)});
  if (arguments.chunk.value_or(0) < 0)
    throw UsageError("out of range", {"", "--decode-chunk", "0 or more", std::to_string(*arguments.chunk)});
  if (!arguments.decoder.empty()) parse_spec(arguments.decoder);
  arguments.tiling.checked();
  checked_kind(arguments.kind);
  if (arguments.fps && !(*arguments.fps > 0 && *arguments.fps <= 1000))
    throw UsageError("out of range", {"", "--fps", "above 0, at most 1000", std::to_string(*arguments.fps)});
  check_frame_target(arguments.output);
  if (!arguments.route_map.empty()) check_frame_target(arguments.route_map);
}

class DecodeJob {
 public:
  DecodeJob(const DecodeArguments& arguments, Session& session)
      : arguments_(arguments), session_(session), networks_(session, arguments.model) {
    report_.command = "decode";
    report_.network = arguments.decoder;
  }

  void run() {
    file_ = read_latents(arguments_.latents, checked_kind(arguments_.kind), arguments_.scaling_factor, is_long());
    report_.seed = file_.seed;
    arrange();
    try {
      if (file_.latents.dim() == 5 && networks_.decodes_clips(report_.network))
        decode_clips();
      else
        decode_pictures();
      target_->finish();
      if (map_) map_->finish();
    } catch (...) {
      if (target_) target_->abandon();
      if (map_) map_->abandon();
      throw;
    }
    report_.outputs = target_->outputs();
    if (map_) report_.outputs.insert(report_.outputs.end(), map_->outputs().begin(), map_->outputs().end());
    if (report_.routing) session_.note(summarise(*report_.routing));
    report_.timings.add("encode_file", written_ms_);
    report_.timings.peak_bytes = peak_resident_bytes();
    write_json(to_json(report_, session_.common()), session_);
    session_.detail(summarise(report_.timings));
  }

 private:
  bool writes_video() const { return is_video_name(arguments_.output); }

  /// Latents that are better left in their file.
  bool is_long() const {
    std::error_code code;
    const auto bytes = std::filesystem::file_size(arguments_.latents, code);
    return !code && bytes > (uint64_t{1} << 28);
  }

  /// Pictures are one clip where chunks or a video file are asked for: [N, C, h, w] becomes [1, C, N, h, w].
  void arrange() {
    at::Tensor& latents = file_.latents;
    if (latents.dim() == 4 && (arguments_.chunk || writes_video())) latents = latents.transpose(0, 1).unsqueeze(0);
    if (latents.dim() == 3 && (arguments_.chunk || writes_video()))
      throw UnsupportedError(
          "codebook indices are decoded as pictures",
          {arguments_.latents, arguments_.chunk ? "--decode-chunk" : "--output", "latents", "indices"});
    if (writes_video() && latents.size(0) != 1)
      throw UnsupportedError("a video file holds one clip; a folder takes the frames of all",
                             {arguments_.latents, "latents", "[1, C, T, h, w]", c10::str(latents.sizes())});
  }

  void loaded(const LatentSpec& spec) {
    require_same_space(file_, arguments_.latents, spec);
    report_.timings.add("load", load_watch_.ms());
    session_.check_stop();
  }

  /// One after the other, so that no more than one has to fit into memory.
  void decode_pictures() {
    decoder_ = networks_.decoder(report_.network);
    at::Tensor latents = file_.latents;
    report_.budget = settle(decoder_, latents.size(-2), latents.size(-1), report_.network, session_);
    report_.info = decoder_->info();
    plan(latents);
    if (latents.dim() == 5) {
      session_.note("this decoder knows pictures: every frame is decoded alone");
      report_.clips = {latents.size(0), latents.size(2), 1, false};
      latents = latents.transpose(1, 2).flatten(0, 1);
    }
    DecodeOptions options;
    options.kind = file_.kind;
    tell_tiles(report_, arguments_.tiling.fitted(*decoder_, latents.size(-2), latents.size(-1)), decoder_->spec(),
               session_);
    loaded(decoder_->spec());
    const OpenWider reopen = networks_.in_fp32(report_.network, report_.info);
    if (!arguments_.strict_dtype)  // one picture that overflows is enough: the others take the wider decoder at once
      options.wider = [&](const NumericError& error) {
        auto wider = reopen(error);
        if (wider) decoder_ = wider;
        return wider ? decoder_of(picture_) : nullptr;
      };
    options.smaller = in_smaller_tiles(report_, decoder_->spec(), session_);
    options.routed = [this](const PictureRoute& route) { took(route); };
    options.stop = session_.stop();
    const int64_t count = latents.size(0);
    open_target(count);
    open_map(count);
    for (int64_t repeat = 0; repeat < arguments_.repeat; ++repeat) {
      double ms = 0;
      report_.routing.reset();
      for (int64_t i = 0; i < count; ++i) {
        options.progress = [&](int64_t done, int64_t total) {
          session_.progress().update("decode", i * total + done, count * total);
        };
        options.tiles = report_.tiles;
        picture_ = i;
        const Stopwatch watch;
        const at::Tensor picture = decode(*decoder_of(i), latents.slice(0, i, i + 1), options);
        const double one = watch.ms();
        ms += one;
        if (!routes_.empty()) took(timed(routes_[i], one));
        if (repeat + 1 == arguments_.repeat) write(picture);
      }
      report_.timings.repeat("decode", ms);
    }
  }

  /// Where whole pictures are routed, all of them have to be known for it; the frames of each clip follow each other.
  void plan(const at::Tensor& latents) {
    const RoutedDecoding* routing = decoder_->routing();
    if (!routing || !routing->path(Path::light)) return;
    if (latents.dim() < 5) {
      routes_ = routing->plan(latents, file_.kind, false);
      return;
    }
    for (const at::Tensor& clip : latents.unbind()) {
      const auto routes = routing->plan(clip.transpose(0, 1), file_.kind, true);
      routes_.insert(routes_.end(), routes.begin(), routes.end());
    }
  }

  /// Shared, since an overflow puts another decoder in its place.
  std::shared_ptr<const Decoder> decoder_of(int64_t picture) const {
    if (routes_.empty()) return decoder_;
    return {decoder_, decoder_->routing()->path(routes_[picture].plan[0])};
  }

  static PictureRoute timed(PictureRoute route, double ms) {
    (route.stats.heavy > 0 ? route.stats.heavy_ms : route.stats.light_ms) = ms;
    return route;
  }

  void took(const PictureRoute& route) {
    route_ = route;
    if (!report_.routing) report_.routing.emplace();
    report_.routing->add(route);
  }

  void decode_clips() {
    if (arguments_.tiling.any())
      throw UnsupportedError("the frames of clips are decoded whole; --decode-chunk bounds the memory that they take",
                             {arguments_.latents, "tiles", "pictures [N, C, h, w]", c10::str(file_.latents.sizes())});
    if (!arguments_.route_map.empty())
      throw UnsupportedError("decoders of clips are not routed", {arguments_.latents, "--route-map", "none", ""});
    const auto decoder = networks_.temporal_decoder(report_.network);
    report_.info = decoder->info();
    const int64_t clips = file_.latents.size(0), latents = file_.latents.size(2), frames = decoder->frames(latents);
    const int64_t asked = arguments_.chunk.value_or(0), chunk = asked == 0 ? latents : std::min(asked, latents);
    report_.clips = {clips, frames, chunk, decoder->depends_on_chunks()};
    if (chunk < latents && decoder->depends_on_chunks())
      session_.note("chunks of " + std::to_string(chunk) + " of " + std::to_string(latents) +
                    " latents: frames of other chunks are not seen, so they depend on this number");
    loaded(decoder->spec());
    open_target(clips * frames);
    for (int64_t i = 0; i < arguments_.repeat; ++i) decode_clips_once(*decoder, i + 1 == arguments_.repeat);
  }

  /// Frames are written as they become ready, so that no clip has to fit into memory.
  void decode_clips_once(const TemporalDecoder& decoder, bool writes) {
    ClipOptions options;
    options.kind = file_.kind;
    options.chunk = report_.clips->chunk;
    options.shorter = in_shorter_chunks(report_, session_);
    if (!arguments_.strict_dtype) options.wider = networks_.clips_in_fp32(report_.network, report_.info);
    options.stop = session_.stop();
    const double written_before = written_ms_;
    const Stopwatch watch;
    for (int64_t i = 0; i < report_.clips->clips; ++i) {
      options.progress = [&](int64_t done, int64_t total) {
        session_.progress().update("decode", i * total + done, report_.clips->clips * total);
      };
      decode_clip(decoder, file_.latents[i], options, [&](const at::Tensor& frames) {
        if (writes) write(frames);
      });
    }
    report_.timings.repeat("decode", watch.ms() - (written_ms_ - written_before));
  }

  /// What made the picture. Times are left out where they are not known before the last of several.
  ImageText metadata(bool with_times) const {
    nlohmann::ordered_json json = to_json(report_, session_.common());
    json.erase("outputs");
    if (!with_times)
      for (const char* time : {"stages", "decode_share", "peak_bytes", "routing"}) json.erase(time);
    if (!file_.prompt.empty()) json["prompt"] = file_.prompt;
    if (!file_.model.empty()) json["model"] = file_.model;
    return {{"lightswitch", dump_json(json)}};
  }

  void open_target(int64_t frames) {
    FrameRequest request{arguments_.output, frames, [this] { return frame_rate(); }, {}};
    if (!arguments_.disable_image_metadata) request.metadata = [this, frames] { return metadata(frames == 1); };
    target_ = open_frame_target(request, session_);
  }

  void open_map(int64_t frames) {
    if (arguments_.route_map.empty()) return;
    require_route(*decoder_, report_.tiles);
    map_ = open_frame_target({arguments_.route_map, frames, [this] { return frame_rate(); }, {}}, session_);
  }

  double frame_rate() const {
    if (arguments_.fps) return *arguments_.fps;
    if (file_.fps) return *file_.fps;
    throw OptionError("the latents have no frame rate", {arguments_.latents, "fps", "--fps N with them", "none"});
  }

  void write(const at::Tensor& padded) {
    const Stopwatch watch;
    target_->write(without_padding(padded, file_));
    if (map_) map_->write(without_padding(draw_route(padded[0], route_).unsqueeze(0), file_));
    written_ms_ += watch.ms();
  }

  const DecodeArguments& arguments_;
  Session& session_;
  NetworkLookup networks_;
  Stopwatch load_watch_;
  LatentFile file_;
  std::shared_ptr<const Decoder> decoder_;  ///< of pictures
  std::vector<PictureRoute> routes_;        ///< of all pictures, where they are routed whole
  int64_t picture_ = 0;                     ///< in the works
  PictureRoute route_;                      ///< that the last picture took
  std::unique_ptr<FrameTarget> target_, map_;
  RunReport report_;
  double written_ms_ = 0;
};

}  // namespace

void decode_file(const DecodeArguments& arguments, Session& session) {
  check(arguments);
  DecodeJob(arguments, session).run();
}

}  // namespace lightswitch::cli
