#include "cli/decode_job.hpp"

#include <ATen/ATen.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/network_lookup.hpp"
#include "cli/output_names.hpp"
#include "cli/picture_input.hpp"
#include "cli/report.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

std::optional<LatentKind> checked_kind(const std::string& text) {
  if (text.empty()) return {};
  const auto kind = parse_latent_kind(text);
  if (!kind) throw UsageError("unknown value", {"", "--kind", "raw, diffusion or indices", text});
  return kind;
}

void check(const DecodeArguments& arguments) {
  if (arguments.repeat < 1)
    throw UsageError("out of range", {"", "--repeat", "1 or more", std::to_string(arguments.repeat)});
  if (arguments.chunk.value_or(0) < 0)
    throw UsageError("out of range", {"", "--decode-chunk", "0 or more", std::to_string(*arguments.chunk)});
  if (!arguments.decoder.empty()) parse_spec(arguments.decoder);
  arguments.tiling.checked();
  checked_kind(arguments.kind);
}

/// [N, C, T, h, w] as one picture a latent: [N * T, C, h, w].
at::Tensor frames_as_pictures(const at::Tensor& clips) {
  return clips.transpose(1, 2).flatten(0, 1);
}

class DecodeJob {
 public:
  DecodeJob(const DecodeArguments& arguments, Session& session)
      : arguments_(arguments),
        session_(session),
        networks_(session, arguments.model),
        pattern_(picture_pattern(arguments.output)) {
    check_picture_target(pattern_);
    report_.command = "decode";
    report_.network = arguments.decoder;
  }

  void run() {
    file_ = read_latents(arguments_.latents, checked_kind(arguments_.kind), arguments_.scaling_factor);
    report_.seed = file_.seed;
    if (holds_clips())
      decode_clips();
    else
      decode_pictures();
    report_.timings.add("encode_file", written_ms_);
    report_.timings.peak_bytes = peak_resident_bytes();
    write_json(to_json(report_, session_.common()), session_);
    session_.detail(summarise(report_.timings));
  }

 private:
  /// Brings the latents into the form [N, C, T, h, w] where they are clips that a decoder of clips will have.
  bool holds_clips() {
    at::Tensor& latents = file_.latents;
    if (arguments_.chunk && latents.dim() == 4) latents = latents.transpose(0, 1).unsqueeze(0);
    if (latents.dim() != 5) {
      if (arguments_.chunk)
        throw UnsupportedError("codebook indices are decoded as pictures",
                               {arguments_.latents, "--decode-chunk", "latents", "indices"});
      return false;
    }
    if (networks_.decodes_clips(report_.network)) return true;
    if (arguments_.chunk != 1)
      throw UnsupportedError("this decoder knows pictures, not clips; --decode-chunk 1 decodes every frame alone",
                             {arguments_.latents, "latents", "[N, C, h, w]", c10::str(latents.sizes())});
    latents = frames_as_pictures(latents);
    return false;
  }

  void loaded(const LatentSpec& spec) {
    require_same_space(file_, arguments_.latents, spec);
    report_.timings.add("load", load_watch_.ms());
    session_.check_stop();
  }

  void decode_pictures() {
    const auto decoder = networks_.decoder(report_.network);
    report_.info = decoder->info();
    DecodeOptions options;
    options.kind = file_.kind;
    tell_tiles(report_, arguments_.tiling.fitted(*decoder, file_.latents.size(-2), file_.latents.size(-1)),
               decoder->spec(), session_);
    loaded(decoder->spec());
    if (!arguments_.strict_dtype) options.wider = networks_.in_fp32(report_.network, report_.info);
    options.smaller = in_smaller_tiles(report_, decoder->spec(), session_);
    options.stop = session_.stop();
    options.progress = [this](int64_t done, int64_t total) { session_.progress().update("decode", done, total); };
    at::Tensor pictures;
    for (int64_t i = 0; i < arguments_.repeat; ++i) {
      const Stopwatch watch;
      options.tiles = report_.tiles;
      pictures = decode(*decoder, file_.latents, options);
      report_.timings.repeat("decode", watch.ms());
    }
    names_ = output_names(pattern_, pictures.size(0));
    write(pictures);
  }

