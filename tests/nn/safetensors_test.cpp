#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/weights.hpp>

#include <fstream>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::contains;
using testing::expect_error;
using testing::random_tensor;
using testing::TemporaryFolder;

TEST(Safetensors, EveryElementTypeSurvivesTheRoundTrip) {
  const TemporaryFolder folder;
  const auto file = folder / "weights.safetensors";
  std::map<std::string, at::Tensor> tensors;
  const at::Tensor numbers = random_tensor({3, 5, 7}) * 50;
  for (const auto type :
       {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar, at::kBool})
    tensors[c10::toString(type)] = numbers.to(type);
  tensors["Byte"] = numbers.abs().to(at::kByte);
  tensors["scalar"] = at::scalar_tensor(4.25);
  tensors["empty"] = at::zeros({3, 0, 2});
  save_safetensors(file, tensors, {{"made by", "a test"}, {"quote", "\"ü\n"}});

  const auto weights = open_weights(file);
  EXPECT_EQ(weights->origin(), file.string());
  EXPECT_EQ(weights->metadata(), (std::map<std::string, std::string>{{"made by", "a test"}, {"quote", "\"ü\n"}}));
  ASSERT_EQ(weights->tensors().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor read = weights->read(name);
    EXPECT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(read, tensor)) << name;
    ASSERT_NE(weights->find(name), nullptr);
    EXPECT_EQ(at::IntArrayRef(weights->find(name)->shape), tensor.sizes());
  }
}

TEST(Safetensors, StridedTensorsAreStoredInOrder) {
  const TemporaryFolder folder;
  const at::Tensor strided = random_tensor({4, 6}).t();
  save_safetensors(folder / "a", {{"t", strided}});
  const at::Tensor read = open_weights(folder / "a")->read("t");
  EXPECT_TRUE(read.is_contiguous());
  EXPECT_TRUE(at::equal(read, strided));
}

TEST(Safetensors, TensorsComeSortedByName) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a",
                   {{"b", at::zeros({1})}, {"a.10", at::zeros({1})}, {"a.9", at::zeros({1})}, {"B", at::zeros({1})}});
  const auto weights = open_weights(folder / "a");
  std::vector<std::string> names;
  for (const TensorInfo& info : weights->tensors()) names.push_back(info.name);
  EXPECT_EQ(names, (std::vector<std::string>{"B", "a.10", "a.9", "b"}));
}

TEST(Safetensors, ReadingSharesTheMappingAndOutlivesTheSource) {
  const TemporaryFolder folder;
  const at::Tensor numbers = random_tensor({64, 64});
  save_safetensors(folder / "a", {{"t", numbers}});
  auto weights = open_weights(folder / "a");
  const at::Tensor once = weights->read("t"), again = weights->read("t");
  EXPECT_EQ(once.const_data_ptr(), again.const_data_ptr());
  weights.reset();
  EXPECT_TRUE(at::equal(once, numbers));
}

/// Resident bytes of mapped files.
int64_t mapped_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssFile:")) return std::stoll(line.substr(8)) * 1024;
  return 0;
}

TEST(Safetensors, PagesOfTensorsThatNobodyHoldsAreLetGo) {
  const TemporaryFolder folder;
  const at::Tensor numbers = random_tensor({1 << 12, 1 << 11});  // 32 MiB
  save_safetensors(folder / "a", {{"t", numbers}});
  const auto weights = open_weights(folder / "a");
  const int64_t before = mapped_memory(), size = static_cast<int64_t>(numbers.nbytes());
  at::Tensor read = weights->read("t");
  EXPECT_TRUE(at::equal(read, numbers));
  EXPECT_GT(mapped_memory(), before + size * 3 / 4);
  read = at::Tensor();
  EXPECT_LT(mapped_memory(), before + size / 4);
  EXPECT_TRUE(at::equal(weights->read("t"), numbers));
}

TEST(Safetensors, UnalignedDataIsCopiedRight) {
  const TemporaryFolder folder;
  // A header of 8 k + 5 bytes puts the floats at an odd address.
  std::string header = R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  while (header.size() % 8 != 5) header += ' ';
  const uint64_t length = header.size();
  const float values[2] = {1.5f, -2.25f};
  std::ofstream out(folder / "a", std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), 8) << header;
  out.write(reinterpret_cast<const char*>(values), sizeof values);
  out.close();
  EXPECT_TRUE(at::equal(open_weights(folder / "a")->read("t"), at::tensor({1.5f, -2.25f})));
}

TEST(Safetensors, AHeaderLengthThatLooksLikeAnotherFormatIsALength) {
  const TemporaryFolder folder;
  // 640 is 80 02 in the file, as a pickle begins.
  const std::string header = R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  const uint64_t length = 640;
  std::ofstream out(folder / "a", std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), 8)
      << header << std::string(640 - header.size(), ' ') << std::string(4, '\0');
  out.close();
  EXPECT_TRUE(at::equal(open_weights(folder / "a")->read("t"), at::zeros({1})));
}

TEST(Safetensors, UnknownNameIsATypedError) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a", {{"t", at::zeros({1})}});
  const auto weights = open_weights(folder / "a");
  EXPECT_EQ(weights->find("u"), nullptr);
  EXPECT_EQ(expect_error<WeightsError>([&] { weights->read("u"); }).detail().field, "u");
}

TEST(Safetensors, SavingReplacesTheWholeFileOrNothing) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a", {{"t", at::zeros({1})}});
  save_safetensors(folder / "a", {{"t", at::ones({2})}});
  EXPECT_TRUE(at::equal(open_weights(folder / "a")->read("t"), at::ones({2})));
  expect_error<UnsupportedError>([&] { save_safetensors(folder / "a", {{"t", at::zeros({1}, at::kComplexFloat)}}); });
  EXPECT_TRUE(at::equal(open_weights(folder / "a")->read("t"), at::ones({2})));
  const auto entries =
      std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator());
  EXPECT_EQ(entries, 1) << "a temporary file was left behind";
}

TEST(Safetensors, SavingIntoNowhereIsAFileError) {
  const TemporaryFolder folder;
  const auto file = folder / "missing" / "a.safetensors";
  const auto error = expect_error<FileError>([&] { save_safetensors(file, {{"t", at::zeros({1})}}); });
  EXPECT_EQ(error.detail().file, file.string());
}

TEST(MemoryWeights, BehaveLikeAFile) {
  const auto weights = weights_from_memory({{"b", at::ones({2})}, {"a", at::zeros({1, 3})}}, "toy", {{"k", "v"}});
  EXPECT_EQ(weights->origin(), "toy");
  EXPECT_EQ(weights->metadata().at("k"), "v");
  EXPECT_EQ(weights->tensors()[0].name, "a");
  EXPECT_EQ(weights->find("a")->shape, (std::vector<int64_t>{1, 3}));
  EXPECT_TRUE(at::equal(weights->read("b"), at::ones({2})));
  expect_error<WeightsError>([&] { weights->read("c"); });
}

}  // namespace
}  // namespace lightswitch
