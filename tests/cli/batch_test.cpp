// `batch`: what is made, what is recorded, and that nothing but the item decides about a picture.

#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>

#include "cli/batch_run.hpp"
#include "core/sha256.hpp"
#include "support/errors.hpp"
#include "support/tensors.hpp"

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

TEST(Batch, MakesAPictureAnItemAndSaysWhatItMade) {
  const BatchFolders folders;
  const CommandRun run = folders.run(folders.manifest(mixed_items()));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(contains(run.err, "5 done"));
  EXPECT_EQ(names_in(folders.output()), (std::set<std::string>{"a.png", "b.png", "c.png", "d.png", "e.png",
                                                               "results-0-of-1.jsonl", "settings.json"}));
  const auto results = results_in(folders.output());
  ASSERT_EQ(results.size(), 5u);
  for (const auto& result : results) {
    const std::string bytes = read_file(folders.output() / result["out"].get<std::string>());
    EXPECT_EQ(result["state"], "done");
    EXPECT_EQ(result["out"], result["id"].get<std::string>() + ".png");
    EXPECT_EQ(result["bytes"], bytes.size());
    EXPECT_EQ(result["sha256"], sha256(bytes));
    EXPECT_EQ(result["digest"].get<std::string>().size(), 64u);
    for (const char* time : {"ms_denoise", "ms_decode", "ms_encode_file"}) EXPECT_GT(result[time], 0) << time;
    EXPECT_GT(result["peak_bytes"], 1 << 20);
  }
  EXPECT_EQ(read_image(folders.output() / "b.png").sizes(), (std::vector<int64_t>{3, 32, 48}));
}

TEST(Batch, PicturesAreThoseOfImage) {
  const BatchFolders folders;
  ASSERT_EQ(folders.run(folders.manifest(mixed_items()), {"--sampling-method", "euler_a"}).code, 0);
  const std::string d = (folders.work() / "d.png").string(), c = (folders.work() / "c.png").string();
  const CommandRun image =
      testing::run_command({"image", "-m", folders.model(), "-p", "a red house", "-n", "night", "-s", "4", "--steps",
                            "2", "--cfg-scale", "1", "--sampling-method", "euler_a", "-o", d});
  ASSERT_EQ(image.code, 0) << image.err;
  EXPECT_TRUE(at::equal(read_image(d), read_image(folders.output() / "d.png")));
  ASSERT_EQ(testing::run_command({"image", "-m", folders.model(), "-p", "the sea", "-s", "3", "--decoder", "other",
                                  "--sampling-method", "euler_a", "-o", c})
                .code,
            0);
  EXPECT_TRUE(at::equal(read_image(c), read_image(folders.output() / "c.png")));
  EXPECT_FALSE(at::equal(read_image(c), read_image(d)));
  // The text too, but for times.
  const auto text = read_image_text(folders.output() / "d.png"), same = read_image_text(d);
  EXPECT_EQ(text.at("parameters"), same.at("parameters"));
  EXPECT_TRUE(contains(text.at("lightswitch"), "\"seed\":4"));
}

class Independent : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(Independent, PicturesAreTheSameBitForBit) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  ASSERT_EQ(folders.run(manifest, {"--micro-batch", "1", "--queue", "1", "-t", "2"}, "plain").code, 0);
  const CommandRun run = folders.run(manifest, GetParam(), "other");
  ASSERT_EQ(run.code, 0) << run.err;
  const auto pictures = pictures_in(folders.output("plain"));
  ASSERT_EQ(pictures.size(), 5u);
  EXPECT_TRUE(pictures == pictures_in(folders.output("other")));
}

INSTANTIATE_TEST_SUITE_P(Of, Independent,
                         ::testing::Values(std::vector<std::string>{"--micro-batch", "2", "--queue", "2"},
                                           std::vector<std::string>{"--micro-batch", "8", "--queue", "64"},
                                           std::vector<std::string>{"--encode-threads", "5"},
                                           std::vector<std::string>{"-t", "1"}));

