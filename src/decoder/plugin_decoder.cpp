#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/plugin_host.hpp>

#include <cmath>
#include <limits>

#include "decoder/plugin_network.hpp"
#include "nn/layers.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch {
namespace {

constexpr std::string_view suffix = ".so";

/// Dense, and of the element type that plugin.h states.
at::Tensor dense(const at::Tensor& tensor) {
  return tensor.to(at::kCPU, tensor.is_floating_point() ? at::kFloat : at::kLong).contiguous();
}

/// Filled with NaN, so that what a plug-in does not write is noticed.
at::Tensor unwritten(std::vector<int64_t> shape) {
  return at::full(shape, std::numeric_limits<float>::quiet_NaN(), at::kFloat);
}

class PluginDecoder final : public Decoder {
 public:
  PluginDecoder(std::shared_ptr<const PluginLibrary> library, const PluginOrder& order, const Config& reading)
      : network_(library, decoder_functions(*library), order),
        spec_(network_.spec()),
        macs_(library->extension<lightswitch_macs_extension>(LIGHTSWITCH_EXTENSION_MACS)) {
    const auto tiling = library->extension<lightswitch_tiling_extension>(LIGHTSWITCH_EXTENSION_TILING);
    const int64_t halo = tiling && tiling->halo ? tiling->halo(network_.handle()) : -1;
    spec_.global_operations = halo < 0;
    spec_.halo = std::max<int64_t>(halo, 0);
    nn::apply_common_config(spec_, reading);
    if ((spec_.network_input == LatentKind::indices) != (network_.spec().network_input == LatentKind::indices))
      throw OptionError(
          "codebook indices and continuous latents cannot be converted",
          {library->file(), "latent-kind", to_string(network_.spec().network_input), to_string(spec_.network_input)});
  }

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return network_.info(); }

  at::Tensor forward(const at::Tensor& latents, std::stop_token stop) const override {
    if (spec_.network_input != LatentKind::indices)
      nn::require_input(latents, "latents", spec_.channels);
    else if (!latents.defined() || latents.dim() != 3 || latents.scalar_type() != at::kLong || latents.numel() == 0)
      throw TensorError("unusable input", {"", "indices", "[N, h, w] int64",
                                           latents.defined() ? c10::str(latents.sizes(), " ", latents.scalar_type())
                                                             : "an undefined tensor"});
    const at::Tensor pictures =
        unwritten({latents.size(0), 3, latents.size(-2) * spec_.factor, latents.size(-1) * spec_.factor});
    network_.run(dense(latents), pictures, stop);
    return pictures;
  }

  int64_t macs(int64_t h, int64_t w) const override {
    return macs_ && macs_->decode ? macs_->decode(network_.handle(), h, w) : 0;
  }

 private:
  PluginDecoderNetwork network_;
  LatentSpec spec_;
  std::optional<lightswitch_macs_extension> macs_;
};

class PluginEncoder final : public Encoder {
 public:
  PluginEncoder(std::shared_ptr<const PluginLibrary> library, const PluginOrder& order, const Config& reading)
      : network_(library, encoder_functions(*library), order),
        spec_(network_.spec()),
        macs_(library->extension<lightswitch_macs_extension>(LIGHTSWITCH_EXTENSION_MACS)) {
    nn::apply_common_config(spec_, reading);
  }

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return network_.info(); }

  at::Tensor forward(const at::Tensor& pictures, std::stop_token stop) const override {
    nn::require_input(pictures, "pictures", 3, spec_.factor);
    const at::Tensor latents =
        unwritten({pictures.size(0), spec_.channels, pictures.size(2) / spec_.factor, pictures.size(3) / spec_.factor});
    network_.run(dense(pictures), latents, stop);
    return latents;
  }

  int64_t macs(int64_t height, int64_t width) const override {
    return macs_ && macs_->encode ? macs_->encode(network_.handle(), height, width) : 0;
  }

 private:
  PluginEncoderNetwork network_;
  LatentSpec spec_;
  std::optional<lightswitch_macs_extension> macs_;
};

}  // namespace

std::optional<PluginSource> PluginSource::parse(std::string_view text) {
  if (const size_t colon = text.find(".so:"); colon != std::string_view::npos) {
    const size_t end = colon + suffix.size();
    return PluginSource{std::string(text.substr(0, end)), std::string(text.substr(end + 1))};
  }
  if (text.size() > suffix.size() && text.ends_with(suffix)) return PluginSource{std::string(text), ""};
  return std::nullopt;
}

PluginInfo describe_plugin(const std::filesystem::path& plugin) {
  const auto library = PluginLibrary::open(plugin);
  const lightswitch_plugin& entry = library->entry();
  PluginInfo info;
  info.name = entry.name;
  info.summary = entry.summary;
  info.version = entry.version;
  info.abi = std::to_string(entry.abi_major) + "." + std::to_string(entry.abi_minor);
  for (uint32_t i = 0; i < entry.option_count; ++i)
    info.options.push_back({entry.options[i].name, entry.options[i].summary, entry.options[i].default_value});
  for (const char* id : {LIGHTSWITCH_EXTENSION_ENCODE, LIGHTSWITCH_EXTENSION_TILING, LIGHTSWITCH_EXTENSION_MEMORY,
                         LIGHTSWITCH_EXTENSION_MACS})
    if (entry.extension != nullptr && entry.extension(id) != nullptr) info.extensions.emplace_back(id);
  return info;
}

std::shared_ptr<const Decoder> open_plugin_decoder(const PluginSource& source, const PluginSettings& settings) {
  const auto library = PluginLibrary::open(source.plugin);
  const auto [order, reading] = sort_settings(*library, source, settings);
  return std::make_shared<PluginDecoder>(library, order, reading);
}

std::shared_ptr<const Encoder> open_plugin_encoder(const PluginSource& source, const PluginSettings& settings) {
  const auto library = PluginLibrary::open(source.plugin);
  const auto [order, reading] = sort_settings(*library, source, settings);
  return std::make_shared<PluginEncoder>(library, order, reading);
}

}  // namespace lightswitch
