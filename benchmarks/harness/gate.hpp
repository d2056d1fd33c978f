#pragma once

#include <lightswitch/decoder_registry.hpp>

#include <string>

namespace lightswitch::bench {

/// A wrong answer is never timed: runs the stored case tests/fixtures/FIXTURE.safetensors (a Python reference's own
/// output) through the family in the dtype that is about to be timed.
/// @return empty when it agrees (max abs 1e-4 in fp32, 40 dB PSNR in half precision), else what was wrong.
std::string gate(const DecoderFamily& family, const std::string& fixture, DType dtype);

/// The same of a decoder of clips, whose clip is cut as the reference cut it.
/// @param config on top of the stored case's own.
std::string gate_clips(const DecoderFamily& family, const std::string& fixture, const Config& config, DType dtype);

/// PSNR in dB of `found` against `expected`, whose range is 2 ([-1, 1]); infinite when equal.
double psnr(const at::Tensor& found, const at::Tensor& expected);

}  // namespace lightswitch::bench