TEST(Batch, ShardsTogetherAreTheWhole) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest("\n" + mixed_items());  // blank lines count
  ASSERT_EQ(folders.run(manifest, {}, "whole").code, 0);
  for (const std::string shard : {"0/3", "1/3", "2/3"})
    ASSERT_EQ(folders.run(manifest, {"--shard", shard}, "parts").code, 0);
  EXPECT_TRUE(pictures_in(folders.output("whole")) == pictures_in(folders.output("parts")));
  std::map<std::string, int> lines;
  for (const auto& result : results_in(folders.output("parts"))) ++lines[result["id"]];
  EXPECT_EQ(lines, (std::map<std::string, int>{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}}));
  EXPECT_TRUE(contains(read_file(folders.output("parts") / "results-1-of-3.jsonl"), "\"id\":\"a\",\"line\":2"));
}

TEST(Batch, DecodesLatentFiles) {
  const BatchFolders folders;
  const std::string latents = (folders.work() / "z.safetensors").string(), png = (folders.work() / "z.png").string();
  ASSERT_EQ(
      testing::run_command({"image", "-m", folders.model(), "-p", "x", "--save-latents", latents, "-o", png}).code, 0);
  const CommandRun run = folders.run(folders.manifest(R"({"id":"z","latents":"z.safetensors"}
{"id":"other","latents":")" + latents + R"(","decoder":"other"}
{"id":"missing","latents":"none.safetensors"}
{"id":"both","latents":"z.safetensors","steps":3}
)"));
  EXPECT_EQ(run.code, 3) << run.err;  // the missing file may come
  EXPECT_TRUE(at::equal(read_image(png), read_image(folders.output() / "z.png")));
  EXPECT_FALSE(at::equal(read_image(png), read_image(folders.output() / "other.png")));
  for (const auto& result : results_in(folders.output())) {
    if (result["id"] == "missing") {
      EXPECT_EQ(result["retry"], true);
    }
    if (result["line"] == 4) {
      EXPECT_TRUE(contains(result["error"], "steps"));
    }
  }
}

TEST(Batch, FilesOfLatentsThatAreNoPictureFailAlone) {
  const BatchFolders folders;
  LatentFile two;
  two.latents = testing::random_tensor({2, 4, 4, 4}, 1);
  write_latents(folders.work() / "two.safetensors", two);
  testing::write_file(folders.work() / "text.safetensors", "this is no latent file");
  const CommandRun run = folders.run(folders.manifest(R"({"id":"two","latents":"two.safetensors"}
{"id":"text","latents":"text.safetensors"}
{"id":"good","prompt":"x"}
)"));
  EXPECT_EQ(run.code, 42) << run.err;  // no other try helps
  EXPECT_EQ(pictures_in(folders.output()).size(), 1u);
  EXPECT_TRUE(contains(results_in(folders.output())[0]["error"], "one picture an item"));
}

TEST(Batch, BadLinesAreRecordedAndTheRestGoesOn) {
  const BatchFolders folders;
  const CommandRun run =
      folders.run(folders.manifest("{\"id\":\"good\",\"prompt\":\"x\"}\n"
                                   "{\"id\":\"cut\",\"prompt\":\n"
                                   "{\"id\":\"typo\",\"promt\":\"x\"}\n"
                                   "{\"id\":\"../up\",\"prompt\":\"x\"}\n"
                                   "{\"id\":\"text\",\"prompt\":\"x\",\"steps\":\"many\"}\n"
                                   "{\"id\":\"odd\",\"prompt\":\"x\",\"width\":33}\n"
                                   "{\"id\":\"good\",\"prompt\":\"again\"}\n"
                                   "{\"id\":\"twice\",\"id\":\"twice\",\"prompt\":\"x\"}\n"
                                   "{\"id\":\"sound\",\"audio\":\"a.wav\"}\n"
                                   "{\"id\":\"no\",\"prompt\":\"x\",\"decoder\":\"tae,dtpye=fp32\"}\n"
                                   "[1]\n" +
                                   std::string(2 << 20, 'x') + "\n{\"id\":\"last\",\"prompt\":\"x\"}"));
  EXPECT_EQ(run.code, 42) << run.err;
  EXPECT_EQ(pictures_in(folders.output()).size(), 2u);
  const auto results = results_in(folders.output());
  ASSERT_EQ(results.size(), 13u);
  std::map<int, std::string> errors;
  for (const auto& result : results)
    if (result["state"] == "failed") errors[result["line"]] = result["error"];
  ASSERT_EQ(errors.size(), 11u);
  EXPECT_TRUE(contains(errors[2], "items.jsonl:2: not valid JSON"));
  EXPECT_TRUE(contains(errors[3], "perhaps prompt"));
  EXPECT_TRUE(contains(errors[4], "letters, digits"));
  EXPECT_TRUE(contains(errors[5], "steps"));
  EXPECT_TRUE(contains(errors[6], "width"));
  EXPECT_TRUE(contains(errors[7], "as on line 1"));
  EXPECT_TRUE(contains(errors[8], "stands twice"));
  EXPECT_TRUE(contains(errors[9], "sounds need a codec"));
  EXPECT_TRUE(contains(errors[10], "dtype"));
  EXPECT_TRUE(contains(errors[12], "1 MiB"));
}

TEST(Batch, WhatCanNeverSucceedIsFortyTwo) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  EXPECT_EQ(folders.run(folders.manifest("")).code, 42);
  EXPECT_EQ(folders.run(folders.manifest("nonsense\n")).code, 42);
  EXPECT_EQ(folders.run((folders.work() / "none.jsonl").string()).code, 42);
  const std::string good = folders.manifest(mixed_items());
  EXPECT_EQ(folders.run(good, {"--decoder", "nosuch"}).code, 42);
  EXPECT_EQ(testing::run_command({"batch", good, "-m", "/nowhere", "-o", folders.output().string()}).code, 42);
  testing::write_file(std::filesystem::path(folders.model()) / "denoiser.pt", "damaged");
  const CommandRun damaged = folders.run(good);
  EXPECT_EQ(damaged.code, 42);
  EXPECT_TRUE(contains(damaged.err, "denoiser.pt"));
}

TEST(Batch, MistakesOfTheCommandLine) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest(mixed_items());
  const auto mistake = [&](const std::vector<std::string>& more) {
    const CommandRun run = folders.run(manifest, more);
    EXPECT_EQ(run.code, 2) << run.err;
    return run.err;
  };
  EXPECT_TRUE(contains(mistake({"--stdin"}), "both"));
  EXPECT_TRUE(contains(mistake({"--shard", "2/2"}), "I/N"));
  EXPECT_TRUE(contains(mistake({"--shard", "two"}), "I/N"));
  EXPECT_TRUE(contains(mistake({"--micro-batch", "0"}), "micro_batch"));
  EXPECT_TRUE(contains(mistake({"--queue", "0"}), "queue"));
  EXPECT_TRUE(contains(mistake({"--encode-threads", "65"}), "encode_threads"));
  EXPECT_TRUE(contains(mistake({"--tar", "-1"}), "tar_items"));
  EXPECT_TRUE(contains(mistake({"--format", "bmp"}), ".png"));
  EXPECT_TRUE(contains(mistake({"--quality", "0"}), "--quality"));
  EXPECT_TRUE(contains(mistake({"--seed", "-1"}), "--seed"));
  EXPECT_TRUE(contains(mistake({"--steps", "0"}), "steps"));
  EXPECT_TRUE(contains(mistake({"--max-memory", "2G"}), "--vae-tile-size"));
  EXPECT_FALSE(std::filesystem::exists(folders.output()));
}

TEST(Batch, OtherFormats) {
  const BatchFolders folders;
  const std::string manifest = folders.manifest("{\"id\":\"a\",\"prompt\":\"x\"}\n");
  for (const std::string format : {"jpg", "webp", "ppm", "npy"}) {
    ASSERT_EQ(folders.run(manifest, {"--format", format}, format).code, 0);
    EXPECT_EQ(read_image(folders.output(format) / ("a." + format)).sizes(), (std::vector<int64_t>{3, 32, 32}));
  }
}

}  // namespace
}  // namespace lightswitch
