#include <ATen/ATen.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/network_lookup.hpp"
#include "cli/output_names.hpp"
#include "cli/picture_input.hpp"
#include "cli/report.hpp"
#include "cli/subcommands.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

struct DecodeArguments {
  std::string latents;
  std::string model, decoder;
  std::string kind;
  std::optional<double> scaling_factor;
  int64_t repeat = 1;
  TilingOptions tiling;
  bool strict_dtype = false;
  bool disable_image_metadata = false;
  std::string output;
};

std::optional<LatentKind> checked_kind(const std::string& text) {
  if (text.empty()) return {};
  const auto kind = parse_latent_kind(text);
  if (!kind) throw UsageError("unknown value", {"", "--kind", "raw, diffusion or indices", text});
  return kind;
}

ImageText metadata(const RunReport& report, const LatentFile& latents, const CommonOptions& common) {
  nlohmann::ordered_json json = to_json(report, common);
  json.erase("outputs");
  if (!latents.prompt.empty()) json["prompt"] = latents.prompt;
  if (!latents.model.empty()) json["model"] = latents.model;
  return {{"lightswitch", dump_json(json)}};
}

at::Tensor timed_decode(const Decoder& decoder, const LatentFile& latents, const DecodeArguments& arguments,
                        const OpenWider& wider, Session& session, RunReport& report) {
  DecodeOptions options;
  options.kind = latents.kind;
  options.wider = wider;
  options.smaller = in_smaller_tiles(report, decoder.spec(), session);
  options.stop = session.stop();
  options.progress = [&session](int64_t done, int64_t total) { session.progress().update("decode", done, total); };
  at::Tensor pictures;
  for (int64_t i = 0; i < arguments.repeat; ++i) {
    const Stopwatch watch;
    options.tiles = report.tiles;
    pictures = decode(decoder, latents.latents, options);
    report.timings.repeat("decode", watch.ms());
  }
  return without_padding(pictures, latents);
}

void decode_file(const DecodeArguments& arguments, Session& session) {
  if (arguments.repeat < 1)
    throw UsageError("out of range", {"", "--repeat", "1 or more", std::to_string(arguments.repeat)});
  if (!arguments.decoder.empty()) parse_spec(arguments.decoder);
  arguments.tiling.checked();
  const auto kind = checked_kind(arguments.kind);
  check_picture_target(arguments.output);

  RunReport report;
  report.command = "decode";
  report.network = arguments.decoder;
  const Stopwatch load_watch;
  const LatentFile latents = read_latents(arguments.latents, kind, arguments.scaling_factor);
  report.seed = latents.seed;
  NetworkLookup networks(session, arguments.model);
  const auto decoder = networks.decoder(report.network);
  report.info = decoder->info();
  const int64_t height = latents.latents.size(-2), width = latents.latents.size(-1);
  const TileOptions tiles = arguments.tiling.fitted(*decoder, height, width);
  tell_tiles(report, tiles, decoder->spec(), session);
  require_same_space(latents, arguments.latents, decoder->spec());
  report.timings.add("load", load_watch.ms());
  session.check_stop();

  const OpenWider wider = arguments.strict_dtype ? OpenWider() : networks.in_fp32(report.network, report.info);
  const at::Tensor pictures = timed_decode(*decoder, latents, arguments, wider, session, report);
  const Stopwatch write_watch;
  const auto names = output_names(arguments.output, pictures.size(0));
  for (size_t i = 0; i < names.size(); ++i) {
    ImageWriteOptions how;
    if (names[i].extension() == ".png" && !arguments.disable_image_metadata)
      how.text = metadata(report, latents, session.common());
    write_image(names[i], pictures[static_cast<int64_t>(i)], how);
    report.outputs.push_back(names[i].string());
    session.note("wrote " + names[i].string());
  }
  report.timings.add("encode_file", write_watch.ms());
  report.timings.peak_bytes = peak_resident_bytes();
  write_json(to_json(report, session.common()), session);
  session.detail(summarise(report.timings));
}

}  // namespace

void add_decode_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("decode", "Turn a latent file into pictures");
  const auto to = std::make_shared<DecodeArguments>();
  command->add_option("latents", to->latents, "Latent file (safetensors), as --save-latents and `encode` write it")
      ->type_name("LATENTS")
      ->required();
  add_model_option(*command, to->model, "decoders", "Decoder");
  command
      ->add_option("--decoder,--vae", to->decoder,
                   "A name that `lightswitch decoders` lists, a weight file, a diffusers folder or a plug-in "
                   "(PLUGIN.so[:WEIGHTS]), with options after commas (default: the model's own)")
      ->type_name("SPEC")
      ->group("Decoder");
  command->add_option("--repeat", to->repeat, "Decode this many times and report the fastest (default: 1)")
      ->type_name("N")
      ->group("Decoder");
  command
      ->add_option("--kind", to->kind, "For files that do not say it: what the latents are, raw, diffusion or indices")
      ->type_name("KIND")
      ->group("Decoder");
  command
      ->add_option("--scaling-factor", to->scaling_factor,
                   "For files that do not say it: what diffusion latents were multiplied by")
      ->type_name("X")
      ->group("Decoder");
  add_tiling_options(*command, to->tiling);
  add_strict_dtype_option(*command, to->strict_dtype);
  command
      ->add_option("-o,--output", to->output,
                   "Picture file: .png .jpg .jpeg .webp .ppm, or .pfm .npy for floats. With several pictures %04d "
                   "becomes the index, from 0; without it they are called NAME.png, NAME_2.png, …")
      ->type_name("FILE")
      ->required()
      ->group("Output");
  command->add_flag("--disable-image-metadata", to->disable_image_metadata, "Do not write into the PNG what made it")
      ->group("Output");
  add_common_options(*command, common, true);
  command->footer(
      "Examples:\n"
      "  lightswitch decode house.safetensors --decoder vae -o house-full.png\n"
      "  lightswitch decode house.safetensors --decoder tae --repeat 5 --json - -o house-light.png");
  command->callback([to, &job] { job = [to](Session& session) { decode_file(*to, session); }; });
}

}  // namespace lightswitch::cli
