#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace lightswitch {

/// Named tensors that condition a denoiser, batch first: "encoder_hidden_states" [B, L, D], "text_embeds" [B, D], …
using Conditioning = std::map<std::string, at::Tensor>;

class TextEncoder {
 public:
  virtual ~TextEncoder() = default;
  /// @param ids [B, L] int64.
  virtual Conditioning encode(const at::Tensor& ids) const = 0;
};

}  // namespace lightswitch
