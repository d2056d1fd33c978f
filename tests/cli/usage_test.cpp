// What the command line alone shows: help, typos, values out of range.

#include <gtest/gtest.h>
#include <lightswitch/version.h>

#include <regex>

#include "cli/command_run.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::contains;
using testing::run_command;

const std::vector<std::string> kCommands{"image",   "decode", "encode", "compare", "decoders",
                                         "inspect", "batch",  "verify", "metrics", "calibrate"};

TEST(Usage, HelpGoesToStandardOutputAndSucceeds) {
  const CommandRun run = run_command({"--help"});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "");
  for (const std::string& command : kCommands) EXPECT_TRUE(contains(run.out, command));
  EXPECT_TRUE(contains(run.out, "Exit codes"));
}

class CommandHelp : public ::testing::TestWithParam<std::string> {};

TEST_P(CommandHelp, ExplainsEveryOption) {
  const CommandRun run = run_command({GetParam(), "--help"});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "");
  EXPECT_TRUE(contains(run.out, "Example"));
  // An option stands at an indent of two; what it does follows on the same line or, indented further, on the next.
  const std::regex option_line(R"(\n  (-[^\n]*))"), explained(R"(\n  -[^\n]*?(  +|\n {10,})[A-Z"][^\n]{7,})");
  const auto count = [&](const std::regex& pattern) {
    return std::distance(std::sregex_iterator(run.out.begin(), run.out.end(), pattern), std::sregex_iterator());
  };
  EXPECT_GE(count(option_line), 6);
  EXPECT_EQ(count(option_line), count(explained)) << run.out;
}

TEST_P(CommandHelp, OffersTheCommonOptions) {
  const CommandRun run = run_command({GetParam(), "-h"});
  for (const char* option : {"--json", "--verbose", "--quiet", "--color", "--version", "--help"})
    EXPECT_TRUE(contains(run.out, option));
}

TEST_P(CommandHelp, VersionWorksEverywhere) {
  const CommandRun run = run_command({GetParam(), "--version"});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.out, "lightswitch " LIGHTSWITCH_VERSION "\n");
}

INSTANTIATE_TEST_SUITE_P(Every, CommandHelp, ::testing::ValuesIn(kCommands),
                         [](const auto& each) { return each.param; });

/// Exit code 2, nothing on standard output, and the message.
std::string mistake(const std::vector<std::string>& arguments) {
  const CommandRun run = run_command(arguments);
  EXPECT_EQ(run.code, 2) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(contains(run.err, "--help"));
  return run.err;
}

TEST(Usage, UnknownOptionsGetTheNearestWord) {
  EXPECT_TRUE(contains(mistake({"image", "-p", "x", "-o", "a.png", "--stpes", "5"}),
                       "unknown option --stpes; did you mean --steps?"));
  EXPECT_TRUE(contains(mistake({"decode", "a", "-o", "a.png", "--decodr=vae"}),
                       "unknown option --decodr; did you mean --decoder?"));
  EXPECT_TRUE(contains(mistake({"image", "-p", "x", "-o", "a.png", "--xyzzyplugh"}), "unknown option --xyzzyplugh\n"));
}

TEST(Usage, ATypoIsToldBeforeWhatIsMissingThroughIt) {
  EXPECT_TRUE(contains(mistake({"image", "--promt", "x", "-o", "a.png"}), "did you mean --prompt?"));
}

TEST(Usage, UnknownCommandsGetTheNearestWord) {
  EXPECT_TRUE(contains(mistake({"imge", "-p", "x"}), "unknown command imge; did you mean image?"));
  EXPECT_TRUE(contains(mistake({"decodrs"}), "did you mean decoders?"));
  EXPECT_TRUE(contains(mistake({}), "ubcommand"));
}

TEST(Usage, MissingPartsAreNamed) {
  EXPECT_TRUE(contains(mistake({"image", "-o", "a.png"}), "--prompt"));
  EXPECT_TRUE(contains(mistake({"image", "-p", "x"}), "--output"));
  EXPECT_TRUE(contains(mistake({"decode", "-o", "a.png"}), "latents"));
  EXPECT_TRUE(contains(mistake({"inspect"}), "path"));
}

