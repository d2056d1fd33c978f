#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace lightswitch {

/// One random stream per picture: picture i of a request owns a generator seeded seed + i, drawn on the CPU, so that a
/// batch equals the pictures made one at a time and every device starts from the same numbers. Equal to
/// torch.Generator("cpu").
class NoiseSource {
 public:
  NoiseSource(uint64_t seed, int64_t pictures);

  /// Unit normal noise [pictures, shape…] float32; each call moves every stream on.
  at::Tensor draw(at::IntArrayRef shape);

 private:
  std::vector<at::Generator> generators_;
};

}  // namespace lightswitch
