#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/weights.hpp>

#include <cstdlib>
#include <filesystem>

#include "nn/zip_bytes.hpp"
#include "support/data.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using testing::contains;
using testing::expect_error;
using testing::little_endian;
using testing::TemporaryFolder;
using testing::zip_bytes;

const std::filesystem::path kTests = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests";
const std::filesystem::path kFiles = kTests / "fixtures" / "files";

/// The same names, element types, shapes and numbers as in the safetensors file beside it.
void expect_the_tensors(const std::filesystem::path& file, const std::filesystem::path& reference) {
  const auto found = open_weights(file), expected = open_weights(reference);
  ASSERT_EQ(found->tensors().size(), expected->tensors().size()) << file;
  for (const TensorInfo& info : expected->tensors()) {
    const TensorInfo* same = found->find(info.name);
    ASSERT_NE(same, nullptr) << info.name;
    EXPECT_EQ(same->dtype, info.dtype) << info.name;
    EXPECT_EQ(same->shape, info.shape) << info.name;
    const at::Tensor tensor = found->read(info.name);
    EXPECT_EQ(tensor.scalar_type(), info.dtype) << info.name;
    EXPECT_TRUE(at::equal(tensor, expected->read(info.name))) << info.name;
  }
}

/// Each file that make_weight_files.py wrote into a folder.
void expect_every_file(const std::filesystem::path& folder) {
  for (const char* name : {"state_dict.pth", "protocol4.pth", "ema.pth", "lightning.ckpt", "sharded",
                           "sharded/diffusion_pytorch_model.safetensors.index.json"})
    expect_the_tensors(folder / name, folder / "tensors.safetensors");
}

TEST(PyTorchFile, StoredFilesHoldTheReferencesTensors) {
  expect_every_file(kFiles);
}

TEST(PyTorchFile, WhatTorchSavesNowHoldsTheReferencesTensors) {
  const char* python = std::getenv("LIGHTSWITCH_REFERENCE_PYTHON");
  if (python == nullptr || *python == '\0') GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON names no Python with torch";
  const TemporaryFolder folder;
  const std::string command = "'" + std::string(python) + "' '" +
                              (kTests / "fixtures" / "make_weight_files.py").string() + "' '" + folder.path().string() +
                              "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  expect_every_file(folder.path());
}

