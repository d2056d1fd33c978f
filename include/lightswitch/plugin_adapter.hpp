#pragma once

#include <ATen/ATen.h>
#include <lightswitch/plugin.h>
#include <lightswitch/decoder.hpp>
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/plugin_convert.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// Makes a plug-in of a C++ Decoder. The plug-in's source file says
///
///   struct Mine {
///     static constexpr const char* name = "mine";
///     static constexpr const char* summary = "one line";
///     static constexpr const char* version = "1.0.0";
///     static std::unique_ptr<lightswitch::Decoder> make_decoder(const lightswitch::PluginRequest&);
///     // What follows may be left out.
///     static std::unique_ptr<lightswitch::Encoder> make_encoder(const lightswitch::PluginRequest&);
///     static std::unique_ptr<lightswitch::TemporalDecoder> make_temporal_decoder(const lightswitch::PluginRequest&);
///     static constexpr lightswitch_option options[] = {{"gain", "factor on every colour", "1"}};
///   };
///   LIGHTSWITCH_PLUGIN(Mine)
///
/// and whatever these functions and the Decoder throw reaches the host as a status and a message.
namespace lightswitch {

/// What a network is made from: lightswitch_request as C++.
struct PluginRequest {
  std::string weights;                         ///< file or folder; empty when the user named none
  std::map<std::string, std::string> options;  ///< what the user chose; every name is one of the plug-in's
  Config config;                               ///< of the config.json beside the weights
  DType dtype = DType::automatic;
  c10::Device device = c10::Device(c10::kCPU);
};

/// A built-in family as a plug-in: `struct Kl : FamilyPlugin<kl::family> { name, summary, version };`. Needs
/// lightswitch::nn.
template <DecoderFamily (*family)()>
struct FamilyPlugin {
  static NetworkRequest network_request(const PluginRequest& request) {
    if (request.weights.empty())
      throw OptionError("this plug-in needs weights", {"", "weights", "PLUGIN.so:WEIGHTS", "no weights"});
    return {.weights = open_weights(request.weights),
            .config = request.config,
            .dtype = request.dtype,
            .device = request.device};
  }
  static std::unique_ptr<Decoder> make_decoder(const PluginRequest& request) {
    return family().make_decoder(network_request(request));
  }
  static std::unique_ptr<Encoder> make_encoder(const PluginRequest& request) {
    const auto make = family().make_encoder;
    if (make == nullptr) throw UnsupportedError("this family has no encoder", {"", family().name, "", ""});
    return make(network_request(request));
  }
  static std::unique_ptr<TemporalDecoder> make_temporal_decoder(const PluginRequest& request) {
    const auto make = family().make_temporal_decoder;
    if (make == nullptr) throw UnsupportedError("this family knows no clips", {"", family().name, "", ""});
    return make(network_request(request));
  }
};

namespace plugin_adapter {

inline int32_t fail(lightswitch_error* error, int32_t status, const char* message) noexcept {
  if (error != nullptr && error->message_capacity > 0)
    std::snprintf(error->message, error->message_capacity, "%s", message);
  return status;
}

/// The host's sink did not take what it was given.
struct Refused {
  int32_t status;
};

/// Runs `action` and turns what it throws into a status and a message.
template <typename Action>
int32_t guarded(lightswitch_error* error, Action&& action) noexcept {
  try {
    action();
    return LIGHTSWITCH_OK;
  } catch (const Refused& e) {
    return fail(error, e.status, "the host took no more");
  } catch (const Cancelled& e) {
    return fail(error, LIGHTSWITCH_CANCELLED, e.what());
  } catch (const FileError& e) {
    return fail(error, LIGHTSWITCH_FILE, e.what());
  } catch (const FormatError& e) {
    return fail(error, LIGHTSWITCH_FORMAT, e.what());
  } catch (const IntegrityError& e) {
    return fail(error, LIGHTSWITCH_INTEGRITY, e.what());
  } catch (const WeightsError& e) {
    return fail(error, LIGHTSWITCH_WEIGHTS, e.what());
  } catch (const OptionError& e) {
    return fail(error, LIGHTSWITCH_OPTION, e.what());
  } catch (const TensorError& e) {
    return fail(error, LIGHTSWITCH_TENSOR, e.what());
  } catch (const NumericError& e) {
    return fail(error, LIGHTSWITCH_NUMERIC, e.what());
  } catch (const UnsupportedError& e) {
    return fail(error, LIGHTSWITCH_UNSUPPORTED, e.what());
  } catch (const c10::OutOfMemoryError& e) {
    return fail(error, LIGHTSWITCH_OUT_OF_MEMORY, e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return fail(error, LIGHTSWITCH_OUT_OF_MEMORY, "out of memory");
  } catch (const c10::Error& e) {  // what() ends in a stack trace
    return fail(error, LIGHTSWITCH_INTERNAL, e.what_without_backtrace());
  } catch (const std::exception& e) {
    return fail(error, LIGHTSWITCH_INTERNAL, e.what());
  } catch (...) {
    return fail(error, LIGHTSWITCH_INTERNAL, "an exception of unknown type");
  }
}

/// The host's stop as a std::stop_token for the time of one call.
class StopBridge {
 public:
  explicit StopBridge(const lightswitch_stop& stop)
      : stop_(stop), subscription_(stop.subscribe(stop.context, &StopBridge::notify, &source_)) {
    if (subscription_ == nullptr) throw std::bad_alloc();
  }
  ~StopBridge() { stop_.unsubscribe(stop_.context, subscription_); }
  StopBridge(const StopBridge&) = delete;
  StopBridge& operator=(const StopBridge&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  static void notify(void* source) { static_cast<std::stop_source*>(source)->request_stop(); }

  const lightswitch_stop& stop_;
  std::stop_source source_;
  void* subscription_;
};

inline std::map<std::string, std::string> text_map(const lightswitch_pair* pairs, uint32_t count) {
  std::map<std::string, std::string> map;
  for (uint32_t i = 0; i < count; ++i) map[pairs[i].name] = pairs[i].value;
  return map;
}

inline PluginRequest request_of(const lightswitch_request& request) {
  if (request.device_type != LIGHTSWITCH_DEVICE_CPU && request.device_type != LIGHTSWITCH_DEVICE_CUDA)
    throw UnsupportedError("unknown device",
                           {"", "device", "1 (CPU) or 2 (CUDA)", std::to_string(request.device_type)});
  const auto dtype = dtype_of_code(request.arithmetic);
  if (!dtype) throw UnsupportedError("unknown arithmetic", {"", "dtype", "0 … 3", std::to_string(request.arithmetic)});
  return {.weights = request.weights_path != nullptr ? request.weights_path : "",
          .options = text_map(request.options, request.option_count),
          .config = text_map(request.config, request.config_count),
          .dtype = *dtype,
          .device = request.device_type == LIGHTSWITCH_DEVICE_CPU
                        ? c10::Device(c10::kCPU)
                        : c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(request.device_id))};
}

/// A view's tensor. @throws TensorError for one that tensor_of() does not know.
inline at::Tensor known_tensor(const lightswitch_tensor& view) {
  at::Tensor tensor = tensor_of(view);
  if (!tensor.defined())
    throw TensorError("unusable tensor", {"", "dtype or device", "float32 or int64 on a CPU", "another"});
  return tensor;
}

/// Hands tensors to the host, dense and on a CPU. @throws Refused.
inline void give(const lightswitch_sink& sink, std::vector<at::Tensor> tensors) {
  std::vector<lightswitch_tensor> views;
  for (at::Tensor& tensor : tensors) {
    tensor = tensor.to(at::kCPU).contiguous();
    views.push_back(view_of(tensor));
  }
  const int32_t status = sink.take(sink.context, views.data(), static_cast<uint32_t>(views.size()));
  if (status != LIGHTSWITCH_OK) throw Refused{status};
}

/// Runs `network` for one call of the host and copies what it makes to `output`.
template <typename Network>
int32_t fill(const lightswitch_tensor& output, const lightswitch_stop& stop, lightswitch_error* error,
             Network&& network) {
  return guarded(error, [&] {
    const StopBridge bridge(stop);
    if (bridge.token().stop_requested()) throw Cancelled();
    const at::Tensor to = known_tensor(output);
    const at::Tensor result = network(bridge.token());
    if (!result.defined() || result.sizes() != to.sizes())
      throw TensorError(
          "the network returned another shape",
          {"", "output", c10::str(to.sizes()), result.defined() ? c10::str(result.sizes()) : "an undefined tensor"});
    to.copy_(result);
  });
}

/// A Decoder, Encoder or TemporalDecoder together with its facts in C.
template <typename Network>
class Held {
 public:
  explicit Held(std::unique_ptr<Network> network) : network_(std::move(network)) {
    if (!network_) throw Error("the plug-in made no network");
    const LatentSpec& spec = network_->spec();
    const NetworkInfo& info = network_->info();
    space_ = spec.space;
    configuration_ = info.configuration;
    spec_ = {.struct_size = sizeof(lightswitch_spec),
             .arithmetic = arithmetic_code(info.dtype),
             .network_input = latents_code(spec.network_input),
             .output_range = range_code(spec.output_range),
             .channels = spec.channels,
             .factor = spec.factor,
             .scaling_factor = spec.scaling_factor,
             .shift_factor = spec.shift_factor,
             .parameters = info.parameters,
             .space = space_.c_str(),
             .configuration = configuration_.c_str(),
             .codebook = spec.codebook};
  }

  const Network& network() const { return *network_; }
  const lightswitch_spec& spec() const { return spec_; }

 private:
  std::unique_ptr<Network> network_;
  std::string space_, configuration_;
  lightswitch_spec spec_{};
};

/// The C functions that Decoder, Encoder and TemporalDecoder share; Handle is what the host calls each.
template <typename Network, typename Handle, std::unique_ptr<Network> (*make)(const PluginRequest&)>
struct Functions {
  static const Network& network(const Handle* handle) { return held(handle).network(); }

  static int32_t create(const lightswitch_request* request, Handle** handle, lightswitch_error* error) {
    return guarded(error, [&] {
      auto made = std::make_unique<Held<Network>>(make(request_of(*request)));
      *handle = reinterpret_cast<Handle*>(made.release());
    });
  }
  static void destroy(Handle* handle) { delete reinterpret_cast<Held<Network>*>(handle); }
  static const lightswitch_spec* spec(const Handle* handle) { return &held(handle).spec(); }

  /// Decoder's and Encoder's alone.
  static int32_t run(const Handle* handle, const lightswitch_tensor* input, const lightswitch_tensor* output,
                     const lightswitch_stop* stop, lightswitch_error* error) {
    return fill(*output, *stop, error,
                [&](const std::stop_token& token) { return network(handle).forward(known_tensor(*input), token); });
  }
  static int64_t macs(const Handle* handle, int64_t height, int64_t width) {
    int64_t count = 0;
    guarded(nullptr, [&] { count = network(handle).macs(height, width); });
    return count;
  }

 private:
  static const Held<Network>& held(const Handle* handle) { return *reinterpret_cast<const Held<Network>*>(handle); }
};

template <typename Plugin>
concept Encodes = requires { &Plugin::make_encoder; };
template <typename Plugin>
concept DecodesClips = requires { &Plugin::make_temporal_decoder; };

template <typename Plugin>
struct DecoderFunctions : Functions<Decoder, lightswitch_decoder, &Plugin::make_decoder> {
  using DecoderFunctions::Functions::network;

  static int64_t halo(const lightswitch_decoder* decoder) {
    const LatentSpec& spec = network(decoder).spec();
    return spec.global_operations ? -1 : spec.halo;
  }
  static int64_t peak_bytes(const lightswitch_decoder* decoder, int64_t h, int64_t w) {
    int64_t bytes = -1;
    guarded(nullptr, [&] { bytes = network(decoder).activation_bytes(h, w).value_or(-1); });
    return bytes;
  }
  static int32_t shares_norms(const lightswitch_decoder* decoder) {
    return network(decoder).shared_norms() != nullptr ? 1 : 0;
  }
  static int32_t measure(const lightswitch_decoder* decoder, const lightswitch_tensor* latents,
                         const lightswitch_sink* statistics, const lightswitch_stop* stop, lightswitch_error* error) {
    return guarded(error, [&] {
      const StopBridge bridge(*stop);
      give(*statistics, network(decoder).shared_norms()->measure(known_tensor(*latents), bridge.token()));
    });
  }
  static int32_t run_with(const lightswitch_decoder* decoder, const lightswitch_tensor* statistics, uint32_t count,
                          const lightswitch_tensor* latents, const lightswitch_tensor* pictures,
                          const lightswitch_stop* stop, lightswitch_error* error) {
    return fill(*pictures, *stop, error, [&](const std::stop_token& token) {
      NormStatistics measured;
      for (const lightswitch_tensor& each : std::span(statistics, count)) measured.push_back(known_tensor(each));
      return network(decoder).shared_norms()->forward_with(measured, known_tensor(*latents), token);
    });
  }
};

template <typename Plugin>
struct EncoderFunctions : Functions<Encoder, lightswitch_encoder, &Plugin::make_encoder> {
  static int32_t to_indices(const lightswitch_encoder* encoder, const lightswitch_tensor* latents,
                            const lightswitch_tensor* indices, const lightswitch_stop* stop, lightswitch_error* error) {
    return fill(*indices, *stop, error, [&](const std::stop_token& token) {
      return EncoderFunctions::network(encoder).to_indices(known_tensor(*latents), token);
    });
  }
};

template <typename Plugin>
struct TemporalFunctions : Functions<TemporalDecoder, lightswitch_temporal, &Plugin::make_temporal_decoder> {
  using TemporalFunctions::Functions::network;

  static FrameStream& frames(lightswitch_stream* stream) { return *reinterpret_cast<FrameStream*>(stream); }

  static int32_t depends_on_chunks(const lightswitch_temporal* decoder) {
    return network(decoder).depends_on_chunks() ? 1 : 0;
  }
  static int64_t macs(const lightswitch_temporal* decoder, int64_t frame_count, int64_t h, int64_t w) {
    int64_t count = 0;
    guarded(nullptr, [&] { count = network(decoder).macs(frame_count, h, w); });
    return count;
  }
  static int64_t frames_of(const lightswitch_temporal* decoder, int64_t latents) {
    int64_t count = 0;
    guarded(nullptr, [&] { count = network(decoder).frames(latents); });
    return count;
  }
  static int32_t begin(const lightswitch_temporal* decoder, lightswitch_stream** stream, lightswitch_error* error) {
    return guarded(error, [&] { *stream = reinterpret_cast<lightswitch_stream*>(network(decoder).begin().release()); });
  }
  static int32_t push(lightswitch_stream* stream, const lightswitch_tensor* latents, const lightswitch_sink* sink,
                      const lightswitch_stop* stop, lightswitch_error* error) {
    return guarded(error, [&] {
      const StopBridge bridge(*stop);
      if (bridge.token().stop_requested()) throw Cancelled();
      const at::Tensor ready = frames(stream).push(known_tensor(*latents), bridge.token());
      if (!ready.defined()) throw TensorError("the network returned no tensor", {"", "frames", "a tensor", "none"});
      if (ready.numel() > 0) give(*sink, {ready.to(at::kFloat)});
    });
  }
  static void end(lightswitch_stream* stream) { delete &frames(stream); }
};

/// The tables of what a plug-in can do besides decoding.
template <typename Plugin>
const void* extension(const char* id) {
  using Decodes = DecoderFunctions<Plugin>;
  static constexpr lightswitch_tiling_extension tiling{
      .struct_size = sizeof tiling, .reserved = 0, .halo = &Decodes::halo};
  static constexpr lightswitch_memory_extension memory{
      .struct_size = sizeof memory, .reserved = 0, .peak_bytes = &Decodes::peak_bytes};
  static constexpr lightswitch_shared_norms_extension shared_norms{.struct_size = sizeof shared_norms,
                                                                   .reserved = 0,
                                                                   .available = &Decodes::shares_norms,
                                                                   .measure = &Decodes::measure,
                                                                   .decode = &Decodes::run_with};
  static constexpr lightswitch_macs_extension macs = [] {
    lightswitch_macs_extension table{
        .struct_size = sizeof table, .reserved = 0, .decode = &Decodes::macs, .encode = nullptr};
    if constexpr (Encodes<Plugin>) table.encode = &EncoderFunctions<Plugin>::macs;
    return table;
  }();
  const std::string_view wanted(id);
  if (wanted == LIGHTSWITCH_EXTENSION_TILING) return &tiling;
  if (wanted == LIGHTSWITCH_EXTENSION_MEMORY) return &memory;
  if (wanted == LIGHTSWITCH_EXTENSION_SHARED_NORMS) return &shared_norms;
  if (wanted == LIGHTSWITCH_EXTENSION_MACS) return &macs;
  if constexpr (Encodes<Plugin>) {
    using Functions = EncoderFunctions<Plugin>;
    static constexpr lightswitch_encode_extension encode{.struct_size = sizeof encode,
                                                         .reserved = 0,
                                                         .create = &Functions::create,
                                                         .destroy = &Functions::destroy,
                                                         .spec = &Functions::spec,
                                                         .encode = &Functions::run,
                                                         .to_indices = &Functions::to_indices};
    if (wanted == LIGHTSWITCH_EXTENSION_ENCODE) return &encode;
  }
  if constexpr (DecodesClips<Plugin>) {
    using Functions = TemporalFunctions<Plugin>;
    static constexpr lightswitch_temporal_extension temporal{.struct_size = sizeof temporal,
                                                             .reserved = 0,
                                                             .create = &Functions::create,
                                                             .destroy = &Functions::destroy,
                                                             .spec = &Functions::spec,
                                                             .depends_on_chunks = &Functions::depends_on_chunks,
                                                             .macs = &Functions::macs,
                                                             .begin = &Functions::begin,
                                                             .push = &Functions::push,
                                                             .end = &Functions::end,
                                                             .frames = &Functions::frames_of};
    if (wanted == LIGHTSWITCH_EXTENSION_TEMPORAL) return &temporal;
  }
  return nullptr;
}

template <typename Plugin>
constexpr std::span<const lightswitch_option> options() {
  if constexpr (requires { Plugin::options; })
    return Plugin::options;
  else
    return {};
}

template <typename Plugin>
inline constexpr lightswitch_decoder_table decoder_table{.struct_size = sizeof(lightswitch_decoder_table),
                                                         .reserved = 0,
                                                         .create = &DecoderFunctions<Plugin>::create,
                                                         .destroy = &DecoderFunctions<Plugin>::destroy,
                                                         .spec = &DecoderFunctions<Plugin>::spec,
                                                         .decode = &DecoderFunctions<Plugin>::run};

/// Constant, so that a host can read it before any code of the plug-in runs.
template <typename Plugin>
constexpr lightswitch_plugin entry() {
  return {.abi_major = LIGHTSWITCH_PLUGIN_MAJOR,
          .abi_minor = LIGHTSWITCH_PLUGIN_MINOR,
          .struct_size = sizeof(lightswitch_plugin),
          .option_count = static_cast<uint32_t>(options<Plugin>().size()),
          .name = Plugin::name,
          .summary = Plugin::summary,
          .version = Plugin::version,
          .options = options<Plugin>().data(),
          .decoder = &decoder_table<Plugin>,
          .extension = &extension<Plugin>};
}

}  // namespace plugin_adapter
}  // namespace lightswitch

/// Defines the one exported symbol of a plug-in. At namespace scope, once in a shared library.
#define LIGHTSWITCH_PLUGIN(Plugin)                                                             \
  extern "C" LIGHTSWITCH_PLUGIN_EXPORT constexpr lightswitch_plugin lightswitch_plugin_entry = \
      ::lightswitch::plugin_adapter::entry<Plugin>();
