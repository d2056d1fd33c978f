#include "nn/run.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "layer_inputs.hpp"
#include "nn/layers.hpp"
#include "support/errors.hpp"

namespace lightswitch::nn {
namespace {

using namespace testing;  // NOLINT: the tests' own helpers

TEST(Layout, EnterAndLeaveAreInverse) {
  const at::Tensor x = random_tensor({2, 3, 4, 5});
  nn::Run run = nn::Run::compute();
  const at::Tensor inside = enter(run, x, at::kFloat, at::kCPU);
  EXPECT_TRUE(is_channels_last(inside));
  const at::Tensor outside = leave(run, inside);
  EXPECT_TRUE(outside.is_contiguous());
  EXPECT_TRUE(at::equal(outside, x));
  EXPECT_EQ(enter(run, x, at::kBFloat16, at::kCPU).scalar_type(), at::kBFloat16);
  EXPECT_EQ(leave(run, x.to(at::kBFloat16)).scalar_type(), at::kFloat);
}

TEST(PixelShuffle, MovesChannelsToPixelsAndBack) {
  const at::Tensor x = random_channels_last({2, 12, 3, 5});
  nn::Run run = nn::Run::compute();
  const at::Tensor y = pixel_shuffle(run, x, 2);
  ASSERT_EQ(y.sizes(), at::IntArrayRef({2, 3, 6, 10}));
  EXPECT_TRUE(is_channels_last(y));
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t a = 0; a < 2; ++a)
      for (int64_t b = 0; b < 2; ++b)
        EXPECT_TRUE(at::equal(y.select(1, c).slice(1, a, {}, 2).slice(2, b, {}, 2), x.select(1, 4 * c + 2 * a + b)));
  EXPECT_TRUE(at::equal(pixel_unshuffle(run, y, 2), x));
}

TEST(Activations, EqualTheirFormulas) {
  const at::Tensor x = random_channels_last({1, 8, 5, 5}) * 4;
  nn::Run run = nn::Run::compute();
  for (const auto act : {Activation::none, Activation::relu, Activation::silu, Activation::gelu})
    EXPECT_TRUE(close(activate(run, x, act), plain_activation(x.to(at::kDouble), act), 1e-5));
}

TEST(Counting, DoesNoArithmetic) {
  // Tensors without memory: whoever touched their numbers would fail.
  nn::Run run = nn::Run::count();
  const at::Tensor x = at::empty({1, 16, 1 << 20, 1 << 20}, at::kMeta);
  auto group = loader_of({{"n.weight", at::ones({16})}, {"n.bias", at::ones({16})}});
  EXPECT_EQ(enter(run, x, at::kFloat, at::kCPU).sizes(), x.sizes());
  EXPECT_EQ(GroupNorm(group, "n", 16, 4, 1e-6, Activation::silu)(run, x).sizes(), x.sizes());
  EXPECT_EQ(RmsNorm2d(group, "n", 16, 1e-6)(run, x).sizes(), x.sizes());
  EXPECT_EQ(activate(run, add(run, x, x), Activation::gelu).sizes(), x.sizes());
  EXPECT_EQ(pixel_shuffle(run, x, 2).sizes(), at::IntArrayRef({1, 4, 1 << 21, 1 << 21}));
  EXPECT_EQ(pixel_unshuffle(run, x, 2).sizes(), at::IntArrayRef({1, 64, 1 << 19, 1 << 19}));
  EXPECT_TRUE(leave(run, x).is_meta());
  EXPECT_EQ(run.macs(), 0);
}

TEST(Input, IsCheckedBeforeAnyLayerSeesIt) {
  EXPECT_NO_THROW(require_input(at::zeros({2, 3, 16, 8}), "pictures", 3, 8));
  const auto refused = [](const at::Tensor& x) {
    return expect_error<TensorError>([&] { require_input(x, "pictures", 3, 8); }).detail();
  };
  EXPECT_EQ(refused(at::zeros({1, 3, 8, 12})).expected, "[N, 3, H, W] floating point with H and W multiples of 8");
  EXPECT_EQ(refused(at::zeros({1, 4, 8, 8})).found, "[1, 4, 8, 8] Float");
  EXPECT_EQ(refused({}).found, "an undefined tensor");
  EXPECT_EQ(refused(at::zeros({3, 8, 8})).field, "pictures");
  refused(at::zeros({0, 3, 8, 8}));
  refused(at::zeros({1, 3, 8, 8}, at::kByte));
}

TEST(Checkpoint, ThrowsOnceAStopIsRequested) {
  std::stop_source source;
  nn::Run run = nn::Run::compute(source.get_token());
  auto loader = loader_of({});
  const Conv2d conv(loader, "conv", at::ones({1, 1, 1, 1}), {}, {.in = 1, .out = 1, .kernel = 1});
  EXPECT_NO_THROW(conv(run, at::ones({1, 1, 2, 2})));
  source.request_stop();
  EXPECT_THROW(conv(run, at::ones({1, 1, 2, 2})), Cancelled);
}

TEST(PlannedMemory, FollowsTensorsAsTheyComeAndGo) {
  nn::Run run = nn::Run::count();
  const auto plan = [&](int64_t floats) { return run.planned(at::empty({floats}, at::kMeta)); };
  at::Tensor a = plan(100), b = plan(50);
  EXPECT_EQ(run.peak_bytes(), 600);
  a = at::Tensor();
  const at::Tensor c = plan(80);
  EXPECT_EQ(run.peak_bytes(), 600);
  const at::Tensor view = b.narrow(0, 0, 1);
  b = at::Tensor();  // the view keeps it
  const at::Tensor d = plan(30);
  EXPECT_EQ(run.peak_bytes(), 640);
}

}  // namespace
}  // namespace lightswitch::nn
