#pragma once

#include <lightswitch/weights.hpp>

#include <memory>
#include <string>

#include "nn/weight_loader.hpp"

namespace lightswitch::audio {

/// For the tensors under `prefix`, in fp32; those elsewhere in the file belong to other parts of the codec, unless
/// `prefix` is empty.
nn::WeightLoader part_loader(std::shared_ptr<const WeightSource> weights, const std::string& prefix);

}  // namespace lightswitch::audio
