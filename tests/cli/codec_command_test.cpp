// `lightswitch codec` on a codec of random weights.

#include <gtest/gtest.h>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/media/image_io.hpp>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/codec_files.hpp"
#include "cli/command_run.hpp"
#include "cli/opus_tools.hpp"
#include "cli/process.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::contains;
using testing::json_of;
using testing::read_file;
using testing::run_command;
using testing::write_file;

class CodecCommand : public ::testing::Test {
 protected:
  CodecCommand() {
    write_model("codec.safetensors", true);
    write_sound("in.wav", {44100, 2}, 44100);
  }

  std::string at(const std::string& name) const { return (folder_ / name).string(); }

  void write_model(const std::string& name, bool light) const { testing::write_codec(folder_ / name, light); }

  void write_sound(const std::string& name, const audio::SoundFormat& format, int64_t length) const {
    testing::write_noise(folder_ / name, format, length);
  }

  CommandRun codec(std::vector<std::string> words) const {
    words.insert(words.begin(), "codec");
    words.insert(words.end(), {"-m", at("codec.safetensors")});
    return run_command(words);
  }

  CommandRun encoded(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"encode", at("in.wav"), "-o", at("a.lsc")};
    words.insert(words.end(), more.begin(), more.end());
    return codec(words);
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(CodecCommand, ThereAndBackIsAsLongAndTellsWhatItCost) {
  const CommandRun there = encoded({"--bitrate", "6400", "--json", "-"});
  ASSERT_EQ(there.code, 0) << there.err;
  const auto stream = json_of(there);
  EXPECT_EQ(stream["command"], "codec encode");
  EXPECT_EQ(stream["stream"]["channels"], 2);
  EXPECT_EQ(stream["stream"]["stages"], 8) << "of 8 bits, 50 times a second, in two channels";
  EXPECT_GT(stream["real_time_factor"]["median"], 0);
  const CommandRun back = codec({"decode", at("a.lsc"), "--heavy-share", "0.4", "--json", "-", "-o", at("b.flac")});
  ASSERT_EQ(back.code, 0) << back.err;
  const auto routing = json_of(back)["routing"];
  EXPECT_GE(routing["light_share"], 0.6);
  EXPECT_GT(routing["reduction_per_frame"], 10);
  EXPECT_GT(routing["mean_reduction"], 1);
  EXPECT_GE(json_of(back)["real_time_factor"]["median"], json_of(back)["real_time_factor"]["p99"]);
  const audio::SoundReader sound(folder_ / "b.flac");
  EXPECT_EQ(sound.format().sample_rate, 44100);
  EXPECT_EQ(sound.format().channels, 2);
  EXPECT_EQ(sound.length(), 44100);
}

TEST_F(CodecCommand, HintsAreWrittenAndObeyed) {
  const CommandRun there = encoded({"--route-hints", "--heavy-share", "0.4", "--json", "-"});
  ASSERT_EQ(there.code, 0) << there.err;
  EXPECT_EQ(json_of(there)["stream"]["route_hints"], true);
  EXPECT_EQ(json_of(there)["heavy_share"], 0.4);
  const CommandRun back = codec({"decode", at("a.lsc"), "--route", "hints", "--json", "-", "-o", at("b.wav")});
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_GE(json_of(back)["routing"]["light_share"], 0.6);
  EXPECT_LT(json_of(back)["routing"]["light_share"], 1);
  EXPECT_EQ(encoded({"--heavy-share", "0.4"}).code, 2) << "of no hints";
}

TEST_F(CodecCommand, ABudgetIsKept) {
  ASSERT_EQ(encoded().code, 0);
  const CommandRun run = codec({"decode", at("a.lsc"), "--budget", "80", "--json", "-", "-o", at("b.wav")});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto report = json_of(run);
  EXPECT_LE(report["routing"]["macs"].get<double>(), 80e6 * report["seconds"].get<double>());
  EXPECT_GT(report["routing"]["light_share"], 0);
  EXPECT_GT(report["heavy_share"], 0.2);
  const CommandRun poor = codec({"decode", at("a.lsc"), "--budget", "10", "-o", at("c.wav")});
  EXPECT_EQ(poor.code, 1);
  EXPECT_TRUE(contains(poor.err, "budget")) << poor.err;
  EXPECT_EQ(codec({"decode", at("a.lsc"), "--budget", "80", "--heavy-share", "0.2", "-o", at("c.wav")}).code, 2);
  EXPECT_EQ(codec({"decode", at("a.lsc"), "--budget", "80", "--route", "light", "-o", at("c.wav")}).code, 2);
  EXPECT_EQ(codec({"decode", at("a.lsc"), "--budget", "-3", "-o", at("c.wav")}).code, 2);
}

/// Both ends in processes of their own, joined by pipes.
TEST_F(CodecCommand, PipesGiveWhatFilesGive) {
  write_sound("talk.wav", {22050, 1}, 33333);
  const std::string program = testing::lightswitch_program().string() + " codec ",
                    model = " -q -m " + at("codec.safetensors");
  const auto shell = [](const std::string& command) { EXPECT_EQ(std::system(command.c_str()), 0) << command; };
  ASSERT_EQ(codec({"encode", at("talk.wav"), "-o", at("a.lsc")}).code, 0);
  ASSERT_EQ(codec({"decode", at("a.lsc"), "-o", at("a.wav")}).code, 0);
  shell(program + "encode - -o -" + model + " < " + at("talk.wav") + " | " + program + "decode - -o " + at("b.wav") +
        model);
  EXPECT_TRUE(read_file(folder_ / "b.wav") == read_file(folder_ / "a.wav"));
  shell("cat " + at("a.lsc") + " | " + program + "decode - -o " + at("c.wav") + model);
  EXPECT_TRUE(read_file(folder_ / "c.wav") == read_file(folder_ / "a.wav"));
  shell("cat " + at("a.lsc") + " | " + program + "decode - --heavy-share 0.5 -o -" + model + " > " + at("d.au"));
  EXPECT_EQ(audio::SoundReader(folder_ / "d.au").length(), 33333);
  shell("! head -c 600 " + at("a.lsc") + " | " + program + "decode - -o " + at("e.wav") + model + " 2> " + at("e.txt"));
  EXPECT_TRUE(contains(read_file(folder_ / "e.txt"), "breaks off"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "e.wav"));
}

TEST_F(CodecCommand, RatesOfTheOutputAreAChoice) {
  ASSERT_EQ(encoded().code, 0);
  ASSERT_EQ(codec({"decode", at("a.lsc"), "--rate", "16000", "-o", at("b.wav")}).code, 0);
  EXPECT_EQ(audio::SoundReader(folder_ / "b.wav").format().sample_rate, 16000);
}

TEST_F(CodecCommand, LossIsAFunctionOfTheSeed) {
  ASSERT_EQ(encoded().code, 0);
  const auto lossy = [&](const std::string& name, const std::string& seed) {
    const CommandRun run =
        codec({"decode", at("a.lsc"), "--loss-rate", "0.2", "--burst", "2", "-s", seed, "--json", "-", "-o", at(name)});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_GT(json_of(run)["lost_frames"], 0);
    return read_file(folder_ / name);
  };
  EXPECT_EQ(lossy("b.wav", "1"), lossy("c.wav", "1"));
  EXPECT_NE(lossy("b.wav", "1"), lossy("d.wav", "2"));
}

TEST_F(CodecCommand, InfoTellsTheStreamAndItsDamage) {
  ASSERT_EQ(encoded().code, 0);
  const CommandRun sound = run_command({"codec", "info", at("a.lsc")});
  EXPECT_EQ(sound.code, 0) << sound.err;
  EXPECT_TRUE(contains(sound.out, "source_rate: 44100"));
  EXPECT_TRUE(contains(sound.out, "source_samples: 44100"));
  std::string bytes = read_file(folder_ / "a.lsc");
  bytes[bytes.size() - 40] ^= 1;
  write_file(folder_ / "b.lsc", bytes);
  const CommandRun damaged = run_command({"codec", "info", at("b.lsc")});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_TRUE(contains(damaged.err, "1 problem(s) found: block 0")) << damaged.err;
  const CommandRun concealed = codec({"decode", at("b.lsc"), "-o", at("b.wav")});
  EXPECT_EQ(concealed.code, 0) << "one second is concealed";
  EXPECT_TRUE(contains(concealed.err, "block 0")) << concealed.err;
}

TEST_F(CodecCommand, WrongUsageAndBadFilesAreTold) {
  const auto refused = [&](const std::vector<std::string>& words, int code, const std::string& told) {
    const CommandRun run = codec(words);
    EXPECT_EQ(run.code, code) << run.err;
    EXPECT_TRUE(contains(run.err, told)) << told << "\nin " << run.err;
  };
  refused({"encode", at("in.wav"), "--bitrate", "1000", "-o", at("x.lsc")}, 2, "a multiple of 800");
  refused({"encode", at("nowhere.wav"), "-o", at("x.lsc")}, 1, "nowhere.wav");
  refused({"encode", at("in.wav"), "-o", at("no/folder/x.lsc")}, 1, "no/folder");
  write_file(folder_ / "not.wav", "<html>");
  refused({"encode", at("not.wav"), "-o", at("x.lsc")}, 1, "not.wav");
  ASSERT_EQ(encoded().code, 0);
  refused({"decode", at("a.lsc"), "--route", "cheap", "-o", at("x.wav")}, 2, "heavy, light, gate or hints");
  refused({"decode", at("a.lsc"), "--heavy-share", "2", "-o", at("x.wav")}, 2, "0 … 1");
  refused({"decode", at("a.lsc"), "--route", "light", "--heavy-share", "0.2", "-o", at("x.wav")}, 2, "--route gate");
  refused({"decode", at("a.lsc"), "--loss-rate", "1", "-o", at("x.wav")}, 2, "below 1");
  refused({"decode", at("a.lsc"), "--warmup", "some", "-o", at("x.wav")}, 2, "exact");
  write_file(folder_ / "short.lsc", read_file(folder_ / "a.lsc").substr(0, 20));
  refused({"decode", at("short.lsc"), "-o", at("x.wav")}, 1, "short.lsc");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x.lsc"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x.wav"));
  const CommandRun missing = run_command({"codec", "encode", at("in.wav"), "-m", at("none"), "-o", at("x.lsc")});
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(contains(missing.err, "no such model")) << missing.err;
}

