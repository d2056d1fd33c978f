// Tar output and `verify`.

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

#include "batch/tar.hpp"
#include "cli/batch_run.hpp"
#include "cli/process.hpp"
#include "support/errors.hpp"

namespace lightswitch {
namespace {

using testing::BatchFolders;
using testing::CommandRun;
using testing::contains;
using testing::mixed_items;
using testing::names_in;
using testing::pictures_in;
using testing::read_file;
using testing::results_in;
using testing::run_command;

/// Contents of every tar of a folder by member; a name that comes twice fails the test.
std::map<std::string, std::string> members_in(const std::filesystem::path& folder) {
  std::map<std::string, std::string> members;
  for (const std::string& name : names_in(folder))
    if (name.ends_with(".tar"))
      visit_tar(folder / name, [&](const TarMember& member) {
        EXPECT_TRUE(members.emplace(member.name, member.read()).second) << member.name << " comes twice";
      });
  return members;
}

CommandRun verify(const BatchFolders& folders, const std::string& manifest, const std::string& out = "out") {
  return run_command({"verify", folders.output(out).string(), "--manifest", manifest});
}

TEST(BatchTar, HoldsThePicturesOfTheFilesAndWhatMadeThem) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  ASSERT_EQ(folders.run(manifest, {}, "files").code, 0);
  const CommandRun run = folders.run(manifest, {"--tar", "2", "--encode-threads", "3"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(names_in(folders.output()),
            (std::set<std::string>{"pictures-0-of-1-000000.tar", "pictures-0-of-1-000001.tar",
                                   "pictures-0-of-1-000002.tar", "results-0-of-1.jsonl", "settings.json"}));
  const auto members = members_in(folders.output());
  EXPECT_EQ(members.size(), 10u);
  for (const auto& [name, bytes] : pictures_in(folders.output("files"))) EXPECT_TRUE(members.at(name) == bytes) << name;
  const auto facts = nlohmann::json::parse(members.at("d.json"));
  EXPECT_EQ(facts["prompt"], "a red house");
  EXPECT_EQ(facts["negative_prompt"], "night");
  EXPECT_EQ(facts["result"]["member"], "d.png");
  // Any tar program reads them.
  const std::string listing = (folders.work() / "list.txt").string();
  ASSERT_EQ(
      std::system(("tar tf " + (folders.output() / "pictures-0-of-1-000002.tar").string() + " > " + listing).c_str()),
      0);
  EXPECT_TRUE(contains(read_file(listing), ".json"));
  EXPECT_EQ(verify(folders, manifest).code, 0);
}

TEST(BatchTar, ResumeTakesOverATarWhoseResultsWereNotWritten) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  ASSERT_EQ(folders.run(manifest, {"--tar", "3"}).code, 0);
  const auto file = folders.output() / "results-0-of-1.jsonl";
  const std::string results = read_file(file);
  testing::write_file(file, results.substr(0, results.find('\n') + 1));  // killed while they were written
  EXPECT_TRUE(contains(verify(folders, manifest).out, "4 unrecorded"));
  const CommandRun run = folders.run(manifest, {"--tar", "3", "--resume"});
  EXPECT_TRUE(contains(run.err, "0 done, 5 there already")) << run.err;
  EXPECT_EQ(results_in(folders.output()).size(), 5u);
  EXPECT_EQ(members_in(folders.output()).size(), 10u);
  EXPECT_EQ(verify(folders, manifest).code, 0);
}

TEST(BatchTar, KilledAndGoneOnWithHoldsEveryPictureOnce) {
  const BatchFolders folders(true);
  std::string lines;
  for (int i = 0; i < 60; ++i)
    lines += R"({"id":"p)" + std::to_string(i) + R"(","prompt":"x","seed":)" + std::to_string(i) + "}\n";
  const std::string manifest = folders.manifest(lines);
  const auto words = folders.words(manifest, {"--tar", "4", "--resume", "--steps", "60"});
  for (int round = 0; round < 4; ++round) {
    testing::Process batch(testing::lightswitch_program(), words, folders.work());
    if (!batch.wait_for_error_text("batch ")) break;
    batch.send(SIGKILL);
    batch.wait();
  }
  ASSERT_EQ(run_command(words).code, 0);
  EXPECT_EQ(members_in(folders.output()).size(), 120u);
  const CommandRun check = verify(folders, manifest);
  EXPECT_EQ(check.code, 0) << check.out;
  EXPECT_TRUE(contains(check.out, "60 of 60 items complete\n"));
  for (const std::string& name : names_in(folders.output())) EXPECT_NE(name.front(), '.') << name;
}

TEST(BatchTar, DamagedTarsAreRefused) {
  const testing::TemporaryFolder folder;
  const std::string good = tar_entry("a.png", std::string(700, 'x'), 0) + tar_end();
  const auto visit = [&](const std::string& bytes) {
    visit_tar(testing::write_file(folder / "t.tar", bytes), [](const TarMember& member) { member.read(); });
  };
  EXPECT_NO_THROW(visit(good));
  for (const size_t size : {0u, 100u, 511u, 512u, 900u, 1536u})
    EXPECT_THROW(visit(good.substr(0, size)), FormatError) << size;
  std::string other = good;
  other[3] = 'q';
  EXPECT_THROW(visit(other), FormatError);  // checksum
  std::string huge = good;
  huge.replace(124, 11, "77777777777");
  EXPECT_THROW(visit(huge), FormatError);
  EXPECT_THROW(tar_entry(std::string(101, 'x'), "", 0), OptionError);
}

TEST(Verify, ACompleteBatchIsComplete) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  for (const std::string shard : {"0/2", "1/2"}) ASSERT_EQ(folders.run(manifest, {"--shard", shard}).code, 0);
  const CommandRun run = verify(folders, manifest);
  EXPECT_EQ(run.code, 0) << run.out;
  EXPECT_TRUE(contains(run.out, "5 of 5 items complete\n5 pictures in 2 results files"));
}

TEST(Verify, NamesEveryFlaw) {
  const BatchFolders folders;
  const std::string manifest =
      folders.manifest(mixed_items() + "{\"id\":\"bad\"}\n{\"id\":\"never\",\"latents\":\"none.safetensors\"}\n");
  ASSERT_EQ(folders.run(manifest).code, 3);
  std::filesystem::remove(folders.output() / "a.png");
  std::string bytes = read_file(folders.output() / "b.png");
  bytes[bytes.size() / 2] ^= 1;
  testing::write_file(folders.output() / "b.png", bytes);
  testing::write_file(folders.output() / "c.png", bytes + "more");
  std::string settings = read_file(folders.output() / "settings.json");
  settings.replace(settings.find("\"cfg_scale\": 2.0"), 16, "\"cfg_scale\": 3.0");  // d has its own
  testing::write_file(folders.output() / "settings.json", settings);
  const CommandRun run = run_command({"verify", folders.output().string(), "--manifest", manifest, "--json", "-"});
  EXPECT_EQ(run.code, 3);
  const auto report = nlohmann::json::parse(run.out);
  std::multimap<std::string, std::string> flaws;
  for (const auto& problem : report["problems"]) flaws.emplace(problem["id"], problem["flaw"]);
  EXPECT_EQ(flaws, (std::multimap<std::string, std::string>{{"a", "missing"},
                                                            {"b", "damaged"},
                                                            {"c", "damaged"},
                                                            {"e", "other settings"},
                                                            {"", "bad line"},
                                                            {"never", "failed"}}));
  EXPECT_EQ(report["complete"], 1);
}

TEST(Verify, APictureInTwoTarsIsADuplicate) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  ASSERT_EQ(folders.run(manifest, {"--tar", "9"}).code, 0);
  ASSERT_EQ(folders.run(manifest, {"--tar", "9", "--resume", "--steps", "3"}).code, 0);
  const CommandRun run = verify(folders, manifest);
  EXPECT_EQ(run.code, 42) << run.out;  // resuming does not take the old ones away
  EXPECT_TRUE(contains(run.out, "4 duplicate"));
  EXPECT_TRUE(contains(run.out, "in pictures-0-of-1-000000.tar, pictures-0-of-1-000001.tar"));
}

TEST(Verify, WhatIsNoBatchIsFortyTwo) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  std::filesystem::create_directories(folders.output());
  EXPECT_EQ(verify(folders, manifest).code, 42);
  testing::write_file(folders.output() / "settings.json", "{}");
  EXPECT_EQ(verify(folders, manifest).code, 42);
}

}  // namespace
}  // namespace lightswitch
