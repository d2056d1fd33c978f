#include <lightswitch/version.h>
#include <lightswitch/audio/codec_model.hpp>
#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/audio/sound_codec.hpp>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/timings.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "cli/codec_compare.hpp"
#include "cli/codec_model_lookup.hpp"
#include "cli/output_names.hpp"
#include "cli/quantile.hpp"
#include "cli/report.hpp"
#include "cli/routing_report.hpp"
#include "cli/subcommands.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

using Json = nlohmann::ordered_json;
using audio::CodecModel;
using audio::DecodeSoundOptions;
using audio::SoundCodecReport;

struct CodecArguments {
  std::string input, output, model;
  int64_t bitrate = 0;
  int64_t sample_rate = 0;
  std::string route;
  double heavy_share = -1;
  double budget = 0;
  bool route_hints = false;
  std::string warm_up = "exact";
  double loss_rate = 0, burst = 1;
  uint64_t seed = 0;
  bool allow_truncated = false;
};

Json describe(const audio::StreamInfo& info) {
  Json facts{{"model", info.model},
             {"sample_rate", info.sample_rate},
             {"source_rate", info.source_rate},
             {"channels", info.channels},
             {"stages", info.stages},
             {"bits_per_second", info.bits_per_second()},
             {"block_frames", info.block_frames},
             {"route_hints", info.hints}};
  if (info.samples) facts["samples"] = *info.samples;
  if (info.source_samples) facts["source_samples"] = *info.source_samples;
  return facts;
}

/// What both directions end with.
void tell(const char* command, const SoundCodecReport& report, const CodecArguments& arguments, double ms, Json more,
          Session& session) {
  for (const std::string& damage : report.damage) session.warn(arguments.input + ": " + damage);
  if (report.clipped > 0)
    session.warn(std::to_string(report.clipped) + " samples are louder than a file can hold and were clipped");
  const double seconds =
      static_cast<double>(report.frames * report.info.hop) / static_cast<double>(report.info.sample_rate);
  // Slow pieces matter: p95 and p99 are what 95 and 99 of 100 pieces are faster than.
  Json facts{{"version", LIGHTSWITCH_VERSION},
             {"command", command},
             {"stream", describe(report.info)},
             {"frames", report.frames},
             {"seconds", seconds},
             {"ms", ms},
             {"real_time_factor",
              {{"median", quantile(report.real_time, 0.5)},
               {"p95", quantile(report.real_time, 0.05)},
               {"p99", quantile(report.real_time, 0.01)}}},
             {"clipped", report.clipped},
             {"damage", report.damage},
             {"peak_bytes", peak_resident_bytes()},
             {"outputs", {arguments.output}}};
  facts.update(more);
  write_json(facts, session);
  if (arguments.output != "-") session.note("wrote " + arguments.output);
  session.detail(std::to_string(seconds) + " s of sound, " + std::to_string(quantile(report.real_time, 0.5)) +
                 " times real time");
}

audio::SoundCodecCallbacks callbacks_of(Session& session, const char* stage) {
  return {[&session, stage](int64_t done, int64_t total) {
            if (total > 0) session.progress().update(stage, done, total);
          },
          session.stop()};
}

void check_target(const std::string& output) {
  if (output != "-") check_folder_of(output);
}

void refuse_shared_output(const CodecArguments& arguments, const Session& session) {
  if (arguments.output == "-" && session.common().json == "-")
    throw UsageError("the sound and the report cannot both go to standard output", {"", "--json", "a file", "-"});
}

std::optional<double> share_of(const CodecArguments& arguments) {
  if (arguments.heavy_share < 0) return {};
  if (!(arguments.heavy_share <= 1))
    throw UsageError("impossible share", {"", "--heavy-share", "0 … 1", std::to_string(arguments.heavy_share)});
  return arguments.heavy_share;
}

