// Every family from every file format: the network must compute what the Python reference computed, wherever its
// weights lie.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/reference_case.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

const std::filesystem::path kFixtures = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "fixtures";

/// The difference goes into the table of the README: --gtest_output=xml:FILE shows it.
void note(const std::filesystem::path& file, const at::Tensor& output, const at::Tensor& expected) {
  EXPECT_TRUE(testing::close(output, expected, testing::kParity));
  ::testing::Test::RecordProperty(file.filename().string(),
                                  std::to_string(1e6 * testing::largest_difference(output, expected)) + "e-6");
}

/// A clip [T, C, h, w], cut as the reference cut it.
at::Tensor decoded_in_chunks(const DecoderFamily& family, const testing::ReferenceCase& reference) {
  const auto decoder = family.make_temporal_decoder(reference.request);
  const auto stream = decoder->begin();
  std::vector<at::Tensor> frames;
  for (const at::Tensor& part : reference.decoder_input.split(std::stoll(reference.request.config.at("chunk"))))
    frames.push_back(stream->push(part.transpose(0, 1)));
  return at::cat(frames);
}

void expect_parity_from(const std::filesystem::path& file, const std::string& name) {
  SCOPED_TRACE(file);
  auto reference = testing::stored_case(name);
  reference.request.weights = open_weights(file);
  const DecoderRegistry registry(builtin_decoder_families());
  const DecoderFamily& family = registry.recognise(*reference.request.weights);
  if (reference.request.config.contains("chunk")) {
    note(file, decoded_in_chunks(family, reference), reference.decoder_output);
    return;
  }
  testing::expect_parity(family, reference);
  if (reference.decoder_input.defined())
    note(file, family.make_decoder(reference.request)->forward(reference.decoder_input), reference.decoder_output);
}

template <typename Number>
void put(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

/// GGUF 3 with F16 and F32 tensors, their axes in GGML's order.
/// @return false when the format cannot hold them: names of 64 bytes and more, five axes.
bool write_gguf(const std::filesystem::path& file, const testing::Tensors& tensors) {
  constexpr size_t alignment = 32;
  std::string head = "GGUF", data;
  put<uint32_t>(head, 3);
  put<uint64_t>(head, tensors.size());
  put<uint64_t>(head, 0);  // no facts
  for (const auto& [name, tensor] : tensors) {
    const bool half = tensor.scalar_type() == at::kHalf;
    if (name.size() > 63 || tensor.dim() > 4 || !(half || tensor.scalar_type() == at::kFloat)) return false;
    put<uint64_t>(head, name.size());
    head += name;
    put<uint32_t>(head, static_cast<uint32_t>(tensor.dim()));
    for (int64_t axis = tensor.dim() - 1; axis >= 0; --axis) put<int64_t>(head, tensor.size(axis));
    put<uint32_t>(head, half ? 1 : 0);
    put<uint64_t>(head, data.size());
    const at::Tensor dense = tensor.contiguous();
    data.append(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes());
    data.resize((data.size() + alignment - 1) / alignment * alignment);
  }
  head.resize((head.size() + alignment - 1) / alignment * alignment);
  testing::write_file(file, head + data);
  return true;
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
}

TEST_P(EveryFormat, Gguf) {
  const testing::TemporaryFolder folder;
  const std::string name = GetParam();
  testing::Tensors tensors = testing::tensors_of(*testing::stored_case(name).request.weights);
  std::erase_if(tensors, [](const auto& each) { return !each.second.is_floating_point(); });  // counters of batches
  if (!write_gguf(folder / "network.gguf", tensors)) GTEST_SKIP() << "GGUF holds neither such names nor five axes";
  expect_parity_from(folder / "network.gguf", name);
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
                         ::testing::Values("kl", "kl_old_names", "kl_compvis", "vqgan", "vqgan_gumbel", "svd",
                                           "vit_paper", "vit_attention", "vit_diffusers", "taming", "taming_original",
                                           "taming_original_encoder", "taming_pools", "taming_taesdv", "taming_taehv",
                                           "taming_taehv_wide", "taming_temporal", "projection", "routed"),
                         [](const auto& test) { return std::string(test.param); });

TEST(StoredCheckpoint, ComputesWhatThePythonReferenceDid) {
  expect_parity_from(kFixtures / "files" / "vit_paper.ckpt", "vit_paper");
}

}  // namespace
}  // namespace lightswitch
