#include <ATen/CPUGeneratorImpl.h>
#include <lightswitch/noise.hpp>

namespace lightswitch {

NoiseSource::NoiseSource(uint64_t seed, int64_t pictures) {
  for (int64_t i = 0; i < pictures; ++i)
    generators_.push_back(at::make_generator<at::CPUGeneratorImpl>(seed + static_cast<uint64_t>(i)));
}

at::Tensor NoiseSource::draw(at::IntArrayRef shape) {
  std::vector<at::Tensor> pictures;
  for (at::Generator& generator : generators_)
    pictures.push_back(at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat)));
  return at::stack(pictures);
}

}  // namespace lightswitch
