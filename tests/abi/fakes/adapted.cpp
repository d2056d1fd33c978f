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

/// Every frame is its latent enlarged plus the mean of all frames that went by, so that a stream must remember; the
/// last frame of a push is held back until the next.
class AdaptedStream final : public FrameStream {
 public:
  explicit AdaptedStream(std::string fault) : fault_(std::move(fault)) {}
  at::Tensor push(const at::Tensor& latents, std::stop_token) override {
    if (fault_ == "shape") return at::zeros({1, 3, 5, 5});
    if (fault_ != "none") fail(fault_);
    const at::Tensor all = held_.defined() ? at::cat({held_, latents}, 1) : latents;
    held_ = all.slice(1, all.size(1) - 1).clone();
    std::vector<at::Tensor> frames = {at::empty({0, 3, latents.size(2) * 4, latents.size(3) * 4})};
    for (int64_t t = 0; t + 1 < all.size(1); ++t) {
      const at::Tensor frame = all.select(1, t).unsqueeze(0);
      sum_ += frame.mean().item<double>();
      ++count_;
      frames.push_back(at::upsample_nearest2d(frame, {latents.size(2) * 4, latents.size(3) * 4}) +
                       sum_ / static_cast<double>(count_));
    }
    return at::cat(frames);
  }

 private:
  std::string fault_;
  at::Tensor held_;
  double sum_ = 0;
  int64_t count_ = 0;
};

class AdaptedTemporal final : public TemporalDecoder {
 public:
  explicit AdaptedTemporal(std::string fault) : fault_(std::move(fault)) {}
  const LatentSpec& spec() const override { return spec_of_both; }
  const NetworkInfo& info() const override { return info_of_both; }
  bool depends_on_chunks() const override { return false; }
  int64_t frames(int64_t latents) const override { return latents - 1; }
  std::unique_ptr<FrameStream> begin() const override { return std::make_unique<AdaptedStream>(fault_); }
  int64_t macs(int64_t frames, int64_t h, int64_t w) const override { return frames * h * w; }

 private:
  std::string fault_;
};

struct Adapted {
  static constexpr const char* name = "adapted";
  static constexpr const char* summary = "a C++ decoder";
  static constexpr const char* version = "1.2.3";
  static constexpr lightswitch_option options[] = {{"fault", "how to fail", "none"}};

  static void refuse_weights(const PluginRequest& request) {
    if (!request.weights.empty()) throw OptionError("takes no weights", {"", "weights", "none", request.weights});
  }
  static std::string fault_of(const PluginRequest& request) {
    refuse_weights(request);
    const auto fault = request.options.find("fault");
    if (fault == request.options.end()) return "none";
    if (fault->second.starts_with("create-")) fail(fault->second.substr(7));
    return fault->second;
  }
  static std::unique_ptr<Decoder> make_decoder(const PluginRequest& request) {
    return std::make_unique<AdaptedDecoder>(fault_of(request));
  }
  static std::unique_ptr<Encoder> make_encoder(const PluginRequest& request) {
    refuse_weights(request);
    return std::make_unique<AdaptedEncoder>();
  }
  static std::unique_ptr<TemporalDecoder> make_temporal_decoder(const PluginRequest& request) {
    return std::make_unique<AdaptedTemporal>(fault_of(request));
  }
};

}  // namespace

LIGHTSWITCH_PLUGIN(Adapted)
