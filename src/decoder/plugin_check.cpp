#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/plugin_check.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <thread>
#include <vector>

#include "decoder/plugin_network.hpp"

namespace lightswitch {
namespace {

/// How a rule ends early.
struct Broken {
  std::string detail;
};
struct Skipped {
  std::string detail;
};

void require(bool kept, const std::string& otherwise) {
  if (!kept) throw Broken{otherwise};
}

/// A plug-in under examination: opened, and what its networks are made from.
struct Subject {
  Subject(const PluginSource& source, const PluginSettings& settings)
      : library(PluginLibrary::open(source.plugin)), order(sort_settings(*library, source, settings).order) {}

  PluginDecoderNetwork decoder() const { return {library, decoder_functions(*library), order}; }

  std::shared_ptr<const PluginLibrary> library;
  PluginOrder order;
};

/// Dense memory for a tensor with a zone on both sides that nobody may write to. Starts as NaN.
class GuardedTensor {
 public:
  explicit GuardedTensor(const std::vector<int64_t>& shape) {
    const int64_t count = c10::multiply_integers(shape);
    whole_ = at::full({zone + count + zone}, mark, at::kFloat);
    tensor_ = whole_.narrow(0, zone, count).fill_(std::numeric_limits<float>::quiet_NaN()).view(shape);
  }
  const at::Tensor& tensor() const { return tensor_; }
  bool is_guarded() const {
    const int64_t count = tensor_.numel();
    return (whole_.narrow(0, 0, zone) == mark).all().item<bool>() &&
           (whole_.narrow(0, zone + count, zone) == mark).all().item<bool>();
  }

