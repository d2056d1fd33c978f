#include "decoder/plugin_call.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/plugin_convert.hpp>
#include <lightswitch/plugin_host.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <new>

namespace lightswitch {
namespace {

/// What a plug-in writes its message into: room for a list of tensors.
class Message {
 public:
  lightswitch_error* target() { return &error_; }
  std::string text() {
    text_.back() = '\0';
    return text_.front() == '\0' ? "no message" : text_.data();
  }

 private:
  std::array<char, 16384> text_{};
  lightswitch_error error_{
      .struct_size = sizeof error_, .message_capacity = static_cast<uint32_t>(text_.size()), .message = text_.data()};
};

[[noreturn]] void throw_status(int32_t status, const std::string& message, const std::string& file) {
  const ErrorDetail detail{file, "", "", ""};
  switch (status) {
    case LIGHTSWITCH_CANCELLED:
      throw Cancelled();
    case LIGHTSWITCH_FILE:
      throw FileError(message, detail);
    case LIGHTSWITCH_FORMAT:
      throw FormatError(message, detail);
    case LIGHTSWITCH_INTEGRITY:
      throw IntegrityError(message, detail);
    case LIGHTSWITCH_WEIGHTS:
      throw WeightsError(message, detail);
    case LIGHTSWITCH_OPTION:
      throw OptionError(message, detail);
    case LIGHTSWITCH_TENSOR:
      throw TensorError(message, detail);
    case LIGHTSWITCH_NUMERIC:
      throw NumericError(message, detail);
    case LIGHTSWITCH_UNSUPPORTED:
      throw UnsupportedError(message, detail);
    case LIGHTSWITCH_OUT_OF_MEMORY:
      throw std::bad_alloc();
    case LIGHTSWITCH_INTERNAL:
      throw PluginError(message, detail);
    default:
      throw PluginError("returned an unknown status", {file, "status", "0 … 11", std::to_string(status)});
  }
}

struct Notify {
  void (*notify)(void*);
  void* user;
  void operator()() const { notify(user); }
};
using Subscription = std::stop_callback<Notify>;

bool is_usable(const lightswitch_tensor& view) {
  return view.data != nullptr && view.shape != nullptr && view.strides != nullptr && view.ndim > 0 && view.ndim <= 8 &&
         std::all_of(view.shape, view.shape + view.ndim, [](int64_t size) { return size > 0; });
}

/// What came through a sink; undefined for a view that cannot be used.
struct Gathered {
  static int32_t take(void* context, const lightswitch_tensor* views, uint32_t count) {
    auto& self = *static_cast<Gathered*>(context);
    try {
      for (uint32_t i = 0; i < count; ++i) {
        const at::Tensor shown = is_usable(views[i]) ? tensor_of(views[i]) : at::Tensor();
        self.tensors.push_back(shown.defined() ? shown.clone() : shown);
      }
      return LIGHTSWITCH_OK;
    } catch (...) {
      self.failure = std::current_exception();
      return LIGHTSWITCH_OUT_OF_MEMORY;
    }
  }

  std::vector<at::Tensor> tensors;
  std::exception_ptr failure;
};

}  // namespace

void call_plugin(const PluginLibrary& library, const char* function,
                 const std::function<int32_t(lightswitch_error*)>& call) {
  Message message;
  int32_t status = LIGHTSWITCH_OK;
  const auto leaked = [&](const std::string& what) {
    return PluginError("an exception left the plug-in", {library.file(), function, "a status", what});
  };
  try {
    status = call(message.target());
  } catch (const std::exception& error) {
    throw leaked(error.what());
  } catch (...) {
    throw leaked("an exception of unknown type");
  }
  if (status != LIGHTSWITCH_OK) throw_status(status, message.text(), library.file());
}

HostStop::HostStop(std::stop_token token)
    : token_(std::move(token)),
      stop_{.struct_size = sizeof stop_,
            .reserved = 0,
            .context = this,
            .requested = requested,
            .subscribe = subscribe,
            .unsubscribe = unsubscribe} {}

int32_t HostStop::requested(void* context) {
  return static_cast<HostStop*>(context)->token_.stop_requested() ? 1 : 0;
}

void* HostStop::subscribe(void* context, void (*notify)(void*), void* user) {
  return new (std::nothrow) Subscription(static_cast<HostStop*>(context)->token_, Notify{notify, user});
}

void HostStop::unsubscribe(void*, void* subscription) {
  delete static_cast<Subscription*>(subscription);
}

std::vector<at::Tensor> gather_from_plugin(
    const PluginLibrary& library, const char* function,
    const std::function<int32_t(const lightswitch_sink*, lightswitch_error*)>& call) {
  Gathered gathered;
  const lightswitch_sink sink{.struct_size = sizeof sink, .reserved = 0, .context = &gathered, .take = &Gathered::take};
  try {
    call_plugin(library, function, [&](lightswitch_error* error) { return call(&sink, error); });
  } catch (...) {
    if (!gathered.failure) throw;  // else the plug-in failed since the sink had
  }
  if (gathered.failure) std::rethrow_exception(gathered.failure);
  for (const at::Tensor& tensor : gathered.tensors)
    if (!tensor.defined())
      throw PluginError("handed over no usable tensor",
                        {library.file(), function, "float32, float64 or int64 on a CPU", "another"});
  return gathered.tensors;
}

}  // namespace lightswitch
