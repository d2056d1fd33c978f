#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/calibration.hpp>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/metrics.hpp>
#include <lightswitch/model_package.hpp>

#include <fstream>

#include "nn/int8/conv.hpp"
#include "support/errors.hpp"
#include "support/network_contract.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

/// Decoders that are calibrated and then computed in int8.
namespace lightswitch {
namespace {

using testing::contains;
using testing::expect_error;

/// On the decoders of models/scenes.
class Int8Decoder : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!nn::multiplies_int8()) GTEST_SKIP() << "this CPU has no AVX-512 VNNI";
  }
  std::shared_ptr<const Decoder> open(const std::string& options) const {
    return open_decoder(NetworkSpec::parse(GetParam() + options), {.registry = registry_, .package = &package_});
  }
  Calibration calibration() const { return calibrate(*open(",dtype=fp32"), latents_, LatentKind::diffusion); }
  std::shared_ptr<const Decoder> rounded(const Calibration& calibration) const {
    const auto file = folder_ / "ranges.json";
    write_calibration(calibration, file);
    return open(",dtype=int8,calibration=" + file.string());
  }
  at::Tensor picture(const Decoder& decoder) const {
    return decode(decoder, latents_, {.kind = LatentKind::diffusion});
  }

  const DecoderRegistry registry_{builtin_decoder_families()};
  const ModelPackage package_ = ModelPackage::open(LIGHTSWITCH_SOURCE_DIR "/models/scenes");
  const at::Tensor latents_ = testing::random_tensor({2, 4, 8, 8}, 5);
  testing::TemporaryFolder folder_;
};

TEST_P(Int8Decoder, IsCloseToItselfInFp32) {
  const Calibration ranges = calibration();
  EXPECT_GE(ranges.ranges.size(), 4u);
  const auto decoder = rounded(ranges), exact = open(",dtype=fp32");
  EXPECT_EQ(decoder->info().dtype, DType::int8);
  EXPECT_EQ(decoder->macs(8, 8), exact->macs(8, 8));
  const double db = psnr(picture(*decoder), picture(*exact));
  EXPECT_GT(db, 35);
  EXPECT_LT(db, 70) << "int8 was asked for, and not used";
}

TEST_P(Int8Decoder, KeepsTheContractOfANetwork) {
  const auto decoder = rounded(calibration());
  testing::expect_batch_equals_single(*decoder, latents_.narrow(0, 0, 1));
  testing::expect_thread_safe(*decoder, latents_, decoder->forward(latents_), 1e-6);
}

TEST_P(Int8Decoder, IsNotMeasuredItself) {
  const auto decoder = rounded(calibration());
  expect_error<UnsupportedError>([&] { calibrate(*decoder, latents_, LatentKind::diffusion); });
}

TEST_P(Int8Decoder, FitsItsCalibrationAlone) {
  Calibration other = calibration();
  other.ranges.erase(other.ranges.begin());
  other.ranges["another.layer"] = {-1, 1};
  const auto error = expect_error<WeightsError>([&] { rounded(other); });
  EXPECT_EQ(error.detail().file, folder_ / "ranges.json");
  EXPECT_TRUE(contains(error.what(), "1 missing"));
  EXPECT_TRUE(contains(error.what(), "1 unexpected: another.layer"));
}

INSTANTIATE_TEST_SUITE_P(, Int8Decoder, ::testing::Values("vae", "vit", "tae"),
                         [](const auto& test) { return std::string(test.param); });

class CalibrationFile : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& text) {
    const auto file = folder_ / "a.int8.json";
    std::ofstream(file) << text;
    return file;
  }
  std::string mistake_in(const std::string& text) {
    const auto file = write(text);
    const auto error = expect_error<FormatError>([&] { read_calibration(file); });
    EXPECT_EQ(error.detail().file, file.string());
    return error.what();
  }

  testing::TemporaryFolder folder_;
};

TEST_F(CalibrationFile, ComesBackAsItWas) {
  const Calibration calibration{{{"up.0.conv1", {-0.25, 3.5}}, {"mid", {0, 0}}}, ""};
  write_calibration(calibration, folder_ / "b.int8.json");
  const Calibration back = read_calibration(folder_ / "b.int8.json");
  ASSERT_EQ(back.ranges.size(), 2u);
  EXPECT_EQ(back.ranges.at("up.0.conv1").low, -0.25);
  EXPECT_EQ(back.ranges.at("up.0.conv1").high, 3.5);
  EXPECT_EQ(back.ranges.at("mid").high, 0);
}

TEST_F(CalibrationFile, LiesBesideTheWeights) {
  EXPECT_EQ(calibration_beside("models/vae.safetensors"), "models/vae.int8.json");
}

TEST_F(CalibrationFile, GrowsWithWhatIsSeen) {
  Calibration seen{{{"a", {-1, 2}}}, ""};
  seen.widen({{{"a", {-3, 1}}, {"b", {0, 4}}}, ""});
  EXPECT_EQ(seen.ranges["a"].low, -3);
  EXPECT_EQ(seen.ranges["a"].high, 2);
  EXPECT_EQ(seen.ranges["b"].high, 4);
}

TEST_F(CalibrationFile, SaysWhatIsWrongWithIt) {
  const std::string head = R"({"format": "lightswitch.calibration", "version": 1, "ranges": )";
  EXPECT_TRUE(contains(mistake_in("[]"), "an object"));
  EXPECT_TRUE(contains(mistake_in(R"({"format": "x", "version": 1, "ranges": {}})"), "not a calibration"));
  EXPECT_TRUE(contains(mistake_in(R"({"format": "lightswitch.calibration", "version": 2, "ranges": {}})"), "version"));
  EXPECT_TRUE(contains(mistake_in(head + R"({"a": [1, 2]}})"), "ranges.a"));
  EXPECT_TRUE(contains(mistake_in(head + R"({"a": [0, 1e999]}})"), "a"));
  EXPECT_TRUE(contains(mistake_in(head + R"({"a": [0]}})"), "[LOW, HIGH]"));
  EXPECT_TRUE(contains(mistake_in(head + R"({"a": ["0", 1]}})"), "[LOW, HIGH]"));
  mistake_in(head);
}

}  // namespace
}  // namespace lightswitch
