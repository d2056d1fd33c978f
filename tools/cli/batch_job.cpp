#include "cli/batch_job.hpp"

#include <unistd.h>
#include <lightswitch/batch/batch.hpp>
#include <lightswitch/error.hpp>

#include <cstdio>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ostream>

#ifdef LIGHTSWITCH_AUDIO
#include "cli/batch_sounds.hpp"
#endif
#include "cli/model_lookup.hpp"
#include "cli/network_lookup.hpp"
#include "cli/report.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {
namespace {

/// "3.2/s, 4 min left"
std::string pace(const BatchProgress& progress) {
  char text[96];
  std::snprintf(text, sizeof text, "%.2f/s", progress.per_second);
  std::string remark = text;
  if (progress.failed > 0) remark += ", " + std::to_string(progress.failed) + " failed";
  if (!progress.seconds_left) return remark;
  const double left = *progress.seconds_left;
  if (left < 120)
    std::snprintf(text, sizeof text, ", %.0f s left", left);
  else if (left < 7200)
    std::snprintf(text, sizeof text, ", %.0f min left", left / 60);
  else
    std::snprintf(text, sizeof text, ", %.1f h left", left / 3600);
  return remark + text;
}

/// Mistakes that need no model to be seen.
void check(const BatchArguments& arguments) {
  if (arguments.manifest.empty() != arguments.from_stdin)
    throw UsageError("unclear what to make",
                     {"", "MANIFEST", "either a manifest or --stdin", arguments.from_stdin ? "both" : "neither"});
  if (arguments.seed && *arguments.seed < 0)
    throw UsageError("a batch is made again bit for bit", {"", "--seed", "0 or more", std::to_string(*arguments.seed)});
  if (!arguments.tiling.max_memory.empty())
    throw UsageError("what fits into memory differs from machine to machine, and pictures with it",
                     {"", "--max-memory", "--vae-tiling --vae-tile-size N", arguments.tiling.max_memory});
  denoiser_dtype(arguments);
  if (!arguments.decoder.empty()) parse_spec(arguments.decoder);
  if (arguments.quality < 1 || arguments.quality > 100)
    throw UsageError("out of range", {"", "--quality", "1 … 100", std::to_string(arguments.quality)});
}

class BatchJob {
 public:
  BatchJob(const BatchArguments& arguments, Session& session)
      : arguments_(arguments), session_(session), networks_(session, arguments.model) {}

  void run() {
    const BatchRequest request = understood();
    const BatchNetworks networks{.registry = networks_.registry(),
                                 .package = package_,
                                 .sounds = sounds_.get(),
                                 .log = [this](const LogMessage& message) {
                                   const std::lock_guard lock(mutex_);
                                   session_.warn(message.text);
                                 }};
    BatchCallbacks callbacks;
    callbacks.progress = [this](const BatchProgress& progress) {
      const std::lock_guard lock(mutex_);
      session_.progress().update("batch", progress.done + progress.failed + progress.skipped, progress.total,
                                 pace(progress));
    };
    if (arguments_.from_stdin)
      callbacks.result = [this](const ItemResult& result) {
        session_.out() << lightswitch::to_json(result) << "\n" << std::flush;
      };
    const Stopwatch watch;
    const BatchSummary summary = run_batch(request, networks, callbacks, session_.stop());
    tell(summary, watch.ms());
  }

 private:
  /// A model is looked up even where a file names the decoder: prompts need it, and only the manifest tells whether
  /// there are any.
  const ModelPackage* find_package() {
    try {
      return &networks_.package();
    } catch (const FileError&) {
      if (arguments_.model.empty() && (!arguments_.decoder.empty() || !arguments_.codec.empty())) return nullptr;
      throw;
    }
  }

  BatchRequest understood() {
    BatchRequest request;
    request.manifest = arguments_.manifest;
    request.input = STDIN_FILENO;
    request.output = arguments_.output;
    request.resume = arguments_.resume;
    request.micro_batch = arguments_.micro_batch;
    request.queue = arguments_.queue;
    request.encode_threads = arguments_.encode_threads;
    request.png_level = png_level(arguments_);
    request.tar_items = arguments_.tar_items;
    SoundSettings sound;
#ifdef LIGHTSWITCH_AUDIO
    sound = sound_settings(arguments_);
#endif
    TextToImageOptions given;  // whatever the model's defaults are, what is given is right or wrong by itself
    try {
      apply(arguments_, given);
      given.validate();
      request.shard = Shard::parse(arguments_.shard);
      request.settings.decoder = "any";
      request.settings.extension = "." + arguments_.format;
      request.validate();
    } catch (const OptionError& error) {
      throw UsageError(error.what());
    }
    try {
      package_ = find_package();
      request.settings = batch_defaults(package_);
      apply(arguments_, request.settings.options);
#ifdef LIGHTSWITCH_AUDIO
      sounds_ = open_sounds(arguments_, sound);
#endif
    } catch (const UsageError&) {
      throw;
    } catch (const Error& error) {
      throw UnusableBatch(error.what());
    }
    if (!arguments_.decoder.empty()) request.settings.decoder = arguments_.decoder;
    request.settings.dtype = resolved_for_cpu(checked_dtype(session_.common()));
    request.settings.denoiser_dtype = denoiser_dtype(arguments_);
    request.settings.strict_dtype = arguments_.strict_dtype;
    request.settings.extension = "." + arguments_.format;
    request.settings.quality = static_cast<int>(arguments_.quality);
    request.settings.metadata = !arguments_.disable_image_metadata;
    request.settings.sound = sound;
    return request;
  }

  void tell(const BatchSummary& summary, double ms) {
    nlohmann::ordered_json json{{"command", "batch"},
                                {"done", summary.done},
                                {"failed", summary.failed},
                                {"skipped", summary.skipped},
                                {"stopped", summary.stopped},
                                {"ms", ms},
                                {"peak_bytes", peak_resident_bytes()}};
    write_json(json, session_);
    session_.note(std::to_string(summary.done) + " done, " + std::to_string(summary.skipped) + " there already, " +
                  std::to_string(summary.failed) + " failed");
    if (summary.stopped) throw Cancelled();
    if (summary.failed == 0) return;
    throw EndedWith(summary.worth_retry ? kSomeFailed : kNeverSucceeds,
                    std::to_string(summary.failed) + " items failed; the results say why" +
                        (summary.worth_retry ? "; --resume tries them again" : "; another try would not help"));
  }

  const BatchArguments& arguments_;
  Session& session_;
  NetworkLookup networks_;
  const ModelPackage* package_ = nullptr;
  std::unique_ptr<const SoundMaker> sounds_;
  std::mutex mutex_;  ///< of what the session shows
};

}  // namespace

void make_batch(const BatchArguments& arguments, Session& session) {
  check(arguments);
  try {
    BatchJob(arguments, session).run();
  } catch (const UnusableBatch& error) {
    throw EndedWith(kNeverSucceeds, error.what());
  }
}

}  // namespace lightswitch::cli
