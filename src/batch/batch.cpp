#include <ATen/ATen.h>
#include <lightswitch/version.h>
#include <unistd.h>
#include <lightswitch/batch/batch.hpp>
#include <lightswitch/decode.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/timings.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "batch/encode_pool.hpp"
#include "batch/item_failure.hpp"
#include "batch/ledger.hpp"
#include "batch/line_reader.hpp"
#include "batch/manifest_index.hpp"
#include "batch/network_cache.hpp"
#include "batch/picture_facts.hpp"
#include "batch/picture_folder.hpp"
#include "batch/picture_store.hpp"
#include "batch/sound_facts.hpp"
#include "core/atomic_file.hpp"
#include "core/peak_memory.hpp"
#include "core/sha256.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch {
namespace {

/// An item whose latents are there, on its way to the decoder.
struct Waiting {
  ItemResult result;
  std::string spec;
  LatentFile latents;  ///< of one picture
  PictureFacts facts;

  bool fits(const Waiting& other) const {
    return spec == other.spec && latents.kind == other.latents.kind &&
           latents.latents.sizes() == other.latents.latents.sizes();
  }
};

std::string read_bytes(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw FileError("cannot read", {file.string(), "", "", std::strerror(errno)});
  return bytes;
}

class Runner {
 public:
  Runner(const BatchRequest& request, const BatchNetworks& networks, const BatchCallbacks& callbacks,
         std::stop_token stop)
      : request_(request),
        networks_(networks),
        callbacks_(callbacks),
        stop_(std::move(stop)),
        origin_(request.manifest.empty() ? std::filesystem::path("standard input") : request.manifest),
        cache_(networks, request.settings),
        digest_(request.settings) {}

  BatchSummary run() {
    prepare();
    LineReader lines = request_.manifest.empty() ? LineReader(request_.input, origin_.string()) : LineReader(origin_);
    const Stopwatch watch;
    clock_ = &watch;
    while (true) {
      if (!waiting_.empty() && !lines.ready()) decode_all();  // whoever writes the next line may wait for these
      const auto line = lines.next(stop_);
      if (!line) break;
      if (!request_.shard.has(line->number)) continue;
      take(*line);
      tell_progress();
    }
    decode_all();
    pool_->finish();
    store_->finish();
    tell_progress();
    BatchSummary summary = ledger_->summary();
    const int64_t settled = summary.done + summary.failed + summary.skipped;
    summary.stopped = stop_.stop_requested() && (request_.manifest.empty() || settled < index_.items);
    return summary;
  }

 private:
  void prepare() {
    request_.validate();
    if (!request_.settings.sound.model.empty() && networks_.sounds == nullptr)
      throw OptionError("nobody makes the sounds", {"", "sounds", "the codec of settings.sound", "none"});
    std::error_code code;
    std::filesystem::create_directories(request_.output, code);
    if (code) throw FileError("cannot make the folder", {request_.output.string(), "", "", code.message()});
    if (!request_.manifest.empty()) prepare_shard();
    ledger_.emplace(results_ ? &*results_ : nullptr, callbacks_.result);
    if (request_.resume) read_earlier();
    store_ = request_.tar_items > 0 ? store_tars(request_.output, request_.shard, request_.tar_items, *ledger_)
                                    : store_files(request_.output, *ledger_);
    pool_.emplace(request_.encode_threads, request_.queue);
    keep_settings();
    if (request_.settings.decoder.empty() || (!request_.manifest.empty() && index_.pictures == 0)) return;
    try {
      cache_.decoder(request_.settings.decoder);
    } catch (const MemoryError&) {
      throw;
    } catch (const Error& error) {
      throw UnusableBatch(error.what());
    }
  }

  void prepare_shard() {
    try {
      index_ = index_manifest(
          request_.manifest, request_.shard, [&](const BatchItem& item) { ours_.insert(item.id); }, stop_);
    } catch (const FileError& error) {
      throw UnusableBatch(error.what());
    }
    if (index_.usable == 0)
      throw UnusableBatch(index_.first_mistake.empty() ? origin_.string() + ": no line in the manifest"
                                                       : index_.first_mistake);
    const auto file = request_.output / ("results-" + request_.shard.name() + ".jsonl");
    results_.emplace(file);
    if (!request_.resume && !results_->empty())
      throw UnusableBatch("there are results of an earlier run",
                          {file.string(), "", "resume to go on, or another folder", "results"});
    remove_leftovers(request_.output, request_.shard, [&](const std::string& id) { return ours_.contains(id); });
  }