 private:
  static constexpr int64_t zone = 1024;
  static constexpr float mark = -1234.5F;
  at::Tensor whole_, tensor_;
};

/// Latents or pictures that look like noise, the same in every process: fractions of multiples of the golden ratio.
at::Tensor noise(const std::vector<int64_t>& shape, double seed) {
  const at::Tensor steps = at::arange(1, c10::multiply_integers(shape) + 1, at::kDouble) * 0.6180339887498949;
  return ((steps + seed * 0.37).frac() * 2 - 1).to(at::kFloat).view(shape);
}

/// Latents for the network; indices are all 0, the one entry that every codebook has.
at::Tensor latents_for(const LatentSpec& spec, int64_t n, int64_t h, int64_t w, double seed = 0) {
  if (spec.network_input == LatentKind::indices) return at::zeros({n, h, w}, at::kLong);
  return noise({n, spec.channels, h, w}, seed);
}

at::Tensor picture_for(const PluginDecoderNetwork& network, const at::Tensor& latents, GuardedTensor& target,
                       const std::stop_token& stop = {}) {
  network.run(latents, target.tensor(), stop);
  return target.tensor();
}

at::Tensor decoded(const PluginDecoderNetwork& network, const at::Tensor& latents) {
  const int64_t factor = network.spec().factor;
  GuardedTensor target({latents.size(0), 3, latents.size(-2) * factor, latents.size(-1) * factor});
  return picture_for(network, latents.clone(), target);  // a copy: the plug-in may write to it
}

/// Same arithmetic in another order may round otherwise, the more so the fewer digits there are.
bool alike(const at::Tensor& a, const at::Tensor& b, DType dtype) {
  const double scale = std::max(1.0, a.abs().max().item<double>());
  return (a - b).abs().max().item<double>() <= (dtype == DType::fp32 ? 1e-4 : 0.05) * scale;
}

void require_finite(const at::Tensor& tensor) {
  const int64_t bad = tensor.numel() - at::isfinite(tensor).sum().item<int64_t>();
  require(bad == 0, std::to_string(bad) + " of " + std::to_string(tensor.numel()) + " numbers of a " +
                        c10::str(tensor.sizes()) + " are unwritten, NaN or infinite");
}

void skip_for_indices(const PluginDecoderNetwork& network) {
  if (network.spec().network_input == LatentKind::indices)
    throw Skipped{"the decoder takes codebook indices, of which only 0 is known to be valid"};
}

void check_entry(const PluginSource& source, const PluginSettings&) {
  PluginLibrary::open(source.plugin);
}

void check_extensions(const PluginSource& source, const PluginSettings& settings) {
  const Subject subject(source, settings);
  const PluginLibrary& library = *subject.library;
  const auto whole = [&](const char* id, bool there) { require(there, std::string(id) + " has a null function"); };
  if (const auto table = library.extension<lightswitch_encode_extension>(LIGHTSWITCH_EXTENSION_ENCODE))
    encoder_functions(library);
  if (const auto table = library.extension<lightswitch_tiling_extension>(LIGHTSWITCH_EXTENSION_TILING))
    whole(LIGHTSWITCH_EXTENSION_TILING, table->halo != nullptr);
  if (const auto table = library.extension<lightswitch_memory_extension>(LIGHTSWITCH_EXTENSION_MEMORY))
    whole(LIGHTSWITCH_EXTENSION_MEMORY, table->peak_bytes != nullptr);
  if (const auto table = library.extension<lightswitch_macs_extension>(LIGHTSWITCH_EXTENSION_MACS))
    whole(LIGHTSWITCH_EXTENSION_MACS, table->decode != nullptr);
  if (const auto table = library.extension<lightswitch_shared_norms_extension>(LIGHTSWITCH_EXTENSION_SHARED_NORMS))
    whole(LIGHTSWITCH_EXTENSION_SHARED_NORMS, table->available && table->measure && table->decode);
  if (library.extension<lightswitch_temporal_extension>(LIGHTSWITCH_EXTENSION_TEMPORAL)) temporal_table(library);
  const auto ask = library.entry().extension;
  for (const std::string id : {"", "lightswitch.tiling", "lightswitch.no-such-ability/1"})
    require(ask == nullptr || ask(id.c_str()) == nullptr,
            "extension(\"" + id + "\") is not null, though there is no such ability");
}

/// The clip decoder of these weights; null when they are none.
std::shared_ptr<const TemporalDecoder> clip_decoder(const PluginSource& source, const PluginSettings& settings) {
  try {
    return open_plugin_temporal_decoder(source, settings);
  } catch (const PluginError&) {
    throw;
  } catch (const Error&) {
    return nullptr;
  }
}

/// The frames of a clip that is pushed in pieces of these lengths.
at::Tensor frames_of(const TemporalDecoder& decoder, const at::Tensor& latents, std::vector<int64_t> lengths) {
  const auto stream = decoder.begin();
  std::vector<at::Tensor> ready;
  int64_t begin = 0;
  for (const int64_t length : lengths) {
    ready.push_back(stream->push(latents.narrow(1, begin, length)));
    begin += length;
  }
  return at::cat(ready);
}

void check_clips(const PluginSource& source, const PluginSettings& settings) {
  const Subject subject(source, settings);
  if (!subject.library->extension<lightswitch_temporal_extension>(LIGHTSWITCH_EXTENSION_TEMPORAL))
    throw Skipped{"no extension " LIGHTSWITCH_EXTENSION_TEMPORAL};
  const auto decoder = clip_decoder(source, settings);
  if (!decoder) throw Skipped{"no decoder of clips can be made of these weights"};
  const DType dtype = decoder->info().dtype;
  const auto same = [&](const at::Tensor& a, const at::Tensor& b) {
    return a.sizes() == b.sizes() && alike(a, b, dtype);
  };
  const at::Tensor first = noise({decoder->spec().channels, 5, 4, 3}, 0), second = noise(first.sizes().vec(), 1);
  const at::Tensor alone = frames_of(*decoder, first, {2, 3}), other = frames_of(*decoder, second, {2, 3});
  require(alone.size(0) == decoder->frames(5), "a clip of 5 latents gave " + std::to_string(alone.size(0)) +
                                                   " frames, frames() says " + std::to_string(decoder->frames(5)));
  require_finite(alone);
  const auto one = decoder->begin(), two = decoder->begin();
  const at::Tensor begun = one->push(first.narrow(1, 0, 2)), begun_other = two->push(second.narrow(1, 0, 2));
  require(same(alone, at::cat({begun, one->push(first.narrow(1, 2, 3))})) &&
              same(other, at::cat({begun_other, two->push(second.narrow(1, 2, 3))})),
          "two streams that take turns give other frames than one after the other");
  require(decoder->depends_on_chunks() || same(alone, frames_of(*decoder, first, {5})),
          "the frames change with the way the clip is cut, which the decoder denies");
  std::stop_source stop;
  stop.request_stop();
  try {
    decoder->begin()->push(first, stop.get_token());
  } catch (const Cancelled&) {
    return;
  }
  throw Broken{"push() went on though the stop had been requested"};
}

void check_create(const PluginSource& source, const PluginSettings& settings) {
  const Subject subject(source, settings);
  try {
    subject.decoder();
  } catch (const PluginError&) {
    throw;
  } catch (const Error& error) {
    if (source.weights.empty()) throw Skipped{"nothing can be made without weights: " + std::string(error.what())};
    if (subject.library->extension<lightswitch_temporal_extension>(LIGHTSWITCH_EXTENSION_TEMPORAL) &&
        clip_decoder(source, settings))
      throw Skipped{"these weights are a decoder of clips"};
    throw;
  }
}

void check_refusal(const PluginSource& source, const PluginSettings& settings) {
  Subject subject(source, settings);
  subject.order.weights = "/nonexistent/weights.safetensors";
  std::string message;
  try {
    subject.decoder();
  } catch (const PluginError&) {
    throw;
  } catch (const Error& error) {
    message = error.what();
  }
  require(!message.empty(), "create() made a decoder from weights that do not exist");
  require(message.find("no message") == std::string::npos, "create() failed without a message");
}

void check_options(const PluginSource& source, const PluginSettings& settings) {
  Subject subject(source, settings);
  const lightswitch_plugin& entry = subject.library->entry();
  if (entry.option_count == 0) throw Skipped{"the plug-in has no options"};
  const auto usual = subject.decoder();
  const at::Tensor latents = latents_for(usual.spec(), 1, 2, 3);
  for (uint32_t i = 0; i < entry.option_count; ++i)
    subject.order.options.try_emplace(entry.options[i].name, entry.options[i].default_value);
  const auto spelled_out = subject.decoder();
  require(alike(decoded(usual, latents), decoded(spelled_out, latents), usual.info().dtype),
          "the picture changes when every option is given the value that it says is its default");
}

void check_spec(const PluginSource& source, const PluginSettings& settings) {
  const auto network = Subject(source, settings).decoder();
  decoded(network, latents_for(network.spec(), 1, 2, 2));
  const auto [spec, info] = network.ask_spec();
  const LatentSpec& before = network.spec();
  require(spec.space == before.space && spec.channels == before.channels && spec.factor == before.factor &&
              spec.network_input == before.network_input && spec.scaling_factor == before.scaling_factor &&
              spec.shift_factor == before.shift_factor && spec.output_range == before.output_range &&
              info.parameters == network.info().parameters && info.dtype == network.info().dtype &&
              info.configuration == network.info().configuration,
          "the spec after a decode differs from the one before");
}

void check_pictures(const PluginSource& source, const PluginSettings& settings) {
  const auto network = Subject(source, settings).decoder();
  for (const auto& [h, w] : {std::pair{1, 1}, {1, 5}, {4, 3}, {8, 8}})
    require_finite(decoded(network, latents_for(network.spec(), 1, h, w)));
}

void check_bounds(const PluginSource& source, const PluginSettings& settings) {
  const auto network = Subject(source, settings).decoder();
  const at::Tensor latents = latents_for(network.spec(), 2, 3, 5), before = latents.clone();
  GuardedTensor target({2, 3, 3 * network.spec().factor, 5 * network.spec().factor});
  picture_for(network, latents, target);
  require(target.is_guarded(), "decode() wrote outside the pictures");
  require(at::equal(latents, before), "decode() wrote to the latents");
}

void check_repetition(const PluginSource& source, const PluginSettings& settings) {
  const auto network = Subject(source, settings).decoder();
  const at::Tensor latents = latents_for(network.spec(), 1, 3, 4);
  const at::Tensor first = decoded(network, latents);
  decoded(network, latents_for(network.spec(), 1, 2, 2, 1));
  require(alike(first, decoded(network, latents), network.info().dtype), "the same latents gave another picture");
}

void check_batch(const PluginSource& source, const PluginSettings& settings) {
  const auto network = Subject(source, settings).decoder();
  skip_for_indices(network);
  const at::Tensor both = latents_for(network.spec(), 2, 3, 4);
  const at::Tensor pictures = decoded(network, both);
  for (int64_t i = 0; i < 2; ++i)
    require(alike(pictures.slice(0, i, i + 1), decoded(network, both.slice(0, i, i + 1)), network.info().dtype),
            "picture " + std::to_string(i) + " of a batch differs from what its latents give alone");
}

void check_instances(const PluginSource& source, const PluginSettings& settings) {
  const Subject subject(source, settings);
  const auto kept = subject.decoder();
  const at::Tensor latents = latents_for(kept.spec(), 1, 3, 4);
  const at::Tensor alone = decoded(kept, latents);
  {
    const auto other = subject.decoder();
    require(alike(alone, decoded(other, latents), kept.info().dtype), "a second decoder gives another picture");
  }
  require(alike(alone, decoded(kept, latents), kept.info().dtype),
          "the picture changed when another decoder was made and destroyed");
}

void check_threads(const PluginSource& source, const PluginSettings& settings) {
  const auto network = Subject(source, settings).decoder();
  std::array<at::Tensor, 2> latents, expected;
  std::array<bool, 2> right{true, true};
  std::array<std::string, 2> failures;
  for (size_t i = 0; i < 2; ++i) {
    latents[i] = latents_for(network.spec(), 1, 4, 4, static_cast<double>(i));
    expected[i] = decoded(network, latents[i]);
  }
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < 2; ++i)
      threads.emplace_back([&, i] {
        try {
          for (int round = 0; round < 10; ++round)
            right[i] = right[i] && alike(expected[i], decoded(network, latents[i]), network.info().dtype);
        } catch (const std::exception& error) {
          failures[i] = error.what();
        }
      });
  }
  for (size_t i = 0; i < 2; ++i) {
    require(failures[i].empty(), failures[i]);
    require(right[i], "two threads in one decoder got other pictures than one after the other");
  }
}

