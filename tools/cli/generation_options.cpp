#include "cli/generation_options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <map>
#include <random>

namespace lightswitch::cli {
namespace {

/// Users of diffusers know samplers by their classes.
std::string sampler_from_class(const std::string& name) {
  static const std::map<std::string, std::string> classes{{"DDIMScheduler", "ddim"},
                                                          {"PNDMScheduler", "pndm"},
                                                          {"EulerDiscreteScheduler", "euler"},
                                                          {"EulerAncestralDiscreteScheduler", "euler_a"},
                                                          {"DPMSolverMultistepScheduler", "dpm++2m"},
                                                          {"UniPCMultistepScheduler", "unipc"},
                                                          {"LCMScheduler", "lcm"}};
  const auto entry = classes.find(name);
  return entry == classes.end() ? name : entry->second;
}

void add_picture_options(CLI::App& command, GenerationArguments& to) {
  const char* group = "Picture";
  command
      .add_option("-n,--negative-prompt", to.negative_prompt, "What it must not show; works with --cfg-scale above 1")
      ->type_name("TEXT")
      ->group(group);
  command.add_option("-W,--width", to.width, "Width in pixels (default: the model's own)")
      ->type_name("N")
      ->group(group);
  command.add_option("-H,--height", to.height, "Height in pixels (default: the model's own)")
      ->type_name("N")
      ->group(group);
}

void add_sampling_options(CLI::App& command, GenerationArguments& to) {
  const char* group = "Sampling";
  command
      .add_option("-m,--model", to.model,
                  "Model package: a folder, or a name in $LIGHTSWITCH_MODELS (default: the one that ships, scenes)")
      ->type_name("DIR")
      ->group(group);
  command.add_option("--steps", to.steps, "Denoising steps (default: the model's own)")->type_name("N")->group(group);
  command
      .add_option("--cfg-scale", to.cfg_scale,
                  "How strongly the prompt steers (classifier-free guidance); 1 switches it off and halves the work")
      ->type_name("X")
      ->group(group);
  command
      .add_option(
          "--sampling-method", to.sampling_method,
          "Sampler, by its name here (ddim, pndm, euler, euler_a, dpm++2m, dpm++2m_karras, unipc, lcm; not every model "
          "has all) or as a diffusers class")
      ->type_name("NAME")
      ->group(group);
  command
      .add_option("--denoiser-dtype", to.denoiser_dtype,
                  "Arithmetic of the denoiser's multiplications: fp32 (default), bf16 or fp16, which take half of the "
                  "memory and change the picture a little")
      ->type_name("NAME")
      ->group(group);
  command
      .add_option("--clip-skip", to.clip_skip,
                  "Last layers of the text encoder to leave out, beside those the model leaves out itself (default: 0; "
                  "stable-diffusion-webui counts from 1)")
      ->type_name("N")
      ->group(group);
}

void add_decoder_options(CLI::App& command, GenerationArguments& to) {
  command
      .add_option("--decoder,--vae", to.decoder,
                  "What turns latents into pixels: a name that `lightswitch decoders` lists, a weight file, a "
                  "diffusers folder or a plug-in (PLUGIN.so[:WEIGHTS]), with options after commas (vae,dtype=fp32)")
      ->type_name("SPEC")
      ->group("Decoder");
  add_tiling_options(command, to.tiling);
  add_strict_dtype_option(command, to.strict_dtype);
}

}  // namespace

void add_generation_options(CLI::App& command, GenerationArguments& to) {
  add_picture_options(command, to);
  add_sampling_options(command, to);
  add_decoder_options(command, to);
  command
      .add_flag("--disable-image-metadata", to.disable_image_metadata,
                "Do not write the generation parameters into the PNG")
      ->group("Output");
  command
      .add_option(
          "--png-level", to.png_level,
          "Compression of PNG files, 0 to 9; the pixels are the same, 6 takes four times as long as 1 and saves "
          "a little (default: 1)")
      ->type_name("N")
      ->group("Output");
}

int png_level(const GenerationArguments& arguments) {
  if (arguments.png_level < 0 || arguments.png_level > 9)
    throw UsageError("out of range", {"", "--png-level", "0 … 9", std::to_string(arguments.png_level)});
  return static_cast<int>(arguments.png_level);
}

DType denoiser_dtype(const GenerationArguments& arguments) {
  const auto dtype = parse_dtype(arguments.denoiser_dtype);
  if (!dtype || *dtype == DType::automatic || *dtype == DType::int8)
    throw UsageError("unknown value", {"", "--denoiser-dtype", "fp32, bf16 or fp16", arguments.denoiser_dtype});
  return *dtype;
}

void apply(const GenerationArguments& arguments, TextToImageOptions& options) {
  options.negative_prompt = arguments.negative_prompt;
  if (arguments.width) options.width = *arguments.width;
  if (arguments.height) options.height = *arguments.height;
  if (arguments.steps) options.steps = *arguments.steps;
  if (arguments.clip_skip) options.clip_skip = *arguments.clip_skip;
  if (arguments.cfg_scale) options.cfg_scale = *arguments.cfg_scale;
  if (arguments.sampling_method) options.sampling_method = sampler_from_class(*arguments.sampling_method);
  if (arguments.seed) options.seed = *arguments.seed >= 0 ? *arguments.seed : std::random_device{}();
  options.tiles = arguments.tiling.checked();
}

}  // namespace lightswitch::cli
