#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/plugin_convert.hpp>
#include <lightswitch/plugin_host.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include "core/describe.hpp"
#include "decoder/plugin_call.hpp"
#include "decoder/plugin_network.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch {
namespace {

class PluginStream final : public FrameStream {
 public:
  PluginStream(const PluginTemporalNetwork& network, const lightswitch_temporal_extension& table)
      : network_(network), table_(table) {
    call_plugin(network_.library(), "begin",
                [&](lightswitch_error* error) { return table_.begin(network_.handle(), &handle_, error); });
    if (handle_ == nullptr)
      throw PluginError("begin() reported success and made nothing",
                        {network_.library().file(), "begin", "an object", "null"});
  }
  ~PluginStream() override { table_.end(handle_); }

  at::Tensor push(const at::Tensor& latents, std::stop_token stop) override {
    const LatentSpec& spec = network_.spec();
    if (!latents.defined() || latents.dim() != 4 || latents.size(0) != spec.channels || latents.numel() == 0)
      throw TensorError("unusable latents",
                        {"", "latents", "[" + std::to_string(spec.channels) + ", T, h, w]", describe(latents)});
    const at::Tensor input = latents.to(at::kCPU, at::kFloat).contiguous();
    const lightswitch_tensor view = view_of(input);
    const HostStop host_stop(stop);
    auto ready =
        gather_from_plugin(network_.library(), "push", [&](const lightswitch_sink* frames, lightswitch_error* error) {
          return table_.push(handle_, &view, frames, host_stop.view(), error);
        });
    const std::vector<int64_t> frame = {3, input.size(2) * spec.factor, input.size(3) * spec.factor};
    for (const at::Tensor& frames : ready)
      if (frames.dim() != 4 || frames.sizes().slice(1) != at::IntArrayRef(frame) || frames.scalar_type() != at::kFloat)
        throw PluginError(
            "handed over frames of another shape",
            {network_.library().file(), "push", c10::str("[T, ", frame[0], ", ", frame[1], ", ", frame[2], "] float32"),
             c10::str(frames.sizes())});
    ready.push_back(at::empty({0, frame[0], frame[1], frame[2]}));
    return at::cat(ready);
  }

 private:
  const PluginTemporalNetwork& network_;
  const lightswitch_temporal_extension& table_;
  lightswitch_stream* handle_ = nullptr;
};

class PluginTemporalDecoder final : public TemporalDecoder {
 public:
  PluginTemporalDecoder(const std::shared_ptr<const PluginLibrary>& library, const PluginOrder& order,
                        const Config& reading)
      : table_(temporal_table(*library)),
        network_(library, temporal_functions(table_), order),
        spec_(network_.spec()),
        depends_on_chunks_(table_.depends_on_chunks(network_.handle()) != 0) {
    spec_.global_operations = true;  // tiles of clips are not known to this boundary
    nn::apply_common_config(spec_, reading);
  }

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return network_.info(); }
  bool depends_on_chunks() const override { return depends_on_chunks_; }
  int64_t frames(int64_t latents) const override { return table_.frames(network_.handle(), latents); }
  std::unique_ptr<FrameStream> begin() const override { return std::make_unique<PluginStream>(network_, table_); }
  int64_t macs(int64_t frames, int64_t h, int64_t w) const override {
    return table_.macs(network_.handle(), frames, h, w);
  }

 private:
  lightswitch_temporal_extension table_;
  PluginTemporalNetwork network_;
  LatentSpec spec_;
  bool depends_on_chunks_;
};

}  // namespace

std::shared_ptr<const TemporalDecoder> open_plugin_temporal_decoder(const PluginSource& source,
                                                                    const PluginSettings& settings) {
  const auto library = PluginLibrary::open(source.plugin);
  const auto [order, reading] = sort_settings(*library, source, settings);
  return std::make_shared<PluginTemporalDecoder>(library, order, reading);
}

}  // namespace lightswitch