void check_stop(const PluginSource& source, const PluginSettings& settings) {
  const auto network = Subject(source, settings).decoder();
  const at::Tensor latents = latents_for(network.spec(), 1, 3, 4);
  const at::Tensor before = decoded(network, latents);
  std::stop_source stop;
  stop.request_stop();
  bool cancelled = false;
  try {
    GuardedTensor target(before.sizes().vec());
    picture_for(network, latents, target, stop.get_token());
  } catch (const Cancelled&) {
    cancelled = true;
  }
  require(cancelled, "decode() went on though the stop had been requested");
  require(alike(before, decoded(network, latents), network.info().dtype), "the picture changed after a stop");
}

/// Without the latents beyond the halo, a pixel is what it was with them.
void check_halo(const PluginSource& source, const PluginSettings& settings) {
  const Subject subject(source, settings);
  const auto table = subject.library->extension<lightswitch_tiling_extension>(LIGHTSWITCH_EXTENSION_TILING);
  if (!table || table->halo == nullptr) throw Skipped{"no extension " LIGHTSWITCH_EXTENSION_TILING};
  const auto network = subject.decoder();
  skip_for_indices(network);
  const int64_t halo = table->halo(network.handle());
  require(halo >= -1, "the halo is " + std::to_string(halo) + ", which is below -1");
  if (halo < 0) throw Skipped{"the plug-in says that it sees the whole picture"};
  if (halo > 64) throw Skipped{"a halo of " + std::to_string(halo) + " latents is too wide to be tried"};
  const int64_t factor = network.spec().factor, length = halo + 3;
  for (const int64_t axis : {2, 3}) {
    const at::Tensor strip =
        axis == 2 ? latents_for(network.spec(), 1, length, 2) : latents_for(network.spec(), 1, 2, length);
    const at::Tensor whole = decoded(network, strip);
    // The first latent away, then the last: what lies `halo` latents further in must not have noticed.
    const at::Tensor late = decoded(network, strip.narrow(axis, 1, length - 1).contiguous());
    const at::Tensor early = decoded(network, strip.narrow(axis, 0, length - 1).contiguous());
    const int64_t same = (length - 1 - halo) * factor;
    require(alike(whole.narrow(axis, (halo + 1) * factor, same), late.narrow(axis, halo * factor, same),
                  network.info().dtype) &&
                alike(whole.narrow(axis, 0, same), early.narrow(axis, 0, same), network.info().dtype),
            "pixels change with latents that lie more than the halo of " + std::to_string(halo) + " away");
  }
}

