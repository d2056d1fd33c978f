#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/generation_options.hpp"
#include "cli/image_job.hpp"
#include "cli/routing_report.hpp"
#include "cli/subcommands.hpp"

namespace lightswitch::cli {
namespace {

void add_request_options(CLI::App& command, ImageArguments& to) {
  const char* group = "Picture";
  command.add_option("-p,--prompt", to.prompt, "What the picture shows; \"\" for a picture of anything")
      ->type_name("TEXT")
      ->required()
      ->group(group);
  command
      .add_option("-s,--seed", to.seed,
                  "Seed of the noise, 42 unless given; picture i of a batch takes seed + i. Below 0: a random one, "
                  "which is printed")
      ->type_name("N")
      ->group(group);
  command.add_option("-b,--batch-count", to.batch_count, "How many pictures to make (default: 1)")
      ->type_name("N")
      ->group(group);
  command
      .add_option("-i,--init-img,--image", to.init_image,
                  "Start from this picture instead of noise; scaled to cover the size, its middle is used")
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--strength", to.strength,
                  "With --init-img: share of the steps that run, above 0 (nothing changes) up to 1 (nothing is kept)")
      ->type_name("X")
      ->group(group);
}

void add_helper_options(CLI::App& command, ImageArguments& to) {
  const char* group = "Decoder";
  command
      .add_option("--encoder", to.encoder,
                  "With --init-img: what turns the picture into latents (default: the model's own)")
      ->type_name("SPEC")
      ->group(group);
  command
      .add_option(
          "--preview", to.preview,
          "Decoder for pictures of the work in progress, a light one best (the shipped model's `proj` costs nothing); "
          "none for no preview")
      ->type_name("none|SPEC")
      ->group(group);
  command.add_option("--preview-interval", to.preview_interval, "Steps between previews (default: 1)")
      ->type_name("N")
      ->group(group);
  command.add_option("--preview-path", to.preview_path, "Where previews go, each over the last (default: preview.png)")
      ->type_name("FILE")
      ->group(group);
}

void add_output_options(CLI::App& command, ImageArguments& to) {
  const char* group = "Output";
  command
      .add_option("-o,--output", to.output,
                  "Picture file: .png .jpg .jpeg .webp .ppm, or .pfm .npy for floats. With several pictures %04d "
                  "becomes the index, from 0; without it they are called NAME.png, NAME_2.png, …")
      ->type_name("FILE")
      ->required()
      ->group(group);
  add_route_map_option(command, to.route_map);
  command.add_option("--save-latents", to.save_latents, "Also write the latents, for `lightswitch decode`")
      ->type_name("FILE")
      ->group(group);
}

}  // namespace

void add_image_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("image", "Make pictures from a prompt");
  const auto arguments = std::make_shared<ImageArguments>();
  add_request_options(*command, *arguments);
  add_generation_options(*command, *arguments);
  add_helper_options(*command, *arguments);
  add_output_options(*command, *arguments);
  add_common_options(*command, common, true);
  command->footer(
      "Examples:\n"
      "  lightswitch image -p \"a red house on a meadow at night\" -o house.png\n"
      "  lightswitch image -p \"two balloons over the sea\" --decoder tae -b 4 -o balloon-%02d.png\n"
      "  lightswitch image -p \"the same in snow\" -i house.png --strength 0.6 -o snow.png");
  command->callback([arguments, &job] { job = [arguments](Session& session) { make_images(*arguments, session); }; });
}

}  // namespace lightswitch::cli
