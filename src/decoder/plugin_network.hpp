#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder.hpp>

#include <memory>
#include <stop_token>
#include <utility>

#include "decoder/plugin_library.hpp"
#include "decoder/plugin_order.hpp"

namespace lightswitch {

/// What the tables of decoders, encoders and clip decoders have in common.
template <typename Handle>
struct PluginFunctions {
  int32_t (*create)(const lightswitch_request*, Handle**, lightswitch_error*);
  void (*destroy)(Handle*);
  const lightswitch_spec* (*spec)(const Handle*);
  int32_t (*run)(const Handle*, const lightswitch_tensor*, const lightswitch_tensor*, const lightswitch_stop*,
                 lightswitch_error*);  ///< null for clips, which are decoded in streams
};

/// A plug-in's decoder, encoder or clip decoder: owned, its facts checked, its failures turned into typed errors.
template <typename Handle>
class PluginNetwork {
 public:
  /// @throws what the plug-in reports; PluginError when it breaks a rule.
  PluginNetwork(std::shared_ptr<const PluginLibrary> library, const PluginFunctions<Handle>& functions,
                const PluginOrder& order);
  ~PluginNetwork();
  PluginNetwork(const PluginNetwork&) = delete;
  PluginNetwork& operator=(const PluginNetwork&) = delete;

  const PluginLibrary& library() const { return *library_; }
  const Handle* handle() const { return handle_; }
  const LatentSpec& spec() const { return spec_; }
  const NetworkInfo& info() const { return info_; }
  /// Facts as the plug-in tells them now, checked. @throws PluginError naming the field.
  std::pair<LatentSpec, NetworkInfo> ask_spec() const;

  /// decode() or encode(). Both tensors dense, on the CPU, of the shapes that plugin.h states.
  /// @throws what the plug-in reports; PluginError when an exception leaves it.
  void run(const at::Tensor& input, const at::Tensor& output, const std::stop_token& stop) const;

 private:
  std::shared_ptr<const PluginLibrary> library_;
  PluginFunctions<Handle> functions_;
  Handle* handle_ = nullptr;
  LatentSpec spec_;
  NetworkInfo info_;
};

using PluginDecoderNetwork = PluginNetwork<lightswitch_decoder>;
using PluginEncoderNetwork = PluginNetwork<lightswitch_encoder>;
using PluginTemporalNetwork = PluginNetwork<lightswitch_temporal>;

PluginFunctions<lightswitch_decoder> decoder_functions(const PluginLibrary& library);
/// @throws UnsupportedError when the plug-in does not encode, PluginError when its table is truncated or has a null.
PluginFunctions<lightswitch_encoder> encoder_functions(const PluginLibrary& library);
/// @throws UnsupportedError when the plug-in knows no clips, PluginError when its table is truncated or has a null.
lightswitch_temporal_extension temporal_table(const PluginLibrary& library);
PluginFunctions<lightswitch_temporal> temporal_functions(const lightswitch_temporal_extension& table);

}  // namespace lightswitch
