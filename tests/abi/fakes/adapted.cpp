// A C++ Decoder and Encoder behind plugin_adapter.hpp. Option `fault` has them fail in every way that C++ can.
#include <lightswitch/plugin_adapter.hpp>

#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>

namespace {

using namespace lightswitch;

const LatentSpec spec_of_both = [] {
  LatentSpec spec;
  spec.space = "adapted";
  spec.channels = 3;
  spec.factor = 4;
  spec.network_input = LatentKind::raw;
  spec.scaling_factor = 0.5;
  spec.shift_factor = 0.25;
  spec.halo = 2;
  return spec;
}();
const NetworkInfo info_of_both{
    .family = "adapted", .configuration = "two lines", .parameters = 12, .dtype = DType::fp32};

[[noreturn]] void fail(const std::string& fault) {
  const ErrorDetail detail{"w.safetensors", fault, "sound", "broken"};
  if (fault == "file") throw FileError("failed", detail);
  if (fault == "format") throw FormatError("failed", detail);
  if (fault == "integrity") throw IntegrityError("failed", detail);
  if (fault == "weights") throw WeightsError("failed", detail);
  if (fault == "option") throw OptionError("failed", detail);
  if (fault == "tensor") throw TensorError("failed", detail);
  if (fault == "numeric") throw NumericError("failed", detail);
  if (fault == "unsupported") throw UnsupportedError("failed", detail);
  if (fault == "cancelled") throw Cancelled();
  if (fault == "memory") throw std::bad_alloc();
  if (fault == "torch") at::zeros({2, 3}).mm(at::zeros({2, 3}));
  if (fault == "standard") throw std::logic_error("a standard exception");
  throw 7;
}

class AdaptedDecoder final : public Decoder {
 public:
  explicit AdaptedDecoder(std::string fault) : fault_(std::move(fault)) {}
  const LatentSpec& spec() const override { return spec_of_both; }
  const NetworkInfo& info() const override { return info_of_both; }
  at::Tensor forward(const at::Tensor& latents, std::stop_token stop) const override {
    if (fault_ == "shape") return at::zeros({1, 3, 5, 5});
    if (fault_ == "nan") return at::full({latents.size(0), 3, latents.size(2) * 4, latents.size(3) * 4}, NAN);
    if (fault_ == "waits") {  // for the stop, which must arrive as a std::stop_token's
      while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      throw Cancelled();
    }
    if (fault_ != "none") fail(fault_);
    return at::upsample_nearest2d(latents, {latents.size(2) * 4, latents.size(3) * 4});
  }
  int64_t macs(int64_t h, int64_t w) const override { return 12 * h * w; }

 private:
  std::string fault_;
};

class AdaptedEncoder final : public Encoder {
 public:
  const LatentSpec& spec() const override { return spec_of_both; }
  const NetworkInfo& info() const override { return info_of_both; }
  at::Tensor forward(const at::Tensor& pictures, std::stop_token) const override { return at::avg_pool2d(pictures, 4); }
  int64_t macs(int64_t height, int64_t width) const override { return height * width; }
};

struct Adapted {
  static constexpr const char* name = "adapted";
  static constexpr const char* summary = "a C++ decoder";
  static constexpr const char* version = "1.2.3";
  static constexpr lightswitch_option options[] = {{"fault", "how to fail", "none"}};

  static void refuse_weights(const PluginRequest& request) {
    if (!request.weights.empty()) throw OptionError("takes no weights", {"", "weights", "none", request.weights});
  }
  static std::unique_ptr<Decoder> make_decoder(const PluginRequest& request) {
    refuse_weights(request);
    const auto fault = request.options.find("fault");
    if (fault == request.options.end()) return std::make_unique<AdaptedDecoder>("none");
    if (fault->second.starts_with("create-")) fail(fault->second.substr(7));
    return std::make_unique<AdaptedDecoder>(fault->second);
  }
  static std::unique_ptr<Encoder> make_encoder(const PluginRequest& request) {
    refuse_weights(request);
    return std::make_unique<AdaptedEncoder>();
  }
};

}  // namespace

LIGHTSWITCH_PLUGIN(Adapted)