TEST(PyTorchFile, ViewsKeepTheirStridesAndShareTheMapping) {
  const auto weights = open_weights(kFiles / "state_dict.pth");
  EXPECT_EQ(weights->format(), "PyTorch checkpoint");
  EXPECT_EQ(weights->read("transposed").strides(), (std::vector<int64_t>{1, 7}));
  EXPECT_EQ(weights->read("slice").strides(), (std::vector<int64_t>{14, 1}));
  EXPECT_TRUE(weights->read("channels_last").is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(weights->read("tied.a").const_data_ptr(), weights->read("tied.b").const_data_ptr());
  EXPECT_EQ(weights->read("tied.a").const_data_ptr(), weights->read("transposed").const_data_ptr());
}

TEST(PyTorchFile, ACheckpointTellsItsLevelItsFactsAndWhatWasPassedOver) {
  const auto metadata = open_weights(kFiles / "lightning.ckpt")->metadata();
  EXPECT_EQ(metadata.at("level"), "state_dict");
  EXPECT_EQ(metadata.at("checkpoint.epoch"), "3");
  EXPECT_EQ(metadata.at("checkpoint.pytorch-lightning_version"), "2.4.0");
  const std::string& passed = metadata.at("passed over, not executed");
  for (const char* name : {"argparse.Namespace", "datetime.date", "pathlib.PurePosixPath", "io.open"})
    EXPECT_TRUE(contains(passed, name));
  EXPECT_FALSE(std::filesystem::exists("executed"));
  EXPECT_EQ(open_weights(kFiles / "ema.pth")->metadata().at("level"), "params_ema");
}

TEST(PyTorchFile, RealWeights) {
  const auto file = testing::data_root() / "models" / "taef2" / "taef2_decoder.pth";
  LIGHTSWITCH_REQUIRE_DATA(file);
  const auto weights = open_weights(file);
  EXPECT_EQ(weights->tensors().size(), 79u);
  const at::Tensor first = weights->read("1.weight");
  EXPECT_EQ(first.sizes(), (std::vector<int64_t>{64, 32, 3, 3}));
  EXPECT_EQ(first.scalar_type(), at::kHalf);
  EXPECT_TRUE(at::isfinite(first).all().item<bool>());
}

struct Refusal {
  const char* file;
  const char* message;

  friend std::ostream& operator<<(std::ostream& out, const Refusal& test) { return out << test.file; }
};

class RefusedCheckpoint : public ::testing::TestWithParam<Refusal> {};

TEST_P(RefusedCheckpoint, SaysWhy) {
  const auto error = expect_error<FormatError>([&] { open_weights(kFiles / GetParam().file); });
  EXPECT_EQ(error.detail().file, (kFiles / GetParam().file).string());
  EXPECT_TRUE(contains(error.what(), GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(Files, RefusedCheckpoint,
                         ::testing::Values(Refusal{"legacy.pth", "torch.save(torch.load("},
                                           Refusal{"module.pth", "torch.nn.modules.linear.Linear (save its state_dict"},
                                           Refusal{"complex.pth", "torch.ComplexFloatStorage"},
                                           Refusal{"sparse.pth", "_rebuild_sparse_tensor"},
                                           Refusal{"elsewhere.pth", "a dict of epoch weights"}),
                         [](const auto& test) {
                           const std::string file = test.param.file;
                           return file.substr(0, file.find('.'));
                         });

TEST(PyTorchFile, TorchScriptIsNoWeightFile) {
  const auto error = expect_error<FormatError>([] { open_weights(kTests / "data" / "schedulers" / "euler.pt"); });
  EXPECT_TRUE(contains(error.what(), "TorchScript"));
}

// Pickle opcodes by hand, for what torch.save never writes.
const std::string kEnd = ".";

std::string text(const std::string& value) {
  return "X" + little_endian(static_cast<uint32_t>(value.size())) + value;
}

std::string whole(int32_t value) {
  return "J" + little_endian(value);
}

std::string tuple(const std::string& items) {
  return "(" + items + "t";
}

std::string tensor(const std::string& offset, const std::string& shape, const std::string& strides, int32_t elements,
                   const std::string& type = "FloatStorage", const std::string& key = "0") {
  const std::string id =
      tuple(text("storage") + "ctorch\n" + type + "\n" + text(key) + text("cpu") + whole(elements)) + "Q";
  return "ctorch._utils\n_rebuild_tensor_v2\n" + tuple(id + offset + tuple(shape) + tuple(strides)) + "R";
}

std::string dict_of(const std::string& value) {
  return "\x80\x02}" + text("t") + value + "s" + kEnd;
}

std::string archive(const std::string& pickle, size_t storage_bytes = 24) {
  return zip_bytes({{"a/data.pkl", pickle}, {"a/byteorder", "little"}, {"a/data/0", std::string(storage_bytes, '\0')}});
}

std::string refusal_of(const std::string& bytes) {
  const TemporaryFolder folder;
  const auto file = testing::write_file(folder / "a.pth", bytes);
  return expect_error<FormatError>([&] { open_weights(file); }).what();
}

TEST(PyTorchFile, ByHand) {
  const TemporaryFolder folder;
  const std::string sound = dict_of(tensor(whole(1), whole(2) + whole(2), whole(2) + whole(1), 6));
  for (const bool zip64 : {false, true}) {
    const auto file = testing::write_file(
        folder / "a.pth", zip_bytes({{"a/data.pkl", sound}, {"a/data/0", std::string(24, '\0')}}, zip64));
    EXPECT_TRUE(at::equal(open_weights(file)->read("t"), at::zeros({2, 2})));
  }
}

struct Lie {
  const char* name;
  std::string bytes;
  const char* message;

  friend std::ostream& operator<<(std::ostream& out, const Lie& test) { return out << test.name; }
};

class LyingCheckpoint : public ::testing::TestWithParam<Lie> {};

TEST_P(LyingCheckpoint, IsRefused) {
  EXPECT_TRUE(contains(refusal_of(GetParam().bytes), GetParam().message));
}

const std::string kTwo = whole(2), kOne = whole(1), kZero = whole(0);
const std::string kLarge = "\x8a\x08" + little_endian(INT64_MAX / 2);

INSTANTIATE_TEST_SUITE_P(
    Lies, LyingCheckpoint,
    ::testing::Values(
        Lie{"shape_too_large", archive(dict_of(tensor(kZero, whole(7), kOne, 6))), "larger than its storage"},
        Lie{"offset_outside", archive(dict_of(tensor(whole(5), kTwo, kOne, 6))), "outside its storage"},
        Lie{"offset_of_2_62", archive(dict_of(tensor(kLarge, kTwo, kOne, 6))), "outside its storage"},
        Lie{"negative_offset", archive(dict_of(tensor(whole(-1), kTwo, kOne, 6))), "whole numbers"},
        Lie{"stride_outside", archive(dict_of(tensor(kZero, kTwo, whole(6), 6))), "outside its storage"},
        Lie{"negative_stride", archive(dict_of(tensor(whole(5), kTwo, whole(-1), 6))), "whole numbers"},
        Lie{"stride_overflows", archive(dict_of(tensor(kZero, whole(3), kLarge, 6))), "outside its storage"},
        Lie{"shape_overflows", archive(dict_of(tensor(kZero, kLarge + kLarge, kOne + kOne, 6))), "shape is too large"},
        Lie{"expanded", archive(dict_of(tensor(kZero, whole(1 << 30), kZero, 6))), "larger than its storage"},
        Lie{"fewer_strides", archive(dict_of(tensor(kZero, kTwo + kTwo, kOne, 6))), "as many strides"},
        Lie{"too_many_axes", archive(dict_of(tensor(kZero, std::string(650, 'N'), kOne, 6))), "at most 64"},
        Lie{"storage_of_another_size", archive(dict_of(tensor(kZero, kTwo, kOne, 7))), "another size"},
        Lie{"storage_that_is_not_there", archive(dict_of(tensor(kZero, kTwo, kOne, 6, "FloatStorage", "1"))),
            "lacks a part"},
        Lie{"storage_outside_the_archive",
            archive(dict_of(tensor(kZero, kTwo, kOne, 6, "FloatStorage", "../../etc/passwd"))), "lacks a part"},
        Lie{"unknown_type", archive(dict_of(tensor(kZero, kTwo, kOne, 6, "QInt8Storage"))), "torch.QInt8Storage"},
        Lie{"no_storage", archive(dict_of("ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR")), "unusable"},
        Lie{"no_arguments", archive(dict_of("ctorch._utils\n_rebuild_tensor_v2\n)R")), "4 arguments"},
        Lie{"parameter_of_nothing", archive(dict_of("ctorch._utils\n_rebuild_parameter\n)R")), "no argument"},
        Lie{"key_is_a_number", archive("\x80\x02}K\x01" + tensor(kZero, kTwo, kOne, 6) + "s."),
            "without a usable name"},
        Lie{"empty_stack", archive("\x80\x02."), "empty stack"},
        Lie{"pop_below_a_mark", archive("N(0."), "empty stack"}, Lie{"no_mark", archive("Nt."), "not begun"},
        Lie{"no_stop", archive("\x80\x02N"), "ends too early"},
        Lie{"unknown_opcode", archive("\xff."), "unknown pickle opcode"},
        Lie{"protocol_9", archive("\x80\x09N."), "unknown protocol"},
        Lie{"text_beyond_the_end", archive("X\xff\xff\xff\xff."), "ends too early"},
        Lie{"text_of_2_64_bytes", archive("\x8d" + std::string(8, '\xff') + "."), "ends too early"},
        Lie{"memo_never_written", archive("h\x05."), "never remembered"},
        Lie{"items_into_a_number", archive("K\x01NNs."), "do not fit"},
        Lie{"odd_pairs", archive("}(NNNu."), "do not fit"}, Lie{"call_without_tuple", archive("NNR."), "in a tuple"},
        Lie{"endless_class", archive(text(std::string(2000, 'a')) + "2\x93."), "at most 1000 characters"},
        Lie{"only_a_number", archive("K\x01."), "a single value"}, Lie{"empty_dict", archive("}."), "an empty dict"},
        Lie{"no_pickle", zip_bytes({{"a/other", "x"}}), "FOLDER/data.pkl"},
        Lie{"two_checkpoints", zip_bytes({{"a/data.pkl", "N."}, {"b/data.pkl", "N."}}), "two checkpoints"},
        Lie{"name_twice", zip_bytes({{"a/data.pkl", "N."}, {"a/data.pkl", "N."}}), "stands twice"},
        Lie{"compressed", zip_bytes({{"a/data.pkl", "N."}}, false, 8), "compressed or encrypted"},
        Lie{"big_endian",
            zip_bytes({{"a/data.pkl", dict_of(tensor(kZero, kTwo, kOne, 2))},
                       {"a/byteorder", "big"},
                       {"a/data/0", std::string(8, '\0')}}),
            "byte order"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(PyTorchFile, DepthAndCyclesCostNoMoreThanTheirBytes) {
  // A million nested tuples, and a list that holds itself.
  EXPECT_TRUE(contains(refusal_of(archive("N" + std::string(1000000, '\x85') + ".")), "a single value"));
  EXPECT_TRUE(contains(refusal_of(archive("]q\x01h\x01"
                                          "a.")),
                       "a list"));
  EXPECT_TRUE(contains(refusal_of(archive(std::string((1 << 21) + 1, 'N') + ".")), "too large"));
}

TEST(PyTorchFile, SharedStorageCannotMultiplyAFile) {
  std::string pickle = "\x80\x02}(";
  for (int i = 0; i < 2000; ++i)
    pickle += text(std::to_string(i)) + (i == 0 ? tensor(kZero, whole(1 << 20), kOne, 1 << 20) + "q\x01" : "h\x01");
  EXPECT_TRUE(contains(refusal_of(archive(pickle + "u.", 4 << 20)), "share storage too often"));
}

TEST(PyTorchFile, DirectoriesThatPointOutsideAreRefused) {
  const std::string sound = archive(dict_of(tensor(kZero, kTwo, kOne, 6)));
  const size_t end = sound.rfind("PK\x05\x06"), entry = sound.find("PK\x01\x02");
  const auto changed = [&](size_t at, const std::string& bytes) {
    return std::string(sound).replace(at, bytes.size(), bytes);
  };
  const std::string huge(4, '\xfe');
  EXPECT_TRUE(contains(refusal_of(changed(end + 16, huge)), "outside the file"));
  EXPECT_TRUE(contains(refusal_of(changed(end + 12, huge)), "outside the file"));
  EXPECT_TRUE(contains(refusal_of(changed(end + 10, "\xff\xff")), "ends too early"));
  EXPECT_TRUE(contains(refusal_of(changed(entry + 42, huge)), "outside the file"));
  EXPECT_TRUE(contains(refusal_of(changed(entry + 20, huge + huge)), "outside the file"));
  EXPECT_TRUE(contains(refusal_of(changed(entry + 20, "\x01")), "another size"));
  EXPECT_TRUE(contains(refusal_of(changed(entry + 46, "b")), "two names"));
  EXPECT_TRUE(contains(refusal_of(sound.substr(0, end)), "truncated zip"));
}

}  // namespace
}  // namespace lightswitch
