#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>

#include <chrono>
#include <stop_token>
#include <thread>
#include <vector>

#include "support/tensors.hpp"

/// What Decoder and Encoder promise, whatever the family.
namespace lightswitch::testing {

/// Each picture of a batch is what it would be alone. `input` is one item.
template <typename Network>
void expect_batch_equals_single(const Network& network, const at::Tensor& input) {
  const at::Tensor other = input.flip({3}) * 0.5;
  const at::Tensor both = network.forward(at::cat({input, other}));
  EXPECT_TRUE(close(both.narrow(0, 0, 1), network.forward(input), 1e-5));
  EXPECT_TRUE(close(both.narrow(0, 1, 1), network.forward(other), 1e-5));
}

/// A stop that comes while `large` is under way ends it, and the object works afterwards. `large` must keep the network
/// busy for longer than the few milliseconds after which the stop comes.
template <typename Network>
void expect_cancellable(const Network& network, const at::Tensor& large, const at::Tensor& input) {
  const at::Tensor before = network.forward(input);
  std::stop_source source;
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    source.request_stop();
  });
  EXPECT_THROW(network.forward(large, source.get_token()), Cancelled);
  EXPECT_TRUE(close(network.forward(input), before, 1e-6));
}

/// One object, two threads, the same answers.
template <typename Network>
void expect_thread_safe(const Network& network, const at::Tensor& input, const at::Tensor& expected, double tolerance) {
  std::vector<at::Tensor> outputs(2);
  {
    std::vector<std::jthread> threads;
    for (at::Tensor& output : outputs) {
      threads.emplace_back([&] {
        for (int round = 0; round < 5; ++round) output = network.forward(input);
      });
    }
  }
  for (const at::Tensor& output : outputs) EXPECT_TRUE(close(output, expected, tolerance));
}

}  // namespace lightswitch::testing