/// With its own statistics handed back, a picture is what it is without.
void check_norms(const PluginSource& source, const PluginSettings& settings) {
  const auto decoder = open_plugin_decoder(source, settings);
  const SharedNorms* norms = decoder->shared_norms();
  if (norms == nullptr) throw Skipped{"no extension " LIGHTSWITCH_EXTENSION_SHARED_NORMS ", or not with these weights"};
  const at::Tensor latents = noise({1, decoder->spec().channels, 4, 4}, 0);
  require(
      alike(decoder->forward(latents), norms->forward_with(norms->measure(latents), latents), decoder->info().dtype),
      "a picture changes when it is decoded with its own statistics");
}

/// Counts of an extension: of something, and no fewer for a larger picture.
void require_growing(const char* what, int64_t small, int64_t large) {
  require(small >= 0 && large >= small,
          std::string(what) + " of 4x4 and 8x8 latents: " + std::to_string(small) + " and " + std::to_string(large));
}

void check_counts(const PluginSource& source, const PluginSettings& settings) {
  const Subject subject(source, settings);
  const auto macs = subject.library->extension<lightswitch_macs_extension>(LIGHTSWITCH_EXTENSION_MACS);
  const auto memory = subject.library->extension<lightswitch_memory_extension>(LIGHTSWITCH_EXTENSION_MEMORY);
  if (!macs && !memory) throw Skipped{"no extension " LIGHTSWITCH_EXTENSION_MACS " or " LIGHTSWITCH_EXTENSION_MEMORY};
  const auto network = subject.decoder();
  if (macs)
    require_growing("multiply-adds", macs->decode(network.handle(), 4, 4), macs->decode(network.handle(), 8, 8));
  if (!memory) return;
  const int64_t small = memory->peak_bytes(network.handle(), 4, 4);
  if (small != -1) require_growing("bytes", small, memory->peak_bytes(network.handle(), 8, 8));
}

