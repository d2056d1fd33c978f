// Memory of a batch: flat, however many items there are, and told where it is not.

#include <gtest/gtest.h>

#include "cli/batch_run.hpp"
#include "cli/process.hpp"
#include "support/errors.hpp"

namespace lightswitch {
namespace {

using testing::BatchFolders;
using testing::contains;
using testing::json_of;
using testing::run_command;

std::string prompts(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i)
    lines += R"({"id":"p)" + std::to_string(i) + R"(","prompt":"a house","seed":)" + std::to_string(i) + "}\n";
  return lines;
}

nlohmann::json memory_of(const BatchFolders& folders, const std::string& manifest) {
  const auto run = run_command({"verify", folders.output().string(), "--manifest", manifest, "--json", "-"});
  return json_of(run)["statistics"]["memory"];
}

/// A picture that stays behind for each item would be 192 KiB of floats or 48 KiB of bytes, latents 4 KiB: with 800
/// items between the two tenths, 3 MiB and more.
TEST(BatchMemory, DoesNotGrowWithTheNumberOfItems) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(prompts(900));
  testing::Process batch(testing::lightswitch_program(),
                         folders.words(manifest, {"--steps", "1", "-W", "128", "-H", "128", "-t", "1"}),
                         folders.work());
  ASSERT_EQ(batch.wait(), 0) << batch.err();
  const auto memory = memory_of(folders, manifest);
  ASSERT_EQ(memory.size(), 1u);
  EXPECT_EQ(memory[0]["pictures"], 900);
  EXPECT_GT(memory[0]["begin_bytes"], 10 << 20);
  EXPECT_LT(memory[0]["end_bytes"].get<int64_t>() - memory[0]["begin_bytes"].get<int64_t>(), 2 << 20);
}

/// What a results file tells of processes that follow each other is that of the one that made most.
TEST(BatchMemory, GrowthIsToldOfTheProcessThatMadeMost) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(prompts(60));
  ASSERT_EQ(folders.run(manifest, {"--steps", "1"}).code, 0);
  std::string lines;
  int64_t count = 0;
  for (auto result : testing::results_in(folders.output())) {
    const bool first = count < 20;  // before it was killed
    result["process"] = first ? 11 : 12;
    result["own_bytes"] = (first ? 800 : 100 + count) << 20;
    lines += result.dump() + "\n";
    ++count;
  }
  testing::write_file(folders.output() / "results-0-of-1.jsonl", lines);
  EXPECT_EQ(memory_of(folders, manifest), nlohmann::json::parse(R"([{"file": "results-0-of-1.jsonl", "pictures": 40,
      "begin_bytes": 127926272, "end_bytes": 165675008}])"));  // 122 and 158 MiB
  EXPECT_TRUE(contains(run_command({"verify", folders.output().string(), "--manifest", manifest}).out,
                       "memory grew most in results-0-of-1.jsonl: 122.0 MiB during the first tenth of 40 pictures, "
                       "158.0 MiB during the last"));
}

}  // namespace
}  // namespace lightswitch
