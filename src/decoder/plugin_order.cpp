#include "decoder/plugin_order.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>
#include <vector>

#include "decoder/spec_options.hpp"

namespace lightswitch {

SortedSettings sort_settings(const PluginLibrary& library, const PluginSource& source, const PluginSettings& settings) {
  SortedSettings result;
  PluginOrder& order = result.order;
  order.weights = source.weights;
  order.dtype = settings.dtype;
  order.device = settings.device;
  if (!source.weights.empty()) order.config = config_beside(source.weights);
  std::vector<std::string> own;
  for (uint32_t i = 0; i < library.entry().option_count; ++i) own.emplace_back(library.entry().options[i].name);
  for (const auto& [option, value] : settings.options) {
    if (option == "family")
      throw OptionError("a plug-in is its own family", {library.file(), "family", "no such option", value});
    if (option == "dtype") {
      order.dtype = dtype_option(value);
    } else if (const auto key = config_options().find(option); key != config_options().end()) {
      result.reading[key->second] = value;
    } else if (std::ranges::find(own, option) != own.end()) {
      order.options[option] = value;
    } else {
      auto known = own;
      known.push_back("dtype");
      for (const auto& [name, ignored] : config_options()) known.push_back(name);
      throw OptionError("unknown option", {library.file(), option, suggest(option, known), option + "=" + value});
    }
  }
  order.dtype = dtype_without_overflow(order.dtype, order.config);
  return result;
}

}  // namespace lightswitch
