#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/subcommands.hpp"
#include "cli/video_job.hpp"

namespace lightswitch::cli {
namespace {

void add_clip_options(CLI::App& command, VideoArguments& to) {
  const char* group = "Clip";
  const auto number = [&](const char* name, auto& value, const char* what) {
    command.add_option(name, value, what)->type_name("N")->group(group);
  };
  command
      .add_option("-i,--init-img,--image", to.init_image,
                  "The picture that starts to move; scaled to cover the size, its middle is used")
      ->type_name("FILE")
      ->group(group);
  command.add_option("-p,--prompt", to.prompt, "Words instead of a picture, which --image-model draws first")
      ->type_name("TEXT")
      ->group(group);
  command
      .add_option("--image-model", to.image_model,
                  "Model package that draws the prompt: a folder, or a name in $LIGHTSWITCH_MODELS (default: scenes)")
      ->type_name("DIR")
      ->group(group);
  number("-W,--width", to.width, "Width in pixels (default: the model's own)");
  number("-H,--height", to.height, "Height in pixels (default: the model's own)");
  number("--video-frames", to.frames, "Frames (default: the model's own)");
  number("--fps", to.fps, "Frames per second, of the motion and of the file (default: the model's own)");
  number("--motion-bucket", to.motion_bucket, "How much moves, 0 to 255 (default: the model's own)");
  command
      .add_option("--noise-aug", to.noise_aug,
                  "Noise on the picture: more lets the clip leave it further (default: the model's own)")
      ->type_name("X")
      ->group(group);
  number("-s,--seed", to.seed, "Seed of the noise, 42 unless given; below 0: a random one, which is printed");
}

void add_sampling_options(CLI::App& command, VideoArguments& to) {
  const char* group = "Sampling";
  command
      .add_option("-m,--model", to.model, "Model package that makes clips: a folder, or a name in $LIGHTSWITCH_MODELS")
      ->type_name("DIR")
      ->required()
      ->group(group);
  command.add_option("--steps", to.steps, "Denoising steps (default: the model's own)")->type_name("N")->group(group);
  command.add_option("--min-cfg", to.min_cfg, "Guidance scale of the first frame (default: the model's own)")
      ->type_name("X")
      ->group(group);
  command
      .add_option("--max-cfg", to.max_cfg,
                  "Guidance scale of the last frame; 1 switches guidance off and halves the work")
      ->type_name("X")
      ->group(group);
  command.add_option("--sampling-method", to.sampling_method, "Sampler, by its name in the package")
      ->type_name("NAME")
      ->group(group);
}

}  // namespace

void add_video_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("video", "Make a clip of a picture, or of a prompt");
  const auto to = std::make_shared<VideoArguments>();
  add_clip_options(*command, *to);
  add_sampling_options(*command, *to);
  command
      ->add_option("--decoder,--vae", to->decoder,
                   "What turns latents into frames: a name that the model lists, a weight file, a folder or a plug-in. "
                   "A decoder of pictures decodes every frame alone (default: the model's own)")
      ->type_name("SPEC")
      ->group("Decoder");
  command->add_option("--encoder", to->encoder, "What turns the picture into latents (default: the model's own)")
      ->type_name("SPEC")
      ->group("Decoder");
  command
      ->add_option("--decode-chunk", to->decode_chunk,
                   "Latents that are decoded at once, which bounds the memory; 0 for all (default: the model's own)")
      ->type_name("N")
      ->group("Decoder");
  add_strict_dtype_option(*command, to->strict_dtype);
  command
      ->add_option("-o,--output", to->output,
                   "Video file: .mp4 or .y4m; or pictures: a folder that exists, or a name with %04d for the index")
      ->type_name("FILE")
      ->required()
      ->group("Output");
  command->add_option("--save-latents", to->save_latents, "Also write the latents, for `lightswitch decode`")
      ->type_name("FILE")
      ->group("Output");
  command
      ->add_flag("--disable-image-metadata", to->disable_image_metadata,
                 "Do not write the generation parameters into PNG frames")
      ->group("Output");
  add_common_options(*command, common, true);
  command->footer(
      "Examples:\n"
      "  lightswitch video -m svd -i boat.png --video-frames 14 --decode-chunk 4 -o boat.mp4\n"
      "  lightswitch video -m models/motion -p \"a yellow boat on the sea\" -o boat.mp4");
  command->callback([to, &job] { job = [to](Session& session) { make_video(*to, session); }; });
}

}  // namespace lightswitch::cli