  /// What is done already. Of other shards nothing is kept: with a million items it would be most of the memory.
  void read_earlier() {
    std::unordered_set<std::string> in_tars;
    const std::string tars = tar_prefix(request_.shard);
    const auto remember = [&](ItemResult result) {
      if (result.out.starts_with(tars)) in_tars.insert(result.out + "/" + result.id);
      if (result.state == ItemState::done && (!results_ || ours_.contains(result.id)))
        earlier_[result.id] = std::move(result);
    };
    for (const auto& file : results_files(request_.output)) read_results(file, remember);
    if (!results_) return;
    const auto found = results_in_tars(
        request_.output, request_.shard,
        [&](const std::string& tar, const std::string& id) { return in_tars.contains(tar + "/" + id); });
    std::string lines;
    for (const ItemResult& result : found) lines += to_json(result) + "\n";
    if (!lines.empty()) results_->append(lines);
    for (const ItemResult& result : found) remember(result);
  }

  /// For verify, which has to know what was asked for.
  void keep_settings() {
    const auto file = request_.output / "settings.json";
    std::error_code code;
    if (std::filesystem::exists(file, code)) {
      if (same_settings(file, request_.settings)) return;
      log(LogLevel::warning, file.string() + ": other settings than now; what was made with those is made again");
    }
    write_batch_settings(file, request_.settings);
  }

  void log(LogLevel level, const std::string& text) const {
    if (networks_.log) networks_.log({level, text, {}});
  }

  void fail(ItemResult result, const std::exception_ptr& thrown) {
    record_failure(result, thrown);
    log(LogLevel::warning,
        (result.id.empty() ? "line " + std::to_string(result.line) : result.id) + ": " + result.error);
    ledger_->settle({result});
  }

  void take(const LineReader::Line& line) {
    ItemResult result;
    result.line = line.number;
    BatchItem item;
    std::optional<Waiting> next;
    std::exception_ptr thrown;
    try {
      item = parse_line(line, origin_);
      result.id = item.id;
      require_first(item, index_, origin_);
      result.digest = digest_.of(item);
      if (skips(result)) return;
      if (item.is_picture()) next = item.prompt ? denoise(item, result) : read(item, result);
    } catch (const UnusableBatch&) {
      throw;
    } catch (...) {
      thrown = std::current_exception();
    }
    if (thrown) return fail(result, thrown);
    if (!next) return pool_->push([this, item, result] { make_sound(item, result); });
    waiting_.push_back(std::move(*next));
    decode_what_is_due();
  }

  bool skips(const ItemResult& result) {
    const auto entry = earlier_.find(result.id);
    if (entry == earlier_.end() || entry->second.digest != result.digest ||
        folder_.bytes(entry->second) != entry->second.bytes)
      return false;
    ledger_->skip(entry->second);
    return true;
  }

  std::string spec_of(const BatchItem& item) const { return item.decoder.value_or(request_.settings.decoder); }

  Waiting denoise(const BatchItem& item, ItemResult result) {
    const TextToImageOptions options = options_of(item, request_.settings);
    const std::string spec = spec_of(item);
    const Stopwatch watch;
    const TextToImageResult made = cache_.pipeline(spec).denoise(options);
    result.ms_denoise = watch.ms();
    Waiting next{std::move(result), spec, {}, {.options = options}};
    next.latents.latents = made.latents;
    return next;
  }

  Waiting read(const BatchItem& item, ItemResult result) {
    Waiting next{std::move(result), spec_of(item), read_latents(item.latents), {}};
    const at::Tensor& latents = next.latents.latents;
    const int64_t axes = next.latents.kind == LatentKind::indices ? 3 : 4;
    if (latents.dim() != axes || latents.size(0) != 1)
      throw TensorError(
          "a batch decodes one picture an item",
          {item.latents.string(), "latents", "[1, C, h, w], or indices [1, h, w]", c10::str(latents.sizes())});
    require_same_space(next.latents, item.latents.string(), cache_.decoder(next.spec)->spec());
    next.facts = {.prompt = next.latents.prompt, .model = next.latents.model, .seed = next.latents.seed};
    return next;
  }

