#pragma once

#include <lightswitch/decoder.hpp>
#include <lightswitch/weights.hpp>

#include <memory>
#include <string>
#include <vector>

namespace lightswitch::bench {

/// A decoder of the real size with random weights, and the stored case that its family must pass before it is timed.
struct Subject {
  std::string name, family, fixture;
  std::shared_ptr<const WeightSource> (*weights)();
};

const std::vector<Subject>& subjects();

/// A decoder that went through the gate.
struct Contender {
  std::unique_ptr<Decoder> decoder;
  std::string fault;  ///< empty, or why it must not be timed
};

/// Made when it is first asked for, and kept.
const Contender& contender(const Subject& subject, DType dtype);

/// fp32, and bf16 where this CPU multiplies it.
std::vector<DType> timed_dtypes();

}  // namespace lightswitch::bench