TEST(Usage, ValuesOutOfRangeSayWhatIsExpectedAndFound) {
  const auto image = [](const std::vector<std::string>& more) {
    std::vector<std::string> all{"image", "-p", "x", "-o", "a.png"};
    all.insert(all.end(), more.begin(), more.end());
    return mistake(all);
  };
  EXPECT_TRUE(contains(image({"--steps", "-3"}), "found -3"));
  EXPECT_TRUE(contains(image({"--steps", "0"}), "steps"));
  EXPECT_TRUE(contains(image({"--steps", "many"}), "--steps: not a number: expected a whole number, found many"));
  EXPECT_TRUE(contains(image({"--steps", "2.5"}), "expected a whole number, found 2.5"));
  EXPECT_TRUE(contains(image({"--cfg-scale", "strong"}), "--cfg-scale: not a number: expected a number, found strong"));
  EXPECT_TRUE(contains(image({"--cfg-scale", "-1"}), "cfg_scale"));
  EXPECT_TRUE(contains(image({"-W", "0"}), "width"));
  EXPECT_TRUE(contains(image({"-H", "-8"}), "height"));
  EXPECT_TRUE(contains(image({"-b", "0"}), "batch_count"));
  EXPECT_TRUE(contains(image({"--preview-interval", "0"}), "--preview-interval"));
  EXPECT_TRUE(contains(image({"--vae-tile-size", "0"}), "--vae-tile-size"));
  EXPECT_TRUE(contains(image({"--vae-tile-overlap", "1"}), "--vae-tile-overlap"));
  for (const char* size : {"much", "-2G", "0", "2T", "1GG", "nan"})
    EXPECT_TRUE(contains(image({"--max-memory", size}), "--max-memory: not a size")) << size;
  EXPECT_TRUE(contains(image({"--strength", "0.5"}), "--init-img"));
  EXPECT_TRUE(contains(image({"--dtype", "fp8"}), "expected auto, fp32, bf16, fp16 or int8, found fp8"));
  EXPECT_TRUE(contains(image({"--color", "pink"}), "found pink"));
  EXPECT_TRUE(contains(image({"-t", "-1"}), "--threads"));
  EXPECT_TRUE(contains(image({"-d", "toaster"}), "unknown device"));
  EXPECT_TRUE(contains(mistake({"decode", "a", "-o", "a.png", "--repeat", "0"}), "--repeat"));
  EXPECT_TRUE(contains(mistake({"decode", "a", "-o", "a.png", "--kind", "cooked"}), "raw, diffusion or indices"));
  EXPECT_TRUE(contains(mistake({"encode", "a", "-o", "a", "--kind", "cooked"}), "raw, diffusion or indices"));
}

TEST(Usage, ImpossibleClipsAreSeenBeforeAnythingIsLoaded) {
  const auto video = [](const std::string& option, const std::string& value) {
    return mistake({"video", "-m", "none", "-i", "none.png", "-o", "a.mp4", option, value});
  };
  for (const char* frames : {"0", "-3", "10001", "99999999999"})
    EXPECT_TRUE(contains(video("--video-frames", frames), std::string("1 to 10000, found ") + frames));
  EXPECT_TRUE(contains(video("--fps", "0"), "fps"));
  EXPECT_TRUE(contains(video("--decode-chunk", "-1"), "decode_chunk"));
}

TEST(Usage, WrongSpecsAreSeenBeforeAnythingIsLoaded) {
  EXPECT_TRUE(contains(mistake({"image", "-p", "x", "-o", "a.png", "--decoder", "vae,dtpye=fp32"}), "dtype"));
  EXPECT_TRUE(contains(mistake({"decode", "none", "-o", "a.png", "--decoder", ",dtype=fp32"}), "empty decoder name"));
  EXPECT_TRUE(contains(mistake({"encode", "none", "-o", "a", "--encoder", "vae,dtype"}), "without a value"));
}

TEST(Usage, OutputNamesAreCheckedFirst) {
  EXPECT_TRUE(contains(mistake({"image", "-p", "x", "-o", "a.bmp"}), ".png, .jpg"));
  EXPECT_TRUE(contains(mistake({"decode", "none", "-o", "picture"}), ".png, .jpg"));
  EXPECT_TRUE(contains(mistake({"image", "-p", "x", "-o", "a%s.png"}), "%04d"));
}

TEST(Usage, QuietAndVerboseExcludeEachOther) {
  EXPECT_TRUE(contains(mistake({"decoders", "-q", "-v"}), "--"));
}

TEST(Usage, AMissingFolderOrDeviceIsAFailureNotWrongUsage) {
  const testing::TemporaryFolder folder;
  const CommandRun missing = run_command({"image", "-p", "x", "-o", (folder / "none" / "a.png").string()});
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(contains(missing.err, "an existing folder"));
  const CommandRun device = run_command({"image", "-p", "x", "-d", "cuda", "-o", (folder / "a.png").string()});
  EXPECT_EQ(device.code, 1);
  EXPECT_TRUE(contains(device.err, "expected cpu, found cuda"));
}

}  // namespace
}  // namespace lightswitch
