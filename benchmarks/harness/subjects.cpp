#include "harness/subjects.hpp"

#include <lightswitch/decoder_registry.hpp>

#include <map>

#include "harness/gate.hpp"
#include "harness/random_weights.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch::bench {

const std::vector<Subject>& subjects() {
  static const std::vector<Subject> list = {
      {"kl", "kl", "kl", [] { return random_kl({128, 256, 512, 512}, 4); }},
      {"tae-192", "taming", "taming", [] { return random_taming(192, 4); }},
      {"efficientvit", "vit", "vit_paper", [] { return random_vit_of_the_paper(); }},
      {"taesd", "taming", "taming", [] { return random_taming(64, 4); }},
  };
  return list;
}

const Contender& contender(const Subject& subject, DType dtype) {
  static std::map<std::string, Contender> made;
  const auto [entry, fresh] = made.try_emplace(subject.name + to_string(dtype));
  if (fresh) {
    const DecoderRegistry registry(builtin_decoder_families());
    const DecoderFamily& family = registry.family(subject.family);
    entry->second.fault = gate(family, subject.fixture, dtype);
    entry->second.decoder = family.make_decoder({.weights = subject.weights(), .config = {}, .dtype = dtype});
  }
  return entry->second;
}

std::vector<DType> timed_dtypes() {
  if (nn::resolve_dtype(DType::automatic, c10::Device(c10::kCPU)) == DType::bf16) return {DType::fp32, DType::bf16};
  return {DType::fp32};
}

}  // namespace lightswitch::bench
