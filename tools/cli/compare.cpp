#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/video_io.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <memory>

#include "cli/compare_job.hpp"
#include "cli/network_lookup.hpp"
#include "cli/picture_input.hpp"
#include "cli/subcommands.hpp"

namespace lightswitch::cli {
namespace {

/// Whether the input is of clips: a video file, latents of clips, or latents that --decode-chunk takes for those of
/// one.
bool holds_clips(const CompareArguments& arguments) {
  if (is_video_name(arguments.input)) return true;
  if (!is_latent_name(arguments.input)) return false;
  const int64_t axes = read_latents(arguments.input, {}, {}, true).latents.dim();
  return axes == 5 || (axes == 4 && arguments.chunk);
}

void compare(const CompareArguments& arguments, Session& session) {
  if (arguments.repeat.value_or(1) < 1)
    throw UsageError("out of range", {"", "--repeat", "1 or more", std::to_string(*arguments.repeat)});
  if (arguments.chunk.value_or(0) < 0)
    throw UsageError("out of range", {"", "--decode-chunk", "0 or more", std::to_string(*arguments.chunk)});
  if (arguments.shown < 1)
    throw UsageError("out of range", {"", "--shown", "1 or more", std::to_string(arguments.shown)});
  for (const std::string& spec : arguments.decoders) parse_spec(spec);
  if (std::filesystem::exists(arguments.output) && !std::filesystem::is_directory(arguments.output))
    throw FileError("cannot write", {arguments.output, "", "a folder", "a file"});
  holds_clips(arguments) ? compare_clips(arguments, session) : compare_pictures(arguments, session);
}

}  // namespace

void add_compare_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("compare", "Decode the same latents with several decoders: a report to look at");
  const auto to = std::make_shared<CompareArguments>();
  command
      ->add_option("input", to->input,
                   "A latent file (.safetensors), a picture, a folder of pictures, or a clip (.mp4 .mov .mkv .webm "
                   ".avi .y4m …); "
                   "pictures and clips are encoded first")
      ->type_name("INPUT")
      ->required();
  add_model_option(*command, to->model, "decoders", "Decoder");
  command
      ->add_option(
          "--decoder,--vae", to->decoders,
          "A name that `lightswitch decoders` lists, a weight file, a diffusers folder or a plug-in, with options "
          "after commas; repeat for each decoder. Without an original, the first one is the reference")
      ->type_name("SPEC")
      ->required()
      ->allow_extra_args(false)
      ->group("Decoder");
  command->add_option("--encoder", to->encoder, "What encodes pictures (default: the model's own)")
      ->type_name("SPEC")
      ->group("Decoder");
  command
      ->add_option(
          "--repeat", to->repeat,
          "Time this many decodes of each picture or clip, take the fastest (default: 3 of a picture, 1 of a clip)")
      ->type_name("N")
      ->group("Decoder");
  command
      ->add_option("--decode-chunk", to->chunk,
                   "Latents of a clip that are decoded at once, 0 for all. Files of pictures are then taken for the "
                   "frames of one clip (default: all where frames depend on it, else 1)")
      ->type_name("N")
      ->group("Decoder");
  command->add_option("--lpips", to->lpips, "TorchScript judge for the LPIPS column: forward(a, b), pictures in -1 … 1")
      ->type_name("FILE")
      ->group("Output");
  command->add_option("--shown", to->shown, "Pictures or clips in the report; all are scored (default: 12)")
      ->type_name("N")
      ->group("Output");
  command->add_option("-o,--output", to->output, "Folder for index.html, which needs no other file, and sheet.png")
      ->type_name("DIR")
      ->required()
      ->group("Output");
  add_common_options(*command, common, true);
  command->footer(
      "Examples:\n"
      "  lightswitch compare photos --decoder vae --decoder tae -o report\n"
      "  lightswitch compare house.safetensors --decoder vae --decoder vit --decoder tae --lpips lpips.ts -o report\n"
      "  lightswitch compare bikes.mp4 --encoder taef2_encoder.pth --decoder taef2_decoder.pth -o report");
  command->callback([to, &job] { job = [to](Session& session) { compare(*to, session); }; });
}

}  // namespace lightswitch::cli
