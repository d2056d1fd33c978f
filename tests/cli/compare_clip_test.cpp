// `lightswitch compare` of clips: latents [N, C, T, h, w] and video files.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>
#include <lightswitch/metrics.hpp>
#include <lightswitch/temporal_decoder.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/chart_svg.hpp"
#include "cli/clip_comparison.hpp"
#include "cli/command_run.hpp"
#include "cli/small_package.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/reference_file.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

at::Tensor random_clip(int64_t frames, int64_t height, int64_t width, uint64_t seed) {
  return random_tensor({frames, 3, height, width}, seed).sigmoid();
}

/// Two decoders of pictures that eat the same latents.
class CompareClips : public ::testing::Test {
 protected:
  CompareClips() {
    save_safetensors(folder_ / "tae.safetensors", tiny_autoencoder(1));
    save_safetensors(folder_ / "other.safetensors", tiny_autoencoder(2));
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  void write(at::Tensor latents) const {
    LatentFile content;
    content.latents = std::move(latents);
    content.scaling_factor = 1.0;
    write_latents(folder_ / "z.safetensors", content);
  }
  CommandRun compare(const std::string& input, std::vector<std::string> decoders,
                     const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"compare", at(input), "-o", at("report"), "--json", "-"};
    for (const std::string& decoder : decoders) all.insert(all.end(), {"--decoder", decoder + ",dtype=fp32"});
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }
  std::vector<std::string> both() const { return {at("tae.safetensors"), at("other.safetensors")}; }
  /// What `decode` makes of z.safetensors, as exact as a file of frames is.
  at::Tensor decoded(const std::string& decoder, int64_t frames) const {
    const TemporaryFolder made;
    EXPECT_EQ(run_command({"decode", at("z.safetensors"), "--decoder", decoder + ",dtype=fp32", "-o",
                           (made / "%03d.npy").string()})
                  .code,
              0);
    std::vector<at::Tensor> read;
    for (const std::string& name : names_in(made.path())) read.push_back(read_image(made / name));
    EXPECT_EQ(static_cast<int64_t>(read.size()), frames);
    return at::stack(read);
  }
  std::string page() const { return read_file(folder_ / "report" / "index.html"); }

  TemporaryFolder folder_;
};

TEST_F(CompareClips, WithoutAnOriginalTheFirstDecoderIsTheReference) {
  write(random_tensor({1, 4, 8, 3, 4}, 5));
  const CommandRun run = compare("z.safetensors", both());
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = json_of(run);
  EXPECT_EQ(json["reference"], both()[0] + ",dtype=fp32") << "the SPEC as given";
  const auto &first = json["decoders"][0], &second = json["decoders"][1];
  EXPECT_TRUE(first["psnr"].is_null());
  EXPECT_EQ(first["flicker"], 0);
  const at::Tensor reference = decoded(both()[0], 8), other = decoded(both()[1], 8);
  EXPECT_NEAR(second["psnr"], psnr(other, reference), 1e-3);
  EXPECT_NEAR(second["ssim"], ssim(other, reference), 1e-5);
  EXPECT_NEAR(second["flicker"], flicker(other, reference), 1e-5);
  EXPECT_GT(second["flicker"], 1e-3);
  EXPECT_EQ(json["clips"][0]["decoded"][1]["flicker_of_steps"].size(), 7u);
  for (const auto& decoder : json["decoders"]) {
    EXPECT_GT(decoder["ms"], 0);
    EXPECT_EQ(decoder["chunk"], 1);
    EXPECT_EQ(decoder["knows_time"], false);
  }
  const DecoderRegistry registry(builtin_decoder_families());
  const auto network = open_decoder(NetworkSpec::parse(both()[0]), {.registry = registry, .package = nullptr});
  EXPECT_NEAR(first["gmac"], static_cast<double>(network->macs(3, 4)) / 1e9, 1e-9);
  EXPECT_EQ(names_in(folder_ / "report"), (std::set<std::string>{"index.html", "sheet.png"}));
  EXPECT_TRUE(contains(page(), "8 frames; shown: 0 1 2 4 5 7"));
  EXPECT_TRUE(contains(page(), "<svg"));
  EXPECT_TRUE(contains(page(), "<polyline"));
}