TEST_F(CodecCommand, AStreamOfAnotherModelIsRefused) {
  ASSERT_EQ(encoded().code, 0);
  write_model("other.safetensors", false);
  const CommandRun run =
      run_command({"codec", "decode", at("a.lsc"), "-m", at("other.safetensors"), "-o", at("x.wav")});
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "another model")) << run.err;
}

TEST_F(CodecCommand, CompareLaysEverythingOut) {
  write_sound("talk.wav", {22050, 1}, 22050);
  const CommandRun run = codec({"compare", at("talk.wav"), "--bitrate", "3200", "--bitrate", "6400", "--heavy-share",
                                "0.5", "--json", "-", "-o", at("report")});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto report = json_of(run);
  std::vector<std::string> names;
  for (const auto& one : report["codecs"]) {
    names.push_back(one["name"]);
    const audio::SoundReader sound(folder_ / "report" / one["file"].get<std::string>());
    EXPECT_EQ(sound.format().sample_rate, 16000) << names.back();
    EXPECT_GE(one["log_mel_distance"], 0) << names.back();
  }
  std::erase_if(names, [](const std::string& name) { return name.starts_with("Opus"); });
  EXPECT_EQ(names, (std::vector<std::string>{"3200 bit/s, heavy", "3200 bit/s, gate 0.50", "3200 bit/s, light",
                                             "6400 bit/s, heavy", "6400 bit/s, gate 0.50", "6400 bit/s, light"}));
  const bool opus = cli::has_opus_tools();
  EXPECT_EQ(report["codecs"].size(), opus ? 8u : 6u);
  EXPECT_EQ(contains(run.err, "no Opus"), !opus) << run.err;
  EXPECT_EQ(report["codecs"][0]["light_share"], 0);
  EXPECT_GE(report["codecs"][1]["light_share"], 0.5);
  EXPECT_EQ(report["codecs"][2]["light_share"], 1);
  const std::string page = read_file(folder_ / "report" / "index.html");
  for (const char* part : {"<title>Codecs compared</title>", "src=\"3200-gate-0.50.wav\"", "src=\"original.wav\""})
    EXPECT_TRUE(contains(page, part)) << part;
  EXPECT_FALSE(contains(page, "http")) << "opens from disk";
  EXPECT_EQ(read_image(folder_ / "report" / "sheet.png").size(0), 3);
}

TEST_F(CodecCommand, ComparePicksWhatTheModelHas) {
  write_model("codec.safetensors", false);
  const CommandRun run = codec({"compare", at("in.wav"), "--json", "-", "-o", at("report")});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(json_of(run)["codecs"][0]["name"], "6400 bit/s, heavy");
  EXPECT_EQ(codec({"compare", at("in.wav"), "--heavy-share", "0.2", "-o", at("report")}).code, 1) << "no gate";
  EXPECT_EQ(codec({"compare", at("in.wav"), "--heavy-share", "1.2", "-o", at("report")}).code, 2);
}

}  // namespace
}  // namespace lightswitch
