#include <gtest/gtest.h>

#include "nn/weight_loader.hpp"
#include "support/errors.hpp"

namespace lightswitch::nn {
namespace {

using testing::expect_error;

TEST(Config, NumbersAreReadWhole) {
  const Config config{{"int", "32"}, {"negative", "-7"}, {"double", "1.5e-3"}};
  EXPECT_EQ(config_int(config, "int", 1), 32);
  EXPECT_EQ(config_int(config, "negative", 1), -7);
  EXPECT_EQ(config_int(config, "absent", 5), 5);
  EXPECT_DOUBLE_EQ(config_double(config, "double", 0), 1.5e-3);
  EXPECT_DOUBLE_EQ(config_double(config, "int", 0), 32);
  EXPECT_EQ(config_text(config, "absent", "x"), "x");
}

TEST(Config, TextThatIsNoNumberIsRefused) {
  for (const char* text : {"", " 1", "1 ", "0x10", "1,5", "null", "99999999999999999999", "1.5"}) {
    const Config config{{"key", text}};
    const auto error = expect_error<OptionError>([&] { config_int(config, "key", 0); });
    EXPECT_EQ(error.detail().field, "key");
    EXPECT_EQ(error.detail().found, "\"" + std::string(text) + "\"");
  }
  expect_error<OptionError>([] { config_double({{"key", "much"}}, "key", 0); });
}

TEST(Config, CommonKeysChangeTheSpec) {
  LatentSpec spec;
  apply_common_config(spec, {{"scaling_factor", "0.13025"},
                             {"shift_factor", "-1"},
                             {"output_range", "unit"},
                             {"latent_kind", "diffusion"},
                             {"space", "sdxl"},
                             {"unknown", "ignored"}});
  EXPECT_EQ(spec.scaling_factor, 0.13025);
  EXPECT_EQ(spec.shift_factor, -1);
  EXPECT_EQ(spec.output_range, OutputRange::unit);
  EXPECT_EQ(spec.network_input, LatentKind::diffusion);
  EXPECT_EQ(spec.space, "sdxl");
}

TEST(Config, ANullShiftIsNoShift) {
  LatentSpec spec;
  apply_common_config(spec, {{"shift_factor", "null"}});
  EXPECT_EQ(spec.shift_factor, 0);
}

TEST(Config, ImpossibleCommonValuesAreRefused) {
  LatentSpec spec;
  const auto field = [&](const Config& config) {
    return expect_error<OptionError>([&] { apply_common_config(spec, config); }).detail().field;
  };
  for (const char* scale : {"0", "-1", "nan", "inf", "big"})
    EXPECT_EQ(field({{"scaling_factor", scale}}), "scaling_factor");
  EXPECT_EQ(field({{"shift_factor", "inf"}}), "shift_factor");
  EXPECT_EQ(field({{"output_range", "0..255"}}), "output_range");
  EXPECT_EQ(field({{"latent_kind", "cooked"}}), "latent_kind");
}

TEST(TensorSpec, NamesAndValuesAreInverse) {
  for (const auto kind : {LatentKind::raw, LatentKind::diffusion, LatentKind::indices})
    EXPECT_EQ(parse_latent_kind(to_string(kind)), kind);
  for (const auto range : {OutputRange::signed_unit, OutputRange::unit})
    EXPECT_EQ(parse_output_range(to_string(range)), range);
  for (const auto dtype : {DType::automatic, DType::fp32, DType::bf16, DType::fp16})
    EXPECT_EQ(parse_dtype(to_string(dtype)), dtype);
  EXPECT_EQ(parse_dtype("auto"), DType::automatic);
  EXPECT_FALSE(parse_dtype("float"));
  EXPECT_FALSE(parse_output_range("Signed"));
  EXPECT_FALSE(parse_latent_kind(""));
}

}  // namespace
}  // namespace lightswitch::nn