void encode(const CodecArguments& arguments, Session& session) {
  refuse_shared_output(arguments, session);
  check_target(arguments.output);
  const auto model = open_codec_model(arguments.model);
  const int64_t channels = arguments.input == "-" ? 1 : audio::SoundReader(arguments.input).format().channels;
  const int64_t stages = stages_for(arguments.bitrate, *model, channels);
  audio::EncodeSoundOptions options{.stages = stages};
  if (arguments.route_hints) options.hinted_share = share_of(arguments).value_or(DecodeSoundOptions{}.heavy_share);
  if (!arguments.route_hints && arguments.heavy_share >= 0)
    throw UsageError("the share is the hints'", {"", "--heavy-share", "--route-hints with it", "none"});
  const Stopwatch watch;
  const auto report =
      audio::encode_sound(arguments.input, arguments.output, model, options, callbacks_of(session, "encode"));
  Json more = Json::object();
  if (report.heavy_share) more["heavy_share"] = *report.heavy_share;
  tell("codec encode", report, arguments, watch.ms(), more, session);
}

DecodeSoundOptions decode_options(const CodecArguments& arguments) {
  DecodeSoundOptions options;
  const std::string route = !arguments.route.empty()                             ? arguments.route
                            : arguments.heavy_share >= 0 || arguments.budget > 0 ? "gate"
                                                                                 : "heavy";
  try {
    options.route = audio::parse_route(route);
  } catch (const OptionError& error) {
    throw UsageError(error.what());
  }
  if (arguments.heavy_share >= 0 && route != "gate")
    throw UsageError("the share is the gate's", {"", "--heavy-share", "--route gate", route});
  options.heavy_share = share_of(arguments).value_or(options.heavy_share);
  if (arguments.budget != 0) {
    if (route != "gate") throw UsageError("the budget is the gate's", {"", "--budget", "--route gate", route});
    if (arguments.heavy_share >= 0)
      throw UsageError("one budget at a time", {"", "--budget", "no --heavy-share beside it", "both"});
    if (!(arguments.budget > 0 && std::isfinite(arguments.budget)))
      throw UsageError("impossible budget", {"", "--budget", "more than 0", std::to_string(arguments.budget)});
    options.budget = arguments.budget * 1e6;
  }
  if (arguments.warm_up != "exact") {
    int64_t frames = 0;
    const auto* const end = arguments.warm_up.data() + arguments.warm_up.size();
    const auto [stop, fault] = std::from_chars(arguments.warm_up.data(), end, frames);
    if (fault != std::errc() || stop != end || frames < 0)
      throw UsageError("unknown value", {"", "--warmup", "exact, or a number of frames", arguments.warm_up});
    options.warm_up_frames = frames;
  }
  if (arguments.sample_rate < 0)
    throw UsageError("impossible rate", {"", "--rate", "1 and more", std::to_string(arguments.sample_rate)});
  options.sample_rate = arguments.sample_rate;
  if (!(arguments.loss_rate >= 0 && arguments.loss_rate < 1))
    throw UsageError("impossible rate", {"", "--loss-rate", "0 … below 1", std::to_string(arguments.loss_rate)});
  if (!(arguments.burst >= 1))
    throw UsageError("impossible length", {"", "--burst", "1 and more", std::to_string(arguments.burst)});
  options.loss = {arguments.loss_rate, arguments.burst, arguments.seed};
  options.allow_truncated = arguments.allow_truncated;
  return options;
}

void decode(const CodecArguments& arguments, Session& session) {
  refuse_shared_output(arguments, session);
  auto options = decode_options(arguments);
  const bool lyra = arguments.input.ends_with(".lyra");
  if (lyra && arguments.bitrate == 0)
    throw UsageError(".lyra files do not say their rate", {"", "--bitrate", "3200, 6000 or 9200", "none"});
  if (!lyra && arguments.bitrate != 0)
    throw UsageError("the stream says its rate",
                     {"", "--bitrate", "only for .lyra files", std::to_string(arguments.bitrate)});
  if (lyra) options.lyra_stages = audio::lyra_stages(arguments.bitrate);
  check_target(arguments.output);
  const auto model = open_codec_model(arguments.model);
  const Stopwatch watch;
  const auto report =
      audio::decode_sound(arguments.input, arguments.output, model, options, callbacks_of(session, "decode"));
  Json more{{"routing", cli::describe(report.routing, "frame")}, {"lost_frames", report.lost_frames}};
  if (report.heavy_share) more["heavy_share"] = *report.heavy_share;
  tell("codec decode", report, arguments, watch.ms(), more, session);
}

