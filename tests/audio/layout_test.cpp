#include <gtest/gtest.h>
#include <lightswitch/audio/layout.hpp>
#include <lightswitch/error.hpp>

#include <functional>

#include "support/errors.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::contains;
using lightswitch::testing::expect_error;

TEST(Layout, HopIsTheProductOfTheStrides) {
  EXPECT_EQ(Layout::heavy().hop(), 320);
  EXPECT_EQ(Layout::light().hop(), 320);
  EXPECT_EQ(Layout::paper().hop(), 320);
  EXPECT_EQ(Layout::paper(32, {4, 4, 5, 8}).hop(), 640);
}

TEST(Layout, ThePapersDoublesItsChannelsAtEveryStride) {
  const Layout layout = Layout::paper(32);
  EXPECT_EQ(layout.widest, 512);
  ASSERT_EQ(layout.stages.size(), 4u);
  EXPECT_EQ(layout.stages.front().stride, 8);
  EXPECT_EQ(layout.stages.front().channels, 256);
  EXPECT_EQ(layout.stages.back().stride, 2);
  EXPECT_EQ(layout.stages.back().channels, 32);
}

TEST(Layout, ComesBackFromMetadata) {
  for (const Layout& layout :
       {Layout::heavy(), Layout::light(), Layout::paper(4), Layout{.features = 3, .widest = 5}}) {
    const auto text = layout.to_metadata("light");
    EXPECT_EQ(Layout::from_metadata(text, "light").to_metadata("light"), text);
  }
  EXPECT_EQ(Layout::heavy().to_metadata("heavy").at("heavy.dilations"), "1,3,9;1,3,9;1,3,9");
}

TEST(Layout, MetadataThatDoesNotFitNamesItsKey) {
  const auto sound = Layout::heavy().to_metadata("heavy");
  const auto refusal = [&](const std::string& key, const std::string& value) {
    auto text = sound;
    text["heavy." + key] = value;
    return std::string(expect_error<OptionError>([&] { Layout::from_metadata(text, "heavy"); }).what());
  };
  for (const auto& [key, value] : sound) {
    auto text = sound;
    text.erase(key);
    const auto missing = expect_error<OptionError>([&] { Layout::from_metadata(text, "heavy"); });
    EXPECT_EQ(missing.detail().field, key);
  }
  EXPECT_TRUE(contains(refusal("strides", "2,2,5"), "4 numbers"));
  EXPECT_TRUE(contains(refusal("strides", "2,2,5,x"), "integers"));
  EXPECT_TRUE(contains(refusal("strides", "2,2,5,99999999999999999999"), "integers"));
  EXPECT_TRUE(contains(refusal("channels", ""), "1 … 17"));
  EXPECT_TRUE(contains(refusal("dilations", "1,3,9;1"), "3 lists"));
  EXPECT_TRUE(contains(refusal("activation", "relu"), "leaky or elu"));
  EXPECT_TRUE(contains(refusal("separable", "yes"), "0 or 1"));
}

TEST(Layout, ImpossibleSizesAreRefused) {
  const std::vector<std::pair<const char*, std::function<void(Layout&)>>> lies{
      {"features", [](Layout& l) { l.features = 0; }},
      {"widest", [](Layout& l) { l.widest = -4; }},
      {"widest_groups", [](Layout& l) { l.widest_groups = 3; }},
      {"stages.1.kernel", [](Layout& l) { l.stages[1].kernel = 1; }},
      {"stages.0.groups", [](Layout& l) { l.stages[0].groups = 5; }},
      {"stages.2.unit_groups", [](Layout& l) { l.stages[2].unit_groups = 7; }},
      {"stages.0.dilations", [](Layout& l) { l.stages[0].dilations = {0}; }},
      {"stages.0.channels", [](Layout& l) { l.stages[0].channels = 1 << 20; }},
      {"sample_kernel", [](Layout& l) { l.sample_kernel = 15; }},
      {"hop", [](Layout& l) { l.stages[0].stride = l.stages[0].kernel = 4096; }},
  };
  for (const auto& [field, lie] : lies) {
    Layout layout = Layout::heavy();
    lie(layout);
    EXPECT_EQ(expect_error<OptionError>([&] { layout.validate(); }).detail().field, field);
  }
}

}  // namespace
}  // namespace lightswitch::audio
