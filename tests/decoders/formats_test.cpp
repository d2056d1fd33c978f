// Every family from every file format: the network must compute what the Python reference computed, wherever its
// weights lie.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decoder_registry.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/reference_case.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

const std::filesystem::path kFixtures = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "fixtures";

void expect_parity_from(const std::filesystem::path& file, const std::string& name) {
  SCOPED_TRACE(file);
  auto reference = testing::stored_case(name);
  reference.request.weights = open_weights(file);
  const DecoderRegistry registry(builtin_decoder_families());
  const DecoderFamily& family = registry.recognise(*reference.request.weights);
  testing::expect_parity(family, reference);
  if (!reference.decoder_input.defined()) return;
  // For the table in the README: --gtest_output=xml:FILE shows it.
  const at::Tensor output = family.make_decoder(reference.request)->forward(reference.decoder_input);
  ::testing::Test::RecordProperty(
      file.filename().string(),
      std::to_string(1e6 * testing::largest_difference(output, reference.decoder_output)) + "e-6");
}

class EveryFormat : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryFormat, WrittenByPython) {
  const char* python = std::getenv("LIGHTSWITCH_REFERENCE_PYTHON");
  if (python == nullptr || *python == '\0') GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON names no Python with torch";
  const testing::TemporaryFolder folder;
  const std::string name = GetParam();
  const std::string command = "'" + std::string(python) + "' '" + (kFixtures / "make_weight_files.py").string() +
                              "' '" + folder.path().string() + "' --network '" +
                              (kFixtures / (name + ".safetensors")).string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  for (const char* file : {"network.pth", "network.ckpt", "sharded"}) expect_parity_from(folder / file, name);
  if (std::filesystem::exists(folder / "network.gguf")) expect_parity_from(folder / "network.gguf", name);
}

TEST_P(EveryFormat, SinglePrecisionInAFolder) {
  const testing::TemporaryFolder folder;
  const std::string name = GetParam();
  testing::Tensors tensors = testing::tensors_of(*testing::stored_case(name).request.weights);
  for (const auto type : {at::kFloat, at::kDouble}) {
    for (auto& [key, tensor] : tensors)
      if (tensor.is_floating_point()) tensor = tensor.to(type);
    save_safetensors(folder / "diffusion_pytorch_model.safetensors", tensors);
    expect_parity_from(folder.path(), name);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EveryFormat,
                         ::testing::Values("kl", "kl_old_names", "vit_paper", "vit_attention", "taming",
                                           "taming_original"),
                         [](const auto& test) { return std::string(test.param); });

TEST(StoredCheckpoint, ComputesWhatThePythonReferenceDid) {
  expect_parity_from(kFixtures / "files" / "vit_paper.ckpt", "vit_paper");
}

}  // namespace
}  // namespace lightswitch
