#include <lightswitch/audio/layout.hpp>
#include <lightswitch/error.hpp>

#include <charconv>
#include <ranges>

namespace lightswitch::audio {
namespace {

/// Beyond these a layout is a lie, and nothing that is multiplied below can overflow.
constexpr int64_t kMostChannels = 1 << 14, kLongestKernel = 1 << 12, kMostSteps = 1 << 12;
constexpr size_t kMostStages = 16, kMostUnits = 16;

void require(bool sound, const std::string& field, const std::string& expected, int64_t found) {
  if (!sound) throw OptionError("impossible layout", {"", field, expected, std::to_string(found)});
}

void require_size(const std::string& field, int64_t value, int64_t most) {
  require(value >= 1 && value <= most, field, "1 … " + std::to_string(most), value);
}

void require_groups(const std::string& field, int64_t groups, int64_t from, int64_t to) {
  require_size(field, groups, kMostChannels);
  require(from % groups == 0 && to % groups == 0, field,
          "a divisor of " + std::to_string(from) + " and " + std::to_string(to), groups);
}

std::string joined(const std::vector<int64_t>& numbers) {
  std::string text;
  for (const int64_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

class MetadataReader {
 public:
  MetadataReader(const std::map<std::string, std::string>& metadata, const std::string& prefix)
      : metadata_(metadata), prefix_(prefix) {}

  const std::string& text(const std::string& key) const {
    const auto entry = metadata_.find(prefix_ + "." + key);
    if (entry == metadata_.end()) throw OptionError("not in the file's metadata", {"", prefix_ + "." + key, "", ""});
    return entry->second;
  }

  std::vector<int64_t> numbers(const std::string& key) const { return parse(key, text(key)); }

  std::vector<int64_t> numbers(const std::string& key, size_t count) const {
    auto found = numbers(key);
    if (found.size() != count) refuse(key, std::to_string(count) + " numbers", text(key));
    return found;
  }

  int64_t number(const std::string& key) const { return numbers(key, 1)[0]; }

  /// "1,3,9;1,3;": one list a stage, empty ones too.
  std::vector<std::vector<int64_t>> lists(const std::string& key, size_t count) const {
    std::vector<std::vector<int64_t>> found;
    const std::string& all = text(key);
    for (const auto part : std::views::split(all, ';')) found.push_back(parse(key, {part.begin(), part.end()}));
    if (found.size() != count) refuse(key, std::to_string(count) + " lists with ';' between", all);
    return found;
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& expected, const std::string& found) const {
    throw OptionError("unusable layout", {"", prefix_ + "." + key, expected, "\"" + found + "\""});
  }

 private:
  std::vector<int64_t> parse(const std::string& key, const std::string& list) const {
    std::vector<int64_t> found;
    if (list.empty()) return found;
    for (const auto part : std::views::split(list, ',')) {
      const std::string word(part.begin(), part.end());
      int64_t number = 0;
      const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), number);
      if (fault != std::errc() || end != word.data() + word.size()) refuse(key, "integers with ',' between", list);
      found.push_back(number);
    }
    return found;
  }

  const std::map<std::string, std::string>& metadata_;
  std::string prefix_;
};

}  // namespace

int64_t Layout::hop() const {
  int64_t samples = sample_stride;
  for (const Stage& stage : stages) samples *= stage.stride;
  return samples;
}

void Layout::validate() const {
  require_size("features", features, kMostChannels);
  require_size("widest", widest, kMostChannels);
  require_size("widest_kernel", widest_kernel, kLongestKernel);
  require_groups("widest_groups", widest_groups, features, widest);
  require_size("unit_kernel", unit_kernel, kLongestKernel);
  require_size("sample_stride", sample_stride, kMostSteps);
  require(stages.size() <= kMostStages, "stages", "at most " + std::to_string(kMostStages),
          static_cast<int64_t>(stages.size()));
  int64_t coarse = widest, samples = sample_stride;
  for (size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    const std::string field = "stages." + std::to_string(i) + ".";
    require_size(field + "channels", stage.channels, kMostChannels);
    require_size(field + "stride", stage.stride, kMostSteps);
    require_size(field + "kernel", stage.kernel, kLongestKernel);
    require(stage.kernel >= stage.stride, field + "kernel", "at least the stride", stage.kernel);
    require_groups(field + "groups", stage.groups, coarse, stage.channels);
    require_groups(field + "unit_groups", stage.unit_groups, stage.channels, stage.channels);
    require(stage.dilations.size() <= kMostUnits, field + "dilations", "at most " + std::to_string(kMostUnits),
            static_cast<int64_t>(stage.dilations.size()));
    for (const int64_t dilation : stage.dilations) require_size(field + "dilations", dilation, kMostSteps);
    coarse = stage.channels;
    samples *= stage.stride;
    require(samples <= kMostSteps, "hop", "at most " + std::to_string(kMostSteps), samples);
  }
  require_size("sample_kernel", sample_kernel, kLongestKernel);
  require(sample_kernel >= sample_stride, "sample_kernel", "at least sample_stride", sample_kernel);
}

Layout Layout::heavy() {
  const std::vector<int64_t> dilations{1, 3, 9};
  return {.features = 64,
          .widest = 512,
          .widest_kernel = 3,
          .widest_groups = 4,
          .stages = {{256, 2, 4, 4, dilations, 4}, {128, 2, 4, 2, dilations, 2}, {64, 5, 10, 1, dilations, 1}},
          .sample_stride = 16,
          .sample_kernel = 64,
          .unit_kernel = 3,
          .separable = true,
          .activation = Activation::leaky};
}

Layout Layout::light() {
  Layout layout = heavy();
  layout.widest = 64;
  layout.stages = {{32, 4, 8, 2, {1, 3}, 1}, {24, 5, 10, 1, {1, 3}, 1}};
  return layout;
}

Layout Layout::paper(int64_t channels, const std::vector<int64_t>& strides, int64_t features) {
  Layout layout{.features = features};
  for (const int64_t stride : strides) {
    layout.stages.insert(layout.stages.begin(), {channels, stride, 2 * stride, 1, {1, 3, 9}, 1});
    channels *= 2;
  }
  layout.widest = channels;
  layout.widest_kernel = 7;
  return layout;
}

std::map<std::string, std::string> Layout::to_metadata(const std::string& prefix) const {
  std::vector<int64_t> channels{widest}, strides, kernels{widest_kernel}, groups{widest_groups}, unit_groups;
  std::string dilations;
  for (const Stage& stage : stages) {
    channels.push_back(stage.channels);
    strides.push_back(stage.stride);
    kernels.push_back(stage.kernel);
    groups.push_back(stage.groups);
    unit_groups.push_back(stage.unit_groups);
    dilations += (strides.size() == 1 ? "" : ";") + joined(stage.dilations);
  }
  strides.push_back(sample_stride);
  kernels.push_back(sample_kernel);
  return {{prefix + ".features", std::to_string(features)},
          {prefix + ".channels", joined(channels)},
          {prefix + ".strides", joined(strides)},
          {prefix + ".kernels", joined(kernels)},
          {prefix + ".groups", joined(groups)},
          {prefix + ".unit_groups", joined(unit_groups)},
          {prefix + ".dilations", dilations},
          {prefix + ".unit_kernel", std::to_string(unit_kernel)},
          {prefix + ".separable", separable ? "1" : "0"},
          {prefix + ".activation", activation == Activation::leaky ? "leaky" : "elu"}};
}

Layout Layout::from_metadata(const std::map<std::string, std::string>& metadata, const std::string& prefix) {
  const MetadataReader reader(metadata, prefix);
  const auto channels = reader.numbers("channels");
  if (channels.empty() || channels.size() > kMostStages + 1)
    reader.refuse("channels", "1 … " + std::to_string(kMostStages + 1) + " numbers", reader.text("channels"));
  const size_t stages = channels.size() - 1;
  const auto strides = reader.numbers("strides", stages + 1), kernels = reader.numbers("kernels", stages + 2),
             groups = reader.numbers("groups", stages + 1), unit_groups = reader.numbers("unit_groups", stages);
  const auto dilations = stages == 0 ? std::vector<std::vector<int64_t>>{} : reader.lists("dilations", stages);
  Layout layout{.features = reader.number("features"),
                .widest = channels[0],
                .widest_kernel = kernels[0],
                .widest_groups = groups[0],
                .sample_stride = strides[stages],
                .sample_kernel = kernels[stages + 1],
                .unit_kernel = reader.number("unit_kernel")};
  for (size_t i = 0; i < stages; ++i)
    layout.stages.push_back({channels[i + 1], strides[i], kernels[i + 1], groups[i + 1], dilations[i], unit_groups[i]});
  const std::string &separable = reader.text("separable"), &activation = reader.text("activation");
  if (separable != "0" && separable != "1") reader.refuse("separable", "0 or 1", separable);
  if (activation != "leaky" && activation != "elu") reader.refuse("activation", "leaky or elu", activation);
  layout.separable = separable == "1";
  layout.activation = activation == "leaky" ? Activation::leaky : Activation::elu;
  layout.validate();
  return layout;
}

}  // namespace lightswitch::audio
