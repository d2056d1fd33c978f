#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/batch_job.hpp"
#include "cli/subcommands.hpp"

namespace lightswitch::cli {
namespace {

void add_item_options(CLI::App& command, BatchArguments& to) {
  const char* group = "Items";
  command
      .add_option("manifest", to.manifest,
                  "One JSON object a line: id, and prompt, latents (a file) or audio (a sound, or a stream of the "
                  "codec); optional decoder, for prompts negative_prompt seed steps width height cfg_scale, for audio "
                  "bitrate route heavy_share")
      ->type_name("MANIFEST.jsonl");
  command.add_flag("--stdin", to.from_stdin, "Read the lines from standard input and answer each on standard output")
      ->group(group);
  command.add_option("--shard", to.shard, "Only the lines whose number, from 0, leaves I modulo N (default: 0/1)")
      ->type_name("I/N")
      ->group(group);
  command
      .add_flag("--resume", to.resume, "Go on where an earlier run ended: skip what is there with the same settings")
      ->group(group);
  command.add_option("-s,--seed", to.seed, "Seed of items that have none, 42 unless given")
      ->type_name("N")
      ->group(group);
}

void add_pace_options(CLI::App& command, BatchArguments& to) {
  const char* group = "Pace";
  command.add_option("--micro-batch", to.micro_batch, "Latents of equal shape that are decoded together (default: 4)")
      ->type_name("N")
      ->group(group);
  command
      .add_option(
          "--queue", to.queue,
          "Latents that may wait to be decoded, and pictures to be encoded: what a stop has to finish (default: 8)")
      ->type_name("N")
      ->group(group);
  command.add_option("--encode-threads", to.encode_threads, "Threads that encode and write pictures (default: 2)")
      ->type_name("N")
      ->group(group);
}

void add_sound_options(CLI::App& command, BatchArguments& to) {
  const char* group = "Sound";
  command
      .add_option("--codec", to.codec,
                  "Model of the codec for items with audio: as `codec -m`. Sounds become .lsc, streams become sounds")
      ->type_name("FILE|DIR|NAME")
      ->group(group);
  command
      .add_option("--bitrate", to.bitrate,
                  "Bits a second over all channels (default: all that the model has); of .lyra, which does not say")
      ->type_name("N")
      ->group(group);
  command.add_option("--route", to.route, "Who decodes streams: heavy (default), light, gate or hints")
      ->type_name("WHO")
      ->group(group);
  command.add_option("--heavy-share", to.heavy_share, "Of the gate (default: 0.2); means --route gate")
      ->type_name("X")
      ->group(group);
  command.add_option("--sound-format", to.sound_format, "Of decoded sounds: wav (default) or flac")
      ->type_name("NAME")
      ->group(group);
}

void add_output_options(CLI::App& command, BatchArguments& to) {
  const char* group = "Output";
  command.add_option("--format", to.format, "Of the pictures: png (default), jpg, webp, ppm, or npy, pfm for floats")
      ->type_name("NAME")
      ->group(group);
  command.add_option("--quality", to.quality, "Of jpg and webp, 1 to 100 (default: 95)")->type_name("N")->group(group);
  command
      .add_option(
          "--tar", to.tar_items,
          "Put so many pictures at a time into a tar file, each with its JSON (WebDataset), instead of a file each")
      ->type_name("N")
      ->group(group);
  command.add_option("-o,--output", to.output, "Folder for pictures and results; made where it is missing")
      ->type_name("DIR")
      ->required()
      ->group(group);
}

}  // namespace

void add_batch_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("batch", "Make the pictures and sounds of a manifest, alone or as one of many");
  const auto arguments = std::make_shared<BatchArguments>();
  add_item_options(*command, *arguments);
  add_generation_options(*command, *arguments);
  add_pace_options(*command, *arguments);
#ifdef LIGHTSWITCH_AUDIO
  add_sound_options(*command, *arguments);
#endif
  add_output_options(*command, *arguments);
  add_common_options(*command, common, true);
  command->footer(
      "Exit codes: 0 all done, 3 some items failed and may succeed another time, 42 no other try helps.\n"
      "Examples:\n"
      "  lightswitch batch prompts.jsonl --decoder vit -o pictures\n"
      "  lightswitch batch prompts.jsonl --shard 3/16 --resume --tar 1000 -o pictures\n"
      "  lightswitch batch talks.jsonl --codec speech --bitrate 6400 -o streams");
  command->callback([arguments, &job] { job = [arguments](Session& session) { make_batch(*arguments, session); }; });
}

}  // namespace lightswitch::cli