void info(const CodecArguments& arguments, Session& session) {
  const audio::StreamReader reader(arguments.input);
  Json damage = Json::array();
  for (int64_t block = 0; block < reader.blocks(); ++block) {
    session.check_stop();
    if (const auto read = reader.read(block); !read.damage.empty())
      damage.push_back("block " + std::to_string(block) + ": " + read.damage);
  }
  if (reader.missing_samples() > 0)
    damage.push_back("breaks off: " + std::to_string(reader.missing_samples()) + " samples are missing");
  Json facts = describe(reader.info());
  facts["frames"] = reader.frames();
  facts["blocks"] = reader.blocks();
  facts["seconds"] = static_cast<double>(reader.info().samples.value_or(reader.frames() * reader.info().hop)) /
                     static_cast<double>(reader.info().sample_rate);
  if (session.common().json != "-")
    for (const auto& [name, value] : facts.items())
      session.out() << name << ": " << (value.is_string() ? value.get<std::string>() : dump_json(value, -1)) << "\n";
  Json report{{"version", LIGHTSWITCH_VERSION}, {"command", "codec info"}};
  report.update(facts);
  report["damage"] = damage;
  write_json(report, session);
  if (!damage.empty())
    throw FormatError(std::to_string(damage.size()) + " problem(s) found: " + damage.front().get<std::string>(),
                      {arguments.input, "stream", "no damage", std::to_string(damage.size())});
}

CLI::App* add(CLI::App& codec, const char* name, const char* summary, CodecArguments& to, const char* input_help) {
  auto* command = codec.add_subcommand(name, summary);
  command->add_option("input", to.input, input_help)->type_name("INPUT")->required();
  return command;
}

void add_model(CLI::App& command, std::string& model) {
  command
      .add_option(
          "-m,--model", model,
          "A model of the codec: safetensors file, its folder, the folder of Lyra V2's .tflite files, or the name of a "
          "shipped model (default: speech)")
      ->type_name("FILE|DIR|NAME");
}

void add_comparing(CLI::App& codec, CommonOptions& common, Job& job) {
  const auto to = std::make_shared<CodecCompareArguments>();
  auto* comparing = codec.add_subcommand("compare", "Hear and see what the codec does to a sound");
  comparing->add_option("input", to->input, "A sound file (wav, flac, …); its channels are averaged")
      ->type_name("INPUT")
      ->required();
  add_model(*comparing, to->model);
  comparing->add_option("--bitrate", to->bitrates, "Bits a second; may be repeated (default: all that the model has)")
      ->type_name("N");
  comparing
      ->add_option("--heavy-share", to->heavy_shares,
                   "Share of the heavy decoder's work for the gate; may be repeated (default: 0.4 and 0.2)")
      ->type_name("X");
  comparing->add_option("-o,--output", to->output, "Folder for index.html, sheet.png and the sounds")
      ->type_name("DIR")
      ->required();
  add_common_options(*comparing, common, false);
  comparing->footer(
      "Opus at the same rates stands beside it where opusenc and opusdec are installed.\n\nExample:\n"
      "  lightswitch codec compare talk.flac --bitrate 3200 --bitrate 6400 -o report");
  comparing->callback([to, &job] { job = [to](Session& session) { compare_sound(*to, session); }; });
}

}  // namespace

