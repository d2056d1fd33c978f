#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/calibrate_job.hpp"
#include "cli/subcommands.hpp"

namespace lightswitch::cli {

void add_calibrate_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("calibrate", "Measure what a decoder needs to be computed in int8");
  const auto to = std::make_shared<CalibrateArguments>();
  command
      ->add_option(
          "latents", to->latents,
          "Latent files of pictures like those to be decoded, as --save-latents and `encode` write them; a few "
          "dozen pictures are enough")
      ->type_name("LATENTS")
      ->required();
  add_model_option(*command, to->model, "decoders", "Decoder");
  command->add_option("--decoder,--vae", to->decoder, "The decoder, as `decode` takes it (default: the model's own)")
      ->type_name("SPEC")
      ->group("Decoder");
  add_latent_file_options(*command, to->kind, to->scaling_factor);
  command
      ->add_option("-o,--output", to->output,
                   "Calibration file (default: NAME.int8.json beside the weights, where dtype=int8 looks for it)")
      ->type_name("FILE")
      ->group("Output");
  add_common_options(*command, common, true);
  command->footer(
      "Examples:\n"
      "  lightswitch encode photos --encoder taesd_encoder.pth -o photos.safetensors\n"
      "  lightswitch calibrate photos.safetensors --decoder taesd_decoder.pth\n"
      "  lightswitch decode z.safetensors --decoder taesd_decoder.pth,dtype=int8 -o z.png");
  command->callback([to, &job] { job = [to](Session& session) { calibrate_decoder(*to, session); }; });
}

}  // namespace lightswitch::cli
