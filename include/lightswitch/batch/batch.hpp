#pragma once

#include <lightswitch/batch/results.hpp>
#include <lightswitch/batch/settings.hpp>
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/log.hpp>
#include <lightswitch/media/image_io.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>

namespace lightswitch {

class ModelPackage;

/// No item of the batch can ever succeed: the model, the decoder, the manifest or the folder is at fault.
class UnusableBatch : public Error {
 public:
  using Error::Error;
};

/// What to make, and how. Nothing here but `settings` changes a picture.
struct BatchRequest {
  std::filesystem::path manifest;  ///< JSON Lines; empty: lines come from `input`
  int input = 0;                   ///< file descriptor to read lines from when there is no manifest
  std::filesystem::path output;    ///< folder; made where it is missing
  Shard shard;                     ///< of a manifest
  bool resume = false;             ///< skip what the folder holds with the same digest
  BatchSettings settings;
  int64_t micro_batch = 4;     ///< latents of equal shape and decoder that are decoded together, >= 1
  int64_t queue = 8;           ///< latents that may wait for a micro-batch, and pictures for an encoder, >= 1
  int64_t encode_threads = 2;  ///< threads that encode and write files, 1 … 64
  int png_level = ImageWriteOptions{}.compression;  ///< see ImageWriteOptions
  int64_t tar_items = 0;  ///< pictures in a tar file (WebDataset layout), 0: files. With a manifest alone

  /// @throws OptionError.
  void validate() const;
};

/// Where networks come from.
struct BatchNetworks {
  const DecoderRegistry& registry;
  const ModelPackage* package = nullptr;  ///< null: latents and decoders of files alone
  const SoundMaker* sounds = nullptr;     ///< null where settings.sound has no model
  LogSink log = {};                       ///< from any thread
};

struct BatchProgress {
  int64_t total = 0;  ///< items of this shard; 0 when lines come from a descriptor
  int64_t done = 0, failed = 0, skipped = 0;
  double per_second = 0;  ///< of items that were not skipped
  std::optional<double> seconds_left;
};

struct BatchCallbacks {
  std::function<void(const BatchProgress&)> progress;  ///< on the calling thread
  /// Once an item is settled and its file has its name. One at a time, on any thread. Items that `resume` skips are
  /// told here too.
  std::function<void(const ItemResult&)> result;
};

struct BatchSummary {
  int64_t done = 0, failed = 0, skipped = 0;
  bool worth_retry = false;  ///< at least one failure may go away
  bool stopped = false;      ///< a stop was requested before the end
};

/// Makes the pictures and sounds of a manifest. Pictures: denoise, then a bounded queue, then micro-batches of equal
/// shape to decode, then threads that encode, then files that appear whole under their names. Denoising and decoding
/// take turns on the calling thread, since each of them uses every core. Sounds are coded on the threads that encode.
///
/// A picture depends on its item and the settings alone: bit for bit the same whatever micro_batch, queue,
/// encode_threads and shard are. What becomes of each item goes to output/results-I-of-N.jsonl, after its file has its
/// name; killed at any moment, nothing is half-written, and with `resume` nothing is lost or made twice. One process at
/// a time may work on a shard.
///
/// A line or an item at fault is recorded and the rest goes on. After a stop request the items in hand are finished.
/// @throws UnusableBatch; FileError when the folder, a picture or the results cannot be written (what is in hand is
/// then not recorded); OptionError.
BatchSummary run_batch(const BatchRequest& request, const BatchNetworks& networks, const BatchCallbacks& callbacks = {},
                       std::stop_token stop = {});

}  // namespace lightswitch
