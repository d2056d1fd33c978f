#include "cli/progress.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/log_spdlog.hpp"
#include "support/errors.hpp"

namespace lightswitch::cli {
namespace {

using lightswitch::testing::contains;

std::string drawn(ProgressStyle style) {
  std::ostringstream stream;
  Progress progress(stream, style);
  for (int step = 1; step <= 4; ++step) progress.update("denoise", step, 4);
  progress.update("decode", 1, 1);
  return stream.str();
}

TEST(Progress, QuietDrawsNothing) {
  EXPECT_EQ(drawn(ProgressStyle::none), "");
}

TEST(Progress, LinesTellTheEndOfEveryStageWithoutControlCharacters) {
  EXPECT_EQ(drawn(ProgressStyle::lines), "denoise 4/4\ndecode 1/1\n");
}

TEST(Progress, ABarIsRedrawnInPlaceAndEndsItsLine) {
  const std::string text = drawn(ProgressStyle::bar);
  EXPECT_TRUE(contains(text, "\rdenoise [==============>             ] 2/4"));
  EXPECT_TRUE(contains(text, "\rdenoise [============================] 4/4"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(text.back(), '\n');
}

TEST(Progress, AMessageDoesNotLandOnTheBar) {
  std::ostringstream stream;
  Progress progress(stream, ProgressStyle::bar);
  progress.update("denoise", 1, 4);
  progress.leave_line();
  progress.leave_line();
  const std::string text = stream.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(Log, LevelsAreFilteredAndMarked) {
  std::ostringstream stream;
  const LogSink sink = make_spdlog_sink(stream, LogLevel::info, false);
  sink({LogLevel::debug, "too much", {}});
  sink({LogLevel::info, "a note", {{"seed", "42"}, {"size", "32x32"}}});
  sink({LogLevel::warning, "careful", {}});
  sink({LogLevel::error, "failed: {}", {}});
  EXPECT_EQ(stream.str(), "a note (seed=42, size=32x32)\nwarning: careful\nerror: failed: {}\n");
}

TEST(Log, ColoursOnlyWhenAsked) {
  std::ostringstream stream;
  make_spdlog_sink(stream, LogLevel::info, true)({LogLevel::error, "failed", {}});
  EXPECT_TRUE(contains(stream.str(), "\033[1;31merror:\033[0m failed"));
}

}  // namespace
}  // namespace lightswitch::cli
