// The program itself: what only a process of its own shows.

#include <gtest/gtest.h>
#include <signal.h>

#include "cli/process.hpp"
#include "cli/small_package.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using testing::contains;
using testing::lightswitch_program;
using testing::Process;
using testing::TemporaryFolder;

TEST(Program, HelpSucceedsOnStandardOutput) {
  const TemporaryFolder folder;
  Process help(lightswitch_program(), {"image", "--help"}, folder.path());
  EXPECT_EQ(help.wait(), 0);
  EXPECT_TRUE(contains(help.out(), "--sampling-method"));
  EXPECT_EQ(help.err(), "");
}

TEST(Program, WrongUsageIsTwoAndFailureIsOne) {
  const TemporaryFolder folder;
  Process usage(lightswitch_program(), {"image", "--promt", "x"}, folder.path());
  EXPECT_EQ(usage.wait(), 2);
  EXPECT_TRUE(contains(usage.err(), "did you mean --prompt?"));
  Process failure(lightswitch_program(), {"inspect", "no-such-file"}, folder.path());
  EXPECT_EQ(failure.wait(), 1);
  EXPECT_EQ(failure.out(), "");
}

TEST(Program, MakesAPictureAndKeepsTheStreamsApart) {
  const TemporaryFolder folder, model, output;
  testing::write_small_package(model.path());
  Process image(
      lightswitch_program(),
      {"image", "-p", "a red house", "-m", model.path().string(), "--json", "-", "-o", (output / "a.png").string()},
      folder.path());
  EXPECT_EQ(image.wait(), 0) << image.err();
  EXPECT_EQ(image.out().front(), '{');
  EXPECT_FALSE(contains(image.err(), "\033["));  // standard error is a file, no terminal
  EXPECT_EQ(testing::names_in(output.path()), std::set<std::string>{"a.png"});
}

TEST(Program, HasOnePoolOfThreads) {
  const TemporaryFolder folder;
  Process run(lightswitch_program(), {"--version"}, folder.path(), {{"OMP_DISPLAY_ENV", "TRUE"}});
  EXPECT_EQ(run.wait(), 0);
  const std::string text = run.err(), mark = "OPENMP DISPLAY ENVIRONMENT BEGIN";
  ASSERT_TRUE(contains(text, mark));
  EXPECT_EQ(text.find(mark), text.rfind(mark)) << text;
}

class Interrupted : public ::testing::TestWithParam<int> {};

TEST_P(Interrupted, EndsWithTheSignalsCodeAndWithoutFiles) {
  const TemporaryFolder folder, model, output;
  testing::write_small_package(model.path(), true);
  Process image(lightswitch_program(),
                {"image", "-p", "x", "-m", model.path().string(), "--steps", "1000", "-o", (output / "a.png").string()},
                folder.path());
  ASSERT_TRUE(image.wait_for_error_text("seed 42")) << image.err();
  image.send(GetParam());
  EXPECT_EQ(image.wait(), 128 + GetParam());
  EXPECT_TRUE(contains(image.err(), "stopped before the work was done"));
  EXPECT_TRUE(testing::names_in(output.path()).empty());
}

INSTANTIATE_TEST_SUITE_P(BySignal, Interrupted, ::testing::Values(SIGINT, SIGTERM), [](const auto& each) {
  return std::string(each.param == SIGINT ? "Interrupt" : "Terminate");
});

}  // namespace
}  // namespace lightswitch
