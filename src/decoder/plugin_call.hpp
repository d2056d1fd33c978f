#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/plugin.h>

#include <functional>
#include <stop_token>
#include <vector>

#include "decoder/plugin_library.hpp"

namespace lightswitch {

/// Calls into a plug-in: its status becomes a typed error, with a copy of its message; an exception that leaves it, a
/// PluginError that names `function`.
void call_plugin(const PluginLibrary& library, const char* function,
                 const std::function<int32_t(lightswitch_error*)>& call);

/// A std::stop_token as the C struct, for the time of one call.
class HostStop {
 public:
  explicit HostStop(std::stop_token token);
  const lightswitch_stop* view() const { return &stop_; }

 private:
  static int32_t requested(void* context);
  static void* subscribe(void* context, void (*notify)(void*), void* user);
  static void unsubscribe(void* context, void* subscription);

  std::stop_token token_;
  lightswitch_stop stop_;
};

/// call_plugin() for a function that hands tensors over: copies of them, in their order. Nothing is wrong with their
/// memory and element type (float32, float64 or int64 on a CPU); what they mean is the caller's to check.
std::vector<at::Tensor> gather_from_plugin(
    const PluginLibrary& library, const char* function,
    const std::function<int32_t(const lightswitch_sink*, lightswitch_error*)>& call);

}  // namespace lightswitch
