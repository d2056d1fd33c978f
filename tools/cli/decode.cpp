#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/decode_job.hpp"
#include "cli/routing_report.hpp"
#include "cli/subcommands.hpp"

namespace lightswitch::cli {

void add_decode_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("decode", "Turn a latent file into pictures or the frames of clips");
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
  add_latent_file_options(*command, to->kind, to->scaling_factor);
  add_tiling_options(*command, to->tiling);
  command
      ->add_option("--decode-chunk", to->chunk,
                   "Latents of a clip that are decoded at once, 0 for all (default: 0). Files of pictures are then "
                   "taken for the frames of one clip")
      ->type_name("N")
      ->group("Decoder");
  add_strict_dtype_option(*command, to->strict_dtype);
  command->add_option("--fps", to->fps, "Frame rate of a video file (default: that of the latents)")
      ->type_name("X")
      ->group("Output");
  command
      ->add_option("-o,--output", to->output,
                   "Picture file: .png .jpg .jpeg .webp .ppm, or .pfm .npy for floats. With several pictures %04d "
                   "becomes the index, from 0; without it they are called NAME.png, NAME_2.png, …; in a folder that "
                   "exists 0000.png, 0001.png, … Video file for all frames of a clip: .mp4 or .y4m")
      ->type_name("FILE")
      ->required()
      ->group("Output");
  command->add_flag("--disable-image-metadata", to->disable_image_metadata, "Do not write into the PNG what made it")
      ->group("Output");
  add_route_map_option(*command, to->route_map);
  add_common_options(*command, common, true);
  command->footer(
      "Examples:\n"
      "  lightswitch decode house.safetensors --decoder vae -o house-full.png\n"
      "  lightswitch decode house.safetensors --decoder tae --repeat 5 --json - -o house-light.png\n"
      "  lightswitch decode clip.safetensors --decoder svd-vae --decode-chunk 8 -o clip.mp4");
  command->callback([to, &job] { job = [to](Session& session) { decode_file(*to, session); }; });
}

}  // namespace lightswitch::cli
