#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/plugin_convert.hpp>
#include <lightswitch/plugin_host.hpp>

#include <cmath>
#include <limits>

#include "core/describe.hpp"
#include "decoder/plugin_call.hpp"
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

class PluginDecoder final : public Decoder, private SharedNorms {
 public:
  PluginDecoder(std::shared_ptr<const PluginLibrary> library, const PluginOrder& order, const Config& reading)
      : network_(library, decoder_functions(*library), order),
        spec_(network_.spec()),
        macs_(library->extension<lightswitch_macs_extension>(LIGHTSWITCH_EXTENSION_MACS)),
        memory_(library->extension<lightswitch_memory_extension>(LIGHTSWITCH_EXTENSION_MEMORY)),
        norms_(library->extension<lightswitch_shared_norms_extension>(LIGHTSWITCH_EXTENSION_SHARED_NORMS)) {
    const auto tiling = library->extension<lightswitch_tiling_extension>(LIGHTSWITCH_EXTENSION_TILING);
    const int64_t halo = tiling && tiling->halo ? tiling->halo(network_.handle()) : -1;
    if (norms_ && (!norms_->available || !norms_->measure || !norms_->decode || !norms_->available(network_.handle())))
      norms_.reset();
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
    require_latents(latents);
    const at::Tensor pictures = unwritten_pictures(latents);
    network_.run(dense(latents), pictures, stop);
    return pictures;
  }

  int64_t macs(int64_t h, int64_t w) const override {
    return macs_ && macs_->decode ? macs_->decode(network_.handle(), h, w) : 0;
  }

  std::optional<int64_t> activation_bytes(int64_t h, int64_t w) const override {
    const int64_t bytes = memory_ && memory_->peak_bytes ? memory_->peak_bytes(network_.handle(), h, w) : -1;
    return bytes < 0 ? std::nullopt : std::optional(bytes);
  }

  const SharedNorms* shared_norms() const override { return norms_ ? this : nullptr; }

 private:
  /// Indices go in where they are all that the network takes, and where it has a codebook.
  void require_latents(const at::Tensor& latents) const {
    const bool indices = latents.defined() && latents.scalar_type() == at::kLong;
    if (spec_.network_input != LatentKind::indices && !(indices && spec_.codebook > 0))
      return nn::require_input(latents, "latents", spec_.channels);
    if (!indices || latents.dim() != 3 || latents.numel() == 0)
      throw TensorError("unusable input", {"", "indices", "[N, h, w] int64", describe(latents)});
    const int64_t least = latents.min().item<int64_t>(), most = latents.max().item<int64_t>();
    if (least < 0 || (spec_.codebook > 0 && most >= spec_.codebook))
      throw TensorError("an index outside the codebook",
                        {"", "indices", spec_.codebook > 0 ? "0 … " + std::to_string(spec_.codebook - 1) : "0 or more",
                         std::to_string(least) + " … " + std::to_string(most)});
  }

  at::Tensor unwritten_pictures(const at::Tensor& latents) const {
    return unwritten({latents.size(0), 3, latents.size(-2) * spec_.factor, latents.size(-1) * spec_.factor});
  }

  NormStatistics measure(const at::Tensor& latents, std::stop_token stop) const override {
    nn::require_input(latents, "latents", spec_.channels);
    const at::Tensor input = dense(latents);
    const lightswitch_tensor view = view_of(input);
    const HostStop host_stop(stop);
    return gather_from_plugin(network_.library(), "measure",
                              [&](const lightswitch_sink* statistics, lightswitch_error* error) {
                                return norms_->measure(network_.handle(), &view, statistics, host_stop.view(), error);
                              });
  }

  at::Tensor forward_with(const NormStatistics& statistics, const at::Tensor& latents,
                          std::stop_token stop) const override {
    nn::require_input(latents, "latents", spec_.channels);
    const at::Tensor input = dense(latents), pictures = unwritten_pictures(latents);
    std::vector<lightswitch_tensor> measured;
    for (const at::Tensor& each : statistics) measured.push_back(view_of(each));
    const lightswitch_tensor from = view_of(input), to = view_of(pictures);
    const HostStop host_stop(stop);
    call_plugin(network_.library(), "decode with statistics", [&](lightswitch_error* error) {
      return norms_->decode(network_.handle(), measured.data(), static_cast<uint32_t>(measured.size()), &from, &to,
                            host_stop.view(), error);
    });
    return pictures;
  }

  PluginDecoderNetwork network_;
  LatentSpec spec_;
  std::optional<lightswitch_macs_extension> macs_;
  std::optional<lightswitch_memory_extension> memory_;
  std::optional<lightswitch_shared_norms_extension> norms_;
};

class PluginEncoder final : public Encoder {
 public:
  PluginEncoder(std::shared_ptr<const PluginLibrary> library, const PluginOrder& order, const Config& reading)
      : network_(library, encoder_functions(*library), order),
        spec_(network_.spec()),
        macs_(library->extension<lightswitch_macs_extension>(LIGHTSWITCH_EXTENSION_MACS)),
        encode_(*library->extension<lightswitch_encode_extension>(LIGHTSWITCH_EXTENSION_ENCODE)) {
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

  at::Tensor to_indices(const at::Tensor& latents, std::stop_token stop) const override {
    if (encode_.to_indices == nullptr || spec_.codebook == 0) return Encoder::to_indices(latents, stop);
    nn::require_input(latents, "latents", spec_.channels);
    const at::Tensor input = dense(latents);
    const at::Tensor indices = at::full({latents.size(0), latents.size(2), latents.size(3)}, -1, at::kLong);
    const lightswitch_tensor from = view_of(input), to = view_of(indices);
    const HostStop host_stop(stop);
    call_plugin(network_.library(), "to_indices", [&](lightswitch_error* error) {
      return encode_.to_indices(network_.handle(), &from, &to, host_stop.view(), error);
    });
    const int64_t least = indices.min().item<int64_t>(), most = indices.max().item<int64_t>();
    if (least < 0 || most >= spec_.codebook)
      throw PluginError("an index outside the codebook",
                        {network_.library().file(), "to_indices", "0 … " + std::to_string(spec_.codebook - 1),
                         std::to_string(least) + " … " + std::to_string(most)});
    return indices;
  }

  int64_t macs(int64_t height, int64_t width) const override {
    return macs_ && macs_->encode ? macs_->encode(network_.handle(), height, width) : 0;
  }

 private:
  PluginEncoderNetwork network_;
  LatentSpec spec_;
  std::optional<lightswitch_macs_extension> macs_;
  lightswitch_encode_extension encode_;
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
  for (const char* id :
       {LIGHTSWITCH_EXTENSION_ENCODE, LIGHTSWITCH_EXTENSION_TILING, LIGHTSWITCH_EXTENSION_MEMORY,
        LIGHTSWITCH_EXTENSION_MACS, LIGHTSWITCH_EXTENSION_SHARED_NORMS, LIGHTSWITCH_EXTENSION_TEMPORAL})
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