  void decode_what_is_due() {
    const Waiting& last = waiting_.back();
    const auto alike = std::ranges::count_if(waiting_, [&](const Waiting& each) { return each.fits(last); });
    if (alike >= request_.micro_batch)
      decode_like(waiting_.size() - 1);
    else if (static_cast<int64_t>(waiting_.size()) >= request_.queue)
      decode_like(0);
  }

  void decode_all() {
    while (!waiting_.empty()) decode_like(0);
  }

  /// Decodes everything that waits and has the shape and decoder of the one at `index`.
  void decode_like(size_t index) {
    const auto rest = std::stable_partition(waiting_.begin(), waiting_.end(),
                                            [like = waiting_[index]](const Waiting& each) { return !each.fits(like); });
    std::vector<Waiting> group(std::make_move_iterator(rest), std::make_move_iterator(waiting_.end()));
    waiting_.erase(rest, waiting_.end());
    const Stopwatch watch;
    const at::Tensor pictures = decode_together(group);
    for (size_t i = 0; i < group.size(); ++i) {
      if (!pictures.defined()) {
        decode_alone(std::move(group[i]));
        continue;
      }
      group[i].result.ms_decode = watch.ms() / static_cast<double>(group.size());
      group[i].result.dtype = to_string(cache_.decoder(group[i].spec)->info().dtype);
      hand_over(std::move(group[i]), pictures[static_cast<int64_t>(i)]);
    }
  }

  /// decode() computes every picture by itself, so that none depends on its neighbours. Nothing when one of them fails:
  /// which one shows when they are decoded alone.
  at::Tensor decode_together(const std::vector<Waiting>& group) {
    if (group.size() < 2) return {};
    std::vector<at::Tensor> latents;
    for (const Waiting& each : group) latents.push_back(each.latents.latents);
    try {
      const auto decoder = cache_.decoder(group[0].spec);
      // Where whole pictures are routed, a share would be one of those that happen to be together.
      if (decoder->routing() && decoder->routing()->path(Path::light)) return {};
      return decode(*decoder, at::cat(latents), options_for(group[0]));
    } catch (const std::exception&) {
      return {};
    }
  }

  DecodeOptions options_for(const Waiting& item) const {
    DecodeOptions options;
    options.kind = item.latents.kind;
    options.tiles = request_.settings.options.tiles;
    return options;
  }

  void decode_alone(Waiting item) {
    at::Tensor picture;
    std::exception_ptr thrown;
    try {
      const auto decoder = cache_.decoder(item.spec);
      item.result.dtype = to_string(decoder->info().dtype);
      DecodeOptions options = options_for(item);
      if (!request_.settings.strict_dtype)
        options.wider = [&](const NumericError& error) { return in_fp32(item, error); };
      const Stopwatch watch;
      picture = decode(*decoder, item.latents.latents, options)[0];
      item.result.ms_decode = watch.ms();
    } catch (...) {
      thrown = std::current_exception();
    }
    if (thrown) return fail(item.result, thrown);
    hand_over(std::move(item), picture);
  }

  /// For this item alone: were it to change the others, they would depend on their order.
  std::shared_ptr<const Decoder> in_fp32(Waiting& item, const NumericError& error) {
    auto wider = cache_.wider(item.spec);
    if (!wider) return nullptr;
    log(LogLevel::warning, item.result.id + ": " + error.what() + "; decoded again in fp32");
    item.result.dtype = to_string(DType::fp32);
    return wider;
  }

  void hand_over(Waiting item, const at::Tensor& picture) {
    const BatchSettings& settings = request_.settings;
    const at::Tensor pixels = to_stored_pixels(without_padding(picture, item.latents), settings.extension);
    const PictureText text =
        describe_picture(item.facts, item.result, settings, item.spec, cache_.decoder(item.spec)->info());
    ImageWriteOptions how;
    how.quality = settings.quality;
    how.compression = request_.png_level;
    if (settings.extension == ".png" && settings.metadata) how.text = text.in_png;
    item.result.peak_bytes = peak_resident_bytes();
    item.result.own_bytes = own_memory().value_or(0);
    item.result.process = ::getpid();
    pool_->push([this, pixels, how, facts = text.json, result = std::move(item.result)] {
      encode(result, pixels, how, facts);
    });
  }

  /// On a thread of the pool.
  void encode(ItemResult result, const at::Tensor& pixels, const ImageWriteOptions& how, const std::string& facts) {
    const Stopwatch watch;
    std::string bytes;
    try {
      bytes = encode_pixels(pixels, request_.settings.extension, how);
    } catch (...) {
      return fail(result, std::current_exception());
    }
    result.ms_encode_file = watch.ms();
    keep(std::move(result), request_.settings.extension, std::move(bytes), facts);
  }

