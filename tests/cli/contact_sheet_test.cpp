#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/media/image_io.hpp>

#include "cli/process.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::Process;
using testing::TemporaryFolder;

const std::filesystem::path kProgram = testing::lightswitch_program().parent_path() / "contact_sheet";

TEST(ContactSheet, LaysPicturesOutInTheirOrder) {
  const TemporaryFolder folder, logs;
  const auto at = [&](const std::string& name) { return (folder / name).string(); };
  const std::vector<double> greys{0.2, 0.4, 0.6};
  for (size_t i = 0; i < greys.size(); ++i)
    write_image(folder / (std::to_string(i) + ".png"), at::full({3, 30, 40}, greys[i]));
  Process sheet(
      kProgram,
      {"-o", at("sheet.png"), "--columns", "2", "--scale", "2", "--column-label", "left", "--column-label", "right",
       "--row-label", "one", "--row-label", "two", at("0.png") + "=a label", at("1.png"), at("2.png")},
      logs.path());
  ASSERT_EQ(sheet.wait(), 0) << sheet.err();
  const at::Tensor picture = read_image(folder / "sheet.png");
  EXPECT_EQ(picture.size(2), 8 + 2 * (80 + 8));
  // Down the middle of each column, where the labels' letters do not reach: one run of 60 rows for every picture.
  const auto rows_of = [&](double grey, int64_t x) {
    return (picture[0].select(1, x) - grey).abs().lt(0.005).sum().item<int64_t>();
  };
  EXPECT_EQ(rows_of(0.2, 8 + 79), 60);
  EXPECT_EQ(rows_of(0.4, 8 + 88 + 79), 60);
  EXPECT_EQ(rows_of(0.6, 8 + 79), 60);
  EXPECT_EQ(rows_of(0.6, 8 + 88 + 79), 0);
  EXPECT_LT(picture.narrow(1, 0, 20).min().item<double>(), 0.5) << "no column labels";
}

TEST(ContactSheet, AFolderStandsForItsPictures) {
  const TemporaryFolder folder, logs, output;
  for (const char* name : {"a.png", "b.png", "c.jpg"}) write_image(folder / name, at::full({3, 32, 32}, 0.5));
  Process sheet(kProgram, {"-o", (output / "sheet.png").string(), "--columns", "3", folder.path().string()},
                logs.path());
  ASSERT_EQ(sheet.wait(), 0) << sheet.err();
  EXPECT_EQ(read_image(output / "sheet.png").size(2), 8 + 3 * 40);
}

TEST(ContactSheet, AMissingPictureIsNamedAndNothingIsWritten) {
  const TemporaryFolder output, logs;
  Process sheet(kProgram, {"-o", (output / "sheet.png").string(), (output / "none.png").string()}, logs.path());
  EXPECT_EQ(sheet.wait(), 1);
  EXPECT_TRUE(contains(sheet.err(), "none.png"));
  EXPECT_TRUE(testing::names_in(output.path()).empty());
}

}  // namespace
}  // namespace lightswitch