  void decode_clips() {
    if (arguments_.tiling.any())
      throw UnsupportedError("the frames of clips are decoded whole; --decode-chunk bounds the memory that they take",
                             {arguments_.latents, "tiles", "pictures [N, C, h, w]", c10::str(file_.latents.sizes())});
    const auto decoder = networks_.temporal_decoder(report_.network);
    report_.info = decoder->info();
    const int64_t clips = file_.latents.size(0), latents = file_.latents.size(2), frames = decoder->frames(latents);
    const int64_t asked = arguments_.chunk.value_or(0), chunk = asked == 0 ? latents : std::min(asked, latents);
    report_.clips = {clips, frames, chunk, decoder->depends_on_chunks()};
    if (chunk < latents && decoder->depends_on_chunks())
      session_.note("chunks of " + std::to_string(chunk) + " of " + std::to_string(latents) +
                    " latents: frames of other chunks are not seen, so they depend on this number");
    loaded(decoder->spec());
    names_ = output_names(pattern_, clips * frames);
    for (int64_t i = 0; i < arguments_.repeat; ++i) decode_clips_once(*decoder, i + 1 == arguments_.repeat);
  }

  /// Frames are written as they become ready, so that no clip has to fit into memory.
  void decode_clips_once(const TemporalDecoder& decoder, bool writes) {
    ClipOptions options;
    options.kind = file_.kind;
    options.chunk = report_.clips->chunk;
    if (!arguments_.strict_dtype) options.wider = networks_.clips_in_fp32(report_.network, report_.info);
    options.stop = session_.stop();
    const double written_before = written_ms_;
    const Stopwatch watch;
    for (int64_t i = 0; i < report_.clips->clips; ++i) {
      options.progress = [&](int64_t done, int64_t total) {
        session_.progress().update("decode", i * total + done, report_.clips->clips * total);
      };
      try {
        decode_clip(decoder, file_.latents[i], options, [&](const at::Tensor& frames) {
          if (writes) write(frames);
        });
      } catch (const Error&) {
        if (!report_.outputs.empty())
          session_.warn("only " + std::to_string(report_.outputs.size()) + " of " + std::to_string(names_.size()) +
                        " frames are written");
        throw;
      }
    }
    report_.timings.repeat("decode", watch.ms() - (written_ms_ - written_before));
  }

  /// What made the picture; of frames without the times, which are not known before the last of them.
  ImageText metadata() const {
    nlohmann::ordered_json json = to_json(report_, session_.common());
    json.erase("outputs");
    if (report_.clips)
      for (const char* time : {"stages", "decode_share", "peak_bytes"}) json.erase(time);
    if (!file_.prompt.empty()) json["prompt"] = file_.prompt;
    if (!file_.model.empty()) json["model"] = file_.model;
    return {{"lightswitch", dump_json(json)}};
  }

  /// The next ones of all.
  void write(const at::Tensor& padded) {
    const Stopwatch watch;
    const at::Tensor pictures = without_padding(padded, file_);
    for (int64_t i = 0; i < pictures.size(0); ++i) {
      const auto& name = names_.at(report_.outputs.size());
      ImageWriteOptions how;
      if (name.extension() == ".png" && !arguments_.disable_image_metadata) how.text = metadata();
      write_image(name, pictures[i], how);
      report_.outputs.push_back(name.string());
      session_.note("wrote " + name.string());
    }
    written_ms_ += watch.ms();
  }

  const DecodeArguments& arguments_;
  Session& session_;
  NetworkLookup networks_;
  std::string pattern_;
  Stopwatch load_watch_;
  LatentFile file_;
  std::vector<std::filesystem::path> names_;
  RunReport report_;
  double written_ms_ = 0;
};

}  // namespace

void decode_file(const DecodeArguments& arguments, Session& session) {
  check(arguments);
  DecodeJob(arguments, session).run();
}

}  // namespace lightswitch::cli
