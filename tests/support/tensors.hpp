#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace lightswitch::testing {

/// Largest absolute difference between two tensors of the same shape.
inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// Succeeds when both have the same shape and no number differs by more than `tolerance`; NaN differs from everything.
inline ::testing::AssertionResult close(const at::Tensor& found, const at::Tensor& expected, double tolerance) {
  if (!found.defined() || !expected.defined()) return ::testing::AssertionFailure() << "an undefined tensor";
  if (found.sizes() != expected.sizes())
    return ::testing::AssertionFailure() << "expected shape " << expected.sizes() << ", found " << found.sizes();
  const double difference = largest_difference(found, expected);
  if (difference <= tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "largest difference " << difference << ", allowed " << tolerance;
}

/// Normally distributed numbers that depend on the seed alone.
inline at::Tensor random_tensor(at::IntArrayRef shape, uint64_t seed = 0) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn(shape, generator);
}

inline at::Tensor random_channels_last(at::IntArrayRef shape, uint64_t seed = 0) {
  return random_tensor(shape, seed).contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace lightswitch::testing
