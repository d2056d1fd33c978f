#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "support/network_contract.hpp"
#include "support/reference_case.hpp"
#include "support/weights.hpp"

/// What every family of decoders is held to, on its stored cases.
namespace lightswitch::testing {

/// A network that Python makes and computes; see python_case().
struct PythonCase {
  const char* name;
  const char* config;
  const char* latent;

  friend std::ostream& operator<<(std::ostream& out, const PythonCase& test) { return out << test.name; }
};

inline constexpr auto kCaseName = [](const auto& test) { return std::string(test.param.name); };

/// bf16 is computed where it is asked for, and stays within `tolerance` of fp32.
inline void expect_bf16_close(const DecoderFamily& family, const std::string& stored, double tolerance) {
  auto reference = stored_case(stored);
  reference.request.dtype = DType::bf16;
  const auto decoder = family.make_decoder(reference.request);
  EXPECT_EQ(decoder->info().dtype, DType::bf16);
  const at::Tensor picture = decoder->forward(reference.decoder_input);
  EXPECT_EQ(picture.scalar_type(), at::kFloat);
  EXPECT_TRUE(close(picture, reference.decoder_output, tolerance));
  EXPECT_FALSE(close(picture, reference.decoder_output, 1e-5)) << "bf16 was asked for, and not used";
}

/// Both halves of the stored case keep what network_contract.hpp says. `side`: of latents that are large enough to
/// be stopped under way, as pictures of 1024 are.
inline void expect_network_contract(const DecoderFamily& family, const std::string& stored, int64_t side) {
  const auto reference = stored_case(stored);
  const auto holds = [&](const auto& network, const at::Tensor& input, const at::Tensor& output, int64_t edge) {
    expect_batch_equals_single(*network, input.narrow(0, 0, 1));
    expect_cancellable(*network, random_tensor({1, input.size(1), edge, edge}), input);
    expect_thread_safe(*network, input, output, kParity);
  };
  holds(family.make_decoder(reference.request), reference.decoder_input, reference.decoder_output, side);
  holds(family.make_encoder(reference.request), reference.encoder_input, reference.encoder_output, 1024);
}

/// How a file is spoilt, and what the error must say of it.
struct SpoiltFile {
  std::string missing;
  std::string misshapen;
  std::vector<int64_t> shape;   ///< that the misshapen tensor gets
  std::string expected, found;  ///< its shapes in the error
  std::vector<std::string> unexpected;
};

/// Every tensor that is wrong is listed, those of one kind behind their number.
inline void expect_faults_listed(const DecoderFamily& family, const std::string& stored, const SpoiltFile& spoilt) {
  const NetworkRequest request = stored_case(stored).request;
  Tensors tensors = tensors_of(*request.weights);
  ASSERT_EQ(tensors.erase(spoilt.missing), 1u);
  tensors.at(spoilt.misshapen) = at::zeros(spoilt.shape);
  std::string unexpected = std::to_string(spoilt.unexpected.size()) + " unexpected: ";
  for (const std::string& name : spoilt.unexpected) {
    unexpected += (name == spoilt.unexpected.front() ? "" : ", ") + name;
    tensors[name] = at::zeros({1});
  }
  const auto error = expect_error<WeightsError>([&] { family.make_decoder(with_tensors(request, tensors)); });
  EXPECT_EQ(error.detail().file, "changed.safetensors");
  for (const std::string& part :
       {"1 missing: " + spoilt.missing,
        "1 misshapen: " + spoilt.misshapen + " (expected " + spoilt.expected + ", found " + spoilt.found + ")",
        unexpected})
    EXPECT_TRUE(contains(error.what(), part)) << part << "\nin " << error.what();
}

}  // namespace lightswitch::testing
