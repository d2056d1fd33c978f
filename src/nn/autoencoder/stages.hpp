#pragma once

#include <string>
#include <vector>

#include "nn/autoencoder/blocks.hpp"

/// What both halves are built from: a run of blocks at one resolution, and the middle. `Block` is ResidualBlock, or a
/// block of the same constructor and call that does more.
namespace lightswitch::nn::autoencoder {

/// The blocks of one resolution, counted in the file, each with attention behind it where the file has that.
template <typename Block>
class BlockRun {
 public:
  BlockRun(WeightLoader& loader, const std::string& name, int64_t in, int64_t out, const Plan& plan) {
    const auto block = [&](size_t i) { return name + ".resnets." + std::to_string(i); };
    const bool attends = loader.has(name + ".attentions.0.group_norm.weight");
    do {
      const size_t i = blocks_.size();
      blocks_.emplace_back(loader, block(i), i == 0 ? in : out, out, plan);
      if (attends) attentions_.emplace_back(loader, name + ".attentions." + std::to_string(i), out, plan);
    } while (loader.has(block(blocks_.size()) + "." + Block::kFirstConvolution));
  }

  at::Tensor operator()(Run& run, at::Tensor x) const {
    for (size_t i = 0; i < blocks_.size(); ++i) {
      x = blocks_[i](run, std::move(x));
      if (!attentions_.empty()) x = attentions_[i](run, x);
    }
    return x;
  }

  /// Shows every layer, in the order of execution.
  template <typename Visit>
  void walk(Visit& visit) const {
    for (size_t i = 0; i < blocks_.size(); ++i) {
      visit(blocks_[i]);
      if (!attentions_.empty()) visit(attentions_[i]);
    }
  }

  size_t size() const { return blocks_.size(); }
  bool attends() const { return !attentions_.empty(); }

 private:
  std::vector<Block> blocks_;
  std::vector<AttentionBlock> attentions_;  // none, or one for each block
};

/// Block, attention where the file has it, block: mid_block.
template <typename Block>
class Middle {
 public:
  /// Channels, read from the file.
  static int64_t width(const WeightLoader& loader) {
    return loader.axis_of(std::string("mid_block.resnets.0.") + Block::kFirstConvolution, 0, 1);
  }

  Middle(WeightLoader& loader, const Plan& plan) {
    const int64_t channels = width(loader);
    blocks_.emplace_back(loader, "mid_block.resnets.0", channels, channels, plan);
    const std::string attention = "mid_block.attentions.0";
    if (loader.has(attention + ".group_norm.weight")) attention_.emplace_back(loader, attention, channels, plan);
    blocks_.emplace_back(loader, "mid_block.resnets.1", channels, channels, plan);
  }

  at::Tensor operator()(Run& run, const at::Tensor& x) const {
    at::Tensor y = blocks_[0](run, x);
    for (const AttentionBlock& attention : attention_) y = attention(run, y);
    return blocks_[1](run, std::move(y));
  }

  /// As BlockRun::walk().
  template <typename Visit>
  void walk(Visit& visit) const {
    visit(blocks_[0]);
    for (const AttentionBlock& attention : attention_) visit(attention);
    visit(blocks_[1]);
  }

  bool attends() const { return !attention_.empty(); }

 private:
  std::vector<Block> blocks_;
  std::vector<AttentionBlock> attention_;  // none or one
};

/// Pixels per latent: every stage but one doubles the size. @throws WeightsError when there is no stage, or too many.
int64_t size_factor(size_t stages, const std::string& origin);

/// One line for NetworkInfo: "128-256-512-512, 3 blocks each, attention in the middle and at 512".
/// @param attending widths of the stages that attend, from the full size on.
std::string describe(const std::vector<int64_t>& widths, size_t blocks, bool middle_attends,
                     const std::vector<int64_t>& attending);

}  // namespace lightswitch::nn::autoencoder
