#include <ATen/ATen.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/encode_clip.hpp"
#include "cli/network_lookup.hpp"
#include "cli/output_names.hpp"
#include "cli/picture_input.hpp"
#include "cli/report.hpp"
#include "cli/subcommands.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

struct EncodeArguments {
  std::string input;
  std::string model, encoder;
  std::string kind = "diffusion";
  std::string output;
};

std::string size_text(const at::Tensor& picture) {
  return std::to_string(picture.size(2)) + "x" + std::to_string(picture.size(1));
}

LatentFile encode_pictures(const std::vector<std::filesystem::path>& files, const Encoder& encoder, LatentKind kind,
                           Session& session, Timings& timings) {
  const LatentSpec& spec = encoder.spec();
  std::vector<at::Tensor> latents;
  std::string first_size;
  int64_t width = 0, height = 0;
  for (const auto& file : files) {
    session.check_stop();
    const at::Tensor picture = read_image(file);
    if (first_size.empty()) first_size = size_text(picture);
    if (size_text(picture) != first_size)
      throw TensorError("pictures of one latent file must be of one size",
                        {file.string(), "size", first_size, size_text(picture)});
    width = picture.size(2);
    height = picture.size(1);
    const Stopwatch watch;
    latents.push_back(encode(encoder, pad_to(picture, spec.factor), kind, session.stop()));
    timings.add("encode", watch.ms());
    session.progress().update("encode", static_cast<int64_t>(latents.size()), static_cast<int64_t>(files.size()));
  }
  LatentFile content = latents_of(at::cat(latents), spec);
  content.kind = kind;
  content.width = width;
  content.height = height;
  return content;
}

void encode_file(const EncodeArguments& arguments, Session& session) {
  const auto kind = parse_latent_kind(arguments.kind);
  if (!kind) throw UsageError("unknown value", {"", "--kind", "raw, diffusion or indices", arguments.kind});
  if (!arguments.encoder.empty()) parse_spec(arguments.encoder);
  check_folder_of(arguments.output);

  RunReport report;
  report.command = "encode";
  report.encodes = true;
  report.network = arguments.encoder;
  const Stopwatch load_watch;
  const bool is_clip = is_video_name(arguments.input);
  const auto files = is_clip ? std::vector<std::filesystem::path>{} : picture_files(arguments.input);
  NetworkLookup networks(session, arguments.model);
  const auto encoder = networks.encoder(report.network);
  report.info = encoder->info();
  report.timings.add("load", load_watch.ms());

  if (is_clip) {
    encode_clip(arguments.input, *encoder, *kind, arguments.output, session, report.timings);
  } else {
    const LatentFile latents = encode_pictures(files, *encoder, *kind, session, report.timings);
    const Stopwatch write_watch;
    write_latents(arguments.output, latents);
    report.timings.add("encode_file", write_watch.ms());
  }
  report.timings.peak_bytes = peak_resident_bytes();
  report.outputs.push_back(arguments.output);
  session.note("wrote " + arguments.output);
  write_json(to_json(report, session.common()), session);
  session.detail(summarise(report.timings));
}

}  // namespace

void add_encode_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("encode", "Turn pictures or a clip into a latent file");
  const auto to = std::make_shared<EncodeArguments>();
  command
      ->add_option("input", to->input,
                   "A picture, a folder of pictures of one size (taken by name), or a clip (.mp4 .mov .mkv .webm .avi "
                   ".y4m …). Sizes that do not fit the factor are padded; decode cuts them back")
      ->type_name("INPUT")
      ->required();
  add_model_option(*command, to->model, "encoders", "Encoder");
  command
      ->add_option("--encoder", to->encoder,
                   "A name that the model lists, a weight file, a diffusers folder or a plug-in "
                   "(PLUGIN.so[:WEIGHTS]), with options after commas (default: the model's own)")
      ->type_name("SPEC")
      ->group("Encoder");
  command
      ->add_option("--kind", to->kind,
                   "What to write: diffusion (scaled and shifted, the default) or raw latents, or a codebook's indices")
      ->type_name("KIND")
      ->group("Encoder");
  command->add_option("-o,--output", to->output, "Latent file (safetensors)")
      ->type_name("LATENTS")
      ->required()
      ->group("Output");
  add_common_options(*command, common, true);
  command->footer(
      "Examples:\n"
      "  lightswitch encode house.png -o house.safetensors\n"
      "  lightswitch encode photos --encoder vae.safetensors --kind raw -o photos.safetensors\n"
      "  lightswitch encode bikes.mp4 --encoder taesd_encoder.pth -o bikes.safetensors");
  command->callback([to, &job] { job = [to](Session& session) { encode_file(*to, session); }; });
}

}  // namespace lightswitch::cli
