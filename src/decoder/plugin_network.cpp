#include "decoder/plugin_network.hpp"

#include <lightswitch/error.hpp>
#include <lightswitch/plugin_convert.hpp>

#include <cmath>
#include <vector>

#include "decoder/plugin_call.hpp"

namespace lightswitch {
namespace {

std::vector<lightswitch_pair> pairs_of(const std::map<std::string, std::string>& map) {
  std::vector<lightswitch_pair> pairs;
  for (const auto& [name, value] : map) pairs.push_back({name.c_str(), value.c_str()});
  return pairs;
}

}  // namespace

template <typename Handle>
PluginNetwork<Handle>::PluginNetwork(std::shared_ptr<const PluginLibrary> library,
                                     const PluginFunctions<Handle>& functions, const PluginOrder& order)
    : library_(std::move(library)), functions_(functions) {
  const auto options = pairs_of(order.options), config = pairs_of(order.config);
  const lightswitch_request request{
      .struct_size = sizeof request,
      .arithmetic = arithmetic_code(order.dtype),
      .device_type = order.device.is_cpu() ? LIGHTSWITCH_DEVICE_CPU : LIGHTSWITCH_DEVICE_CUDA,
      .device_id = order.device.has_index() ? order.device.index() : 0,
      .plugin_path = library_->file().c_str(),
      .weights_path = order.weights.empty() ? nullptr : order.weights.c_str(),
      .options = options.data(),
      .config = config.data(),
      .option_count = static_cast<uint32_t>(options.size()),
      .config_count = static_cast<uint32_t>(config.size())};
  call_plugin(*library_, "create",
              [&](lightswitch_error* error) { return functions_.create(&request, &handle_, error); });
  if (handle_ == nullptr)
    throw PluginError("create() reported success and made nothing", {library_->file(), "create", "an object", "null"});
  try {
    std::tie(spec_, info_) = ask_spec();
  } catch (...) {
    functions_.destroy(handle_);
    throw;
  }
}

template <typename Handle>
PluginNetwork<Handle>::~PluginNetwork() {
  functions_.destroy(handle_);
}

template <typename Handle>
std::pair<LatentSpec, NetworkInfo> PluginNetwork<Handle>::ask_spec() const {
  const lightswitch_spec* told = functions_.spec(handle_);
  const auto refuse = [&](const char* field, const std::string& expected, const std::string& found) {
    throw PluginError("unusable spec", {library_->file(), field, expected, found});
  };
  const auto require = [&](const char* field, int64_t least, int64_t most, int64_t found) {
    if (found < least || found > most)
      refuse(field, std::to_string(least) + " … " + std::to_string(most), std::to_string(found));
  };
  if (told == nullptr) refuse("spec", "a lightswitch_spec", "null");
  require("spec.struct_size", sizeof(lightswitch_spec), UINT32_MAX, told->struct_size);
  require("spec.arithmetic", LIGHTSWITCH_ARITHMETIC_FP32, LIGHTSWITCH_ARITHMETIC_FP16, told->arithmetic);
  require("spec.network_input", LIGHTSWITCH_LATENTS_RAW, LIGHTSWITCH_LATENTS_INDICES, told->network_input);
  require("spec.output_range", LIGHTSWITCH_RANGE_SIGNED, LIGHTSWITCH_RANGE_UNIT, told->output_range);
  require("spec.channels", 1, 65536, told->channels);
  require("spec.factor", 1, 1024, told->factor);
  require("spec.parameters", 0, INT64_MAX, told->parameters);
  if (!(told->scaling_factor > 0) || !std::isfinite(told->scaling_factor))
    refuse("spec.scaling_factor", "a number above 0", std::to_string(told->scaling_factor));
  if (!std::isfinite(told->shift_factor))
    refuse("spec.shift_factor", "a finite number", std::to_string(told->shift_factor));
  require("spec.codebook", 0, INT64_MAX, told->codebook);
  if (told->space == nullptr) refuse("spec.space", "a text", "null");
  if (told->configuration == nullptr) refuse("spec.configuration", "a text", "null");

  LatentSpec spec;
  spec.space = told->space;
  spec.channels = told->channels;
  spec.factor = told->factor;
  spec.codebook = told->codebook;
  spec.network_input = *latents_of_code(told->network_input);
  spec.scaling_factor = told->scaling_factor;
  spec.shift_factor = told->shift_factor;
  spec.output_range = *range_of_code(told->output_range);
  NetworkInfo info;
  info.family = library_->entry().name;
  info.configuration = told->configuration;
  info.parameters = told->parameters;
  info.dtype = *dtype_of_code(told->arithmetic);
  return {spec, info};
}

template <typename Handle>
void PluginNetwork<Handle>::run(const at::Tensor& input, const at::Tensor& output, const std::stop_token& stop) const {
  const HostStop host_stop(stop);
  const lightswitch_tensor from = view_of(input), to = view_of(output);
  call_plugin(*library_, "decode or encode",
              [&](lightswitch_error* error) { return functions_.run(handle_, &from, &to, host_stop.view(), error); });
}

template class PluginNetwork<lightswitch_decoder>;
template class PluginNetwork<lightswitch_encoder>;
template class PluginNetwork<lightswitch_temporal>;

PluginFunctions<lightswitch_decoder> decoder_functions(const PluginLibrary& library) {
  const lightswitch_decoder_table& table = library.decoder();
  return {table.create, table.destroy, table.spec, table.decode};
}

PluginFunctions<lightswitch_encoder> encoder_functions(const PluginLibrary& library) {
  const auto table = library.extension<lightswitch_encode_extension>(LIGHTSWITCH_EXTENSION_ENCODE);
  if (!table)
    throw UnsupportedError("this plug-in does not encode",
                           {library.file(), "", "the extension " LIGHTSWITCH_EXTENSION_ENCODE, "no such extension"});
  if (table->create == nullptr || table->destroy == nullptr || table->spec == nullptr || table->encode == nullptr)
    throw PluginError("null", {library.file(), LIGHTSWITCH_EXTENSION_ENCODE, "four functions", "null"});
  return {table->create, table->destroy, table->spec, table->encode};
}

PluginFunctions<lightswitch_temporal> temporal_functions(const lightswitch_temporal_extension& table) {
  return {table.create, table.destroy, table.spec, nullptr};
}

lightswitch_temporal_extension temporal_table(const PluginLibrary& library) {
  const auto table = library.extension<lightswitch_temporal_extension>(LIGHTSWITCH_EXTENSION_TEMPORAL);
  if (!table)
    throw UnsupportedError("this plug-in knows no clips",
                           {library.file(), "", "the extension " LIGHTSWITCH_EXTENSION_TEMPORAL, "no such extension"});
  if (table->create == nullptr || table->destroy == nullptr || table->spec == nullptr ||
      table->depends_on_chunks == nullptr || table->macs == nullptr || table->begin == nullptr ||
      table->push == nullptr || table->end == nullptr || table->frames == nullptr)
    throw PluginError("null", {library.file(), LIGHTSWITCH_EXTENSION_TEMPORAL, "nine functions", "null"});
  return *table;
}

}  // namespace lightswitch
