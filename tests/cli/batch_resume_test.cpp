// Batches that end before their end: stopped, killed, without room, and gone on with.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <lightswitch/media/image_io.hpp>

#include <chrono>
#include <random>
#include <thread>

#include "cli/batch_run.hpp"
#include "cli/process.hpp"
#include "support/errors.hpp"

namespace lightswitch {
namespace {

using testing::BatchFolders;
using testing::CommandRun;
using testing::contains;
using testing::lightswitch_program;
using testing::mixed_items;
using testing::names_in;
using testing::pictures_in;
using testing::Process;
using testing::results_in;

std::string prompts(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i)
    lines += R"({"id":"p)" + std::to_string(i) + R"(","prompt":"a house","seed":)" + std::to_string(i) + "}\n";
  return lines;
}

std::map<std::string, int> done_by_id(const std::filesystem::path& folder) {
  std::map<std::string, int> done;
  for (const auto& result : results_in(folder))
    if (result["state"] == "done") ++done[result["id"]];
  return done;
}

TEST(BatchResume, SkipsWhatIsThereAndMakesWhatIsMissing) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  ASSERT_EQ(folders.run(manifest).code, 0);
  const auto before = pictures_in(folders.output());
  std::filesystem::remove(folders.output() / "b.png");
  testing::write_file(folders.output() / "c.png", "cut off");
  const CommandRun run = folders.run(manifest, {"--resume"});
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(contains(run.err, "2 done, 3 there already"));
  EXPECT_TRUE(before == pictures_in(folders.output()));
}

TEST(BatchResume, OtherSettingsAreMadeAgain) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  ASSERT_EQ(folders.run(manifest).code, 0);
  const CommandRun steps = folders.run(manifest, {"--resume", "--steps", "3"});  // d has its own
  EXPECT_TRUE(contains(steps.err, "4 done, 1 there already"));
  EXPECT_TRUE(contains(steps.err, "other settings"));
  const CommandRun decoder =
      folders.run(manifest, {"--resume", "--steps", "3", "--decoder", "other"});  // c has its own
  EXPECT_TRUE(contains(decoder.err, "4 done, 1 there already"));
  const CommandRun pace = folders.run(
      manifest, {"--resume", "--steps", "3", "--decoder", "other", "--micro-batch", "2", "--encode-threads", "1"});
  EXPECT_TRUE(contains(pace.err, "0 done, 5 there already"));
}

/// Names of the model win over files in the working folder, which may be the batch's own output.
TEST(BatchResume, AFolderCalledAsTheDecoderChangesNothing) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folders.work());
  const CommandRun first = folders.run(manifest, {}, "tae"), again = folders.run(manifest, {"--resume"}, "tae");
  const CommandRun check = testing::run_command({"verify", "tae", "--manifest", manifest});
  std::filesystem::current_path(before);
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_TRUE(contains(again.err, "0 done, 5 there already")) << again.err;
  EXPECT_EQ(check.code, 0) << check.out;
}

TEST(BatchResume, ShardsOfAnotherNumberGoOnToo) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  ASSERT_EQ(folders.run(manifest, {"--shard", "1/2"}).code, 0);
  EXPECT_TRUE(contains(folders.run(manifest, {"--resume"}).err, "3 done, 2 there already"));
}

TEST(BatchResume, WithoutItResultsAreNotOverwritten) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  ASSERT_EQ(folders.run(manifest).code, 0);
  const CommandRun again = folders.run(manifest);
  EXPECT_EQ(again.code, 42);
  EXPECT_TRUE(contains(again.err, "resume to go on"));
  EXPECT_EQ(results_in(folders.output()).size(), 5u);
}

class BatchStopped : public ::testing::TestWithParam<int> {};

TEST_P(BatchStopped, FinishesWhatIsInHandAndIsGoneOnWith) {
  const BatchFolders folders(true);
  const std::string manifest = folders.manifest(prompts(400));
  {
    Process batch(lightswitch_program(), folders.words(manifest, {"--steps", "100"}), folders.work());
    ASSERT_TRUE(batch.wait_for_error_text("batch ")) << batch.err();
    batch.send(GetParam());
    EXPECT_EQ(batch.wait(), 128 + GetParam()) << batch.err();
  }
  const size_t made = pictures_in(folders.output()).size();
  EXPECT_GT(made, 0u);
  EXPECT_LT(made, 400u);
  EXPECT_EQ(done_by_id(folders.output()).size(), made);
  EXPECT_EQ(names_in(folders.output()).size(), made + 2);  // results and settings, nothing half-written
  const std::string rest = folders.manifest(prompts(static_cast<int>(made) + 2));
  EXPECT_TRUE(contains(folders.run(rest, {"--resume", "--steps", "100"}).err, "2 done, " + std::to_string(made)));
}

INSTANTIATE_TEST_SUITE_P(BySignal, BatchStopped, ::testing::Values(SIGINT, SIGTERM), [](const auto& each) {
  return std::string(each.param == SIGINT ? "Interrupt" : "Terminate");
});