TEST_F(CompareClips, EveryClipIsScored) {
  write(random_tensor({2, 4, 3, 2, 2}, 5));
  const CommandRun run = compare("z.safetensors", both(), {"--shown", "1"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = json_of(run);
  ASSERT_EQ(json["clips"].size(), 2u);
  const auto of = [&](int clip, const char* score) { return json["clips"][clip]["decoded"][1][score].get<double>(); };
  EXPECT_NE(of(0, "psnr"), of(1, "psnr"));
  for (const char* score : {"psnr", "ssim", "flicker"})
    EXPECT_NEAR(json["decoders"][1][score], (of(0, score) + of(1, score)) / 2, 1e-9) << score;
  EXPECT_TRUE(contains(page(), "The first 1 of 2 clips"));
}

TEST_F(CompareClips, AVideoFileIsEncodedFirstAndIsTheReference) {
  const at::Tensor original = random_clip(5, 21, 30, 3);
  const auto writer = create_video(folder_ / "a.y4m", 25);
  writer->write(original);
  writer->finish();
  const CommandRun run = compare("a.y4m", both(), {"--encoder", at("tae.safetensors") + ",dtype=fp32"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = json_of(run);
  EXPECT_EQ(json["reference"], "original");
  EXPECT_EQ(json["clips"][0]["name"], "a.y4m");
  ASSERT_EQ(run_command(
                {"encode", at("a.y4m"), "--encoder", at("tae.safetensors") + ",dtype=fp32", "-o", at("z.safetensors")})
                .code,
            0);
  const at::Tensor frames = open_video(folder_ / "a.y4m")->read(5);
  for (size_t i = 0; i < 2; ++i) {
    const at::Tensor made = decoded(both()[i], 5);
    EXPECT_NEAR(json["decoders"][i]["psnr"], psnr(made, frames), 1e-3);
    EXPECT_NEAR(json["decoders"][i]["flicker"], flicker(made, frames), 1e-5);
  }
}

TEST_F(CompareClips, DecodersOfClipsStandBesideThoseOfPictures) {
  std::filesystem::create_directory(folder_ / "temporal");
  write_stored_network(folder_ / "temporal", "taming_temporal");
  write(random_tensor({1, 4, 5, 3, 3}, 5));
  const CommandRun run = compare("z.safetensors", {at("temporal"), at("tae.safetensors")});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = json_of(run);
  EXPECT_EQ(json["decoders"][0]["knows_time"], true);
  EXPECT_EQ(json["decoders"][0]["chunk"], 5) << "its frames depend on chunks: the whole clip unless told otherwise";
  EXPECT_EQ(json["decoders"][1]["chunk"], 1);
}

TEST_F(CompareClips, PicturesAreOneClipWhereChunksAreAskedFor) {
  write(random_tensor({4, 4, 2, 2}, 5));
  const CommandRun run = compare("z.safetensors", both(), {"--decode-chunk", "2"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(json_of(run)["clips"][0]["frames"], 4);
  EXPECT_EQ(json_of(run)["decoders"][0]["chunk"], 2);
}

TEST_F(CompareClips, AClipOfOneFrameDoesNotFlicker) {
  write(random_tensor({1, 4, 1, 2, 2}, 5));
  const CommandRun run = compare("z.safetensors", both());
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_FALSE(json_of(run)["decoders"][1].contains("flicker"));
  EXPECT_TRUE(json_of(run)["clips"][0]["decoded"][1]["flicker"].is_null());
  EXPECT_FALSE(contains(page(), "<svg"));
}

TEST_F(CompareClips, MistakesAreToldBeforeAnythingIsWritten) {
  write(random_tensor({1, 4, 3, 2, 2}, 5));
  EXPECT_EQ(compare("z.safetensors", both(), {"--decode-chunk", "-1"}).code, 2);
  EXPECT_EQ(compare("none.mp4", both(), {"--encoder", both()[0]}).code, 1);
  write_file(folder_ / "a.mp4", "<html></html>");
  const CommandRun damaged = compare("a.mp4", both(), {"--encoder", both()[0]});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_TRUE(contains(damaged.err, "a.mp4")) << damaged.err;
  write_stored_network(folder_.path(), "taming_taehv");
  const CommandRun growing = compare("z.safetensors", {at("tae.safetensors"), at("model.safetensors")});
  EXPECT_EQ(growing.code, 1);
  EXPECT_TRUE(contains(growing.err, "different numbers of frames")) << growing.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "report"));
}

TEST(ClipJudge, EqualsTheMetricsOfTheWholeClip) {
  const at::Tensor clip = random_clip(6, 13, 17, 1), reference = random_clip(6, 13, 17, 2);
  cli::ClipJudge judge(nullptr);
  for (int64_t i = 0; i < 6; ++i) judge.next(clip[i], reference[i]);
  const cli::ClipScores scores = judge.scores();
  EXPECT_NEAR(scores.psnr, psnr(clip, reference), 1e-9);
  EXPECT_NEAR(scores.ssim, ssim(clip, reference), 1e-9);
  EXPECT_NEAR(scores.flicker.value(), flicker(clip, reference), 1e-9);
  EXPECT_NEAR(scores.flicker_of_steps[4], flicker(clip.narrow(0, 4, 2), reference.narrow(0, 4, 2)), 1e-9);
}

TEST(ClipComparison, FramesOfTheFilmstripAreSpreadOverTheClip) {
  EXPECT_EQ(cli::evenly_spaced(1, 6), (std::vector<int64_t>{0}));
  EXPECT_EQ(cli::evenly_spaced(3, 6), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(cli::evenly_spaced(11, 6), (std::vector<int64_t>{0, 2, 4, 6, 8, 10}));
}

contact_sheet::Chart two_curves() {
  return {.title = "a < b", .curves = {{"<one>", {0, 3.5, 1}}, {"two", {2, 2, 2}}}, .first = 1};
}

TEST(Chart, TheAxisEndsAtARoundNumberAboveEveryValue) {
  const contact_sheet::ChartLayout layout(two_curves(), 300, 100);
  EXPECT_EQ(layout.top(), 5);
  EXPECT_GT(layout.at(0, 0).y, layout.at(0, 5).y);
  EXPECT_EQ(layout.at(2, 0).x, static_cast<double>(layout.right()));
  EXPECT_EQ(contact_sheet::ChartLayout({.title = "", .curves = {{"", {0, 0}}}}, 300, 100).top(), 1);
}

TEST(Chart, SvgHasALineForEachCurveAndNoRawText) {
  const std::string svg = cli::chart_svg(two_curves(), 300, 100);
  EXPECT_TRUE(contains(svg, "&lt;one&gt;"));
  EXPECT_TRUE(contains(svg, "a &lt; b"));
  size_t lines = 0;
  for (size_t at = svg.find("<polyline"); at != std::string::npos; at = svg.find("<polyline", at + 1)) ++lines;
  EXPECT_EQ(lines, 2u);
}

TEST(Chart, ThePictureHasTheColoursOfItsCurves) {
  const at::Tensor picture = contact_sheet::draw_chart(two_curves(), 300, 100);
  EXPECT_EQ(picture.size(2), 300);
  EXPECT_GT(picture.size(1), 100);
  const at::Tensor plot = picture.narrow(1, 0, 100);
  for (size_t i = 0; i < 2; ++i) {
    const auto colour = contact_sheet::ChartLayout::colour(i);
    const at::Tensor wanted = at::tensor({colour[0], colour[1], colour[2]}, at::kFloat).div(255).view({3, 1, 1});
    EXPECT_GT((plot - wanted).abs().amax(0).lt(0.05).sum().item<int64_t>(), 20) << i;
  }
}

}  // namespace
}  // namespace lightswitch
