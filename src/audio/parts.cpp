#include "audio/parts.hpp"

namespace lightswitch::audio {

nn::WeightLoader part_loader(std::shared_ptr<const WeightSource> weights, const std::string& prefix) {
  std::vector<std::string> others;
  if (!prefix.empty())
    for (const TensorInfo& info : weights->tensors())
      if (!info.name.starts_with(prefix)) others.push_back(info.name);
  NetworkRequest request;
  request.weights = std::move(weights);
  request.dtype = DType::fp32;
  return nn::WeightLoader(request, prefix, others);
}

}  // namespace lightswitch::audio