  /// On a thread of the pool.
  void make_sound(const BatchItem& item, ItemResult result) {
    const SoundSettings& settings = request_.settings.sound;
    const std::string extension = extension_of_sound(item, settings);
    const PendingFile file(request_.output / (item.id + extension));
    result.dtype = to_string(DType::fp32);
    std::string bytes, facts;
    const Stopwatch watch;
    try {
      for (const std::string& damage :
           networks_.sounds->make(item.audio, options_of_sound(item, settings), file.temporary()))
        log(LogLevel::warning, item.id + ": " + damage);
      bytes = read_bytes(file.temporary());
      facts = describe_sound(item, result, request_.settings);
    } catch (const FileError& error) {
      if (error.detail().file == file.temporary().string()) throw;  // the disk is at fault, not the item
      return fail(result, std::current_exception());
    } catch (...) {
      return fail(result, std::current_exception());
    }
    (is_sound_stream(item.audio) ? result.ms_decode : result.ms_encode_file) = watch.ms();
    result.peak_bytes = peak_resident_bytes();
    result.own_bytes = own_memory().value_or(0);
    result.process = ::getpid();
    keep(std::move(result), extension, std::move(bytes), facts);
  }

  void keep(ItemResult result, const std::string& extension, std::string bytes, const std::string& facts) {
    result.sha256 = sha256(bytes);
    result.bytes = static_cast<int64_t>(bytes.size());
    result.state = ItemState::done;
    const std::string name = result.id + extension;
    store_->add({std::move(result), name, std::move(bytes), facts});
  }

  void tell_progress() {
    if (!callbacks_.progress) return;
    const BatchSummary summary = ledger_->summary();
    BatchProgress progress{index_.items, summary.done, summary.failed, summary.skipped, 0, {}};
    const int64_t made = summary.done + summary.failed;
    if (std::exchange(told_, made + summary.skipped) == made + summary.skipped) return;
    progress.per_second = static_cast<double>(made) * 1000 / std::max(clock_->ms(), 1.0);
    if (made > 0)
      progress.seconds_left = static_cast<double>(index_.items - made - summary.skipped) / progress.per_second;
    callbacks_.progress(progress);
  }

  const BatchRequest& request_;
  const BatchNetworks& networks_;
  const BatchCallbacks& callbacks_;
  std::stop_token stop_;
  std::filesystem::path origin_;
  NetworkCache cache_;
  BatchDigest digest_;
  ManifestIndex index_;
  std::optional<ResultsFile> results_;
  std::optional<Ledger> ledger_;
  std::unordered_set<std::string> ours_;  ///< ids of the shard's items
  std::unordered_map<std::string, ItemResult> earlier_;
  PictureFolder folder_{request_.output};
  std::unique_ptr<PictureStore> store_;
  std::optional<EncodePool> pool_;  ///< destroyed before what its threads use
  std::vector<Waiting> waiting_;
  const Stopwatch* clock_ = nullptr;
  int64_t told_ = 0;  ///< items settled when progress was last told
};

}  // namespace

void BatchRequest::validate() const {
  settings.validate();
  const auto require = [](bool good, const char* field, const char* expected, int64_t found) {
    if (!good) throw OptionError("out of range", {"", field, expected, std::to_string(found)});
  };
  require(micro_batch >= 1, "micro_batch", "1 or more", micro_batch);
  require(queue >= 1, "queue", "1 or more", queue);
  require(encode_threads >= 1 && encode_threads <= 64, "encode_threads", "1 … 64", encode_threads);
  require(png_level >= 0 && png_level <= 9, "png_level", "0 … 9", png_level);
  require(tar_items >= 0, "tar_items", "0 or more", tar_items);
  require(shard.index >= 0 && shard.index < shard.count, "shard", "0 <= I < N", shard.index);
  if (!manifest.empty()) return;
  require(tar_items == 0, "tar_items", "0 without a manifest: several processes share the folder", tar_items);
  require(shard.count == 1, "shard", "none without a manifest", shard.count);
}

BatchSummary run_batch(const BatchRequest& request, const BatchNetworks& networks, const BatchCallbacks& callbacks,
                       std::stop_token stop) {
  return Runner(request, networks, callbacks, std::move(stop)).run();
}

}  // namespace lightswitch
