// Plug-ins on the command line: as a SPEC, and under the eyes of `lightswitch inspect`, which must survive all of them.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/weights.hpp>

#include <nlohmann/json.hpp>

#include "abi/plugins.hpp"
#include "cli/command_run.hpp"
#include "cli/process.hpp"
#include "cli/small_package.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::bundled_plugin;
using testing::close;
using testing::contains;
using testing::fake_plugin;
using testing::TemporaryFolder;
using Json = nlohmann::ordered_json;

/// The report of a fresh process: the rules are tried in copies of it.
struct Inspected {
  int code;
  Json report;
};

Inspected inspect(const std::string& spec) {
  const TemporaryFolder folder;
  testing::Process run(testing::lightswitch_program(), {"inspect", spec, "--json", "-"}, folder.path());
  const int code = run.wait();
  return {code, Json::parse(run.out())};
}

std::vector<std::string> rules_with(const Json& report, const std::string& outcome) {
  std::vector<std::string> names;
  for (const auto& [name, verdict] : report["rules"].items())
    if (verdict.get<std::string>().starts_with(outcome)) names.push_back(name);
  return names;
}

TEST(InspectPlugin, TheTemplateKeepsEveryRule) {
  const auto [code, report] = inspect(bundled_plugin("template").string());
  EXPECT_EQ(code, 0) << report;
  EXPECT_EQ(report["type"], "plugin");
  EXPECT_EQ(report["name"], "template");
  EXPECT_EQ(report["abi"], "1.0");
  EXPECT_EQ(report["decoder"]["latents"]["halo"], 0);
  EXPECT_EQ(rules_with(report, "skipped"), (std::vector<std::string>{"clips", "norms", "counts", "encoder"}));
  EXPECT_EQ(rules_with(report, "kept").size(), 14u);
}

TEST(InspectPlugin, AFamilyWithWeightsKeepsEveryRule) {
  const TemporaryFolder folder;
  save_safetensors(folder / "w.safetensors", testing::tiny_autoencoder(1));
  const auto [code, report] = inspect(bundled_plugin("taming").string() + ":" + (folder / "w.safetensors").string());
  EXPECT_EQ(code, 0) << report;
  EXPECT_EQ(rules_with(report, "skipped"), (std::vector<std::string>{"clips", "options"}));
  EXPECT_EQ(rules_with(report, "kept").size(), 16u);
}

TEST(InspectPlugin, WithoutItsWeightsAFamilyIsLeftUntried) {
  const auto [code, report] = inspect(bundled_plugin("kl").string());
  EXPECT_EQ(code, 0) << report;
  EXPECT_EQ(rules_with(report, "kept"), (std::vector<std::string>{"entry", "extensions"}));
  EXPECT_TRUE(contains(report["rules"]["create"], "nothing can be made without weights"));
  EXPECT_TRUE(contains(report["rules"]["stop"], "needs the rule create"));
}

/// A plug-in with one fault, the rule that finds it, and words of the verdict.
struct Finding {
  const char* plugin;
  const char* rule;
  const char* words;
};

std::ostream& operator<<(std::ostream& out, const Finding& finding) {
  return out << finding.plugin;
}

class FaultyPlugin : public ::testing::TestWithParam<Finding> {};

TEST_P(FaultyPlugin, BreaksThatRule) {
  const Finding& finding = GetParam();
  const auto [code, report] = inspect(fake_plugin(finding.plugin).string());
  EXPECT_EQ(code, 1);
  EXPECT_EQ(rules_with(report, "broken").front(), finding.rule) << report;
  EXPECT_TRUE(contains(report["rules"][finding.rule], finding.words));
  EXPECT_TRUE(contains(report["problems"][0], finding.words));
}

INSTANTIATE_TEST_SUITE_P(
    Inspect, FaultyPlugin,
    ::testing::Values(
        Finding{"no_symbol", "entry", "no such symbol"}, Finding{"wrong_major", "entry", "another version"},
        Finding{"truncated_entry", "entry", "truncated"}, Finding{"null_table", "entry", "null"},
        Finding{"truncated_extension", "extensions", "truncated"},
        Finding{"claims_unknown_extensions", "extensions", "no such ability"},
        Finding{"makes_nothing", "create", "made nothing"}, Finding{"unknown_status", "create", "77"},
        Finding{"throwing", "create", "an exception left the plug-in"}, Finding{"factor_zero", "create", "spec.factor"},
        Finding{"ignores_weights", "refusal", "do not exist"},
        Finding{"fails_silently", "refusal", "without a message"}, Finding{"changing_spec", "spec", "differs"},
        Finding{"returns_nan", "pictures", "1 of"}, Finding{"writes_half", "pictures", "unwritten"},
        Finding{"writes_beyond", "bounds", "outside the pictures"}, Finding{"writes_input", "bounds", "to the latents"},
        Finding{"remembers", "repetition", "another picture"}, Finding{"mixes_batch", "batch", "picture 1"},
        Finding{"one_thread_only", "threads", "two threads"}, Finding{"ignores_stop", "stop", "went on"},
        Finding{"wrong_halo", "halo", "halo of 0"}, Finding{"negative_macs", "counts", "-1"},
        Finding{"crashes", "pictures", "crashed: Aborted"}),
    [](const auto& each) { return std::string(each.param.plugin); });

