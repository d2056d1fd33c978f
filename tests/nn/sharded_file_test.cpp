#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/weights.hpp>

#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using testing::contains;
using testing::expect_error;
using testing::TemporaryFolder;
using testing::write_file;

class ShardedFile : public ::testing::Test {
 protected:
  ShardedFile() {
    save_safetensors(folder_ / "1.safetensors", {{"a", at::ones({2})}, {"c", at::ones({3})}});
    save_safetensors(folder_ / "2.safetensors", {{"b", at::full({1}, 5.0)}});
  }

  std::filesystem::path index(const std::string& json) {
    return write_file(folder_ / "model.safetensors.index.json", json);
  }

  std::string refusal(const std::string& json) {
    const auto file = index(json);
    return expect_error<FormatError>([&] { open_weights(file); }).what();
  }

  TemporaryFolder folder_;
};

const std::string kSound =
    R"({"metadata":{"total_size":24,"by":"us"},"weight_map":{"c":"1.safetensors","b":"2.safetensors","a":"1.safetensors"}})";

TEST_F(ShardedFile, IndexAndFolderOpenAsOneFile) {
  const auto file = index(kSound);
  for (const auto& path : {file, folder_.path()}) {
    const auto weights = open_weights(path);
    EXPECT_EQ(weights->origin(), file.string());
    EXPECT_EQ(weights->format(), "sharded safetensors");
    EXPECT_EQ(weights->metadata(), (std::map<std::string, std::string>{{"total_size", "24"}, {"by", "us"}}));
    ASSERT_EQ(weights->tensors().size(), 3u);
    EXPECT_EQ(weights->tensors()[1].name, "b");
    EXPECT_TRUE(at::equal(weights->read("b"), at::full({1}, 5.0)));
    EXPECT_TRUE(at::equal(weights->read("c"), at::ones({3})));
    expect_error<WeightsError>([&] { weights->read("d"); });
  }
}

TEST_F(ShardedFile, MapAndShardsMustAgree) {
  EXPECT_TRUE(contains(refusal(R"({"weight_map":{"a":"1.safetensors","c":"1.safetensors","b":"1.safetensors"}})"),
                       "lacks a tensor"));
  EXPECT_TRUE(contains(refusal(R"({"weight_map":{"a":"1.safetensors"}})"), "c: a shard holds a tensor"));
  save_safetensors(folder_ / "2.safetensors", {{"b", at::ones({1})}, {"a", at::zeros({2})}});
  EXPECT_TRUE(contains(refusal(kSound), "a: a shard holds a tensor"));
}

TEST_F(ShardedFile, AMissingShardIsNamed) {
  const auto file = index(R"({"weight_map":{"a":"3.safetensors"}})");
  EXPECT_EQ(expect_error<FileError>([&] { open_weights(file); }).detail().file, (folder_ / "3.safetensors").string());
}

TEST_F(ShardedFile, AnIndexStaysInItsFolder) {
  for (const char* shard : {R"("../1.safetensors")", R"("/etc/passwd")", R"("a\\b.safetensors")", R"("")", "7",
                            R"("model.safetensors.index.json")"})
    EXPECT_TRUE(contains(refusal(R"({"weight_map":{"a":)" + std::string(shard) + "}}"), "unusable shard"));
}

TEST_F(ShardedFile, OtherJsonIsRefused) {
  EXPECT_TRUE(contains(refusal(R"({"_class_name":"AutoencoderKL"})"), "weight_map"));
  EXPECT_TRUE(contains(refusal(R"({"weight_map":[]})"), "weight_map"));
  EXPECT_TRUE(contains(refusal(R"({"weight_map":{}, "metadata":3})"), "metadata"));
  EXPECT_TRUE(contains(refusal(R"({"weight_map":)"), "not valid JSON"));
  EXPECT_TRUE(contains(refusal(R"({"weight_map":{"a":"1.safetensors","a":"1.safetensors"}})"), "stands twice"));
}

TEST(WeightFolder, NamesAreTriedInOrder) {
  const TemporaryFolder folder;
  const auto error = expect_error<FileError>([&] { open_weights(folder.path()); });
  EXPECT_TRUE(contains(error.what(), "no weights in this folder"));
  save_safetensors(folder / "diffusion_pytorch_model.fp16.safetensors", {{"a", at::zeros({1}, at::kHalf)}});
  EXPECT_EQ(find_weight_file(folder.path()), folder / "diffusion_pytorch_model.fp16.safetensors");
  save_safetensors(folder / "diffusion_pytorch_model.safetensors", {{"a", at::zeros({1})}});
  EXPECT_EQ(open_weights(folder.path())->tensors()[0].dtype, at::kFloat);
}

}  // namespace
}  // namespace lightswitch
