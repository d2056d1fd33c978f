#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace lightswitch {

/// Named tensors that condition a denoiser, batch first: "encoder_hidden_states" [B, L, D], "text_embeds" [B, D],
/// "time_ids" [B, 6], "guidance_scale" [B], …
using Conditioning = std::map<std::string, at::Tensor>;

class TextEncoder {
 public:
  virtual ~TextEncoder() = default;
  /// @param ids [B, L] int64.
  /// @return "encoder_hidden_states", or "hidden_states" [S, B, L, D] whose entry k leaves out the encoder's last k
  /// layers, so that users can choose (clip skip); and what else the denoiser reads.
  virtual Conditioning encode(const at::Tensor& ids) const = 0;
};

}  // namespace lightswitch