TEST(InspectPlugin, ACrashEndsOneRuleAlone) {
  const auto [code, report] = inspect(fake_plugin("crashes").string());
  EXPECT_EQ(code, 1);
  EXPECT_TRUE(contains(report["rules"]["stop"], "crashed"));
  EXPECT_EQ(rules_with(report, "kept"),
            (std::vector<std::string>{"entry", "extensions", "create", "refusal", "counts"}));
}

TEST(InspectPlugin, WhatIsNoPluginSaysSo) {
  const TemporaryFolder folder;
  const auto [code, report] = inspect((folder / "missing.so").string());
  EXPECT_EQ(code, 1);
  EXPECT_TRUE(contains(report["problems"][0], "cannot read the plug-in"));
}

/// `decode` with a plug-in: no model package anywhere.
class PluginSpec : public ::testing::Test {
 protected:
  PluginSpec() {
    LatentFile content;
    content.latents = testing::random_tensor({1, 4, 3, 5}, 9);
    write_latents(folder_ / "z.safetensors", content);
    save_safetensors(folder_ / "tae.safetensors", testing::tiny_autoencoder(1));
  }
  testing::CommandRun decode(const std::string& spec, const std::string& picture) const {
    return testing::run_command({"decode", (folder_ / "z.safetensors").string(), "--decoder", spec, "--json", "-", "-o",
                                 (folder_ / picture).string()});
  }
  const TemporaryFolder folder_;
};

TEST_F(PluginSpec, DecodesLikeTheLinkedFamily) {
  const std::string weights = (folder_ / "tae.safetensors").string();
  const auto linked = decode(weights + ",dtype=fp32", "linked.png");
  ASSERT_EQ(linked.code, 0) << linked.err;
  const auto plugin = decode(bundled_plugin("taming").string() + ":" + weights + ",dtype=fp32", "plugin.png");
  ASSERT_EQ(plugin.code, 0) << plugin.err;
  EXPECT_TRUE(close(read_image(folder_ / "plugin.png"), read_image(folder_ / "linked.png"), 0));
}

TEST_F(PluginSpec, TakesThePluginsOptions) {
  const auto plain = decode(bundled_plugin("template").string() + ",contrast=0", "grey.png");
  ASSERT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(testing::json_of(plain)["decoder"]["family"], "template");
  EXPECT_TRUE(close(read_image(folder_ / "grey.png"), at::full({3, 24, 40}, 0.5), 1.0 / 255));
}

TEST_F(PluginSpec, DecodesWhatAModelDraws) {
  testing::write_small_package(folder_.path());
  const auto run = testing::run_command({"image", "-p", "a red house", "-m", folder_.path().string(), "--decoder",
                                         bundled_plugin("template").string(), "-o", (folder_ / "a.png").string()});
  ASSERT_EQ(run.code, 0) << run.err;
  const at::Tensor picture = read_image(folder_ / "a.png");
  ASSERT_EQ(picture.sizes(), at::IntArrayRef({3, 32, 32}));
  EXPECT_TRUE(close(at::upsample_nearest2d(at::max_pool2d(picture, 8, 8).unsqueeze(0), {32, 32})[0], picture, 0));
}

TEST_F(PluginSpec, NeverLeadsToAnotherDecoder) {
  for (const char* spec : {"missing.so", "missing.so:tae.safetensors"}) {
    const auto run = decode(spec, "a.png");
    EXPECT_EQ(run.code, 1);
    EXPECT_TRUE(contains(run.err, "missing.so"));
  }
  const auto option = decode(bundled_plugin("template").string() + ",contrats=2", "a.png");
  EXPECT_NE(option.code, 0);
  EXPECT_TRUE(contains(option.err, "perhaps contrast"));
  const auto broken = decode(fake_plugin("returns_nan").string(), "a.png");
  EXPECT_EQ(broken.code, 1);
  EXPECT_TRUE(contains(broken.err, "NaN"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.png"));
}

}  // namespace
}  // namespace lightswitch