/// Kills the program again and again at random moments, then lets it end.
void kill_in_a_loop(const BatchFolders& folders, const std::string& manifest, const std::vector<std::string>& more,
                    const std::function<void()>& check) {
  std::mt19937 random(7);
  int killed = 0;
  for (int round = 0; round < 8; ++round) {
    Process batch(lightswitch_program(), folders.words(manifest, more), folders.work());
    // From the first picture on; before that there is little to spoil.
    if (!batch.wait_for_error_text("batch ")) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 200));
    batch.send(SIGKILL);
    killed += batch.wait() == -SIGKILL;
    check();
  }
  EXPECT_GE(killed, 3) << "the batch was too short to be killed";
  Process batch(lightswitch_program(), folders.words(manifest, more), folders.work());
  EXPECT_EQ(batch.wait(), 0) << batch.err();
}

TEST(BatchKilled, NothingIsHalfWrittenLostOrMadeTwice) {
  const BatchFolders folders(true);
  const int count = 300;
  const std::string manifest = folders.manifest(prompts(count));
  const std::vector<std::string> options{"--resume", "--steps", "20", "--queue", "4", "--micro-batch", "2"};
  kill_in_a_loop(folders, manifest, options, [&] {
    for (const auto& [name, bytes] : pictures_in(folders.output())) {
      if (name.front() == '.') continue;
      EXPECT_NO_THROW(read_image(folders.output() / name)) << name;
    }
  });
  const auto done = done_by_id(folders.output());
  EXPECT_EQ(done.size(), static_cast<size_t>(count));
  for (const auto& [id, times] : done) EXPECT_EQ(times, 1) << id;
  EXPECT_EQ(names_in(folders.output()).size(), static_cast<size_t>(count) + 2);  // no temporary is left
  ASSERT_EQ(folders.run(manifest, options, "whole").code, 0);
  EXPECT_TRUE(pictures_in(folders.output()) == pictures_in(folders.output("whole")));
}

TEST(BatchResume, AHalfWrittenLineIsCutOff) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  ASSERT_EQ(folders.run(manifest).code, 0);
  const auto file = folders.output() / "results-0-of-1.jsonl";
  const std::string whole = testing::read_file(file);
  testing::write_file(file, whole.substr(0, whole.size() - 30));
  EXPECT_TRUE(contains(folders.run(manifest, {"--resume"}).err, "1 done, 4 there already"));
  EXPECT_EQ(results_in(folders.output()).size(), 5u);
}

TEST(BatchFolder, OneProcessAtATimeHasAShard) {
  const BatchFolders folders(true);
  const std::string manifest = folders.manifest(prompts(400));
  Process first(lightswitch_program(), folders.words(manifest, {"--steps", "100"}), folders.work());
  ASSERT_TRUE(first.wait_for_error_text("batch ")) << first.err();
  const CommandRun second = folders.run(manifest, {"--resume"});
  EXPECT_EQ(second.code, 1);
  EXPECT_TRUE(contains(second.err, "another process works on this shard"));
  first.send(SIGTERM);
  EXPECT_EQ(first.wait(), 143);
}

TEST(BatchFolder, ThatCannotBeWrittenIsAFailure) {
  const BatchFolders folders;
  testing::write_file(folders.output(), "a file where the folder should be");
  const CommandRun run = folders.run(folders.manifest(mixed_items()));
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, folders.output().string()));
}

TEST(BatchFolder, WithoutRoomEndsTheRunAndLeavesNoPart) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(prompts(3));
  // A limit on the size of files stands for a full disk: writes fail alike once SIGXFSZ is ignored.
  std::string command = "trap '' XFSZ; ulimit -f 4; exec " + lightswitch_program().string();
  for (const std::string& word : folders.words(manifest, {"-W", "128", "-H", "128"})) command += " " + word;
  Process batch("/bin/sh", {"-c", command}, folders.work());
  EXPECT_EQ(batch.wait(), 1) << batch.err();
  EXPECT_TRUE(contains(batch.err(), "cannot write")) << batch.err();
  EXPECT_TRUE(pictures_in(folders.output()).empty());
  EXPECT_TRUE(done_by_id(folders.output()).empty());
  const CommandRun later = folders.run(manifest, {"--resume", "-W", "128", "-H", "128"});
  EXPECT_EQ(later.code, 0);
  EXPECT_EQ(done_by_id(folders.output()).size(), 3u);
}

TEST(BatchStandardInput, EveryLineIsAnsweredWithoutWaitingForTheNext) {
  const BatchFolders folders;
  const auto pipe = folders.work() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string command = "exec " + lightswitch_program().string();
  for (const std::string& word : folders.words("--stdin")) command += " " + word;
  Process batch("/bin/sh", {"-c", command + " < " + pipe.string()}, folders.work());
  std::ofstream lines(pipe);
  for (const std::string id : {"first", "second"}) {
    lines << R"({"id":")" << id << R"(","prompt":"x"})" << std::endl;
    for (int tries = 0; tries < 600 && batch.out().find(id) == std::string::npos; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_TRUE(contains(batch.out(), "\"id\":\"" + id + "\",\"line\":"));
  }
  lines.close();
  EXPECT_EQ(batch.wait(), 0) << batch.err();
  EXPECT_EQ(names_in(folders.output()), (std::set<std::string>{"first.png", "second.png", "settings.json"}));
}

}  // namespace
}  // namespace lightswitch