void check_encoder(const PluginSource& source, const PluginSettings& settings) {
  const Subject subject(source, settings);
  if (!subject.library->extension<lightswitch_encode_extension>(LIGHTSWITCH_EXTENSION_ENCODE))
    throw Skipped{"no extension " LIGHTSWITCH_EXTENSION_ENCODE};
  const auto decoder = subject.decoder();
  std::unique_ptr<PluginEncoderNetwork> made;
  try {
    made = std::make_unique<PluginEncoderNetwork>(subject.library, encoder_functions(*subject.library), subject.order);
  } catch (const PluginError&) {
    throw;
  } catch (const Error& error) {
    throw Skipped{"no encoder can be made of these weights: " + std::string(error.what())};
  }
  const LatentSpec& spec = made->spec();
  require(spec.channels == decoder.spec().channels && spec.factor == decoder.spec().factor &&
              spec.network_input == decoder.spec().network_input &&
              spec.scaling_factor == decoder.spec().scaling_factor && spec.shift_factor == decoder.spec().shift_factor,
          "the encoder's spec differs from the decoder's");
  const at::Tensor pictures = noise({1, 3, 4 * spec.factor, 5 * spec.factor}, 0), before = pictures.clone();
  GuardedTensor target({1, spec.channels, 4, 5});
  made->run(pictures, target.tensor(), {});
  require_finite(target.tensor());
  require(target.is_guarded(), "encode() wrote outside the latents");
  require(at::equal(pictures, before), "encode() wrote to the pictures");
}

constexpr PluginRule rules[] = {
    {"entry", "exports a whole entry of this major version, with usable texts and tables", true, check_entry},
    {"extensions", "gives whole tables for the extensions it has, and null for ids that it cannot know", false,
     check_extensions},
    {"clips", "keeps streams of frames apart, whole and stoppable", false, check_clips},
    {"create", "makes a decoder whose spec is in range", true, check_create},
    {"refusal", "fails with a message for weights that do not exist", false, check_refusal},
    {"pictures", "writes every pixel of pictures of any size, with finite numbers", false, check_pictures},
    {"bounds", "writes to nothing but the pictures", false, check_bounds},
    {"spec", "tells the same facts before and after decoding", false, check_spec},
    {"repetition", "gives the same picture for the same latents", false, check_repetition},
    {"options", "takes each option's default value for what it is", false, check_options},
    {"batch", "decodes each picture of a batch as it would alone", false, check_batch},
    {"instances", "keeps decoders apart", false, check_instances},
    {"threads", "lets two threads into one decoder", false, check_threads},
    {"stop", "stops when asked to, and works afterwards", false, check_stop},
    {"halo", "looks no further than its halo", false, check_halo},
    {"norms", "decodes as before with a picture's own norm statistics", false, check_norms},
    {"counts", "counts more work and memory for larger pictures", false, check_counts},
    {"encoder", "encodes to the decoder's latents", false, check_encoder},
};

}  // namespace

const char* to_string(PluginVerdict::Outcome outcome) {
  switch (outcome) {
    case PluginVerdict::Outcome::kept:
      return "kept";
    case PluginVerdict::Outcome::broken:
      return "broken";
    default:
      return "skipped";
  }
}

PluginVerdict PluginRule::check(const PluginSource& source, const PluginSettings& settings) const {
  using Outcome = PluginVerdict::Outcome;
  try {
    run(source, settings);
    return {};
  } catch (const Broken& broken) {
    return {Outcome::broken, broken.detail};
  } catch (const Skipped& skipped) {
    return {Outcome::skipped, skipped.detail};
  } catch (const std::bad_alloc&) {
    return {Outcome::broken, "out of memory"};
  } catch (const Error& error) {
    return {Outcome::broken, error.what()};
  }
}

std::span<const PluginRule> plugin_rules() {
  return rules;
}

}  // namespace lightswitch
