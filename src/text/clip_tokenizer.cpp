#include <lightswitch/clip_tokenizer.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <utility>

#include "text/byte_pair_encoder.hpp"
#include "text/clip_vocabulary.hpp"
#include "text/normalize.hpp"
#include "text/special_tokens.hpp"
#include "text/unicode.hpp"
#include "text/words.hpp"

namespace lightswitch {
namespace {

namespace fs = std::filesystem;

class ClipTokenizer : public Tokenizer {
 public:
  ClipTokenizer(text::BytePairEncoder encoder, text::SpecialTokens special, int64_t max_length)
      : encoder_(std::move(encoder)), special_(std::move(special)), max_length_(max_length) {}

  int64_t max_length() const override { return max_length_; }

  std::vector<int64_t> encode(std::string_view text) const override {
    std::vector<int64_t> ids = tokens(text);
    ids.resize(std::min(ids.size(), static_cast<size_t>(max_length_ - 2)));
    ids.insert(ids.begin(), special_.start);
    ids.push_back(special_.end);
    ids.resize(max_length_, special_.padding);
    return ids;
  }

  std::vector<int64_t> tokens(std::string_view text) const override {
    std::vector<int64_t> ids;
    split_at_special_tokens(text::decode_utf8(text), false, ids, [&](std::u32string_view raw) {
      split_at_special_tokens(text::normalize(raw), true, ids, [&](std::u32string_view part) { add_words(part, ids); });
    });
    return ids;
  }

 private:
  /// Adds the ids of special tokens; what lies between them goes to `rest`.
  template <typename Rest>
  void split_at_special_tokens(std::u32string_view text, bool normalized, std::vector<int64_t>& ids, Rest rest) const {
    size_t begin = 0;
    for (size_t place = 0; place < text.size();) {
      const text::SpecialToken* token = special_.match(text.substr(place), normalized);
      if (token == nullptr) {
        ++place;
        continue;
      }
      rest(text.substr(begin, place - begin));
      ids.push_back(token->id);
      place += token->content.size();
      begin = place;
    }
    rest(text.substr(begin));
  }

  void add_words(std::u32string_view text, std::vector<int64_t>& ids) const {
    std::string bytes;
    for (const std::u32string_view word : text::split_words(text)) {
      bytes.clear();
      for (const char32_t code : word) text::append_utf8(bytes, code);
      encoder_.encode(bytes, ids);
    }
  }

  text::BytePairEncoder encoder_;
  text::SpecialTokens special_;
  int64_t max_length_;
};

}  // namespace

std::shared_ptr<const Tokenizer> load_clip_tokenizer(const fs::path& source, int64_t max_length) {
  if (max_length < 2)
    throw OptionError("no room for start and end",
                      {source.string(), "max_length", "at least 2", std::to_string(max_length)});
  std::error_code ignored;  // what cannot be inspected cannot be opened either
  const bool folder = fs::is_directory(source, ignored);
  auto vocabulary = folder ? text::read_vocabulary_folder(source) : text::read_merges_file(source);
  auto special =
      folder ? text::read_special_tokens(source, vocabulary.ids) : text::default_special_tokens(vocabulary.ids, source);
  text::BytePairEncoder encoder(text::byte_tokens(vocabulary.ids, special.unknown), std::move(vocabulary.merges));
  return std::make_shared<ClipTokenizer>(std::move(encoder), std::move(special), max_length);
}

}  // namespace lightswitch
