// Work in a process of its own: whatever it does, this one goes on.

#include "cli/isolated.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>
#include <lightswitch/error.hpp>

#include <stdexcept>
#include <thread>

#include "support/errors.hpp"

namespace lightswitch::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

IsolatedResult run(const std::function<std::string()>& work, seconds limit = seconds(60)) {
  return run_isolated(work, limit, {});
}

TEST(Isolated, ReturnsWhatTheWorkReturns) {
  int here = 1;
  const std::string large(1 << 20, 'x');  // more than a pipe holds
  const IsolatedResult result = run([&] {
    here = 2;
    return large;
  });
  EXPECT_EQ(result.text, large);
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(here, 1);
}

TEST(Isolated, SurvivesACrash) {
  EXPECT_TRUE(testing::contains(run([]() -> std::string {
                                  ::signal(SIGSEGV, SIG_DFL);
                                  ::raise(SIGSEGV);
                                  return "";
                                }).failure,
                                "crashed: Segmentation fault"));
  EXPECT_TRUE(testing::contains(run([]() -> std::string { ::_exit(3); }).failure, "ended with code 3"));
  EXPECT_TRUE(
      testing::contains(run([]() -> std::string { throw std::runtime_error("no"); }).failure, "ended with code"));
}

TEST(Isolated, EndsWhatHangs) {
  const auto hang = []() -> std::string {
    for (;;) ::pause();
  };
  EXPECT_EQ(run(hang, seconds(1)).failure, "no answer within 1 s");
  std::stop_source stop;
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(milliseconds(20));
    stop.request_stop();
  });
  EXPECT_THROW(run_isolated(hang, seconds(60), stop.get_token()), Cancelled);
}

}  // namespace
}  // namespace lightswitch::cli
