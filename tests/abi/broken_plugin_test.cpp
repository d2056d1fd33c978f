// Plug-ins with one fault each: always a typed error that names the field, never a crash and never a picture.

#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/plugin_host.hpp>

#include "abi/plugins.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

struct Fault {
  const char* plugin;
  const char* field;     ///< of the error
  const char* expected;  ///< part of its text
  const char* found;
};

std::ostream& operator<<(std::ostream& out, const Fault& fault) {
  return out << fault.plugin;
}

std::string name_of(const ::testing::TestParamInfo<Fault>& info) {
  return info.param.plugin;
}

std::shared_ptr<const Decoder> open(const std::string& name, std::map<std::string, std::string> options = {}) {
  return open_plugin_decoder({fake_plugin(name), ""}, {.options = std::move(options)});
}

void expect_plugin_error(const Fault& fault, const std::function<void()>& action) {
  const auto error = expect_error<PluginError>(action);
  EXPECT_EQ(error.detail().file, fake_plugin(fault.plugin).string());
  EXPECT_EQ(error.detail().field, fault.field);
  EXPECT_TRUE(contains(error.detail().expected, fault.expected));
  EXPECT_TRUE(contains(error.detail().found, fault.found));
}

/// Faults that are seen before any code of the plug-in runs.
class BrokenEntry : public ::testing::TestWithParam<Fault> {};

TEST_P(BrokenEntry, IsRefused) {
  expect_plugin_error(GetParam(), [] { describe_plugin(fake_plugin(GetParam().plugin)); });
  expect_plugin_error(GetParam(), [] { open(GetParam().plugin); });
}

INSTANTIATE_TEST_SUITE_P(Plugin, BrokenEntry,
                         ::testing::Values(Fault{"no_symbol", "", "lightswitch_plugin_entry", "no such symbol"},
                                           Fault{"function_symbol", "lightswitch_plugin_entry", "lightswitch_plugin",
                                                 "something else"},
                                           Fault{"short_symbol", "lightswitch_plugin_entry", "64 bytes", "16"},
                                           Fault{"wrong_major", "abi_major", "1", "2"},
                                           Fault{"truncated_entry", "struct_size", "64 bytes", "32"},
                                           Fault{"null_table", "decoder", "table", "null"},
                                           Fault{"truncated_table", "decoder.struct_size", "40 bytes", "16"},
                                           Fault{"null_function", "decoder.decode", "function", "null"},
                                           Fault{"bad_name", "name", "lower-case", "Bad Name"},
                                           Fault{"repeated_option", "options[1].name", "no other option", "gain"}),
                         name_of);

/// Faults that show when a decoder is made.
class BrokenCreation : public ::testing::TestWithParam<Fault> {};

TEST_P(BrokenCreation, IsRefused) {
  expect_plugin_error(GetParam(), [] { open(GetParam().plugin); });
}

INSTANTIATE_TEST_SUITE_P(
    Plugin, BrokenCreation,
    ::testing::Values(Fault{"makes_nothing", "create", "an object", "null"},
                      Fault{"unknown_status", "status", "0 … 11", "77"}, Fault{"null_spec", "spec", "spec", "null"},
                      Fault{"truncated_spec", "spec.struct_size", "72", "16"},
                      Fault{"factor_zero", "spec.factor", "1 … 1024", "0"},
                      Fault{"scale_nan", "spec.scaling_factor", "above 0", "nan"},
                      Fault{"truncated_extension", "lightswitch.tiling/1.struct_size", "16 bytes", "8"},
                      Fault{"throwing", "create", "a status", "thrown across the boundary"}),
    name_of);

TEST(BrokenPlugin, MayThrowAnything) {
  const auto error = expect_error<PluginError>([] { open("throwing", {{"number", "1"}}); });
  EXPECT_EQ(error.detail().found, "an exception of unknown type");
}

TEST(BrokenPlugin, ThatReturnsNaNIsNoticed) {
  const auto error = expect_error<NumericError>([] { decode(*open("returns_nan"), at::zeros({1, 4, 4, 4})); });
  EXPECT_TRUE(contains(error.detail().found, "1 of 192"));
}

TEST(BrokenPlugin, ThatLeavesHalfThePictureUnwrittenIsNoticed) {
  const auto error = expect_error<NumericError>([] { decode(*open("writes_half"), at::zeros({1, 4, 4, 4})); });
  EXPECT_TRUE(contains(error.detail().found, "96 of 192"));
}

TEST(BrokenPlugin, RefusesWeightsItDoesNotTake) {
  const auto error = expect_error<OptionError>([] { open_plugin_decoder({fake_plugin("good"), "w.safetensors"}); });
  EXPECT_TRUE(contains(error.what(), "takes no weights"));
  EXPECT_EQ(error.detail().file, fake_plugin("good").string());
  EXPECT_TRUE(contains(
      expect_error<OptionError>([] { open_plugin_decoder({fake_plugin("fails_silently"), "w.safetensors"}); }).what(),
      "no message"));
}

TEST(NoPlugin, IsRefusedForWhatItIs) {
  const TemporaryFolder folder;
  expect_error<FileError>([&] { describe_plugin(folder / "missing.so"); });
  expect_error<FileError>([&] { describe_plugin(folder.path()); });
  const auto page = write_file(folder / "page.so", "<html></html>");
  EXPECT_TRUE(contains(expect_error<FormatError>([&] { describe_plugin(page); }).detail().found, "HTML"));
  expect_error<FormatError>([&] { describe_plugin(write_file(folder / "empty.so", "")); });
  // A library that was cut off, as by an unfinished copy.
  const auto bytes = read_file(fake_plugin("good"));
  const auto cut = write_file(folder / "cut.so", bytes.substr(0, 200));
  EXPECT_EQ(expect_error<PluginError>([&] { describe_plugin(cut); }).detail().file, cut.string());
}

}  // namespace
}  // namespace lightswitch