void add_codec_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* codec = app.add_subcommand("codec", "Sound to small streams and back, by a light and a heavy decoder");
  codec->require_subcommand(1);
  codec->footer("`lightswitch codec COMMAND --help` lists the options of encode, decode, info and compare.");
  const auto to = std::make_shared<CodecArguments>();
  auto* encoding = add(*codec, "encode", "Turn a sound into a stream", *to,
                       "A sound file (wav, flac, …) of any rate and up to 64 channels; - is standard input");
  add_model(*encoding, to->model);
  encoding->add_option("--bitrate", to->bitrate, "Bits a second over all channels (default: all that the model has)")
      ->type_name("N");
  encoding->add_flag("--route-hints", to->route_hints,
                     "Try both decoders on every frame and write into the stream which of them a player should take "
                     "(decode --route hints)");
  encoding
      ->add_option("--heavy-share", to->heavy_share,
                   "With --route-hints: share of the heavy decoder's work for them, warm-ups included (0 … 1, default "
                   "0.2)")
      ->type_name("X");
  encoding->add_option("-o,--output", to->output, ".lsc, or .lyra with Lyra's weights; - is standard output")
      ->type_name("OUT")
      ->required();
  add_common_options(*encoding, common, false);
  encoding->footer("Example:\n  lightswitch codec encode talk.flac --bitrate 6400 -o talk.lsc");
  encoding->callback([to, &job] { job = [to](Session& session) { encode(*to, session); }; });

  auto* decoding = add(*codec, "decode", "Turn a stream into a sound", *to,
                       "A stream (.lsc; - is standard input), or Lyra's packets (.lyra)");
  add_model(*decoding, to->model);
  decoding->add_option("--bitrate", to->bitrate, "Of a .lyra file, which does not say: 3200, 6000 or 9200")
      ->type_name("N");
  decoding
      ->add_option("--rate", to->sample_rate, "Samples a second of what is written (default: those of the original)")
      ->type_name("N");
  decoding
      ->add_option("--route", to->route,
                   "Who decodes: heavy (default), light, gate (within --heavy-share or --budget) or hints (as the "
                   "stream advises)")
      ->type_name("WHO");
  decoding
      ->add_option("--heavy-share", to->heavy_share,
                   "Share of the heavy decoder's work that may be spent, warm-ups included (0 … 1, default 0.2); means "
                   "--route gate")
      ->type_name("X");
  decoding
      ->add_option("--budget", to->budget,
                   "Million multiply-adds a second of sound that may be spent, over all channels and all in; means "
                   "--route gate")
      ->type_name("N");
  decoding
      ->add_option("--warmup", to->warm_up,
                   "Frames that the heavy decoder is warmed up with: exact (default), or fewer for less work")
      ->type_name("exact|N");
  decoding->add_option("--loss-rate", to->loss_rate, "Share of frames that get lost, to hear how that sounds")
      ->type_name("X");
  decoding->add_option("--burst", to->burst, "Mean length of such losses in frames (default 1)")->type_name("X");
  decoding->add_option("-s,--seed", to->seed, "Of those losses")->type_name("N");
  decoding->add_flag("--allow-truncated", to->allow_truncated, "Decode what is there of a stream that breaks off");
  decoding->add_option("-o,--output", to->output, ".wav or .flac; - is standard output (AU)")
      ->type_name("OUT")
      ->required();
  add_common_options(*decoding, common, false);
  decoding->footer(
      "Damaged blocks of a stream are concealed and told on stderr.\n\nExamples:\n"
      "  lightswitch codec decode talk.lsc -o talk.wav\n"
      "  lightswitch codec decode talk.lsc --heavy-share 0.2 --json - -o talk.wav\n"
      "  lightswitch codec encode - -o - < in.au | lightswitch codec decode - --budget 30 -o - > out.au\n"
      "  lightswitch codec decode call.lyra --bitrate 6000 -m lyra -o call.wav");
  decoding->callback([to, &job] { job = [to](Session& session) { decode(*to, session); }; });

  auto* telling = add(*codec, "info", "Say what a stream is and what is wrong with it", *to, "A stream (.lsc)");
  add_common_options(*telling, common, false);
  telling->callback([to, &job] { job = [to](Session& session) { info(*to, session); }; });

  add_comparing(*codec, common, job);
}

}  // namespace lightswitch::cli
